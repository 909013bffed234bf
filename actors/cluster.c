// The cluster: workers in processes, each in a slot, written on the public API alone.
//
// A slot has one worker, `now`, or waits to be given one again. While it is rolled it has another
// one, `coming`, which takes the place of the first when it is ready. A worker that is neither is
// being drained, and has nothing to do with the slot any more but that it stands for it until it is
// down. So whatever ends, and whenever, one look at the slot says what that means: see worker_down.
//
// All starting again goes through a timer, so that nothing here recurses however fast workers fail.
// Memory is taken as buffers, which is how the public API offers it.
#include "cluster.h"

#include <stdio.h>

enum {
    RESTARTS = 5, // for each worker
    WINDOW_MS = 5000,
    READY_MS = 30000,
    ROLL_TRIES = 3,
    BACKOFF_MIN_MS = 10,
    BACKOFF_MAX_MS = 5000
};

// ---- The spec ----

static bool between(double x, double low, double high)
{
    return x >= low && x <= high;
}

static int spec_complete(tr_cluster_spec *spec, tr_spawn_opts *opts)
{
    if (spec->workers == 0)
        spec->workers = tr_processors() < TR_CLUSTER_MAX ? tr_processors() : TR_CLUSTER_MAX;
    tr__spec_default(&spec->ready_ms, READY_MS);
    tr__spec_default(&spec->roll_tries, ROLL_TRIES);
    tr__spec_default(&spec->restart_window_ms, WINDOW_MS);
    tr__spec_default(&spec->backoff_min_ms, BACKOFF_MIN_MS);
    tr__spec_default(&spec->backoff_max_ms, BACKOFF_MAX_MS);
    if (spec->backoff_max_ms < spec->backoff_min_ms)
        spec->backoff_max_ms = spec->backoff_min_ms;
    if (spec->backoff_factor == 0)
        spec->backoff_factor = 2;
    tr__spec_default(&spec->backoff_reset_ms, spec->backoff_max_ms);
    bool kind = (spec->behavior != NULL) != (spec->path != NULL);
    bool choice = (spec->share == TR_CLUSTER_CHOICE) == (spec->choose != NULL);
    bool plain = opts->name == NULL && !opts->link && opts->program == NULL &&
                 opts->context.type == TR_TYPE_NULL;
    opts->isolation = TR_PROCESS;
    return kind && choice && plain && (unsigned)spec->share <= TR_CLUSTER_CHOICE &&
                   spec->workers <= TR_CLUSTER_MAX && spec->restart_max <= TR__RESTARTS_MAX &&
                   between(spec->backoff_factor, 1, 1000) && between(spec->backoff_jitter, 0, 1)
               ? 0
               : TR_EINVAL;
}

static const tr_behavior cluster;

int tr_cluster_start(tr_actor *self, const tr_cluster_spec *given, const tr_spawn_opts *given_opts,
                     tr_addr *ret_addr)
{
    tr_cluster_spec spec;
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
                        tr__spec_text(spec.path), worker.args);
    return tr_spawn(self, &cluster, &opts, ret_addr);
}

static int spec_unpack(struct cluster *c, const tr_val *args)
{
    tr_val doc;
    int rc = tr__spec_keep(args, &c->doc, &doc);
    if (rc < 0)
        return rc;
    memcpy(&c->spec, tr__spec_at(doc, 0), sizeof c->spec);
    memcpy(&c->opts, tr__spec_at(doc, 1), sizeof c->opts);
    c->spec.path = tr__spec_at(doc, 2);
    return tr_at(doc, 3, &c->opts.args);
}

// ---- Telling ----

static tr_val text_or_null(const char *text)
{
    return text == NULL ? TR_NULL : tr_val_str(text);
}

void tr__cluster_tell(tr_actor *self, const char *event, const struct slot *slot,
                      const struct worker *w, const struct fact *fact)
{
    static const struct fact none = {.delay_ms = {.type = TR_TYPE_NULL}};
    const struct cluster *c = tr__cluster_of(self);
    if (c->spec.observer.node == 0)
        return;
    fact = fact == NULL ? &none : fact;
    tr_send(self, c->spec.observer, "cluster",
            TR_MAP("event", event, "slot", slot == NULL ? TR_NULL : TR_V(slot->number),
                   "incarnation", w == NULL ? TR_NULL : TR_V(w->incarnation), "addr",
                   w == NULL ? TR_NULL : TR_V(w->addr), "pid", w == NULL ? TR_NULL : TR_V(w->pid),
                   "reason", text_or_null(fact->reason), "hung", text_or_null(fact->hung),
                   "address", text_or_null(fact->address), "delay_ms", fact->delay_ms));
}

