// Writing a trace: one file of a node, each loop writes its part of it, and nobody waits.
//
// What is mapped is reserved on the disk first, piece by piece: for events and the first actors
// when a loop begins, for messages when they are wanted for the first time, for more actors and
// strings when there are more. What cannot be reserved is not written; what cannot even be begun is
// not traced. The whole part of a loop is mapped at once, so nothing moves.
//
// Names become numbers of a table that only grows. Each loop remembers those that it used last; the
// table itself is under the tracer's lock. When it is full names are "?".
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/node.h"
#include "trace/file.h"

#define BUCKETS (2 * TR__TRACE_STRINGS)
#define DROPS_MAX                                                                                  \
    128u // dead letters that are written in a second: more of them would be all there is
#define STEP 4096u

typedef struct writer {
    tr__tracer tracer;
    int fd;
    bool tsc, messages, bodies, child, keep; // as the options say
    char path[TR__TRACE_PATH];
    tr__trace_head *head;
    tr__trace_control *control;
    tr__trace_string *strings;
    tr__lock lock; // of the rest
    uint32_t string_count, strings_room;
    uint16_t buckets[BUCKETS];
    tr__list parts;
} writer;

// A loop's.
typedef struct part {
    tr__tap tap;
    tr__list link;
    writer *writer;
    uint32_t loop;
    tr__trace_loop_head *head;
    uint64_t events;   // the next one's number
    bool has_messages; // there is room for them
    bool failed;       // and never will be
    bool attached;
    uint32_t drops; // that may be written
    uint64_t drops_until;
} part;

static part *part_of(tr__tap *tap)
{
    return tr__container(tap, part, tap);
}

static void *part_at(const part *p, size_t offset)
{
    return (char *)p->head + offset;
}

static bool reserve(const writer *w, uint64_t at, uint64_t size)
{
    return posix_fallocate(w->fd, (off_t)at, (off_t)size) == 0;
}

static uint64_t loop_at(uint32_t loop)
{
    return TR__TRACE_LOOPS_AT + (uint64_t)loop * TR__TRACE_LOOP_SIZE;
}

// ---- Strings ----

// The text's beginning, in a word; it need not be longer than size.
static uint64_t text_key(const char *text, size_t size)
{
    uint64_t key = 0;
    memcpy(&key, text, size < sizeof key ? size : sizeof key);
    return key;
}

static uint32_t text_hash(const char *text, size_t size)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    return hash;
}

static bool string_is(const tr__trace_string *string, const char *text, uint32_t size)
{
    return atomic_load_explicit(&((tr__trace_string *)string)->size, memory_order_relaxed) ==
               size &&
           memcmp(string->text, text, size) == 0;
}

// Under the lock. 0: there is no room
static uint16_t string_add(writer *w, const char *text, uint32_t size)
{
    uint32_t n = w->string_count + 1; // the first one is none
    if (n == TR__TRACE_STRINGS)
        return 0;
    if (n * TR__TRACE_CELL >= w->strings_room) {
        if (!reserve(w, TR__TRACE_STRINGS_AT + w->strings_room, STEP))
            return 0;
        w->strings_room += STEP;
    }
    memcpy(w->strings[n].text, text, size);
    atomic_store_explicit(&w->strings[n].size, size, memory_order_release);
    w->string_count = n;
    return (uint16_t)n;
}

static uint16_t string_find(writer *w, const char *text, uint32_t size)
{
    uint32_t at = text_hash(text, size) % BUCKETS;
    for (; w->buckets[at] != 0; at = (at + 1) % BUCKETS)
        if (string_is(&w->strings[w->buckets[at]], text, size))
            return w->buckets[at];
    return w->buckets[at] = string_add(w, text, size);
}

static bool known_is(const part *p, const struct tr__known *known, uint64_t key, const char *text,
                     uint32_t size)
{
    return known->key == key && known->size == size &&
           (size <= sizeof key || string_is(&p->writer->strings[known->string], text, size));
}

// 0: none, or no room for it
static uint16_t string_of(part *p, const char *text, size_t len)
{
    size_t max = sizeof p->writer->strings->text;
    uint32_t size = (uint32_t)(len < max ? len : max);
    if (size == 0)
        return 0;
    uint64_t key = text_key(text, size);
    struct tr__known *known = tr__known_at(&p->tap.records, key, size);
    if (known_is(p, known, key, text, size))
        return known->string;
    tr__lock_take(&p->writer->lock);
    uint16_t string = string_find(p->writer, text, size);
    tr__lock_give(&p->writer->lock);
    if (string != 0)
        *known = (struct tr__known){key, size, string};
    return string;
}

static uint16_t trace_string(tr__tap *tap, const char *text, size_t len)
{
    return string_of(part_of(tap), text, len);
}

