// The pool: one address in front of many workers, written on the public API alone.
//
// Its spec reaches it as its arguments (spec.h).
//
// Workers lie in one array. A worker's seat is its place among the others, which keys are hashed
// to; it stays when the worker is replaced. Callbacks know a worker by its id, for the array moves;
// one that has been removed is not found. A worker is `shut` when there is no use in trying it: it
// was full, and tr_on_writable has not told otherwise, or it is gone, and its down is on the way.
//
// The pool never queues. What no worker has room for is declined; or it is put back (tr_stash) and
// the mail held (tr_mail_hold), until a worker is opened again.
//
// Who counts load has to know when work is done. Asks go by way of the pool then. Messages are
// followed by a ping, one at a time for each worker: when it is back, all that was handed before it
// has been handled.
#include <troupe.h>

#include "spec.h"

enum {
    WORKERS = 4,
    BACKOFF_MS = 10,
    BACKOFF_DOUBLINGS = 6,
    RESTARTS = 10,
    WINDOW_MS = 5000,
    STOP_MS = 5000,
};

struct worker {
    uint64_t id;
    uint32_t seat;
    tr_addr addr;     // of the last one that was spawned
    uint64_t monitor; // 0: it is down, and will be replaced
    bool shut;
    bool leaving; // it goes when it is down
    bool asked;   // to end
    uint64_t born;
    uint32_t failures; // since one has lived long enough
    uint64_t handed, failed, restarts;

    // Load, of this one.
    uint64_t asks;       // open
    uint64_t sent, done; // messages
    uint64_t pinged;     // sent, when the last ping left
    uint64_t ping;       // the ask; 0: none is open
};

struct gather;

// What one worker says to an ask.
struct part {
    struct gather *gather;
    uint64_t worker; // id
    tr_addr addr;
    tr_buf *body;
};

// An ask that the pool has asked others, and will answer.
struct gather {
    tr_buf *memory; // its own
    struct gather *before, *behind;
    tr_asker asker;
    bool single; // its one answer is the answer
    uint32_t count, open;
    struct part parts[]; // and behind them room for a list of so many
};

struct pool {
    tr_pool_spec spec; // with its defaults
    tr_spawn_opts opts;
    tr_buf *doc; // that they point into
    tr_buf *memory;
    struct worker *workers;
    uint32_t count, capacity;
    uint32_t size; // seats: those in the array that do not leave
    uint32_t next; // to be tried first
    uint64_t last_id;
    uint64_t declined;
    uint64_t window_start;
    uint32_t window_restarts;
    bool held;  // a message is in the stash, the others in the mailbox
    bool asked; // to end, when it holds nothing any more
    bool ends;
    int reason; // then
    struct gather *gathers;
};

static struct pool *state_of(tr_actor *self)
{
    return tr_state(self);
}

// ---- The spec, packed and unpacked ----

static int spec_complete(tr_pool_spec *spec, tr_spawn_opts *opts)
{
    if (spec->behavior == NULL || (unsigned)spec->strategy > TR_POOL_BROADCAST ||
        spec->workers > TR_POOL_MAX || opts->name != NULL || opts->link)
        return TR_EINVAL;
    if (opts->isolation == TR_SHARED && opts->placement == TR_HERE && !spec->here)
        opts->placement = TR_SPREAD;
    tr__spec_default(&spec->workers, WORKERS);
    tr__spec_default(&spec->backoff_ms, BACKOFF_MS);
    tr__spec_default(&spec->restart_max, RESTARTS);
    tr__spec_default(&spec->restart_window_ms, WINDOW_MS);
    tr__spec_default(&spec->stop_ms, STOP_MS);
    return 0;
}

static const tr_behavior pool;

