// Reading a trace, of a process that may write meanwhile, or be dead, or of a file that somebody
// has made up: so all is read by pread, nothing is mapped, and what is read is believed only as far
// as it has been checked.
//
// A ring is read in batches: the number of its next record, the records, and that number again.
// What the writer may have overwritten in between is thrown away and told as a gap; the writer is
// never waited for. The rings are merged by time, as far as they have been read.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/memory.h"
#include "core/node.h"
#include "data/doc.h"
#include "trace/file.h"

#define BATCH      256u
#define LOOPS_MAX  TR__LOOPS_MAX
#define NAMES_MAX  65536u // actors whose names are remembered
#define FILL_EVERY 64u    // records that are told before rings that were empty are looked at again

// A ring, and what has been read of it and not told.
typedef struct cursor {
    uint64_t ring_at, next_at; // in the file
    uint32_t room;             // records of the ring
    uint64_t number;           // of the first one here
    uint32_t count, pos;
    uint64_t lost;
    tr__record *records; // BATCH
} cursor;

struct tr_trace {
    tr__trace_source source;
    int fd; // -1: none
    int want;
    int want_fd;
    tr__trace_head head;
    double ns_per_tick;
    uint32_t loops;
    cursor *cursors; // two a loop
    uint32_t calls;
    tr__map names; // by actor: strings, the behaviour's and << 16 the name's, + 1 << 32
    char called[TR__TRACE_CELL + 24];
    char strings[TR__TRACE_STRINGS][TR__TRACE_CELL]; // those that have been read
    uint8_t body[TR__BODY_MAX];
};

// ---- Reading at a place ----

static bool trace_get(const tr_trace *t, void *bytes, size_t size, uint64_t at)
{
    return t->source.read(t->source.arg, bytes, size, at) == (int64_t)size;
}

// 0 where there is nothing.
static uint64_t word_at(const tr_trace *t, uint64_t at)
{
    uint64_t word = 0;
    return trace_get(t, &word, sizeof word, at) ? word : 0;
}

static uint64_t loop_at(uint32_t loop)
{
    return TR__TRACE_LOOPS_AT + (uint64_t)loop * TR__TRACE_LOOP_SIZE;
}

static const char *string_at(tr_trace *t, uint32_t n)
{
    tr__trace_string string;
    if (n == 0 || n >= TR__TRACE_STRINGS)
        return "";
    if (t->strings[n][0] != '\0')
        return t->strings[n] + 1;
    if (!trace_get(t, &string, sizeof string, TR__TRACE_STRINGS_AT + n * TR__TRACE_CELL))
        return "?";
    uint32_t size = atomic_load_explicit(&string.size, memory_order_relaxed);
    if (size == 0 || size > sizeof string.text)
        return "?";
    t->strings[n][0] = (char)size;
    memcpy(t->strings[n] + 1, string.text, size);
    t->strings[n][1 + size] = '\0';
    return t->strings[n] + 1;
}

static uint64_t node_at(tr_trace *t, uint32_t n)
{
    uint64_t node = 0;
    if (n == 0)
        return tr__word_get(&t->head.node);
    const char *text = string_at(t, n);
    if (n < TR__TRACE_STRINGS && t->strings[n][0] == sizeof node)
        memcpy(&node, text, sizeof node);
    return node;
}

// ---- Opening ----

static int64_t file_read(void *arg, void *bytes, size_t size, uint64_t at)
{
    return pread(((const tr_trace *)arg)->fd, bytes, size, (off_t)at);
}

static int head_check(tr_trace *t)
{
    tr__trace_head *head = &t->head;
    if (!trace_get(t, head, sizeof *head, 0) ||
        memcmp(head->magic, TR__TRACE_MAGIC, sizeof head->magic) != 0)
        return TR_EBADMSG;
    if (head->version != TR__TRACE_VERSION)
        return TR_EVERSION;
    head->name[sizeof head->name - 1] = head->exe[sizeof head->exe - 1] = '\0';
    return 0;
}