static uint16_t node_of(part *p, uint64_t node)
{
    return node == 0 || node == p->tap.records.node
               ? 0
               : string_of(p, (const char *)&node, sizeof node);
}

// ---- Records ----

static void put_event(part *p, const tr__record *record)
{
    uint64_t number = p->events++;
    size_t at = (number % TR__TRACE_EVENTS) * TR__TRACE_CELL;
    tr__record_write(part_at(p, TR__TRACE_EVENTS_AT + at), number, record);
    tr__word_set(&p->head->events, p->events);
}

static uint64_t ticks_now(const part *p)
{
    return tr__trace_ticks(p->writer->tsc);
}

// ---- Actors ----

// NULL: there is no room
static tr__trace_seat *seat_of(part *p, uint64_t id)
{
    tr__records *records = &p->tap.records;
    uint64_t place = tr__id_place(id);
    if (place >= TR__TRACE_ACTORS)
        return NULL;
    while (place >= records->seat_count) {
        uint64_t at = TR__TRACE_ACTORS_AT + records->seat_count * TR__TRACE_CELL;
        if (!reserve(p->writer, loop_at(p->loop) + at, STEP))
            return NULL;
        records->seat_count += STEP / TR__TRACE_CELL;
        tr__word_set(&p->head->actors_room, records->seat_count);
    }
    return &records->seats[place];
}

static void seat_take(part *p, const tr__fact *fact, const tr__record *r)
{
    tr__trace_seat *seat = seat_of(p, fact->actor);
    if (seat == NULL)
        return;
    tr__word_set(&seat->id, 0);
    tr__word_set(&seat->parent_node, fact->other.node);
    tr__word_set(&seat->parent, fact->other.actor);
    tr__word_set(&seat->started, r->ticks);
    uint64_t name = tr__word_get(&seat->wait); // found before its start
    bool same = tr__word_get(&seat->handled) == fact->actor && name <= UINT16_MAX;
    tr__word_set(&seat->names, r->name | (same ? name << 16 : 0));
    tr__word_set(&seat->handled, 0);
    tr__word_set(&seat->wait, 0);
    tr__word_set(&seat->run, 0);
    tr__word_set(&seat->id, fact->actor);
}

// An actor may get its name before it has started: then that is left where its start finds it.
static void seat_name(part *p, uint64_t actor, uint16_t name)
{
    tr__trace_seat *seat = seat_of(p, actor);
    if (seat == NULL)
        return;
    if (tr__word_get(&seat->id) == actor) {
        tr__word_set(&seat->names,
                     (tr__word_get(&seat->names) & UINT16_MAX) | (uint64_t)name << 16);
    } else if (tr__word_get(&seat->id) == 0) {
        tr__word_set(&seat->handled, actor);
        tr__word_set(&seat->wait, name);
    }
}

static void seat_leave(part *p, uint64_t actor)
{
    tr__trace_seat *seat = seat_of(p, actor);
    if (seat != NULL && tr__word_get(&seat->id) == actor)
        tr__word_set(&seat->id, 0);
}

// ---- What a loop tells ----

// Whether one more dead letter may be written now.
static bool drop_admit(part *p)
{
    uint64_t now = tr__trace_ticks(false);
    if (now >= p->drops_until) {
        p->drops_until = now + TR_S(1);
        p->drops = DROPS_MAX;
    }
    return p->drops > 0 && p->drops-- > 0;
}

static void trace_fact(tr__tap *tap, const tr__fact *fact)
{
    part *p = part_of(tap);
    if (fact->kind == TR_TRACE_DROP && !drop_admit(p))
        return;
    tr__record r = {.kind = (uint8_t)fact->kind,
                    .ticks = ticks_now(p),
                    .actor = fact->actor,
                    .from = fact->other.actor,
                    .node = node_of(p, fact->other.node),
                    .number = fact->number,
                    .size = (uint32_t)fact->code,
                    .run = fact->reason,
                    .name = string_of(p, fact->name, fact->name_len)};
    if (fact->kind == TR_TRACE_START)
        seat_take(p, fact, &r);
    else if (fact->kind == TR_TRACE_END)
        seat_leave(p, fact->actor);
    else if (fact->kind == TR_TRACE_NAME)
        seat_name(p, fact->actor, r.name);
    put_event(p, &r);
}

static void trace_sent(tr__tap *tap, const tr__letter *letter, size_t body_size)
{
    part *p = part_of(tap);
    const tr__stamp *stamp = letter->stamp;
    tr__record r = {.kind = TR_TRACE_SENT,
                    .flags = TR_TRACE_STAMPED | (letter->ask != NULL ? TR_TRACE_ASK : 0),
                    .ticks = stamp->sent,
                    .actor = letter->from.actor,
                    .from = letter->to.actor,
                    .node = node_of(p, letter->to.node),
                    .number = stamp->at.low,
                    .span = stamp->at.span,
                    .parent = stamp->at.parent,
                    .size = (uint32_t)body_size,
                    .name = string_of(p, letter->name, letter->name_len)};
    tr__record_put(tap, &r);
}