int tr_pool_start(tr_actor *self, const tr_pool_spec *given, const tr_spawn_opts *given_opts,
                  tr_addr *ret_addr)
{
    tr_pool_spec spec;
    tr_spawn_opts worker, opts;
    if (given == NULL || !tr__spec_copy(&spec, sizeof spec, given) ||
        !tr__spec_copy(&worker, sizeof worker, spec.opts) ||
        !tr__spec_copy(&opts, sizeof opts, given_opts))
        return TR_EINVAL;
    if (opts.isolation == TR_PROCESS || opts.args.type != TR_TYPE_NULL)
        return TR_EINVAL;
    int rc = spec_complete(&spec, &worker);
    if (rc < 0)
        return rc;
    opts.args = TR_LIST(tr__spec_bytes(&spec, sizeof spec), tr__spec_bytes(&worker, sizeof worker),
                        tr__spec_text(spec.key), tr__spec_text(worker.placement_key), worker.args,
                        worker.context, tr__spec_text(worker.program));
    return tr_spawn(self, &pool, &opts, ret_addr);
}

static int spec_unpack(struct pool *p, const tr_val *args)
{
    tr_val doc;
    int rc = tr__spec_keep(args, &p->doc, &doc);
    if (rc < 0)
        return rc;
    memcpy(&p->spec, tr__spec_at(doc, 0), sizeof p->spec);
    memcpy(&p->opts, tr__spec_at(doc, 1), sizeof p->opts);
    p->spec.key = tr__spec_at(doc, 2);
    p->opts.placement_key = tr__spec_at(doc, 3);
    p->opts.program = tr__spec_at(doc, 6);
    tr_at(doc, 5, &p->opts.context);
    return tr_at(doc, 4, &p->opts.args);
}

// ---- Workers ----

static struct worker *worker_find(const struct pool *p, uint64_t id)
{
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->workers[i].id == id)
            return &p->workers[i];
    }
    return NULL;
}

static struct worker *worker_of(tr_actor *self, void *id)
{
    return worker_find(state_of(self), (uintptr_t)id);
}

static void *id_of(const struct worker *w)
{
    return (void *)(uintptr_t)w->id;
}

static bool worker_is_open(const struct worker *w)
{
    return w->monitor != 0 && !w->shut && !w->leaving;
}

static int worker_spawn(tr_actor *self, struct worker *w)
{
    const struct pool *p = state_of(self);
    int rc = tr_spawn(self, p->spec.behavior, &p->opts, &w->addr);
    if (rc < 0)
        return rc;
    rc = tr_monitor(self, w->addr, &w->monitor);
    if (rc < 0) {
        tr_kill(self, w->addr);
        return rc;
    }
    w->shut = false;
    w->born = tr_now(self);
    w->asks = w->sent = w->done = w->ping = 0;
    return 0;
}

static int workers_reserve(struct pool *p)
{
    tr_buf *bigger;
    uint32_t capacity = p->capacity == 0 ? WORKERS : 2 * p->capacity;
    if (p->count < p->capacity)
        return 0;
    int rc = tr_buf_new(capacity * sizeof *p->workers, &bigger);
    if (rc < 0)
        return rc;
    if (p->count > 0)
        memcpy(tr_buf_data(bigger), p->workers, p->count * sizeof *p->workers);
    tr_buf_unref(&p->memory);
    p->memory = bigger;
    p->workers = tr_buf_data(bigger);
    p->capacity = capacity;
    return 0;
}

static int worker_add(tr_actor *self)
{
    struct pool *p = state_of(self);
    struct worker w = {.id = ++p->last_id, .seat = p->size};
    int rc = workers_reserve(p);
    if (rc == 0)
        rc = worker_spawn(self, &w);
    if (rc < 0)
        return rc;
    p->workers[p->count++] = w;
    p->size++;
    return 0;
}

static void worker_remove(struct pool *p, struct worker *w)
{
    *w = p->workers[--p->count];
}

static void worker_writable(tr_actor *self, void *id);

// It had no room: wait for that.
static int worker_shut(tr_actor *self, struct worker *w)
{
    int rc = w->shut ? 0 : tr_on_writable(self, w->addr, worker_writable, id_of(w));
    w->shut = w->shut || rc == 0;
    return rc;
}

static void on_drained(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)answer, (void)arg;
}

