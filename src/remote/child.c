// Children: processes that this node has started, each the home of one actor that a parent's actor
// owns. A child's record lives from its spawn until its process has been reaped.
//
// The end is told once, from the reaped status: first everything that the child had written is read
// and delivered, then the monitors are told, so a down comes after the last message. A child that
// left in order has said bye with its actor's reason before.
//
// Stopping is a ladder: ask, SIGTERM, SIGKILL, each with its deadline. It begins when the actor is
// stopped, its owner ends, the node ends, or the link is lost while the process lives on.
#include <signal.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/socket.h"
#include "data/doc.h"
#include "remote/remote.h"

#define STOP_MS 5000u
#define TERM_MS 2000u

static tr_loop *child_loop(const tr__child *child)
{
    return child->remote->loop;
}

// Take the next step at once when its timer cannot be armed.
static void child_arm(tr__child *child, uint64_t delay)
{
    tr_loop *loop = child_loop(child);
    uint64_t now = loop->world->ops->now(loop->world);
    if (tr__timer_arm(loop, &child->timer, now + delay) < 0)
        child->timer.fire(&child->timer);
}

static void child_step(tr__timer *timer)
{
    tr__child *child = tr__container(timer, tr__child, timer);
    const tr_world_ops *ops = child_loop(child)->world->ops;
    tr_assert(child->stage == TR__CHILD_ASKED || child->stage == TR__CHILD_TERMED);
    bool term = child->stage == TR__CHILD_ASKED;
    child->stage = term ? TR__CHILD_TERMED : TR__CHILD_KILLED;
    tr__warn(term ? "child.term" : "child.kill", "pid=%lld did not end in time",
             (long long)ops->process_pid(child->process));
    ops->process_signal(child->process, term ? SIGTERM : SIGKILL);
    if (term)
        child_arm(child, child->term_ns);
}

void tr__child_stop(tr__child *child)
{
    if (child->stage != TR__CHILD_RUNS)
        return;
    child->stage = TR__CHILD_ASKED;
    tr__peer_post_for(child->peer, (tr__pair){TR__ANY, TR__ROOT_ID},
                      TR_LIST((int)TR__STOP, TR__ROOT_ID));
    child_arm(child, child->stop_ns);
}

void tr__child_kill(tr__child *child)
{
    tr_loop *loop = child_loop(child);
    child->stage = TR__CHILD_KILLED;
    tr__timer_disarm(loop, &child->timer);
    loop->world->ops->process_signal(child->process, SIGKILL);
}

void tr__child_lost(tr__child *child)
{
    if (child->stage != TR__CHILD_RUNS)
        return;
    child->stage = TR__CHILD_ASKED; // losing the link is asking
    child_arm(child, child->stop_ns);
}

static void child_drop_ends(tr__child *child)
{
    for (int fd = 0; fd < TR__ENDS; fd++)
        tr__endpoint_drop(&child->ends[fd]);
}

static void child_owner_ended(tr__owned *owned)
{
    tr__child *child = tr__container(owned, tr__child, owned);
    tr__list_init(&owned->link);
    child_drop_ends(child); // it may wait for somebody to read them
    tr__child_stop(child);
}

void tr__child_free(tr__child *child)
{
    tr_loop *loop = child_loop(child);
    tr__timer_disarm(loop, &child->timer);
    tr__list_remove(&child->owned.link);
    tr__list_remove(&child->link_in_remote);
    child_drop_ends(child);
    tr__pulse_free(&child->pulse);
    if (child->process != NULL)
        loop->world->ops->process_close(&child->process);
    tr__peer_free(&child->peer);
    tr__free(child);
}

// A bye counts when the process then left as one does after it.
static tr_reason child_reason(const tr__child *child, const tr_exit_status *status)
{
    const tr__peer *peer = child->peer;
    if (status->signal != 0)
        return (tr_reason){.kind = TR_REASON_KILLED, .code = status->signal, .core = status->core};
    bool failed = peer->said_bye && peer->bye.kind > TR_REASON_SHUTDOWN;
    if (peer->said_bye && failed == (status->code != 0))
        return peer->bye;
    return (tr_reason){.kind = TR_REASON_EXITED, .code = status->code};
}