// How long a tick is: by this machine's clocks, if it has written them since it was started.
static double clock_rate(const tr__trace_head *head, bool here)
{
    tr__trace_clock now;
    tr__trace_clock_now(head->tsc != 0, &now);
    if (!here || now.mono < head->first.mono || now.ticks < head->first.ticks)
        now = (tr__trace_clock){tr__word_get(&head->last_ticks), tr__word_get(&head->last_mono), 0};
    double ticks = (double)now.ticks - (double)head->first.ticks;
    double ns = (double)now.mono - (double)head->first.mono;
    return head->tsc == 0 || ticks <= 0 || ns <= 0 ? 1 : ns / ticks;
}

static void trace_clear(tr_trace *t)
{
    for (uint32_t i = 0; i < 2 * t->loops; i++)
        tr__free(t->cursors[i].records);
    tr__free(t->cursors);
    tr__map_clear(&t->names);
    if (t->want_fd >= 0)
        close(t->want_fd);
    if (t->fd >= 0)
        close(t->fd);
    tr__free(t);
}

static int trace_new(tr_trace **ret_trace)
{
    tr_trace *t = tr__zalloc(sizeof *t);
    if (t == NULL)
        return TR_ENOMEM;
    t->fd = t->want_fd = -1;
    *ret_trace = t;
    return 0;
}

static int trace_begin(tr_trace *t, tr_trace **ret_trace)
{
    int rc = head_check(t);
    if (rc < 0) {
        trace_clear(t);
        return rc;
    }
    t->ns_per_tick = clock_rate(&t->head, t->fd >= 0);
    *ret_trace = t;
    return 0;
}

int tr__trace_open_source(const tr__trace_source *source, tr_trace **ret_trace)
{
    tr_trace *t;
    int rc = trace_new(&t);
    if (rc < 0)
        return rc;
    t->source = *source;
    return trace_begin(t, ret_trace);
}

int tr_trace_open(const char *path, tr_trace **ret_trace)
{
    tr_trace *t;
    struct stat st;
    if (path == NULL || ret_trace == NULL)
        return TR_EINVAL;
    int rc = trace_new(&t);
    if (rc < 0)
        return rc;
    t->source = (tr__trace_source){file_read, t};
    t->fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0)
        rc = errno == ENOENT ? TR_ENOENT : -errno;
    else if (fstat(t->fd, &st) < 0 || st.st_uid != geteuid())
        rc = -EACCES;
    else if (!S_ISREG(st.st_mode))
        rc = TR_EBADMSG;
    if (rc == 0)
        return trace_begin(t, ret_trace);
    trace_clear(t);
    return rc;
}

typedef struct found {
    int64_t pid;
    char path[TR__TRACE_PATH];
} found;

// The one that was kept last has the largest name, and any is smaller than one that runs.
static int found_one(const char *path, void *arg)
{
    found *f = arg;
    const char *name = strrchr(path, '/') + 1;
    long long pid = -1;
    if (sscanf(name, "kept-%*d-%lld", &pid) != 1 || pid != f->pid)
        return 0;
    if (strcmp(path, f->path) > 0)
        snprintf(f->path, sizeof f->path, "%s", path);
    return 0;
}

int tr_trace_open_pid(int64_t pid, tr_trace **ret_trace)
{
    found f = {.pid = pid == 0 ? getpid() : pid};
    int rc = pid < 0 ? TR_EINVAL : tr__trace_path(f.pid, 0, f.path, sizeof f.path);
    if (rc < 0)
        return rc;
    rc = tr_trace_open(f.path, ret_trace);
    if (rc != TR_ENOENT)
        return rc;
    f.path[0] = '\0';
    rc = tr_trace_each(found_one, &f);
    if (rc == 0)
        rc = f.path[0] == '\0' ? TR_ENOENT : tr_trace_open(f.path, ret_trace);
    return rc;
}

// ---- Wanting messages ----

static uint64_t want_at(int slot)
{
    return TR__TRACE_CONTROL_AT + offsetof(tr__trace_control, wants) +
           (uint64_t)slot * sizeof(tr__trace_want);
}

// A place that nobody else has a lock on: the system takes it away from who dies.
static int want_take(tr_trace *t)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", t->fd);
    t->want_fd = open(link, O_RDWR | O_CLOEXEC);
    if (t->want_fd < 0)
        return -errno;
    for (int i = 0; i < (int)TR__TRACE_WANTS; i++) {
        struct flock lock = {.l_type = F_WRLCK, .l_start = (off_t)want_at(i), .l_len = 1};
        t->want = i;
        if (fcntl(t->want_fd, F_OFD_SETLK, &lock) == 0)
            return 0;
    }
    close(t->want_fd);
    t->want_fd = -1;
    return TR_EFULL;
}