// Asked by this actor it handles first what that has sent: the ping, and so all that was forwarded
// before it.
static void worker_stop(tr_actor *self, struct worker *w)
{
    if (w->asked)
        return;
    int rc = tr_ping(self, w->addr, NULL, NULL, on_drained, NULL);
    if (rc == TR_EFULL && worker_shut(self, w) == 0)
        return;
    w->asked = true;
    tr_stop(self, w->addr);
}

// ---- Load ----

static uint64_t worker_load(const struct worker *w)
{
    return w->asks + w->sent - w->done;
}

static void worker_count(tr_actor *self, struct worker *w);

static void worker_counted(tr_actor *self, const tr_answer *answer, void *id)
{
    struct worker *w = worker_of(self, id);
    if (w == NULL)
        return;
    w->ping = 0;
    if (answer->status < 0 && answer->status != TR_EUNKNOWN)
        return; // its down is on the way
    w->done = w->pinged;
    worker_count(self, w);
}

// Without memory for a ping its load is too high, until the next message.
static void worker_count(tr_actor *self, struct worker *w)
{
    bool counts = state_of(self)->spec.strategy == TR_POOL_LEAST_LOADED;
    if (!counts || w->asked || w->ping != 0 || w->sent == w->done)
        return;
    w->pinged = w->sent;
    int rc = tr_ping(self, w->addr, TR_ASK(.timeout_ms = UINT32_MAX), &w->ping, worker_counted,
                     id_of(w));
    if (rc == TR_EFULL)
        worker_shut(self, w);
}

// ---- Asking in place of the asker ----

static void gather_free(struct pool *p, struct gather *g)
{
    *(g->before == NULL ? &p->gathers : &g->before->behind) = g->behind;
    if (g->behind != NULL)
        g->behind->before = g->before;
    for (uint32_t i = 0; i < g->count; i++)
        tr_buf_unref(&g->parts[i].body);
    tr_buf *memory = g->memory;
    tr_buf_unref(&memory);
}

static int gather_new(struct pool *p, uint32_t count, struct gather **ret_gather)
{
    tr_buf *memory;
    size_t size = sizeof(struct gather) + count * (sizeof(struct part) + sizeof(tr_val));
    int rc = tr_buf_new(size, &memory);
    if (rc < 0)
        return rc;
    struct gather *g = tr_buf_data(memory);
    memset(g, 0, size);
    g->memory = memory;
    g->count = count;
    g->behind = p->gathers;
    if (g->behind != NULL)
        g->behind->before = g;
    p->gathers = g;
    *ret_gather = g;
    return 0;
}

// With what has come.
static void gather_answer(tr_actor *self, struct gather *g)
{
    tr_val *list = (tr_val *)(g->parts + g->count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        tr_buf *body = g->parts[i].body;
        if (body != NULL && tr_val_unpack(tr_buf_data(body), tr_buf_size(body), &list[n]) == 0)
            n++;
    }
    int rc = tr_reply_to(self, g->asker,
                         TR_MAP("answers", tr_val_list(list, n), "missing", g->count - n));
    if (rc < 0)
        tr_reply_error_to(self, g->asker, rc);
    gather_free(state_of(self), g);
}

static void gather_pass(tr_actor *self, struct gather *g, const tr_answer *answer)
{
    tr_msg *copy = NULL;
    int rc = answer->status;
    if (rc == 0)
        rc = tr_msg_copy(answer->msg, &copy);
    if (rc == 0)
        rc = tr_reply_msg_to(self, g->asker, &copy);
    if (rc < 0)
        tr_reply_error_to(self, g->asker, rc);
    tr_msg_free(&copy);
    gather_free(state_of(self), g);
}

static void part_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct part *part = arg;
    struct gather *g = part->gather;
    struct worker *w = worker_find(state_of(self), part->worker);
    if (w != NULL && tr_addr_eq(w->addr, part->addr))
        w->asks--;
    if (g->single) {
        gather_pass(self, g, answer);
        return;
    }
    if (answer->status == 0)
        tr_val_pack(answer->body, &part->body); // without memory it is missing
    if (--g->open == 0)
        gather_answer(self, g);
}