// Its last records are told before its end is.
static void child_told(const tr__child *child, tr_trace_kind kind, const char *name,
                       tr_reason reason)
{
    const tr_loop *loop = child_loop(child);
    tr__tracer *tracer = loop->node->tracer;
    int64_t pid = loop->world->ops->process_pid(child->process);
    TR__TELL(loop, .kind = kind, .actor = child->spawner, .other = {child->peer->node, TR__ROOT_ID},
             .name = name, .name_len = name == NULL ? 0 : strlen(name), .reason = reason.kind,
             .code = reason.code, .number = (uint64_t)pid);
    if (kind == TR_TRACE_REAPED && tracer != NULL)
        tracer->ops->child_ended(tracer, pid, child->peer->node, reason);
}

static void child_exited(void *owner, const tr_exit_status *status)
{
    tr__child *child = owner;
    child->stage = TR__CHILD_KILLED; // no more steps
    tr__timer_disarm(child_loop(child), &child->timer);
    bool known = tr__peer_drain(child->peer);
    child_told(child, TR_TRACE_REAPED, NULL, child_reason(child, status));
    tr__peer_handed_end(child->peer, known);
    tr__remains remains = {.usage = {status->user_ns, status->system_ns, status->rss_max}};
    if (status->signal == SIGKILL)
        snprintf(remains.hung, sizeof remains.hung, "%s", tr__pulse_hung(child->pulse));
    tr__peer_fire(child->peer, child_reason(child, status), &remains);
    tr__child_free(child);
}

static const tr_process_up CHILD_UP = {.exited = child_exited};

// ---- Starting one ----

static int child_new(tr_actor *self, const tr_spawn_opts *opts, tr__child **ret_child)
{
    tr__remote *remote = self->loop->remote;
    tr__child *child = tr__zalloc(sizeof *child);
    if (child == NULL)
        return TR_ENOMEM;
    child->remote = remote;
    child->spawner = self->id;
    child->owned.close = child_owner_ended;
    child->timer.fire = child_step;
    child->stop_ns = TR_MS(opts->stop_ms == 0 ? STOP_MS : opts->stop_ms);
    child->term_ns = TR_MS(opts->term_ms == 0 ? TERM_MS : opts->term_ms);
    tr__list_init(&child->owned.link);
    tr__list_append(&remote->children, &child->link_in_remote);
    uint64_t node = 0;
    while (node <= 1)
        self->loop->world->ops->random(self->loop->world, &node, sizeof node);
    int rc = tr__peer_new(remote, node, &child->peer);
    if (rc == 0) {
        child->peer->child = child;
        tr__groups_listen(remote->loop);
        rc = tr__window_pin(&child->peer->outflows, TR__ROOT_ID, opts->mail_max,
                            opts->mail_bytes_max);
    }
    if (rc < 0) {
        tr__child_free(child);
        return rc;
    }
    *ret_child = child;
    return 0;
}

static size_t list_length(const char *const *list)
{
    size_t n = 0;
    while (list != NULL && list[n] != NULL)
        n++;
    return n;
}

// first (may be NULL), then both lists, then NULL. The strings are not copied.
static const char **list_join(const char *first, const char *const *a, const char *const *b)
{
    size_t n = 0, a_len = list_length(a), b_len = list_length(b);
    const char **all = tr__alloc((a_len + b_len + 2) * sizeof *all);
    if (all == NULL)
        return NULL;
    if (first != NULL)
        all[n++] = first;
    for (size_t i = 0; i < a_len; i++)
        all[n++] = a[i];
    for (size_t i = 0; i < b_len; i++)
        all[n++] = b[i];
    all[n] = NULL;
    return all;
}

static int child_start_process(tr__child *child, const tr_behavior *behavior, const char *path,
                               const tr_spawn_opts *opts)
{
    const tr__outside *outside = child->remote->outside;
    tr_loop *loop = child_loop(child);
    tr_world *world = loop->world;
    // The behaviour's name is only for people who look at the process list.
    const char *const shown[] = {behavior == NULL ? NULL : behavior->name, NULL};
    const char **argv = list_join(path == NULL ? outside->program : path, shown, opts->argv);
    char pulse[48];
    snprintf(pulse, sizeof pulse, TR__PULSE_ENV "=%d:%u", TR__PULSE_FD, opts->hung_ms);
    const char **env = list_join(opts->hung_ms == 0 ? NULL : pulse, outside->child_env, opts->env);
    tr_program program = {.path = path, .argv = argv, .env = env, .pulse = opts->hung_ms != 0};
    memcpy(program.stdio, opts->stdio, sizeof program.stdio);
    int rc = TR_ENOMEM;
    if (argv != NULL && env != NULL)
        rc = world->ops->spawn(world, &program, &CHILD_UP, child, &child->process, child->ends);
    tr__free(argv);
    tr__free(env);
    if (rc < 0)
        tr__node_errmsg(loop->node, "cannot start %s: %s", path == NULL ? outside->program : path,
                        tr_strerror(rc));
    return rc;
}