void tr__cluster_check(tr_actor *self, int rc)
{
    if (rc == TR_ENOMEM)
        tr_exit(self, rc);
}

// ---- Memory ----

static int memory_new(size_t size, tr_buf **ret_memory)
{
    return tr_buf_zeroed(size, ret_memory);
}

static int slot_new(tr_actor *self, uint32_t number, struct slot **ret_slot)
{
    struct cluster *c = tr__cluster_of(self);
    struct slot **at = &c->slots;
    tr_buf *memory;
    int rc = memory_new(sizeof(struct slot), &memory);
    if (rc < 0)
        return rc;
    struct slot *slot = tr_buf_data(memory);
    *slot = (struct slot){.memory = memory,
                          .number = number,
                          .fresh = c->fresh,
                          .roll = c->roll.on ? ROLL_TODO : ROLL_NONE};
    while (*at != NULL && (*at)->number < number)
        at = &(*at)->behind;
    slot->behind = *at;
    *at = slot;
    c->size++;
    *ret_slot = slot;
    return 0;
}

static void slot_free(tr_actor *self, struct slot *slot)
{
    struct slot **at = &tr__cluster_of(self)->slots;
    tr_buf *memory = slot->memory;
    while (*at != slot)
        at = &(*at)->behind;
    *at = slot->behind;
    tr_timer_clear(self, slot->timer);
    tr_buf_unref(&memory);
}

static void worker_free(tr_actor *self, struct worker *w)
{
    struct cluster *c = tr__cluster_of(self);
    tr_buf *memory = w->memory;
    *(w->before == NULL ? &c->first : &w->before->behind) = w->behind;
    *(w->behind == NULL ? &c->last : &w->behind->before) = w->before;
    w->slot->workers--;
    tr_timer_clear(self, w->timer);
    tr_buf_unref(&memory);
}

static int worker_new(tr_actor *self, struct slot *slot, struct worker **ret_worker)
{
    struct cluster *c = tr__cluster_of(self);
    tr_buf *memory;
    int rc = memory_new(sizeof(struct worker), &memory);
    if (rc < 0)
        return rc;
    struct worker *w = tr_buf_data(memory);
    *w = (struct worker){.memory = memory, .slot = slot, .id = ++c->last_id, .before = c->last};
    *(c->last == NULL ? &c->first : &c->last->behind) = w;
    c->last = w;
    slot->workers++;
    *ret_worker = w;
    return 0;
}

// ---- Finding ----

static struct worker *worker_find(const struct cluster *c, uint64_t id)
{
    struct worker *w = c->first;
    while (w != NULL && w->id != id)
        w = w->behind;
    return w;
}

struct worker *tr__cluster_worker_at(const struct cluster *c, tr_addr addr)
{
    struct worker *near = NULL;
    for (struct worker *w = c->first; w != NULL; w = w->behind) {
        if (tr_addr_eq(w->addr, addr))
            return w;
        if (w->addr.node == addr.node)
            near = w;
    }
    return near;
}

static struct slot *slot_find(const struct cluster *c, uint64_t number)
{
    struct slot *slot = c->slots;
    while (slot != NULL && slot->number != number)
        slot = slot->behind;
    return slot;
}

// ---- Starting ----

static void worker_late(tr_actor *self, void *arg)
{
    struct worker *w = arg;
    tr__cluster_tell(self, "late", w->slot, w, NULL);
    tr_log("cluster.late", "slot=%u pid=%lld was not ready in time", w->slot->number,
           (long long)w->pid);
    if (tr_kill(self, w->addr) == TR_ENOMEM)
        tr__cluster_check(self, TR_ENOMEM);
}