static bool want_put(const tr_trace *t, size_t offset, uint64_t word)
{
    return pwrite(t->want_fd, &word, sizeof word, (off_t)(want_at(t->want) + offset)) ==
           sizeof word;
}

static int want_write(const tr_trace *t, bool bodies, uint64_t until)
{
    const uint64_t one = 1;
    bool done = want_put(t, offsetof(tr__trace_want, pid), (uint64_t)getpid()) &&
                want_put(t, offsetof(tr__trace_want, bodies), bodies) &&
                want_put(t, offsetof(tr__trace_want, until), until) &&
                pwrite(t->want_fd, &one, sizeof one, TR__TRACE_CONTROL_AT) == sizeof one;
    return done ? 0 : -EIO;
}

int tr_trace_want(tr_trace *trace, bool bodies, uint32_t lease_ms)
{
    tr__trace_clock now;
    if (trace == NULL || trace->fd < 0)
        return TR_EINVAL;
    if (!tr__trace_alive(trace->fd))
        return TR_EDOWN;
    int rc = trace->want_fd >= 0 ? 0 : want_take(trace);
    tr__trace_clock_now(false, &now);
    return rc < 0 ? rc : want_write(trace, bodies, now.mono + TR_MS(lease_ms));
}

void tr_trace_close(tr_trace **trace)
{
    if (trace == NULL || *trace == NULL)
        return;
    tr_trace *t = *trace;
    *trace = NULL;
    if (t->want_fd >= 0)
        want_write(t, false, 0);
    trace_clear(t);
}

// ---- Names of actors ----

// The name, or behaviour and place: of the first loop just the index.
static void actor_print(tr_trace *t, uint64_t actor, uint64_t strings)
{
    const char *name = string_at(t, strings >> 16 & UINT16_MAX);
    const char *behavior = string_at(t, strings & UINT16_MAX);
    unsigned loop = (unsigned)(actor >> TR__ID_LOOP_SHIFT);
    unsigned index = (unsigned)((actor & TR__ID_HANDLE) >> 28);
    bool lodger = (actor & TR__ID_LODGER) != 0;
    if (name[0] != '\0')
        snprintf(t->called, sizeof t->called, "%s", name);
    else if (loop == 0 && !lodger)
        snprintf(t->called, sizeof t->called, "%s/%u", behavior, index);
    else
        snprintf(t->called, sizeof t->called, "%s/%u%c%u", behavior, loop, lodger ? ':' : '.',
                 index);
}

static void actor_know(tr_trace *t, uint64_t actor, uint64_t strings)
{
    if (actor == 0)
        return;
    if (t->names.count > NAMES_MAX)
        tr__map_clear(&t->names);
    tr__map_remove(&t->names, actor);
    tr__map_put(&t->names, actor, (void *)(uintptr_t)(strings | UINT64_C(1) << 32));
}

// What the table of those that live says; 0: nothing.
static uint64_t seat_strings(const tr_trace *t, uint64_t actor)
{
    tr__trace_seat seat;
    uint64_t place = tr__id_place(actor);
    uint64_t at = loop_at((uint32_t)(actor >> TR__ID_LOOP_SHIFT)) + TR__TRACE_ACTORS_AT;
    if (place >= TR__TRACE_ACTORS ||
        !trace_get(t, &seat, sizeof seat, at + place * TR__TRACE_CELL) ||
        tr__word_get(&seat.id) != actor)
        return 0;
    return tr__word_get(&seat.names) & UINT32_MAX;
}

const char *tr_trace_name(tr_trace *trace, uint64_t actor)
{
    if (trace == NULL)
        return "";
    uint64_t strings = (uint64_t)(uintptr_t)tr__map_get(&trace->names, actor);
    if (strings == 0) {
        strings = seat_strings(trace, actor);
        if (strings == 0)
            return "";
        actor_know(trace, actor, strings);
    }
    actor_print(trace, actor, strings);
    return trace->called;
}

static void text_copy(char *to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);
    memcpy(to, from, len);
    to[len] = '\0';
}

