// The supervisor: an actor that keeps others alive, written on the public API alone.
//
// Its spec reaches it as its arguments (spec.h), but for what lives as long as the program; the
// arguments of a supervisor among the children are simply a part of its parent's.
//
// Each child is a record in one list, in the order of their starts. The supervisor is in one of
// three stages: it runs; it regroups, that is, it stops all children from one on, waits, and starts
// them again; or it ends. To stop is always the same walk (supervisor_stop_next): from the last one
// backwards, one at a time, on from each down. All starting again goes through a timer, so that
// nothing here recurses however fast children fail.
//
// A down is found by its monitor in a hash table, limits are in restarts.c: what a restart costs
// depends neither on how many children there are nor on how often they have failed. Memory is taken
// as buffers, which is how the public API offers it.
#include <stdio.h>
#include <troupe.h>

#include "restarts.h"
#include "spec.h"

#define WINDOW_MS   5000u
#define RESTARTS    5u
#define STOP_MS     5000u
#define BACKOFF_MAX 30000u

// ---- The structures ----

struct plan {
    tr_child_spec spec;
    tr_spawn_opts opts;
};

enum child_state { CHILD_ENDED, CHILD_WAITING, CHILD_RUNNING, CHILD_STOPPING };

static const char *const STATE_NAMES[] = {"ended", "waiting", "running", "stopping"};

struct child {
    tr_buf *memory; // its own
    struct child *before, *behind;
    struct child *chain; // in the table
    const struct plan *plan;
    tr_val args;
    tr_buf *args_memory; // NULL: they are the plan's
    uint64_t number;     // its place in the order
    enum child_state state;
    bool removed;     // it goes when it is down
    tr_asker remover; // who wants to hear of that
    tr_addr addr;     // of the last one that was spawned
    uint64_t monitor; // 0: it is down
    tr_timer timer;   // waiting: its start; stopping: its deadline
    uint64_t born;
    uint32_t failures; // since it last lived long enough
    uint64_t restarts;
    tr__limit own;
    char id[];
};

struct supervisor {
    tr_supervisor_spec spec; // with its defaults
    tr_buf *doc;             // that the plans point into
    tr_buf *plans;
    struct child *first, *last;
    uint64_t count, running, next_number, restarts;
    tr_buf *table;
    struct child **slots; // by monitor
    uint64_t slot_count;  // a power of two
    tr__limit limit;
    uint64_t random;
    enum { RUNS, REGROUPS, ENDS } stage;
    uint64_t from;     // regroups: the number of the first child that is stopped
    uint64_t delay_ns; // then
    tr_timer timer;
    int reason; // ends: with that
};

static const tr_behavior supervisor;

static struct supervisor *state_of(tr_actor *self)
{
    return tr_state(self);
}

// ---- Packing a spec ----

static bool between(double x, double low, double high)
{
    return x >= low && x <= high;
}

static bool child_fits(const tr_child_spec *c, bool dynamic)
{
    int kinds = (c->behavior != NULL) + (c->path != NULL) + (c->supervisor != NULL);
    bool named = dynamic || (c->id != NULL && c->id[0] != '\0');
    bool own = c->supervisor == NULL || c->opts == NULL ||
               (c->opts->isolation != TR_PROCESS && c->opts->args.type == TR_TYPE_NULL);
    return kinds == 1 && named && own && (unsigned)c->restart <= TR_TEMPORARY &&
           c->restart_max <= TR__RESTARTS_MAX &&
           (c->opts == NULL || c->opts->size >= sizeof(size_t));
}

static int children_check(const tr_supervisor_spec *spec)
{
    bool dynamic = spec->strategy == TR_DYNAMIC;
    if ((spec->child_count > 0 && spec->children == NULL) || (dynamic && spec->child_count != 1))
        return TR_EINVAL;
    for (size_t i = 0; i < spec->child_count; i++) {
        if (!child_fits(&spec->children[i], dynamic))
            return TR_EINVAL;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(spec->children[i].id, spec->children[j].id) == 0)
                return TR_EEXIST;
        }
    }
    return 0;
}