static int part_ask(tr_actor *self, struct part *part, struct worker *w, const tr_msg *msg,
                    uint64_t left_ns, uint64_t *ret_ask)
{
    tr_msg *copy = NULL;
    uint64_t left_ms = left_ns / TR_MS(1) + 1;
    uint32_t timeout_ms = left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX;
    int rc = tr_msg_copy(msg, &copy);
    if (rc == 0)
        rc = tr_ask_msg(self, w->addr, &copy, TR_ASK(.timeout_ms = timeout_ms), ret_ask,
                        part_answered, part);
    tr_msg_free(&copy);
    if (rc < 0)
        return rc;
    part->worker = w->id;
    part->addr = w->addr;
    w->asks++;
    return 0;
}

// One worker, in the pool's name.
static int worker_ask(tr_actor *self, struct worker *w, const tr_msg *msg)
{
    struct pool *p = state_of(self);
    struct gather *g;
    uint64_t ask;
    int rc = gather_new(p, 1, &g);
    if (rc < 0)
        return rc;
    g->single = true;
    g->parts[0].gather = g;
    rc = part_ask(self, &g->parts[0], w, msg, tr_msg_remaining(self, msg), &ask);
    if (rc == 0) {
        rc = tr_reply_later(self, msg, &g->asker);
        if (rc == 0)
            return 0;
        tr_ask_cancel(self, ask);
        w->asks--;
    }
    gather_free(p, g);
    return rc;
}

// ---- Handing on ----

// returns: TR_EFULL also when it is gone
static int worker_tried(tr_actor *self, struct worker *w, int rc)
{
    if (rc == 0) {
        w->handed++;
        return 0;
    }
    w->failed++;
    if (rc == TR_EFULL) {
        int wait = worker_shut(self, w);
        return wait < 0 ? wait : rc;
    }
    if (rc != TR_ENOACTOR && rc != TR_EDOWN)
        return rc;
    w->shut = true;
    return TR_EFULL;
}

static int worker_hand(tr_actor *self, struct worker *w, const tr_msg *msg)
{
    bool counts = state_of(self)->spec.strategy == TR_POOL_LEAST_LOADED;
    bool asks = counts && tr_msg_is_ask(msg);
    int rc = asks ? worker_ask(self, w, msg) : tr_forward(self, msg, w->addr);
    if (rc == 0 && counts && !asks) {
        w->sent++;
        worker_count(self, w);
    }
    return worker_tried(self, w, rc);
}

// The next one that is open.
static struct worker *pool_next(struct pool *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        struct worker *w = &p->workers[p->next++ % p->count];
        if (worker_is_open(w))
            return w;
    }
    return NULL;
}

// Among equals in turn.
static struct worker *pool_least_loaded(struct pool *p)
{
    struct worker *best = NULL;
    uint32_t first = p->next;
    for (uint32_t i = 0; i < p->count; i++) {
        struct worker *w = &p->workers[(first + i) % p->count];
        if (!worker_is_open(w) || (best != NULL && worker_load(w) >= worker_load(best)))
            continue;
        best = w;
        p->next = first + i + 1;
    }
    return best;
}

// splitmix64's
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

// FNV-1a
static uint64_t hash_of(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t msg_hash(const struct pool *p, const tr_msg *msg)
{
    tr_val value = TR_NULL;
    tr_str text;
    tr_buf *packed = NULL;
    if (p->spec.key == NULL)
        return hash_of(tr_msg_name(msg), strlen(tr_msg_name(msg)));
    tr_get(tr_msg_body(msg), p->spec.key, &value);
    if (tr_as_str(value, &text) == 0)
        return hash_of(text.ptr, text.len);
    uint64_t hash = 0;
    if (tr_val_pack(value, &packed) == 0)
        hash = hash_of(tr_buf_data(packed), tr_buf_size(packed));
    tr_buf_unref(&packed);
    return hash;
}

// Rendezvous: each seat draws a number for the key, and the highest one has it. So a key moves only
// to a new seat, or from one that goes.
static struct worker *pool_hashed(const struct pool *p, const tr_msg *msg)
{
    struct worker *best = NULL;
    uint64_t hash = msg_hash(p, msg), highest = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        struct worker *w = &p->workers[i];
        uint64_t drawn = mix(hash + (w->seat + 1) * 0x9e3779b97f4a7c15u);
        if (w->leaving || (best != NULL && drawn <= highest))
            continue;
        best = w;
        highest = drawn;
    }
    return best != NULL && worker_is_open(best) ? best : NULL;
}