static void name_addr(tr_trace *t, tr_addr addr, char *ret_name, size_t size)
{
    ret_name[0] = '\0';
    if (addr.node == tr__word_get(&t->head.node))
        text_copy(ret_name, size, tr_trace_name(t, addr.actor));
    if (ret_name[0] == '\0' && addr.actor != 0)
        snprintf(ret_name, size, "%08x/%llx", (unsigned)(addr.node >> 32),
                 (unsigned long long)(addr.actor >> 28));
}

// ---- Rings ----

static uint64_t ring_next(const tr_trace *t, const cursor *c)
{
    return word_at(t, c->next_at);
}

// What is not in the ring any more.
static void ring_catch_up(cursor *c, uint64_t next)
{
    if (c->count > 0 || next <= c->room || c->number >= next - c->room)
        return;
    c->lost += next - c->room - c->number;
    c->number = next - c->room;
}

static void ring_read(const tr_trace *t, cursor *c, uint64_t next)
{
    uint64_t from = c->number + c->count;
    uint64_t count = BATCH - c->count, to_wrap = c->room - from % c->room;
    count = next - from < count ? next - from : count;
    count = to_wrap < count ? to_wrap : count;
    tr__record *to = c->records + c->count;
    if (!trace_get(t, to, count * TR__TRACE_CELL, c->ring_at + from % c->room * TR__TRACE_CELL))
        return;
    uint64_t after = ring_next(t, c);
    for (uint64_t i = 0; i < count; i++)
        if (from + i + c->room <= after || to[i].seq != (uint32_t)(from + i + 1))
            to[i].kind = TR_TRACE_GAP;
    c->count += (uint32_t)count;
}

static void ring_fill(const tr_trace *t, cursor *c)
{
    uint64_t next = ring_next(t, c);
    memmove(c->records, c->records + c->pos, (c->count - c->pos) * sizeof *c->records);
    c->number += c->pos;
    c->count -= c->pos;
    c->pos = 0;
    ring_catch_up(c, next);
    if (next > c->number + c->count && c->count < BATCH)
        ring_read(t, c, next);
}

// None if what follows is no body, for it may have been overwritten meanwhile.
static uint32_t body_parts(const tr__record *r)
{
    const tr__record_body *first = (const tr__record_body *)(r + 1);
    if ((r->flags & TR_TRACE_HAS_BODY) == 0 || first->kind != TR_TRACE_BODY ||
        first->size > TR__BODY_MAX)
        return 0;
    return (first->size + TR__BODY_PART - 1) / TR__BODY_PART;
}

// The records that the first one consists of are all here, but of what the dead has not written.
static bool cursor_whole(const tr_trace *t, cursor *c)
{
    for (int tries = 0; tries < 3; tries++) { // a ring's end may be in between, twice at most
        const tr__record *r = c->records + c->pos;
        uint32_t here = c->count - c->pos;
        if (here > 0 && ((r->flags & TR_TRACE_HAS_BODY) == 0 || r->kind != TR_TRACE_MESSAGE ||
                         (here > 1 && here > body_parts(r))))
            return true;
        ring_fill(t, c);
    }
    return c->count > c->pos && (t->fd < 0 || !tr__trace_alive(t->fd));
}

// Past what was lost.
static bool cursor_ready(const tr_trace *t, cursor *c)
{
    while (c->records != NULL && cursor_whole(t, c)) {
        uint8_t kind = c->records[c->pos].kind;
        if (kind != TR_TRACE_GAP && kind != TR_TRACE_BODY && kind < TR_TRACE_KINDS)
            return true;
        c->lost += kind != TR_TRACE_BODY;
        c->pos++;
    }
    return false;
}

// ---- Telling ----

#define NS_MAX 9e18 // what the file says may be anything

static double ns_clamp(double ns)
{
    return ns < -NS_MAX ? -NS_MAX : ns > NS_MAX ? NS_MAX : ns;
}

static uint64_t real_of(const tr_trace *t, uint64_t ticks)
{
    double since = (double)(int64_t)(ticks - t->head.first.ticks) * t->ns_per_tick;
    return t->head.first.real + (uint64_t)(int64_t)ns_clamp(since);
}

static uint64_t ns_of(const tr_trace *t, uint64_t ticks)
{
    return (uint64_t)ns_clamp((double)ticks * t->ns_per_tick);
}