static int worker_spawn(tr_actor *self, struct worker *w)
{
    const struct cluster *c = tr__cluster_of(self);
    tr_spawn_opts opts = c->opts;
    const tr_val about =
        TR_MAP("addr", tr_self(self), "slot", w->slot->number, "incarnation", w->incarnation);
    opts.context = TR_MAP("cluster", about);
    opts.program = w->fresh ? tr_node_program(tr_node_of(self)) : NULL;
    int rc = c->spec.path != NULL ? tr_fork(self, c->spec.path, &opts, &w->addr)
                                  : tr_spawn(self, c->spec.behavior, &opts, &w->addr);
    if (rc < 0)
        return rc;
    rc = tr_monitor(self, w->addr, &w->monitor);
    if (rc < 0)
        tr_exit(self, rc); // then all of them end: none may live unwatched
    return rc;
}

static void worker_online(tr_actor *self, const tr_answer *answer, void *id)
{
    struct worker *w = worker_find(tr__cluster_of(self), (uintptr_t)id);
    if (w != NULL && (answer->status == 0 || answer->status == TR_EUNKNOWN))
        tr__cluster_became_ready(self, w);
}

int tr__cluster_start_worker(tr_actor *self, struct slot *slot, bool fresh,
                             struct worker **ret_worker)
{
    const struct cluster *c = tr__cluster_of(self);
    struct worker *w;
    int rc = worker_new(self, slot, &w);
    if (rc < 0)
        return rc;
    w->incarnation = ++slot->incarnations;
    w->fresh = fresh;
    w->born = tr_now(self);
    rc = worker_spawn(self, w);
    if (rc == 0)
        rc = tr_timer_start(self, TR_MS(c->spec.ready_ms), worker_late, w, &w->timer);
    if (rc == 0 && c->spec.ready_online)
        rc = tr_ping(self, w->addr, TR_ASK(.timeout_ms = UINT32_MAX), NULL, worker_online,
                     (void *)(uintptr_t)w->id);
    if (rc < 0) {
        tr_demonitor(self, w->monitor);
        tr_kill(self, w->addr); // if it is there
        worker_free(self, w);
        return rc;
    }
    tr_child_pid(self, w->addr, &w->pid);
    tr__cluster_tell(self, "online", slot, w, NULL);
    *ret_worker = w;
    return 0;
}

static void slot_failed(tr_actor *self, struct slot *slot, uint64_t lived_ns);

static void slot_start(tr_actor *self, struct slot *slot)
{
    int rc = tr__cluster_start_worker(self, slot, slot->fresh, &slot->now);
    if (rc == 0)
        return;
    tr_log("cluster.start", "slot=%u error=%s", slot->number, tr_errname(rc));
    slot_failed(self, slot, 0);
}

static void slot_due(tr_actor *self, void *arg)
{
    struct slot *slot = arg;
    slot->waits = false;
    if (slot->roll == ROLL_STARTING)
        tr__roll_start(self, slot);
    else
        slot_start(self, slot);
}

void tr__cluster_wait(tr_actor *self, struct slot *slot)
{
    struct cluster *c = tr__cluster_of(self);
    const tr__backoff backoff = {.min_ms = c->spec.backoff_min_ms,
                                 .max_ms = c->spec.backoff_max_ms,
                                 .factor = c->spec.backoff_factor,
                                 .jitter = c->spec.backoff_jitter};
    uint64_t delay = tr__backoff_ns(&backoff, slot->failures++, &c->random);
    slot->waits = true;
    tr__cluster_tell(self, "restart", slot, NULL,
                     &(struct fact){.delay_ms = TR_V(delay / TR_MS(1))});
    tr__cluster_check(self, tr_timer_start(self, delay, slot_due, slot, &slot->timer));
}

static void cluster_end(tr_actor *self, int reason);

static void slot_failed(tr_actor *self, struct slot *slot, uint64_t lived_ns)
{
    struct cluster *c = tr__cluster_of(self);
    if (lived_ns >= TR_MS(c->spec.backoff_reset_ms))
        slot->failures = 0;
    slot->restarts++;
    if (tr__limit_take(&c->limit, tr_now(self))) {
        tr__cluster_wait(self, slot);
        return;
    }
    tr_log("cluster.gave_up", "slot=%u restarts=%llu", slot->number,
           (unsigned long long)slot->restarts);
    tr__cluster_tell(self, "give up", slot, NULL, NULL);
    cluster_end(self, TR_ERESTARTS);
}

// ---- Ready, and draining ----