static void spec_set_defaults(tr_supervisor_spec *spec)
{
    spec->restart_max = spec->restart_max == 0 ? RESTARTS : spec->restart_max;
    spec->restart_window_ms = spec->restart_window_ms == 0 ? WINDOW_MS : spec->restart_window_ms;
    spec->backoff_max_ms = spec->backoff_max_ms == 0 ? BACKOFF_MAX : spec->backoff_max_ms;
    if (spec->backoff_max_ms < spec->backoff_min_ms)
        spec->backoff_max_ms = spec->backoff_min_ms;
    if (spec->backoff_factor == 0)
        spec->backoff_factor = 2;
    if (spec->backoff_reset_ms == 0)
        spec->backoff_reset_ms = spec->backoff_max_ms;
}

static int spec_check(const tr_supervisor_spec *spec)
{
    if ((unsigned)spec->strategy > TR_DYNAMIC || spec->restart_max > TR__RESTARTS_MAX ||
        !between(spec->backoff_factor, 1, 1000) || !between(spec->backoff_jitter, 0, 1))
        return TR_EINVAL;
    return children_check(spec);
}

static int spec_pack(const tr_supervisor_spec *given, tr_buf **ret_packed);

static int child_pack(const tr_child_spec *spec, tr_buf **ret_packed)
{
    tr_buf *below = NULL;
    tr_spawn_opts opts;
    tr__spec_copy(&opts, sizeof opts, spec->opts);
    tr_val args = opts.args;
    int rc = spec->supervisor == NULL ? 0 : spec_pack(spec->supervisor, &below);
    if (rc == 0 && below != NULL)
        rc = tr_val_unpack(tr_buf_data(below), tr_buf_size(below), &args);
    if (rc == 0)
        rc = tr_val_pack(TR_LIST(tr__spec_bytes(spec, sizeof *spec),
                                 tr__spec_bytes(&opts, sizeof opts), tr__spec_text(spec->id),
                                 tr__spec_text(spec->path), tr__spec_text(opts.name),
                                 tr__spec_text(opts.placement_key), args, opts.context,
                                 tr__spec_text(opts.program)),
                         ret_packed);
    tr_buf_unref(&below);
    return rc;
}

// gives: bufs[i], where it has come to; NULL behind that
static int children_pack(const tr_supervisor_spec *spec, tr_val *views, tr_buf **bufs)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < spec->child_count; i++) {
        rc = child_pack(&spec->children[i], &bufs[i]);
        if (rc == 0)
            rc = tr_val_unpack(tr_buf_data(bufs[i]), tr_buf_size(bufs[i]), &views[i]);
    }
    return rc;
}

static int spec_pack(const tr_supervisor_spec *given, tr_buf **ret_packed)
{
    tr_supervisor_spec spec;
    tr_buf *memory;
    if (given->size < sizeof given->size)
        return TR_EINVAL;
    tr__spec_copy(&spec, sizeof spec, given);
    spec_set_defaults(&spec);
    int rc = spec_check(&spec);
    if (rc == 0)
        rc = tr_buf_new(spec.child_count * (sizeof(tr_val) + sizeof(tr_buf *)), &memory);
    if (rc < 0)
        return rc;
    tr_val *views = tr_buf_data(memory);
    tr_buf **bufs = (tr_buf **)(views + spec.child_count);
    memset(bufs, 0, spec.child_count * sizeof(tr_buf *));
    rc = children_pack(&spec, views, bufs);
    if (rc == 0)
        rc = tr_val_pack(
            TR_LIST(tr__spec_bytes(&spec, sizeof spec), tr_val_list(views, spec.child_count)),
            ret_packed);
    for (size_t i = 0; i < spec.child_count; i++)
        tr_buf_unref(&bufs[i]);
    tr_buf_unref(&memory);
    return rc;
}