// The parent's hello says who the child is and what it is to run. Packed before there is a process:
// what cannot be sent must not cost one.
static int child_hello(tr__child *child, tr_actor *self, const tr_behavior *behavior,
                       const tr_spawn_opts *opts, tr_buf **ret_hello)
{
    const tr_node *node = child->remote->loop->node;
    tr_val hello = TR_MAP(
        "troupe", TR__PROTOCOL, "node", node->id, "name", node->name, "you", child->peer->node,
        "parent", self->id, "behavior", behavior == NULL ? TR_NULL : tr_val_str(behavior->name),
        "args", opts->args, "context", opts->context, "mail_max", opts->mail_max, "mail_bytes_max",
        opts->mail_bytes_max, "mail_policy", (int)opts->mail_policy, "handles", (bool)true,
        "pieces", (bool)true, "meets", (bool)true);
    return tr_val_pack(TR_LIST((int)TR__HELLO, hello), ret_hello);
}

static int child_start(tr__child *child, const tr_behavior *behavior, const char *path,
                       const tr_spawn_opts *opts, tr_buf *hello)
{
    tr_val envelope;
    int rc = child_start_process(child, behavior, path, opts);
    if (rc < 0)
        return rc;
    child_told(child, TR_TRACE_CHILD, behavior == NULL ? path : behavior->name, (tr_reason){0});
    tr_endpoint *link = child->ends[TR__LINK_FD], *pulse = child->ends[TR__PULSE_FD];
    child->ends[TR__LINK_FD] = child->ends[TR__PULSE_FD] = NULL;
    if (pulse != NULL)
        rc = tr__pulse_new(child, pulse, opts->hung_ms);
    if (rc == 0)
        rc = tr__peer_connect(child->peer, link);
    else
        tr__endpoint_drop(&link);
    if (rc < 0)
        return rc;
    tr__doc_view(tr_buf_data(hello), &envelope);
    return tr__peer_post(child->peer, envelope);
}

static bool child_runs(const tr__remote *remote, const tr_behavior *behavior)
{
    tr_str name = {behavior->name, strlen(behavior->name)};
    if (tr__remote_behavior(remote, name) != NULL)
        return true;
    tr__node_errmsg(remote->loop->node, "behavior %s is not one of the app's", behavior->name);
    return false;
}

int tr__child_spawn(tr_actor *self, const tr_behavior *behavior, const char *path,
                    const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    tr__child *child;
    if (behavior != NULL && !child_runs(self->loop->remote, behavior))
        return TR_EINVAL;
    int rc = child_new(self, opts, &child);
    if (rc < 0)
        return rc;
    tr_buf *hello = NULL;
    tr_addr addr = {child->peer->node, TR__ROOT_ID};
    rc = tr__name_take(self->loop->node, opts->name, addr, &child->peer->watched);
    if (rc == 0)
        rc = child_hello(child, self, behavior, opts, &hello);
    if (rc == 0)
        rc = child_start(child, behavior, path, opts, hello);
    if (rc == 0 && opts->link)
        rc = tr__link_to(self, addr); // right behind the hello
    tr_buf_unref(&hello);
    if (rc < 0) {
        tr__child_free(child);
        return rc;
    }
    tr__list_append(&self->owned, &child->owned.link);
    tr__name_show(self->loop->node, opts->name, addr);
    if (ret_addr != NULL)
        *ret_addr = addr;
    return 0;
}

static tr__child *child_of(const tr_actor *self, tr_addr addr)
{
    tr__peer *peer = tr__peer_find(self->loop->remote, addr.node);
    tr__child *child = peer == NULL || addr.actor != TR__ROOT_ID ? NULL : peer->child;
    return child == NULL || child->spawner != self->id ? NULL : child;
}

tr_endpoint **tr__child_end(tr_actor *self, tr_addr addr, int fd)
{
    tr__child *child = child_of(self, addr);
    return child == NULL ? NULL : &child->ends[fd];
}

int tr__child_pid(tr_actor *self, tr_addr addr, int64_t *ret_pid)
{
    const tr__child *child = child_of(self, addr);
    if (child == NULL)
        return TR_ENOACTOR;
    *ret_pid = child->process->world->ops->process_pid(child->process);
    return 0;
}