void tr__cluster_became_ready(tr_actor *self, struct worker *w)
{
    if (w->ready || w->draining)
        return;
    w->ready = true;
    tr_timer_clear(self, w->timer);
    tr__cluster_tell(self, "ready", w->slot, w, NULL);
    if (!tr__roll_ready(self, w))
        w->slot->fresh = w->fresh;
}

void tr__cluster_drain(tr_actor *self, struct worker *w)
{
    if (w == NULL || w->draining)
        return;
    w->draining = true;
    w->rolled = false;
    tr_timer_clear(self, w->timer);
    tr__ports_forget(self, w);
    tr__cluster_tell(self, "drain", w->slot, w, NULL);
    tr__cluster_check(self, tr_stop(self, w->addr)); // any other error: it is down already
}

// ---- Downs ----

static void exit_told(tr_actor *self, const struct worker *w, const tr_down *down)
{
    char why[96];
    const char *reason = tr_reason_text(down->reason, why, sizeof why);
    bool hung = down->hung[0] != '\0';
    const struct fact fact = {.reason = reason, .hung = hung ? down->hung : NULL};
    tr__cluster_tell(self, "exit", w->slot, w, &fact);
    if (!w->draining)
        tr_log("cluster.exit", "slot=%u incarnation=%llu pid=%lld reason=\"%s%s%s\"",
               w->slot->number, (unsigned long long)w->incarnation, (long long)w->pid, reason,
               hung ? ", hung: " : "", down->hung);
}

// One that was drained has gone, or is not there any more.
static void slot_rid_of_one(tr_actor *self, struct slot *slot)
{
    if (slot->leaving && slot->workers == 0)
        slot_free(self, slot);
    else if (!slot->leaving)
        tr__roll_gone(self, slot);
}

static void worker_down(tr_actor *self, struct worker *w, const tr_down *down)
{
    struct cluster *c = tr__cluster_of(self);
    struct slot *slot = w->slot;
    uint64_t lived = tr_now(self) - w->born;
    bool was_now = w == slot->now, was_coming = w == slot->coming, asked = w->draining;
    bool rolled = w->rolled;
    exit_told(self, w, down);
    tr__ports_gone(self, w);
    worker_free(self, w);
    if (was_coming)
        slot->coming = NULL;
    if (was_now) {
        slot->now = slot->coming;
        slot->coming = NULL;
    }
    if (c->ends) {
        if (c->first == NULL)
            tr_exit(self, c->reason);
    } else if (slot->leaving || asked) {
        slot_rid_of_one(self, slot);
    } else if (rolled) {
        tr__roll_failed(self, slot);
    } else if (was_now && slot->now == NULL && !slot->waits) {
        slot_failed(self, slot, lived);
    }
}

static int cluster_down(tr_actor *self, const tr_down *down)
{
    struct worker *w = tr__cluster_of(self)->first;
    while (w != NULL && w->monitor != down->monitor)
        w = w->behind;
    if (w == NULL)
        return tr__ports_down(self, down) ? 0 : TR_EUNKNOWN;
    worker_down(self, w, down);
    return 0;
}

static void cluster_end(tr_actor *self, int reason)
{
    struct cluster *c = tr__cluster_of(self);
    if (c->ends)
        return;
    c->ends = true;
    c->reason = reason;
    tr__ports_clear(self);
    if (c->roll.on)
        tr__roll_end(self, TR_SHUTDOWN);
    for (struct slot *slot = c->slots; slot != NULL; slot = slot->behind)
        tr_timer_clear(self, slot->timer);
    for (struct worker *w = c->first; w != NULL; w = w->behind)
        tr__cluster_drain(self, w);
    if (c->first == NULL)
        tr_exit(self, reason);
}

// ---- What it is asked ----

static int fail(tr_actor *self, const tr_msg *msg, int error)
{
    tr_reply_error(self, msg, error); // only an ask has an answer
    return 0;
}

// One that cannot be answered is told so, or finds its deadline: no worker is to end for that.
static int answer(tr_actor *self, const tr_msg *msg, tr_val body)
{
    int rc = tr_reply(self, msg, body);
    return rc == TR_ENOMEM ? 0 : rc;
}

enum { SHOWN = 7 }; // fields of a worker