int tr_supervise(tr_actor *self, const tr_supervisor_spec *spec, const tr_spawn_opts *opts,
                 tr_addr *ret_addr)
{
    tr_spawn_opts o;
    tr_buf *packed = NULL;
    tr__spec_copy(&o, sizeof o, opts);
    if (spec == NULL || o.isolation == TR_PROCESS || o.args.type != TR_TYPE_NULL)
        return TR_EINVAL;
    int rc = spec_pack(spec, &packed);
    if (rc == 0)
        rc = tr_val_unpack(tr_buf_data(packed), tr_buf_size(packed), &o.args);
    if (rc == 0)
        rc = tr_spawn(self, &supervisor, &o, ret_addr);
    tr_buf_unref(&packed);
    return rc;
}

// ---- Unpacking it ----

static void plan_unpack(tr_val packed, struct plan *ret_plan)
{
    memcpy(&ret_plan->spec, tr__spec_at(packed, 0), sizeof ret_plan->spec);
    memcpy(&ret_plan->opts, tr__spec_at(packed, 1), sizeof ret_plan->opts);
    ret_plan->spec.opts = &ret_plan->opts;
    ret_plan->spec.id = tr__spec_at(packed, 2);
    ret_plan->spec.path = tr__spec_at(packed, 3);
    ret_plan->opts.name = tr__spec_at(packed, 4);
    ret_plan->opts.placement_key = tr__spec_at(packed, 5);
    tr_at(packed, 6, &ret_plan->opts.args);
    tr_at(packed, 7, &ret_plan->opts.context);
    ret_plan->opts.program = tr__spec_at(packed, 8);
}

static int spec_unpack(struct supervisor *s, const tr_val *args)
{
    tr_val doc, children, child;
    int rc = tr__spec_keep(args, &s->doc, &doc);
    if (rc == 0)
        rc = tr_at(doc, 1, &children);
    if (rc == 0)
        rc = tr_buf_new(tr_val_count(children) * sizeof(struct plan), &s->plans);
    if (rc < 0)
        return rc;
    memcpy(&s->spec, tr__spec_at(doc, 0), sizeof s->spec);
    struct plan *plan = tr_buf_data(s->plans);
    for (tr_iter it = tr_iter_of(children); tr_iter_next(&it, NULL, &child);)
        plan_unpack(child, plan++);
    return 0;
}

// ---- The table of those that run, by their monitors ----

static struct child **table_slot(const struct supervisor *s, uint64_t monitor)
{
    return &s->slots[monitor & (s->slot_count - 1)];
}

static void table_link(const struct supervisor *s, struct child *c)
{
    struct child **slot = table_slot(s, c->monitor);
    c->chain = *slot;
    *slot = c;
}

static int table_grow(struct supervisor *s)
{
    uint64_t count = s->slot_count == 0 ? 8 : s->slot_count * 2;
    tr_buf *bigger;
    int rc = tr_buf_new(count * sizeof *s->slots, &bigger);
    if (rc < 0)
        return rc;
    tr_buf_unref(&s->table);
    s->table = bigger;
    s->slots = tr_buf_data(bigger);
    s->slot_count = count;
    memset(s->slots, 0, count * sizeof *s->slots);
    for (struct child *c = s->first; c != NULL; c = c->behind) {
        if (c->monitor != 0)
            table_link(s, c);
    }
    return 0;
}

static struct child *table_take(struct supervisor *s, uint64_t monitor)
{
    struct child **at = s->slot_count == 0 ? NULL : table_slot(s, monitor);
    while (at != NULL && *at != NULL && (*at)->monitor != monitor)
        at = &(*at)->chain;
    struct child *c = at == NULL ? NULL : *at;
    if (c == NULL)
        return NULL;
    *at = c->chain;
    c->monitor = 0;
    s->running--;
    return c;
}

// ---- Children ----