static struct worker *pool_choose(struct pool *p, const tr_msg *msg)
{
    switch (p->spec.strategy) {
    case TR_POOL_LEAST_LOADED:
        return pool_least_loaded(p);
    case TR_POOL_HASH:
        return pool_hashed(p, msg);
    default:
        return pool_next(p);
    }
}

// To one worker. One that turns out to have no room is shut, so this comes to an end.
static int pool_hand(tr_actor *self, const tr_msg *msg)
{
    struct worker *w;
    int rc = TR_EFULL;
    while (rc == TR_EFULL && (w = pool_choose(state_of(self), msg)) != NULL)
        rc = worker_hand(self, w, msg);
    return rc;
}

// ---- To many ----

static void pool_decline(tr_actor *self, const tr_msg *msg, int error)
{
    state_of(self)->declined++;
    tr_refuse(self, msg, error);
}

static uint32_t pool_fanout(const struct pool *p)
{
    return p->spec.fanout > 0 && p->spec.fanout < p->size ? p->spec.fanout : p->size;
}

// One round, or less when there are enough.
static int pool_spread(tr_actor *self, const tr_msg *msg)
{
    struct pool *p = state_of(self);
    uint32_t wanted = pool_fanout(p), got = 0;
    for (uint32_t i = 0; i < p->count && got < wanted; i++) {
        struct worker *w = &p->workers[p->next++ % p->count];
        got += worker_is_open(w) && worker_hand(self, w, msg) == 0;
    }
    for (; got < wanted; got++)
        pool_decline(self, msg, TR_EFULL);
    return 0;
}

static uint64_t gather_time(const struct pool *p, uint64_t left_ns)
{
    uint64_t most = left_ns / 10 * 9, given = TR_MS(p->spec.gather_ms);
    return given > 0 && given < most ? given : most;
}

// The asks end with the time for them, if not before; and with the last one of them this one.
static int pool_gather(tr_actor *self, const tr_msg *msg)
{
    struct pool *p = state_of(self);
    struct gather *g;
    uint32_t wanted = pool_fanout(p);
    uint64_t time_ns = gather_time(p, tr_msg_remaining(self, msg));
    int rc = gather_new(p, wanted, &g);
    if (rc < 0)
        return rc;
    rc = tr_reply_later(self, msg, &g->asker);
    if (rc < 0) {
        gather_free(p, g);
        return rc;
    }
    for (uint32_t i = 0; i < p->count && g->open < wanted; i++) {
        struct worker *w = &p->workers[p->next++ % p->count];
        struct part *part = &g->parts[g->open];
        part->gather = g;
        g->open += worker_is_open(w) &&
                   worker_tried(self, w, part_ask(self, part, w, msg, time_ns, NULL)) == 0;
    }
    if (g->open == 0)
        gather_answer(self, g);
    return 0;
}

// ---- No room ----

// A worker is open again, or none will be.
static void pool_release(tr_actor *self)
{
    struct pool *p = state_of(self);
    if (!p->held)
        return;
    p->held = false;
    tr_mail_hold(self, false);
    tr_unstash_all(self);
}

static void worker_writable(tr_actor *self, void *id)
{
    struct worker *w = worker_of(self, id);
    if (w == NULL || w->monitor == 0)
        return;
    w->shut = false;
    if (w->leaving || state_of(self)->ends)
        worker_stop(self, w);
    else
        worker_count(self, w);
    pool_release(self);
}

// ---- The end ----

static void pool_late(tr_actor *self, void *arg)
{
    const struct pool *p = state_of(self);
    (void)arg;
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->workers[i].monitor != 0)
            tr_kill(self, p->workers[i].addr);
    }
    tr_exit(self, p->reason);
}