static const char *worker_state(const struct worker *w)
{
    if (w == NULL)
        return "waiting";
    return w->draining ? "draining" : w->ready ? "ready" : "starting";
}

static tr_val worker_show(const struct slot *slot, const struct worker *w, tr_val *fields)
{
    const tr_val all[2 * SHOWN] = {
        TR_V("slot"),        TR_V(slot->number),
        TR_V("incarnation"), w == NULL ? TR_NULL : TR_V(w->incarnation),
        TR_V("addr"),        w == NULL ? TR_NULL : TR_V(w->addr),
        TR_V("pid"),         w == NULL ? TR_NULL : TR_V(w->pid),
        TR_V("state"),       TR_V(worker_state(w)),
        TR_V("load"),        TR_V(w == NULL ? 0u : w->load),
        TR_V("restarts"),    TR_V(slot->restarts),
    };
    memcpy(fields, all, sizeof all);
    return tr_val_map(fields, SHOWN);
}

static size_t workers_show(const struct cluster *c, tr_val *list, tr_val *fields)
{
    size_t n = 0;
    for (const struct slot *slot = c->slots; slot != NULL; slot = slot->behind) {
        if (slot->now == NULL && !slot->leaving) {
            list[n] = worker_show(slot, NULL, fields + n * 2 * SHOWN);
            n++;
        }
        for (const struct worker *w = c->first; w != NULL; w = w->behind) {
            if (w->slot != slot)
                continue;
            list[n] = worker_show(slot, w, fields + n * 2 * SHOWN);
            n++;
        }
    }
    return n;
}

static int answer_workers(tr_actor *self, const tr_msg *msg)
{
    const struct cluster *c = tr__cluster_of(self);
    size_t most = c->size;
    for (const struct worker *w = c->first; w != NULL; w = w->behind)
        most++;
    tr_buf *memory;
    int rc = tr_buf_new(most * (1 + 2 * SHOWN) * sizeof(tr_val), &memory);
    if (rc < 0)
        return fail(self, msg, rc);
    tr_val *list = tr_buf_data(memory);
    size_t n = workers_show(c, list, list + most);
    rc = answer(self, msg, tr_val_list(list, n));
    tr_buf_unref(&memory);
    return rc;
}

// The lowest number that nobody has.
static uint32_t number_free(const struct cluster *c)
{
    uint32_t number = 0;
    for (const struct slot *slot = c->slots; slot != NULL && slot->number == number;)
        number++, slot = slot->behind;
    return number;
}

static int grow(tr_actor *self, uint32_t size)
{
    struct cluster *c = tr__cluster_of(self);
    int rc = 0;
    while (rc == 0 && c->size < size && !c->ends) {
        struct slot *slot;
        rc = slot_new(self, number_free(c), &slot);
        if (rc == 0)
            slot_start(self, slot);
    }
    return rc;
}

static struct slot *slot_highest(const struct cluster *c)
{
    struct slot *highest = NULL;
    for (struct slot *slot = c->slots; slot != NULL; slot = slot->behind)
        highest = slot->leaving ? highest : slot;
    return highest;
}

static void shrink(tr_actor *self, uint32_t size)
{
    struct cluster *c = tr__cluster_of(self);
    while (c->size > size) {
        struct slot *slot = slot_highest(c);
        slot->leaving = true;
        slot->roll = ROLL_NONE;
        c->size--;
        tr_timer_clear(self, slot->timer);
        tr__cluster_drain(self, slot->coming);
        tr__cluster_drain(self, slot->now);
        if (slot->workers == 0)
            slot_free(self, slot);
    }
    tr__roll_go(self);
}

static int answer_resize(tr_actor *self, const tr_msg *msg)
{
    uint64_t size;
    if (tr_as_uint(tr_msg_body(msg), &size) < 0 || size == 0 || size > TR_CLUSTER_MAX)
        return fail(self, msg, TR_EBADMSG);
    int rc = grow(self, (uint32_t)size);
    if (rc < 0)
        return fail(self, msg, rc);
    shrink(self, (uint32_t)size);
    tr__ports_limit(self);
    return answer(self, msg, TR_V(size));
}