static struct child *child_find(const struct supervisor *s, tr_str id)
{
    struct child *c = s->first;
    while (c != NULL && !tr_str_eq(id, c->id))
        c = c->behind;
    return c;
}

static bool is_child(const struct supervisor *s, tr_addr addr)
{
    for (const struct child *c = s->first; c != NULL; c = c->behind) {
        if (tr_addr_eq(addr, c->addr))
            return true;
    }
    return false;
}

static void child_free(struct supervisor *s, struct child *c)
{
    *(c->before == NULL ? &s->first : &c->before->behind) = c->behind;
    *(c->behind == NULL ? &s->last : &c->behind->before) = c->before;
    s->count--;
    tr__limit_clear(&c->own);
    tr_buf_unref(&c->args_memory);
    tr_buf *memory = c->memory;
    tr_buf_unref(&memory);
}

static void child_append(struct supervisor *s, struct child *c)
{
    c->number = s->next_number++;
    c->before = s->last;
    *(s->last == NULL ? &s->first : &s->last->behind) = c;
    s->last = c;
    s->count++;
}

// args: NULL: the plan's
static int child_new(struct supervisor *s, const struct plan *plan, tr_str id, const tr_val *args,
                     struct child **ret_child)
{
    tr_buf *memory;
    int rc = tr_buf_new(sizeof(struct child) + id.len + 1, &memory);
    if (rc < 0)
        return rc;
    struct child *c = tr_buf_data(memory);
    *c = (struct child){.memory = memory, .plan = plan, .args = plan->opts.args};
    memcpy(c->id, id.ptr, id.len);
    c->id[id.len] = '\0';
    child_append(s, c);
    const tr_child_spec *spec = &plan->spec;
    if (spec->restart_max > 0)
        rc = tr__limit_init(&c->own, spec->restart_max,
                            spec->restart_window_ms == 0 ? s->spec.restart_window_ms
                                                         : spec->restart_window_ms);
    if (rc == 0 && args != NULL)
        rc = tr_val_pack(*args, &c->args_memory);
    if (rc == 0 && args != NULL)
        rc = tr_val_unpack(tr_buf_data(c->args_memory), tr_buf_size(c->args_memory), &c->args);
    if (rc < 0)
        child_free(s, c);
    else
        *ret_child = c;
    return rc;
}

// ---- Telling ----

// down: NULL: none
static void tell(tr_actor *self, const struct child *c, const char *event, const tr_down *down,
                 uint64_t delay_ns)
{
    char why[96];
    const char *reason = down == NULL ? NULL : tr_reason_text(down->reason, why, sizeof why);
    const char *hung = down == NULL || down->hung[0] == '\0' ? NULL : down->hung;
    const struct supervisor *s = state_of(self);
    if (s->spec.observer.node != 0)
        tr_send(self, s->spec.observer, "supervisor",
                TR_MAP("event", event, "id", c->id, "addr", c->addr, "reason", reason, "hung", hung,
                       "restarts", c->restarts, "delay_ms", delay_ns / TR_MS(1)));
}

static void warn(const char *id, const struct child *c, const tr_down *down, uint64_t delay_ns)
{
    char why[96];
    tr_log(id,
           "child=%s reason=\"%s%s%s\" user_ms=%llu system_ms=%llu rss_kib=%llu restarts=%llu "
           "delay_ms=%llu",
           c->id, tr_reason_text(down->reason, why, sizeof why),
           down->hung[0] == '\0' ? "" : ", hung: ", down->hung,
           (unsigned long long)(down->usage.user_ns / TR_MS(1)),
           (unsigned long long)(down->usage.system_ns / TR_MS(1)),
           (unsigned long long)(down->usage.rss_max / 1024), (unsigned long long)c->restarts,
           (unsigned long long)(delay_ns / TR_MS(1)));
}

// ---- Starting ----