// ---- Who wants messages ----

static void attach_tell(part *p, uint64_t pid)
{
    tr__record r = {
        .kind = pid != 0 ? TR_TRACE_ATTACH : TR_TRACE_DETACH, .ticks = ticks_now(p), .number = pid};
    put_event(p, &r);
    p->attached = pid != 0;
}

// The eyes of those whose time is not over; 0: there are none.
static unsigned wants_look(const tr__trace_control *control, uint64_t now, uint64_t *ret_pid)
{
    unsigned eyes = 0;
    for (int i = 0; i < (int)TR__TRACE_WANTS; i++) {
        const tr__trace_want *want = &control->wants[i];
        if (tr__word_get(&want->until) <= now)
            continue;
        *ret_pid = tr__word_get(&want->pid);
        eyes |= TR__EYE_MESSAGES | (tr__word_get(&want->bodies) != 0 ? TR__EYE_BODIES : 0);
    }
    return eyes;
}

// Whoever says again that he wants it does so before his time is over, and sets `wanted` then.
static unsigned wanted_eyes(part *p)
{
    tr__trace_control *control = p->writer->control;
    tr__trace_clock now;
    uint64_t pid = 0;
    if (tr__word_get(&control->wanted) == 0 && !p->attached)
        return 0;
    tr__trace_clock_now(false, &now);
    unsigned eyes = wants_look(control, now.mono, &pid);
    if (eyes == 0) { // somebody may come just now, who has said so before this forgets it
        atomic_exchange(&control->wanted, 0);
        eyes = wants_look(control, now.mono, &pid);
        if (eyes != 0)
            tr__word_set(&control->wanted, 1);
    }
    if ((eyes != 0) != p->attached)
        attach_tell(p, pid);
    return eyes;
}

static bool messages_ready(part *p)
{
    if (!p->has_messages && !p->failed) {
        p->has_messages = reserve(p->writer, loop_at(p->loop) + TR__TRACE_MESSAGES_AT,
                                  TR__TRACE_MESSAGES * TR__TRACE_CELL);
        p->failed = !p->has_messages;
    }
    return p->has_messages;
}

// ---- Each iteration ----

static uint64_t turns_of(const tr__stats *stats)
{
    uint64_t turns = 0;
    for (int i = 0; i < TR_PHASES; i++)
        turns += tr__counter_get(&stats->turns[i]);
    return turns;
}

// The first loop's. The clock now and then, for who reads it on another machine.
static void head_show(const writer *w, const tr_loop *loop)
{
    tr__trace_head *head = w->head;
    tr__word_set(&head->node, loop->node->id);
    if (loop->now < tr__word_get(&head->last_mono) + TR_MS(100))
        return;
    tr__trace_clock now;
    tr__trace_clock_now(w->tsc, &now);
    tr__word_set(&head->last_ticks, now.ticks);
    tr__word_set(&head->last_mono, now.mono);
}

static void part_show(const part *p, const tr_loop *loop)
{
    tr__trace_loop_head *head = p->head;
    tr__word_set(&head->asleep, 0);
    tr__word_set(&head->began, loop->now);
    tr__word_set(&head->iterations, tr__counter_get(&loop->stats.iterations));
    tr__word_set(&head->turns, turns_of(&loop->stats));
    tr__word_set(&head->idle_ns, loop->world->ops->idle(loop->world));
    tr__word_set(&head->actors, tr__counter_get(&loop->actor_count));
    tr__word_set(&head->dead_letters, tr__counter_get(&loop->dead_letters));
    if (p->loop == 0)
        head_show(p->writer, loop);
}

static unsigned trace_look(tr__tap *tap, const tr_loop *loop)
{
    part *p = part_of(tap);
    const writer *w = p->writer;
    tap->records.node = loop->node->id; // a child has it from its parent
    unsigned eyes = wanted_eyes(p);
    if (w->messages)
        eyes |= TR__EYE_MESSAGES | (w->bodies ? TR__EYE_BODIES : 0);
    part_show(p, loop);
    return eyes != 0 && messages_ready(p) ? eyes : 0;
}

static void trace_sleep(tr__tap *tap, bool asleep)
{
    tr__word_set(&part_of(tap)->head->asleep, asleep);
}

// ---- Beginning and end ----