static void tell_body(tr_trace *t, const tr__record *r, uint32_t here, tr_trace_event *e)
{
    const tr__record_body *part = (const tr__record_body *)(r + 1);
    uint32_t parts = here > 1 ? body_parts(r) : 0, size;
    size_t used;
    e->flags &= ~(unsigned)TR_TRACE_HAS_BODY;
    if (parts == 0 || here <= parts)
        return;
    size = part->size;
    for (uint32_t at = 0; at < size; at += TR__BODY_PART, part++) {
        if (part->kind != TR_TRACE_BODY)
            return;
        memcpy(t->body + at, part->bytes, size - at < TR__BODY_PART ? size - at : TR__BODY_PART);
    }
    if (tr__doc_scan(t->body, size, &used) < 0 || used != size)
        return;
    e->flags |= TR_TRACE_HAS_BODY;
    e->body = t->body;
    e->body_size = size;
}

static void tell_message(tr_trace *t, const tr__record *r, tr_trace_event *e)
{
    uint64_t wait = tr__trace_unpack(r->wait), run = tr__trace_unpack(r->run);
    bool stamped = (r->flags & TR_TRACE_STAMPED) != 0;
    e->run = ns_of(t, run);
    e->wait = stamped ? ns_of(t, wait) : 0;
    e->time = real_of(t, r->ticks + run);
    e->sent = real_of(t, r->ticks - wait);
    e->trace = r->number;
    e->span = r->span;
    e->parent = r->parent;
    e->depth = r->depth;
    if ((r->flags & TR_TRACE_FAILED) != 0)
        e->code = (int)r->size;
    else
        e->bytes = r->size;
}

static void tell_fact(tr_trace *t, const tr__record *r, tr_trace_event *e)
{
    e->time = e->sent = real_of(t, r->ticks);
    e->number = r->number;
    e->code = (int)r->size;
    e->reason =
        (tr_reason){.kind = r->run <= TR_REASON_NOACTOR ? (tr_reason_kind)r->run : TR_REASON_NORMAL,
                    .code = (int)r->size};
    uint64_t known = (uint64_t)(uintptr_t)tr__map_get(&t->names, r->actor) & UINT32_MAX;
    if (e->kind == TR_TRACE_START || e->kind == TR_TRACE_END)
        actor_know(t, r->actor, r->name | (known & ~(uint64_t)UINT16_MAX));
    else if (e->kind == TR_TRACE_NAME)
        actor_know(t, r->actor,
                   ((known != 0 ? known : seat_strings(t, r->actor)) & UINT16_MAX) |
                       (uint64_t)r->name << 16);
}

static void tell(tr_trace *t, const cursor *c, uint32_t loop, tr_trace_event *e)
{
    const tr__record *r = c->records + c->pos;
    *e = (tr_trace_event){.kind = (tr_trace_kind)r->kind,
                          .flags = r->flags,
                          .pid = t->head.pid,
                          .loop = loop,
                          .actor = {tr__word_get(&t->head.node), r->actor}};
    uint64_t node = node_at(t, r->node);
    e->from = (tr_addr){r->from == 0 && r->node == 0 ? 0 : node, r->from};
    if (e->kind == TR_TRACE_MESSAGE || e->kind == TR_TRACE_SENT)
        tell_message(t, r, e);
    else
        tell_fact(t, r, e);
    text_copy(e->name, sizeof e->name, string_at(t, r->name));
    name_addr(t, e->actor, e->actor_name, sizeof e->actor_name);
    name_addr(t, e->from, e->from_name, sizeof e->from_name);
    if (e->kind == TR_TRACE_MESSAGE)
        tell_body(t, r, c->count - c->pos, e);
}

static void tell_gap(const tr_trace *t, cursor *c, uint32_t loop, tr_trace_event *e)
{
    *e =
        (tr_trace_event){.kind = TR_TRACE_GAP, .pid = t->head.pid, .loop = loop, .number = c->lost};
    if (c->count > c->pos)
        e->time = e->sent = real_of(t, c->records[c->pos].ticks);
    c->lost = 0;
}

// ---- All rings ----