static int child_spawn(tr_actor *self, struct child *c)
{
    const struct plan *plan = c->plan;
    tr_spawn_opts opts = plan->opts;
    opts.args = c->args;
    if (plan->spec.path != NULL)
        return tr_fork(self, plan->spec.path, &opts, &c->addr);
    const tr_behavior *behavior = plan->spec.supervisor != NULL ? &supervisor : plan->spec.behavior;
    return tr_spawn(self, behavior, &opts, &c->addr);
}

static int child_start(tr_actor *self, struct child *c)
{
    struct supervisor *s = state_of(self);
    int rc = s->running < s->slot_count ? 0 : table_grow(s);
    if (rc == 0)
        rc = child_spawn(self, c);
    if (rc < 0)
        return rc;
    rc = tr_monitor(self, c->addr, &c->monitor);
    if (rc < 0) {
        if (tr_kill(self, c->addr) == TR_ENOMEM)
            tr_exit(self, rc); // then all of them end: none may live unwatched
        return rc;
    }
    table_link(s, c);
    s->running++;
    c->state = CHILD_RUNNING;
    c->born = tr_now(self);
    tell(self, c, "start", NULL, 0);
    return 0;
}

// ---- Stopping ----

static uint64_t child_patience(const struct child *c)
{
    const tr_child_spec *spec = &c->plan->spec;
    if (spec->stop_ms == 0 && spec->supervisor != NULL)
        return UINT64_MAX;
    return TR_MS(spec->stop_ms == 0 ? STOP_MS : spec->stop_ms);
}

static void exit_on_error(tr_actor *self, int rc)
{
    if (rc < 0)
        tr_exit(self, rc);
}

static void child_late(tr_actor *self, void *arg)
{
    struct child *c = arg;
    tr_log("supervisor.kill", "child=%s did not end in time", c->id);
    if (tr_kill(self, c->addr) == TR_ENOMEM)
        exit_on_error(self, tr_timer_start(self, child_patience(c), child_late, c, &c->timer));
}

// Without memory to ask a child the supervisor fails: that asks all of them, and needs none.
static int child_stop(tr_actor *self, struct child *c)
{
    uint64_t patience = child_patience(c);
    c->state = CHILD_STOPPING;
    if (tr_stop(self, c->addr) == TR_ENOMEM) // any other error: it is down already
        return TR_ENOMEM;
    return patience == UINT64_MAX ? 0 : tr_timer_start(self, patience, child_late, c, &c->timer);
}

static void supervisor_regroup(tr_actor *self, void *arg);

// Go on stopping, from the last one backwards. When all are down it is time for what comes then.
static int supervisor_stop_next(tr_actor *self)
{
    struct supervisor *s = state_of(self);
    for (struct child *c = s->last; c != NULL && c->number >= s->from; c = c->before) {
        if (c->state == CHILD_RUNNING)
            return child_stop(self, c);
        if (c->state == CHILD_STOPPING)
            return 0;
        tr_timer_clear(self, c->timer);
    }
    if (s->stage == ENDS)
        return tr_exit(self, s->reason);
    return tr_timer_start(self, s->delay_ns, supervisor_regroup, NULL, &s->timer);
}

static int supervisor_end(tr_actor *self, int reason)
{
    struct supervisor *s = state_of(self);
    if (s->stage == ENDS)
        return 0;
    tr_timer_clear(self, s->timer);
    s->stage = ENDS;
    s->reason = reason;
    s->from = 0;
    return supervisor_stop_next(self);
}

// ---- Starting again ----

static uint64_t child_delay(struct supervisor *s, const struct child *c)
{
    const tr__backoff backoff = {.min_ms = s->spec.backoff_min_ms,
                                 .max_ms = s->spec.backoff_max_ms,
                                 .factor = s->spec.backoff_factor,
                                 .jitter = s->spec.backoff_jitter};
    return tr__backoff_ns(&backoff, c->failures, &s->random);
}

static void child_due(tr_actor *self, void *arg);