static uint32_t pool_running(const struct pool *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->count; i++)
        n += p->workers[i].monitor != 0;
    return n;
}

static int pool_end(tr_actor *self, int reason)
{
    struct pool *p = state_of(self);
    if (p->ends)
        return 0;
    p->ends = true;
    p->reason = reason;
    pool_release(self);
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->workers[i].monitor != 0)
            worker_stop(self, &p->workers[i]);
    }
    if (pool_running(p) == 0)
        return tr_exit(self, reason);
    return tr_timer_start(self, TR_MS(p->spec.stop_ms), pool_late, NULL, NULL);
}

static int pool_pass(tr_actor *self, const tr_msg *msg)
{
    struct pool *p = state_of(self);
    int rc;
    if (p->ends)
        rc = TR_SHUTDOWN;
    else if (p->spec.strategy == TR_POOL_BROADCAST)
        rc = tr_msg_is_ask(msg) ? pool_gather(self, msg) : pool_spread(self, msg);
    else
        rc = pool_hand(self, msg);
    if (rc == TR_EFULL && p->spec.hold && tr_stash(self, msg) == 0) {
        p->held = true;
        return tr_mail_hold(self, true);
    }
    if (rc < 0)
        pool_decline(self, msg, rc);
    return p->asked ? pool_end(self, p->reason) : 0;
}

// ---- Replacing ----

static bool pool_may_replace(struct pool *p, uint64_t now)
{
    if (now - p->window_start > TR_MS(p->spec.restart_window_ms))
        p->window_restarts = 0;
    if (p->window_restarts == 0)
        p->window_start = now;
    return p->window_restarts++ < p->spec.restart_max;
}

static void worker_due(tr_actor *self, void *id);

static int worker_replace(tr_actor *self, struct worker *w)
{
    struct pool *p = state_of(self);
    uint64_t now = tr_now(self);
    if (now - w->born >= TR_MS(p->spec.restart_window_ms))
        w->failures = 0;
    if (!pool_may_replace(p, now))
        return pool_end(self, TR_ERESTARTS);
    uint64_t delay_ns = TR_MS(p->spec.backoff_ms) << w->failures;
    if (w->failures < BACKOFF_DOUBLINGS)
        w->failures++;
    w->restarts++;
    return tr_timer_start(self, delay_ns, worker_due, id_of(w), NULL);
}

// One that cannot be spawned has failed like any other.
static void worker_due(tr_actor *self, void *id)
{
    struct worker *w = worker_of(self, id);
    if (w == NULL || state_of(self)->ends)
        return;
    int rc = worker_spawn(self, w);
    if (rc == 0)
        pool_release(self);
    else if ((rc = worker_replace(self, w)) < 0)
        tr_exit(self, rc);
}

static int pool_down(tr_actor *self, const tr_down *down)
{
    struct pool *p = state_of(self);
    uint32_t i = 0;
    while (i < p->count && p->workers[i].monitor != down->monitor)
        i++;
    if (i == p->count)
        return 0; // it has been removed
    struct worker *w = &p->workers[i];
    tr_ask_cancel(self, w->ping);
    w->monitor = 0;
    if (p->ends)
        return pool_running(p) == 0 ? tr_exit(self, p->reason) : 0;
    if (!w->leaving)
        return worker_replace(self, w);
    worker_remove(p, w);
    return 0;
}

// ---- What is for the pool itself ----

static void worker_leave(tr_actor *self, struct worker *w)
{
    w->leaving = true;
    if (w->monitor == 0)
        worker_remove(state_of(self), w);
    else
        worker_stop(self, w);
}

static int pool_resize(tr_actor *self, uint32_t size)
{
    struct pool *p = state_of(self);
    int rc = 0;
    for (uint32_t i = p->count; i-- > 0;) {
        if (p->workers[i].seat >= size && !p->workers[i].leaving)
            worker_leave(self, &p->workers[i]);
    }
    p->size = p->size < size ? p->size : size;
    while (rc == 0 && p->size < size)
        rc = worker_add(self);
    pool_release(self);
    return rc;
}