static int cursor_open(const tr_trace *t, cursor *c, uint32_t loop, bool messages)
{
    uint64_t at = loop_at(loop);
    c->ring_at = at + (messages ? TR__TRACE_MESSAGES_AT : TR__TRACE_EVENTS_AT);
    c->next_at = at + (messages ? offsetof(tr__trace_loop_head, messages)
                                : offsetof(tr__trace_loop_head, events));
    c->room = messages ? TR__TRACE_MESSAGES : TR__TRACE_EVENTS;
    if (ring_next(t, c) == 0)
        return 0; // nothing there, and perhaps not even the place
    c->records = tr__alloc(BATCH * sizeof *c->records);
    return c->records == NULL ? TR_ENOMEM : 0;
}

// Loops may have begun.
static int loops_look(tr_trace *t)
{
    uint64_t loops = word_at(t, offsetof(tr__trace_head, loops));
    loops = loops < LOOPS_MAX ? loops : LOOPS_MAX;
    if (loops > t->loops) {
        cursor *cursors = tr__resize(t->cursors, 2 * loops * sizeof *cursors);
        if (cursors == NULL)
            return TR_ENOMEM;
        memset(cursors + 2 * t->loops, 0, 2 * (loops - t->loops) * sizeof *cursors);
        t->cursors = cursors;
        t->loops = (uint32_t)loops;
    }
    uint64_t node = word_at(t, offsetof(tr__trace_head, node));
    tr__word_set(&t->head.node, node);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < 2 * t->loops; i++)
        if (t->cursors[i].records == NULL)
            rc = cursor_open(t, &t->cursors[i], i / 2, i % 2 != 0);
    return rc;
}

// fill: look also for what those have that were empty. NULL: there is nothing.
static cursor *cursors_first(tr_trace *t, bool fill)
{
    cursor *first = NULL;
    for (uint32_t i = 0; i < 2 * t->loops; i++) {
        cursor *c = &t->cursors[i];
        if (c->lost == 0 && c->pos == c->count && !fill)
            continue;
        if (c->lost == 0 && !cursor_ready(t, c) && c->lost == 0)
            continue;
        if (c->lost > 0)
            return c;
        if (first == NULL || c->records[c->pos].ticks < first->records[first->pos].ticks)
            first = c;
    }
    return first;
}

int tr_trace_next(tr_trace *trace, tr_trace_event *ret_event)
{
    if (trace == NULL || ret_event == NULL)
        return TR_EINVAL;
    cursor *c = cursors_first(trace, ++trace->calls % FILL_EVERY == 0);
    if (c == NULL) {
        int rc = loops_look(trace);
        c = rc < 0 ? NULL : cursors_first(trace, true);
        if (c == NULL)
            return rc;
    }
    uint32_t loop = (uint32_t)(c - trace->cursors) / 2;
    if (c->lost > 0) {
        tell_gap(trace, c, loop, ret_event);
        return 1;
    }
    tell(trace, c, loop, ret_event);
    c->pos++;
    return 1;
}

void tr_trace_skip(tr_trace *trace)
{
    if (trace == NULL || loops_look(trace) < 0)
        return;
    for (uint32_t i = 0; i < 2 * trace->loops; i++) {
        cursor *c = &trace->cursors[i];
        c->number = ring_next(trace, c);
        c->count = c->pos = 0;
        c->lost = 0;
    }
}

// ---- How it is now ----

void tr_trace_look(tr_trace *trace, tr_trace_process *ret_process)
{
    if (trace == NULL || ret_process == NULL)
        return;
    loops_look(trace);
    const tr__trace_head *head = &trace->head;
    *ret_process = (tr_trace_process){.pid = head->pid,
                                      .parent = head->parent,
                                      .node = tr__word_get(&head->node),
                                      .started = head->first.real,
                                      .alive = trace->fd >= 0 && tr__trace_alive(trace->fd),
                                      .loops = trace->loops};
    text_copy(ret_process->name, sizeof ret_process->name, head->name);
    text_copy(ret_process->exe, sizeof ret_process->exe, head->exe);
}

static uint64_t since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