static int child_schedule(tr_actor *self, struct child *c, uint64_t delay_ns)
{
    struct supervisor *s = state_of(self);
    c->state = CHILD_WAITING;
    if (s->spec.strategy == TR_ONE_FOR_ONE || s->spec.strategy == TR_DYNAMIC)
        return tr_timer_start(self, delay_ns, child_due, c, &c->timer);
    uint64_t from = s->spec.strategy == TR_ONE_FOR_ALL ? 0 : c->number;
    bool joins = s->stage == REGROUPS;
    s->from = joins && s->from < from ? s->from : from;
    s->delay_ns = joins && s->delay_ns > delay_ns ? s->delay_ns : delay_ns;
    s->stage = REGROUPS;
    tr_timer_clear(self, s->timer);
    return supervisor_stop_next(self);
}

static int child_failed(tr_actor *self, struct child *c, const tr_down *down)
{
    struct supervisor *s = state_of(self);
    uint64_t now = tr_now(self);
    if (now - c->born >= TR_MS(s->spec.backoff_reset_ms))
        c->failures = 0;
    if (!tr__limit_take(c->own.max > 0 ? &c->own : &s->limit, now)) {
        warn("supervisor.gave_up", c, down, 0);
        tell(self, c, "give up", NULL, 0);
        return supervisor_end(self, TR_ERESTARTS);
    }
    uint64_t delay_ns = child_delay(s, c);
    c->failures++;
    c->restarts++;
    s->restarts++;
    warn("supervisor.restart", c, down, delay_ns);
    tell(self, c, "restart", NULL, delay_ns);
    return child_schedule(self, c, delay_ns);
}

// One that cannot even be spawned has failed like any other.
static int child_start_again(tr_actor *self, struct child *c)
{
    int rc = child_start(self, c);
    tr_down down = {.addr = c->addr, .reason = {.kind = TR_REASON_ERROR, .code = rc}};
    return rc == 0 ? 0 : child_failed(self, c, &down);
}

static void child_due(tr_actor *self, void *arg)
{
    exit_on_error(self, child_start_again(self, arg));
}

static void supervisor_regroup(tr_actor *self, void *arg)
{
    struct supervisor *s = state_of(self);
    int rc = 0;
    (void)arg;
    s->stage = RUNS;
    for (struct child *c = s->first; rc == 0 && s->stage == RUNS && c != NULL; c = c->behind) {
        if (c->number >= s->from && c->state == CHILD_WAITING)
            rc = child_start_again(self, c);
    }
    exit_on_error(self, rc);
}

// ---- Downs ----

static bool child_is_wanted(const struct child *c, tr_reason reason)
{
    if (c->plan->spec.restart == TR_TRANSIENT)
        return reason.kind != TR_REASON_NORMAL && reason.kind != TR_REASON_SHUTDOWN;
    return c->plan->spec.restart == TR_PERMANENT;
}

static int child_over(tr_actor *self, struct child *c)
{
    struct supervisor *s = state_of(self);
    tr_reply_to(self, c->remover, TR_TRUE); // nobody may have asked
    if (s->spec.strategy == TR_DYNAMIC)
        child_free(s, c);
    return s->stage == ENDS ? supervisor_stop_next(self) : 0;
}

// How it ends with others does not matter: all but the temporary are started again.
static int child_stopped(tr_actor *self, struct child *c)
{
    if (c->plan->spec.restart != TR_TEMPORARY)
        c->state = CHILD_WAITING;
    return supervisor_stop_next(self);
}

static int supervisor_down(tr_actor *self, const tr_down *down)
{
    struct supervisor *s = state_of(self);
    struct child *c = table_take(s, down->monitor);
    if (c == NULL)
        return TR_EUNKNOWN;
    tr_timer_clear(self, c->timer);
    c->state = CHILD_ENDED;
    tell(self, c, "end", down, 0);
    if (s->stage == REGROUPS && c->number >= s->from)
        return child_stopped(self, c);
    bool again = s->stage != ENDS && !c->removed && child_is_wanted(c, down->reason);
    return again ? child_failed(self, c, down) : child_over(self, c);
}