static int part_map(part *p)
{
    writer *w = p->writer;
    uint64_t at = loop_at(p->loop);
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) < 0 ||
        (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < at + TR__TRACE_LOOP_SIZE))
        return -EFBIG;
    if (tr__word_get(&w->head->loops) <= p->loop &&
        ftruncate(w->fd, (off_t)(at + TR__TRACE_LOOP_SIZE)) < 0)
        return -errno;
    if (!reserve(w, at, TR__TRACE_ACTORS_AT))
        return -ENOSPC;
    p->head = mmap(NULL, TR__TRACE_LOOP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, (off_t)at);
    if (p->head == MAP_FAILED)
        return -errno;
    if (tr__word_get(&w->head->loops) <= p->loop)
        tr__word_set(&w->head->loops, p->loop + 1);
    return 0;
}

static tr__tap *trace_tap(tr__tracer *tracer, const tr_loop *loop)
{
    writer *w = tr__container(tracer, writer, tracer);
    part *p = tr__zalloc(sizeof *p);
    if (p == NULL)
        return NULL;
    p->writer = w;
    p->loop = loop->index;
    p->tap.tracer = tracer;
    p->tap.tsc = w->tsc;
    tr__lock_take(&w->lock);
    int rc = part_map(p);
    if (rc == 0)
        tr__list_append(&w->parts, &p->link);
    tr__lock_give(&w->lock);
    if (rc < 0) {
        tr__free(p);
        return NULL;
    }
    p->tap.running = &p->head->running;
    p->tap.records = (tr__records){.cells = part_at(p, TR__TRACE_MESSAGES_AT),
                                   .shown = &p->head->messages,
                                   .seats = part_at(p, TR__TRACE_ACTORS_AT),
                                   .node = tracer->node->id};
    return &p->tap;
}

static void writer_free(writer *w)
{
    for (tr__list *at; (at = tr__list_pop(&w->parts)) != NULL;) {
        part *p = tr__container(at, part, link);
        munmap(p->head, TR__TRACE_LOOP_SIZE);
        tr__free(p);
    }
    if (w->head != NULL)
        munmap(w->head, TR__TRACE_LOOPS_AT);
    close(w->fd);
    tr__free(w);
}

// One that has failed is left for its parent to find, or kept.
static void trace_close(tr__tracer **tracer, bool failed)
{
    writer *w = tr__container(*tracer, writer, tracer);
    *tracer = NULL;
    if (!failed && !w->keep)
        unlink(w->path);
    else if (!w->child)
        tr__trace_keep(w->path, w->head->pid);
    writer_free(w);
}

static void trace_child_ended(tr__tracer *tracer, int64_t pid, uint64_t node, tr_reason reason)
{
    const writer *w = tr__container(tracer, writer, tracer);
    tr__trace_report(pid, node, reason, w->keep);
}

static const tr__tracer_ops OPS = {
    .tap = trace_tap,
    .look = trace_look,
    .sleep = trace_sleep,
    .fact = trace_fact,
    .string = trace_string,
    .sent = trace_sent,
    .child_ended = trace_child_ended,
    .close = trace_close,
};

static void head_fill(tr__trace_head *head, const tr_node *node, const tr__trace_opts *opts)
{
    memcpy(head->magic, TR__TRACE_MAGIC, sizeof head->magic);
    head->version = TR__TRACE_VERSION;
    head->tsc = tr__trace_tsc();
    head->pid = getpid();
    head->parent = getppid();
    tr__trace_clock_now(head->tsc, &head->first);
    snprintf(head->name, sizeof head->name, "%s", opts->name);
    ssize_t size = readlink("/proc/self/exe", head->exe, sizeof head->exe - 1);
    head->exe[size < 0 ? 0 : size] = '\0';
    atomic_init(&head->node, node->id);
}

static int writer_open(writer *w, const tr_node *node, const tr__trace_opts *opts)
{
    tr__trace_head head = {0};
    head_fill(&head, node, opts);
    w->fd = tr__trace_create(&head, w->path, sizeof w->path);
    if (w->fd < 0)
        return w->fd;
    void *memory = mmap(NULL, TR__TRACE_LOOPS_AT, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    w->head = memory;
    w->control = (tr__trace_control *)((char *)memory + TR__TRACE_CONTROL_AT);
    w->strings = (tr__trace_string *)((char *)memory + TR__TRACE_STRINGS_AT);
    w->strings_room = STEP;
    w->tsc = head.tsc;
    return 0;
}

void tr__trace_start(tr_node *node, const tr__trace_opts *opts)
{
    writer *w = tr__zalloc(sizeof *w);
    if (w == NULL)
        return;
    w->tracer.ops = &OPS;
    w->messages = opts->messages;
    w->bodies = opts->bodies;
    w->child = opts->child;
    w->keep = opts->keep;
    w->fd = -1;
    tr__list_init(&w->parts);
    if (!opts->child)
        tr__trace_sweep();
    if (writer_open(w, node, opts) < 0) {
        if (w->fd >= 0)
            unlink(w->path);
        writer_free(w);
        return;
    }
    tr__tracer *tracer = &w->tracer;
    tr__node_trace(node, &tracer);
}