static int answer_resize(tr_actor *self, const tr_msg *msg)
{
    uint64_t size = 0;
    int rc = 0;
    if (tr_as_uint(tr_msg_body(msg), &size) < 0 || size == 0 || size > TR_POOL_MAX)
        tr_refuse(self, msg, TR_EBADMSG);
    else if ((rc = pool_resize(self, (uint32_t)size)) < 0)
        tr_refuse(self, msg, rc);
    else if (tr_msg_is_ask(msg))
        return tr_reply(self, msg, TR_V(size));
    return 0;
}

enum { SHOWN = 5 }; // fields of a worker

static tr_val worker_show(const struct worker *w, tr_val *fields)
{
    const tr_val all[2 * SHOWN] = {
        TR_V("addr"),     w->monitor == 0 ? TR_NULL : TR_V(w->addr),
        TR_V("handed"),   TR_V(w->handed),
        TR_V("failed"),   TR_V(w->failed),
        TR_V("load"),     TR_V(worker_load(w)),
        TR_V("restarts"), TR_V(w->restarts),
    };
    memcpy(fields, all, sizeof all);
    return tr_val_map(fields, SHOWN);
}

static int answer_stats(tr_actor *self, const tr_msg *msg)
{
    const struct pool *p = state_of(self);
    tr_buf *memory;
    int rc = tr_buf_new(p->count * (1 + 2 * SHOWN) * sizeof(tr_val), &memory);
    if (rc < 0) {
        tr_refuse(self, msg, rc);
        return 0;
    }
    tr_val *list = tr_buf_data(memory), *fields = list + p->count;
    size_t n = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        if (!p->workers[i].leaving) {
            list[n] = worker_show(&p->workers[i], fields + n * 2 * SHOWN);
            n++;
        }
    }
    rc = tr_reply(self, msg, TR_MAP("workers", tr_val_list(list, n), "declined", p->declined));
    tr_buf_unref(&memory);
    return rc;
}

// ---- The behaviour ----

static int pool_start(tr_actor *self, const tr_val *args)
{
    struct pool *p = state_of(self);
    int rc = spec_unpack(p, args);
    if (rc == 0)
        rc = tr_trap_exit(self, true);
    return rc < 0 ? rc : pool_resize(self, p->spec.workers);
}

// The wish to end may have come behind the message that is held. A worker that has linked itself to
// the pool is heard of by its monitor.
static int pool_exit(tr_actor *self, const tr_down *exit)
{
    struct pool *p = state_of(self);
    tr_reason_kind kind = exit->reason.kind;
    for (uint32_t i = 0; i < p->count; i++) {
        if (tr_addr_eq(exit->addr, p->workers[i].addr))
            return 0;
    }
    if (kind == TR_REASON_NORMAL)
        return 0;
    int reason = kind == TR_REASON_ERROR ? exit->reason.code : TR_EDOWN;
    p->asked = true;
    p->reason = kind == TR_REASON_SHUTDOWN ? TR_SHUTDOWN : reason;
    return p->held ? 0 : pool_end(self, p->reason);
}

static int pool_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL)
        return pool_down(self, tr_msg_down(msg));
    if (tr_msg_exit(msg) != NULL)
        return pool_exit(self, tr_msg_exit(msg));
    if (tr_msg_is(msg, "pool.stats"))
        return answer_stats(self, msg);
    if (tr_msg_is(msg, "pool.resize"))
        return answer_resize(self, msg);
    return pool_pass(self, msg);
}

static void pool_stop(tr_actor *self, tr_reason reason)
{
    struct pool *p = state_of(self);
    (void)reason;
    while (p->gathers != NULL)
        gather_free(p, p->gathers);
    tr_buf_unref(&p->memory);
    tr_buf_unref(&p->doc);
}

static const tr_behavior pool = {
    .name = "pool",
    .state_size = sizeof(struct pool),
    .start = pool_start,
    .receive = pool_receive,
    .stop = pool_stop,
};