// ---- What it is asked ----

static int fail(tr_actor *self, const tr_msg *msg, int error)
{
    tr_reply_error(self, msg, error); // only an ask has an answer
    return 0;
}

// One that cannot be answered is told so, or finds its deadline: no child is to end for that.
static int answer(tr_actor *self, const tr_msg *msg, tr_val body)
{
    int rc = tr_reply(self, msg, body);
    return rc == TR_ENOMEM ? 0 : rc;
}

static int answer_whereis(tr_actor *self, const tr_msg *msg)
{
    tr_str id;
    if (tr_as_str(tr_msg_body(msg), &id) < 0)
        return fail(self, msg, TR_EBADMSG);
    const struct child *c = child_find(state_of(self), id);
    if (c == NULL)
        return fail(self, msg, TR_ENOENT);
    return answer(self, msg, c->monitor == 0 ? TR_NULL : TR_V(c->addr));
}

static int answer_count(tr_actor *self, const tr_msg *msg)
{
    const struct supervisor *s = state_of(self);
    return answer(self, msg,
                  TR_MAP("children", s->count, "running", s->running, "restarts", s->restarts));
}

enum { SHOWN = 4 }; // fields of a child

static tr_val child_show(const struct child *c, tr_val *fields)
{
    const tr_val all[2 * SHOWN] = {
        TR_V("id"),       TR_V(c->id),
        TR_V("addr"),     c->monitor == 0 ? TR_NULL : TR_V(c->addr),
        TR_V("state"),    TR_V(STATE_NAMES[c->state]),
        TR_V("restarts"), TR_V(c->restarts),
    };
    memcpy(fields, all, sizeof all);
    return tr_val_map(fields, SHOWN);
}

static int answer_children(tr_actor *self, const tr_msg *msg)
{
    const struct supervisor *s = state_of(self);
    tr_buf *memory;
    int rc = tr_buf_new(s->count * (1 + 2 * SHOWN) * sizeof(tr_val), &memory);
    if (rc < 0)
        return fail(self, msg, rc);
    tr_val *list = tr_buf_data(memory), *fields = list + s->count;
    size_t n = 0;
    for (const struct child *c = s->first; c != NULL; c = c->behind, n++)
        list[n] = child_show(c, fields + n * 2 * SHOWN);
    rc = answer(self, msg, tr_val_list(list, n));
    tr_buf_unref(&memory);
    return rc;
}

// 0, or why nothing can be added or removed.
static int dynamic_check(const struct supervisor *s)
{
    if (s->spec.strategy != TR_DYNAMIC)
        return TR_ENOSYS;
    return s->stage == ENDS ? TR_SHUTDOWN : 0;
}

static int dynamic_add(tr_actor *self, tr_val body, struct child **ret_child)
{
    struct supervisor *s = state_of(self);
    char number[24];
    snprintf(number, sizeof number, "%llu", (unsigned long long)s->next_number);
    tr_str id = {number, strlen(number)};
    tr_val args;
    bool given = tr_get(body, "args", &args) == 0;
    if (body.type != TR_TYPE_NULL && body.type != TR_TYPE_MAP)
        return TR_EBADMSG;
    if (tr_get_str(body, "id", &id) == TR_EBADMSG && body.type == TR_TYPE_MAP)
        return TR_EBADMSG;
    if (child_find(s, id) != NULL)
        return TR_EEXIST;
    return child_new(s, tr_buf_data(s->plans), id, given ? &args : NULL, ret_child);
}

static int answer_add(tr_actor *self, const tr_msg *msg)
{
    struct child *c;
    int rc = dynamic_check(state_of(self));
    if (rc == 0)
        rc = dynamic_add(self, tr_msg_body(msg), &c);
    if (rc < 0)
        return fail(self, msg, rc);
    rc = child_start(self, c);
    if (rc == 0)
        return answer(self, msg, TR_V(c->addr));
    child_free(state_of(self), c);
    return fail(self, msg, rc);
}