static int answer_tell(tr_actor *self, const tr_msg *msg)
{
    const struct cluster *c = tr__cluster_of(self);
    tr_val doc = tr_msg_body(msg), body = TR_NULL;
    tr_str name;
    uint64_t number = UINT64_MAX;
    uint32_t told = 0;
    char text[TR_NAME_MAX + 1];
    int some = tr_get_uint(doc, "slot", &number);
    tr_get(doc, "body", &body);
    if (tr_get_str(doc, "name", &name) < 0 || name.len >= sizeof text || some == TR_EBADMSG)
        return fail(self, msg, TR_EBADMSG);
    if (some == 0 && slot_find(c, number) == NULL)
        return fail(self, msg, TR_ENOENT);
    snprintf(text, sizeof text, "%.*s", (int)name.len, name.ptr);
    for (const struct worker *w = c->first; w != NULL; w = w->behind) {
        if (w == w->slot->now && (some != 0 || w->slot->number == number))
            told += tr_send(self, w->addr, text, body) == 0;
    }
    return answer(self, msg, TR_V(told));
}

// ---- What workers say ----

static int heard_ready(tr_actor *self, const tr_msg *msg)
{
    struct worker *w = tr__cluster_worker_at(tr__cluster_of(self), tr_msg_from(msg));
    if (w != NULL)
        tr__cluster_became_ready(self, w);
    return 0;
}

// ---- The behaviour ----

static int cluster_start(tr_actor *self, const tr_val *args)
{
    struct cluster *c = tr__cluster_of(self);
    int rc = spec_unpack(c, args);
    uint32_t most = c->spec.restart_max;
    if (rc == 0)
        rc = tr__limit_init(&c->limit, most == 0 ? RESTARTS * c->spec.workers : most,
                            c->spec.restart_window_ms);
    if (rc < 0)
        return rc;
    c->random = tr_self(self).node ^ tr_self(self).actor ^ tr_now(self);
    tr_trap_exit(self, true);
    return grow(self, c->spec.workers);
}

// Somebody asks it to end, or one that it is linked to has ended.
static int cluster_exit(tr_actor *self, const tr_down *exit)
{
    tr_reason_kind kind = exit->reason.kind;
    if (exit->linked && (kind == TR_REASON_NORMAL ||
                         tr__cluster_worker_at(tr__cluster_of(self), exit->addr) != NULL))
        return 0; // a worker is heard of by its monitor
    if (kind == TR_REASON_SHUTDOWN)
        cluster_end(self, TR_SHUTDOWN);
    else
        cluster_end(self, kind == TR_REASON_ERROR ? exit->reason.code : TR_EDOWN);
    return 0;
}

static int cluster_receive(tr_actor *self, const tr_msg *msg)
{
    static const struct {
        const char *name;
        int (*answer)(tr_actor *self, const tr_msg *msg);
    } asks[] = {
        {"troupe.closed", tr__ports_closed},     {"troupe.back", tr__ports_returned},
        {"troupe.ready", heard_ready},           {"troupe.listen", tr__ports_listen},
        {"troupe.unlisten", tr__ports_unlisten}, {"cluster.workers", answer_workers},
        {"cluster.resize", answer_resize},       {"cluster.roll", tr__roll_begin},
        {"cluster.restart", tr__roll_one},       {"cluster.tell", answer_tell},
    };
    if (tr_msg_down(msg) != NULL)
        return cluster_down(self, tr_msg_down(msg));
    if (tr_msg_exit(msg) != NULL)
        return cluster_exit(self, tr_msg_exit(msg));
    if (tr_msg_returned(msg) != NULL)
        return tr__ports_returned(self, msg);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        if (!tr_msg_is(msg, asks[i].name))
            continue;
        return tr__cluster_of(self)->ends ? fail(self, msg, TR_SHUTDOWN)
                                          : asks[i].answer(self, msg);
    }
    return TR_EUNKNOWN;
}

static void cluster_stop(tr_actor *self, tr_reason reason)
{
    struct cluster *c = tr__cluster_of(self);
    (void)reason;
    tr__ports_clear(self);
    while (c->first != NULL)
        worker_free(self, c->first);
    while (c->slots != NULL)
        slot_free(self, c->slots);
    tr__limit_clear(&c->limit);
    tr_buf_unref(&c->doc);
}

static const tr_behavior cluster = {
    .name = "cluster",
    .state_size = sizeof(struct cluster),
    .start = cluster_start,
    .receive = cluster_receive,
    .stop = cluster_stop,
};