// What runs has the place of the next record.
static void loop_running(tr_trace *t, const tr__trace_loop_head *head, uint64_t ring_at,
                         const tr__trace_clock *now, tr_trace_loop *ret_loop)
{
    uint64_t began = tr__word_get(&head->running.since);
    tr__record r;
    if (began == 0 ||
        !trace_get(t, &r, sizeof r,
                   ring_at + tr__word_get(&head->messages) % TR__TRACE_MESSAGES * sizeof r))
        return;
    ret_loop->running_ns = ns_of(t, since(now->ticks, began)) + 1;
    text_copy(ret_loop->running_actor, sizeof ret_loop->running_actor, ret_loop->last_actor);
    text_copy(ret_loop->running_message, sizeof ret_loop->running_message,
              r.seq == 0 ? string_at(t, r.name) : "");
}

int tr_trace_look_loop(tr_trace *trace, uint32_t loop, tr_trace_loop *ret_loop)
{
    tr__trace_loop_head head;
    tr__trace_clock now;
    if (trace == NULL || ret_loop == NULL)
        return TR_EINVAL;
    if (loop >= trace->loops)
        loops_look(trace);
    if (loop >= trace->loops || !trace_get(trace, &head, sizeof head, loop_at(loop)))
        return TR_ENOENT;
    tr__trace_clock_now(trace->head.tsc != 0, &now);
    *ret_loop = (tr_trace_loop){.iterations = tr__word_get(&head.iterations),
                                .turns = tr__word_get(&head.turns),
                                .idle_ns = tr__word_get(&head.idle_ns),
                                .silent_ns = since(now.mono, tr__word_get(&head.began)),
                                .asleep = tr__word_get(&head.asleep) != 0,
                                .actors = tr__word_get(&head.actors),
                                .dead_letters = tr__word_get(&head.dead_letters)};
    uint64_t last = tr__word_get(&head.running.last);
    text_copy(ret_loop->last_actor, sizeof ret_loop->last_actor, tr_trace_name(trace, last));
    loop_running(trace, &head, loop_at(loop) + TR__TRACE_MESSAGES_AT, &now, ret_loop);
    return 0;
}

static void actor_tell(tr_trace *t, const tr__trace_seat *seat, tr_trace_actor *ret_actor)
{
    uint64_t actor = tr__word_get(&seat->id), handled = tr__word_get(&seat->handled);
    uint64_t started = tr__word_get(&seat->started), node = tr__word_get(&t->head.node);
    *ret_actor = (tr_trace_actor){
        .addr = {node, actor},
        .parent = {tr__word_get(&seat->parent_node), tr__word_get(&seat->parent)},
        .started = real_of(t, started),
        .handled = handled & UINT32_MAX,
        .depth = (uint32_t)(handled >> 32),
        .wait_ns = ns_of(t, tr__word_get(&seat->wait)),
        .run_ns = ns_of(t, tr__word_get(&seat->run)),
    };
    actor_print(t, actor, tr__word_get(&seat->names));
    text_copy(ret_actor->name, sizeof ret_actor->name, t->called);
}

static size_t loop_actors(tr_trace *t, uint32_t loop, tr_trace_actor *ret_actors, size_t max)
{
    tr__trace_seat seats[32];
    uint64_t at = loop_at(loop);
    uint64_t room = word_at(t, at + offsetof(tr__trace_loop_head, actors_room));
    size_t n = 0;
    room = room < TR__TRACE_ACTORS ? room : TR__TRACE_ACTORS;
    for (uint64_t i = 0; i < room && n < max; i += 32) {
        if (!trace_get(t, seats, sizeof seats, at + TR__TRACE_ACTORS_AT + i * TR__TRACE_CELL))
            break;
        for (int j = 0; j < 32 && n < max; j++)
            if (tr__word_get(&seats[j].id) != 0)
                actor_tell(t, &seats[j], &ret_actors[n++]);
    }
    return n;
}

size_t tr_trace_actors(tr_trace *trace, tr_trace_actor *ret_actors, size_t max, uint64_t *ret_more)
{
    size_t n = 0;
    uint64_t all = 0;
    if (trace == NULL || (ret_actors == NULL && max > 0))
        return 0;
    loops_look(trace);
    for (uint32_t i = 0; i < trace->loops; i++) {
        n += loop_actors(trace, i, ret_actors + n, max - n);
        all += word_at(trace, loop_at(i) + offsetof(tr__trace_loop_head, actors));
    }
    if (ret_more != NULL)
        *ret_more = all > n ? all - n : 0;
    return n;
}