static int answer_remove(tr_actor *self, const tr_msg *msg)
{
    struct supervisor *s = state_of(self);
    tr_str id;
    int rc = dynamic_check(s);
    if (rc == 0)
        rc = tr_as_str(tr_msg_body(msg), &id);
    struct child *c = rc < 0 ? NULL : child_find(s, id);
    if (c == NULL || c->removed)
        return fail(self, msg, rc < 0 ? rc : TR_ENOENT);
    if (tr_reply_later(self, msg, &c->remover) == TR_ENOMEM) // any other error: it is no ask
        return fail(self, msg, TR_ENOMEM);
    c->removed = true;
    tr_timer_clear(self, c->timer);
    return c->state == CHILD_RUNNING ? child_stop(self, c) : child_over(self, c);
}

// ---- The behaviour ----

static int supervisor_start_all(tr_actor *self)
{
    struct supervisor *s = state_of(self);
    const struct plan *plans = tr_buf_data(s->plans);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->spec.child_count; i++) {
        const char *id = plans[i].spec.id;
        struct child *c;
        rc = child_new(s, &plans[i], (tr_str){id, strlen(id)}, NULL, &c);
        if (rc == 0)
            rc = child_start(self, c);
        if (rc < 0)
            tr_log("supervisor.start", "child=%s error=%s", id, tr_errname(rc));
    }
    return rc == 0 ? 0 : supervisor_end(self, rc);
}

static int supervisor_start(tr_actor *self, const tr_val *args)
{
    struct supervisor *s = state_of(self);
    int rc = spec_unpack(s, args);
    if (rc == 0)
        rc = tr__limit_init(&s->limit, s->spec.restart_max, s->spec.restart_window_ms);
    if (rc < 0)
        return rc;
    s->random = tr_self(self).node ^ tr_self(self).actor ^ tr_now(self);
    tr_trap_exit(self, true);
    return s->spec.strategy == TR_DYNAMIC ? 0 : supervisor_start_all(self);
}

// Somebody asks it to end, or one that it is linked to has ended. A child that has linked itself to
// it is heard of by its monitor.
static int supervisor_exit(tr_actor *self, const tr_down *exit)
{
    tr_reason_kind kind = exit->reason.kind;
    if (exit->linked && (kind == TR_REASON_NORMAL || is_child(state_of(self), exit->addr)))
        return 0;
    if (kind == TR_REASON_SHUTDOWN)
        return supervisor_end(self, TR_SHUTDOWN);
    return supervisor_end(self, kind == TR_REASON_ERROR ? exit->reason.code : TR_EDOWN);
}

static int supervisor_receive(tr_actor *self, const tr_msg *msg)
{
    static const struct {
        const char *name;
        int (*answer)(tr_actor *self, const tr_msg *msg);
    } asks[] = {
        {"whereis", answer_whereis}, {"count", answer_count},   {"children", answer_children},
        {"add", answer_add},         {"remove", answer_remove},
    };
    if (tr_msg_down(msg) != NULL)
        return supervisor_down(self, tr_msg_down(msg));
    if (tr_msg_exit(msg) != NULL)
        return supervisor_exit(self, tr_msg_exit(msg));
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        if (tr_msg_is(msg, asks[i].name))
            return asks[i].answer(self, msg);
    }
    return TR_EUNKNOWN;
}

static void supervisor_stop(tr_actor *self, tr_reason reason)
{
    struct supervisor *s = state_of(self);
    (void)reason;
    while (s->first != NULL)
        child_free(s, s->first);
    tr__limit_clear(&s->limit);
    tr_buf_unref(&s->table);
    tr_buf_unref(&s->plans);
    tr_buf_unref(&s->doc);
}

static const tr_behavior supervisor = {
    .name = "supervisor",
    .state_size = sizeof(struct supervisor),
    .start = supervisor_start,
    .receive = supervisor_receive,
    .stop = supervisor_stop,
};
