// Programs: a process of the world, with the pipes to it, for an actor.
//
//     running -> stopping: asked, TERM, KILL -> dead: reaped -> told
//
// The ladder may begin before the death or after it, for what the program has started is to be
// stopped as well: that is its group, which may outlive it. Then the end is told when nobody is
// left in the group; the system tells nobody of that, so it is looked at now and then. Killed ones
// may stay as zombies, where nobody reaps orphans: they are not waited for long.
//
// The end is told, in a turn of the actor, when the program is dead, its group if that was to be
// stopped, and the streams over its pipes are closed. Whoever else has its output keeps that from
// coming to its end, so after a while it is cut: what is there is read, and that was it.
//
// A record lives until then. One whose actor ends before is moved to its loop, which waits for it;
// or, detached, only reaps it. Both timers stay armed all the while, so that to set them needs no
// memory.
#include "core/process.h"

#include <signal.h>

#include "base/memory.h"
#include "base/opts.h"
#include "core/node.h"
#include "core/socket.h"

#define TERM_MS  2000u
#define STDIO_MS 2000u
#define LOOK_NS  TR_MS(5)
#define GONE_NS  TR_MS(200) // from SIGKILL
#define SIGNALS  64
#define CPUS_MAX 1024u
#define MORE_MAX 1024u

typedef enum ladder_stage { LADDER_NONE, LADDER_ASKED, LADDER_TERMED, LADDER_KILLED } ladder_stage;

// A pipe of the program's. Neither: there is none, or it has been closed.
typedef struct pipe_end {
    struct program *program;
    tr_endpoint *endpoint; // that nobody has taken
    tr_stream stream;      // that is open
} pipe_end;

typedef struct program {
    tr__owned owned;
    tr__list link; // in the loop's, without an actor
    tr_loop *loop;
    tr_actor *actor; // NULL: it has ended
    uint64_t id;
    tr__process *process;
    pipe_end pipes[TR__STDIO];
    unsigned open;   // streams over them
    tr__later later; // one has been closed
    tr_process_ended cb;
    tr_callback exited;
    void *arg;

    ladder_stage stage;
    tr__timer timer; // of the ladder; before that the timeout
    uint64_t due;    // of its next step
    uint64_t ask_ns, term_ns, stdio_ns;
    int stop_signal;
    bool detached;
    tr__carrier carrier;

    bool dead;
    bool cleared; // nobody is left of the group that was stopped, or worth waiting for
    tr__timer stdio_timer;
    tr_process_end end;
} program;

static const tr_world_ops *program_world(const program *p)
{
    return p->loop->world->ops;
}

static uint64_t program_now(const program *p)
{
    return program_world(p)->now(p->loop->world);
}

static bool pipe_is_open(const pipe_end *pipe)
{
    return pipe->stream.id != 0;
}

static void program_drop_ends(program *p)
{
    for (int fd = 0; fd < TR__STDIO; fd++)
        tr__endpoint_drop(&p->pipes[fd].endpoint);
}

// To arm what is armed always succeeds.
static void timer_set(program *p, tr__timer *timer, uint64_t due)
{
    int rc = tr__timer_arm(p->loop, timer, due);
    tr_assert(rc == 0);
}

// ---- The end ----

static void program_free(program *p)
{
    program_drop_ends(p);
    tr__timer_disarm(p->loop, &p->timer);
    tr__timer_disarm(p->loop, &p->stdio_timer);
    tr__cancel_leave(&p->carrier);
    tr__list_remove(&p->later.link);
    tr__list_remove(&p->owned.link);
    tr__list_remove(&p->link);
    if (p->id != 0)
        tr__slots_remove(&p->loop->processes, p->id);
    if (p->process != NULL)
        program_world(p)->process_close(&p->process);
    p->loop->restless = true; // it may have been the last
    tr__free(p);
}

// In a turn of its actor, whichever that is.
static bool program_turn(program *p, tr_callback cb)
{
    if (p->loop->current != p->actor)
        return tr__socket_turn(p->actor, cb, p);
    cb(p->actor, p);
    return true;
}

static int end_status(const program *p)
{
    if (tr__cancel_comes(&p->carrier))
        return TR_ECANCELED;
    if (p->end.status != 0)
        return p->end.status;
    bool failed = p->end.reason.kind != TR_REASON_EXITED || p->end.reason.code != 0;
    return failed ? TR_EFAILED : 0;
}

static void program_tell(tr_actor *self, void *arg)
{
    program *p = arg, told = *p;
    told.end.status = end_status(p);
    program_free(p);
    told.cb(self, (tr_process){told.id}, &told.end, told.arg);
}

// Look whether somebody is left in the group.
static bool group_is_left(program *p)
{
    bool given_up = p->stage == LADDER_KILLED && program_now(p) >= p->due;
    if (!p->cleared)
        p->cleared = given_up || program_world(p)->process_signal_group(p->process, 0) == TR_ENOENT;
    return !p->cleared;
}

// It may be gone afterwards.
static void program_look(program *p)
{
    if (!p->dead || p->open > 0 || (p->stage != LADDER_NONE && group_is_left(p)))
        return;
    if (p->actor == NULL)
        program_free(p);
    else
        program_turn(p, program_tell); // an actor that ends takes it over
}

// ---- The ladder ----

static void ladder_arm(program *p)
{
    uint64_t due = p->due;
    if (p->dead && p->stage != LADDER_NONE) {
        uint64_t look = program_now(p) + LOOK_NS;
        due = !group_is_left(p) ? TR__NEVER : look < due ? look : due;
    }
    timer_set(p, &p->timer, due);
}

static void ladder_climb(program *p)
{
    const tr_world_ops *ops = program_world(p);
    tr_assert(p->stage < LADDER_KILLED);
    p->stage = p->stage == LADDER_TERMED ? LADDER_KILLED : LADDER_TERMED;
    bool kill = p->stage == LADDER_KILLED;
    ops->process_signal_group(p->process, kill ? SIGKILL : p->stop_signal);
    if (!kill)
        ops->process_signal_group(p->process, SIGCONT); // it may have been stopped on the way
    p->due = program_now(p) + (kill ? GONE_NS : p->term_ns);
}

static void program_end_input(tr_actor *self, void *arg)
{
    program *p = arg;
    tr__endpoint_drop(&p->pipes[0].endpoint);
    if (pipe_is_open(&p->pipes[0]))
        tr_stream_end(self, p->pipes[0].stream);
}

static void program_stop(program *p, int why)
{
    if (p->stage != LADDER_NONE)
        return;
    if (!p->dead)
        p->end.status = why;
    p->stage = LADDER_ASKED;
    p->due = program_now(p) + p->ask_ns;
    if (p->ask_ns == 0)
        ladder_climb(p);
    else if (p->actor != NULL)
        program_turn(p, program_end_input);
    ladder_arm(p);
}

static void ladder_fired(tr__timer *timer)
{
    program *p = tr__container(timer, program, timer);
    if (p->stage == LADDER_NONE)
        program_stop(p, TR_ETIMEDOUT);
    else if (p->stage < LADDER_KILLED && program_now(p) >= p->due)
        ladder_climb(p);
    ladder_arm(p);
    program_look(p);
}

// Its end is to come like this, even if it was on its way already.
static void program_cancelled(tr__carrier *carrier)
{
    program *p = tr__container(carrier, program, carrier);
    carrier->cancel = NULL; // which may be freed before that
    program_stop(p, TR_ECANCELED);
    p->end.status = TR_ECANCELED;
}

// ---- The process ----

static void program_cut(tr_actor *self, void *arg)
{
    program *p = arg;
    for (int fd = 1; fd < TR__STDIO; fd++)
        if (pipe_is_open(&p->pipes[fd]))
            p->end.held |= tr__input_cut(self, p->pipes[fd].stream);
}

static void stdio_fired(tr__timer *timer)
{
    program *p = tr__container(timer, program, stdio_timer);
    timer_set(p, timer, TR__NEVER);
    if (p->actor != NULL)
        program_turn(p, program_cut);
}

static void program_died(tr_actor *self, void *arg)
{
    program *p = arg;
    if (pipe_is_open(&p->pipes[0]))
        tr_stream_destroy(self, p->pipes[0].stream, TR_EPIPE);
    if (p->exited != NULL)
        p->exited(self, p->arg);
    program_look(p);
}

static void process_exited(void *owner, const tr_exit_status *status)
{
    program *p = owner;
    p->dead = true;
    p->end.usage = (tr_usage){status->user_ns, status->system_ns, status->rss_max};
    p->end.reason = (tr_reason){TR_REASON_EXITED, .code = status->code};
    if (status->signal != 0)
        p->end.reason = (tr_reason){TR_REASON_KILLED, status->signal, status->core};
    if (p->stage == LADDER_NONE)
        p->due = TR__NEVER; // no timeout any more
    ladder_arm(p);
    program_drop_ends(p);
    if (p->actor == NULL) {
        program_look(p);
        return;
    }
    timer_set(p, &p->stdio_timer, program_now(p) + p->stdio_ns);
    program_turn(p, program_died);
}

// Its actor has ended, and its streams have.
static void program_orphaned(tr__owned *owned)
{
    program *p = tr__container(owned, program, owned);
    tr__list_init(&owned->link);
    tr__cancel_leave(&p->carrier);
    p->actor = NULL;
    p->open = 0;
    program_drop_ends(p);
    timer_set(p, &p->stdio_timer, TR__NEVER);
    tr__list_append(p->detached ? &p->loop->strays : &p->loop->orphans, &p->link);
    if (!p->detached)
        program_stop(p, TR_SHUTDOWN);
    else if (p->stage == LADDER_NONE)
        timer_set(p, &p->timer, TR__NEVER);
    program_look(p);
}

bool tr__processes_ended(const tr_loop *loop)
{
    return tr__list_empty(&loop->orphans);
}

void tr__processes_clear(tr_loop *loop)
{
    tr__list_splice(&loop->orphans, &loop->strays);
    while (!tr__list_empty(&loop->orphans)) {
        program *p = tr__container(loop->orphans.next, program, link);
        if (!p->detached)
            program_world(p)->process_signal_group(p->process, SIGKILL);
        program_free(p);
    }
}

// ---- Its pipes ----

static void pipe_closed_later(tr__later *later)
{
    program_look(tr__container(later, program, later));
}

// Before whoever else hears of that: the end of the program is to come after it.
static void pipe_closed(tr_actor *self, int status, void *arg)
{
    pipe_end *pipe = arg;
    program *p = pipe->program;
    (void)status;
    pipe->stream = (tr_stream){0};
    p->open--;
    if (tr__list_empty(&p->later.link))
        tr__later_run(self->loop, &p->later);
}

static int pipe_take(pipe_end *pipe, tr_actor *self, const tr_stream_ops *ops)
{
    tr__socket *socket;
    int rc = tr__socket_new(self, ops, NULL, true, &socket);
    if (rc < 0)
        return rc;
    rc = tr_finished(self, socket->stream, pipe_closed, pipe);
    if (rc < 0) {
        tr_stream_destroy(self, socket->stream, 0);
        return rc;
    }
    tr__socket_attach(socket, pipe->endpoint);
    pipe->endpoint = NULL;
    pipe->stream = socket->stream;
    pipe->program->open++;
    return 0;
}

// ---- Starting it ----

static bool stdio_is_sound(const tr_process_opts *opts)
{
    for (int fd = 0; fd < TR__STDIO; fd++)
        if ((unsigned)opts->stdio[fd] > TR_STDIO_OUTPUT ||
            (opts->stdio[fd] == TR_STDIO_OUTPUT && fd != 2) ||
            (opts->stdio[fd] == TR_STDIO_FD && opts->fds[fd] < 0))
            return false;
    return true;
}

static bool env_is_sound(const char *const *env)
{
    for (; env != NULL && *env != NULL; env++)
        if (strchr(*env, '=') == NULL || **env == '=')
            return false;
    return true;
}

static bool cpus_are_sound(const tr_process_opts *opts)
{
    for (size_t i = 0; opts->cpus != NULL && i < opts->cpu_count; i++)
        if (opts->cpus[i] >= CPUS_MAX)
            return false;
    return (opts->cpus == NULL) == (opts->cpu_count == 0);
}

static bool more_is_sound(const tr_process_opts *opts)
{
    for (size_t i = 0; opts->more_fds != NULL && i < opts->more_count; i++)
        if (opts->more_fds[i] < -1)
            return false;
    return opts->more_count <= MORE_MAX && (opts->more_fds != NULL || opts->more_count == 0);
}

static bool opts_are_sound(const tr_process_opts *opts)
{
    const tr_process_user *user = opts->user;
    return stdio_is_sound(opts) && env_is_sound(opts->env) && cpus_are_sound(opts) &&
           more_is_sound(opts) && !(opts->detached && opts->same_group) && opts->stop_signal >= 0 &&
           opts->stop_signal <= SIGNALS && (opts->limits != NULL || opts->limit_count == 0) &&
           (user == NULL || user->groups != NULL || user->group_count == 0);
}

static uint64_t ms_or(uint32_t given, uint32_t otherwise)
{
    return TR_MS(given != 0 ? given : otherwise);
}

static void program_init(program *p, tr_actor *self, const tr_process_opts *opts)
{
    p->loop = self->loop;
    p->actor = self;
    p->owned.close = program_orphaned;
    p->later.run = pipe_closed_later;
    p->timer.fire = ladder_fired;
    p->stdio_timer.fire = stdio_fired;
    p->ask_ns = TR_MS(opts->ask_ms);
    p->term_ns = ms_or(opts->term_ms, TERM_MS);
    p->stdio_ns = ms_or(opts->stdio_ms, STDIO_MS);
    p->stop_signal = opts->stop_signal != 0 ? opts->stop_signal : SIGTERM;
    p->detached = opts->detached;
    p->due = opts->timeout_ms == 0 ? TR__NEVER : program_now(p) + TR_MS(opts->timeout_ms);
    tr__list_init(&p->later.link);
    tr__list_init(&p->owned.link);
    tr__list_init(&p->link);
    for (int fd = 0; fd < TR__STDIO; fd++)
        p->pipes[fd].program = p;
}

// All that may fail before there is a process.
static int program_new(tr_actor *self, const tr_process_opts *opts, program **ret_program)
{
    program *p = tr__zalloc(sizeof *p);
    if (p == NULL)
        return TR_ENOMEM;
    program_init(p, self, opts);
    int rc = tr__cancel_join(opts->cancel, self, &p->carrier, program_cancelled);
    if (rc == 0)
        rc = tr__timer_arm(p->loop, &p->timer, p->due);
    if (rc == 0)
        rc = tr__timer_arm(p->loop, &p->stdio_timer, TR__NEVER);
    if (rc == 0)
        rc = tr__slots_add(&p->loop->processes, p, &p->id);
    if (rc < 0)
        program_free(p);
    else
        *ret_program = p;
    return rc;
}

// gives: *ret_argv, whose strings stay where they are
static int argv_join(const char *name, const char *const *args, const char ***ret_argv)
{
    size_t n = 0;
    while (args != NULL && args[n] != NULL)
        n++;
    const char **argv = tr__alloc((n + 2) * sizeof *argv);
    if (argv == NULL)
        return TR_ENOMEM;
    argv[0] = name;
    for (size_t i = 0; i < n; i++)
        argv[i + 1] = args[i];
    argv[n + 1] = NULL;
    *ret_argv = argv;
    return 0;
}

static int program_start(program *p, const char *file, const char *const *args,
                         const tr_process_opts *opts)
{
    static const tr_process_up up = {.exited = process_exited};
    static const char *const nothing[] = {NULL};
    tr_endpoint *ends[TR__ENDS];
    const char **argv;
    int rc = argv_join(opts->argv0 != NULL ? opts->argv0 : file, args, &argv);
    if (rc < 0)
        return rc;
    tr_program start = {.path = file,
                        .argv = argv,
                        .env = opts->env != NULL ? opts->env : nothing,
                        .alone = true,
                        .how = opts};
    memcpy(start.stdio, opts->stdio, sizeof start.stdio);
    rc = program_world(p)->spawn(p->loop->world, &start, &up, p, &p->process, ends);
    tr__free(argv);
    for (int fd = 0; fd < TR__STDIO && rc == 0; fd++)
        p->pipes[fd].endpoint = ends[fd];
    return rc;
}

int tr__process_open(tr_actor *self, const char *file, const char *const *args,
                     const tr_process_opts *opts, tr_process_ended cb, tr_callback exited,
                     void *arg, tr_process *ret_process)
{
    program *p;
    tr_process_opts o;
    if (!tr__actor_here(self) || self->state > TR__RUNNING || file == NULL || cb == NULL ||
        tr__opts_copy(opts, &o, sizeof o) < 0 || !opts_are_sound(&o))
        return TR_EINVAL;
    if (self->loop->asked || self->loop->world->ops->spawn == NULL)
        return self->loop->asked ? TR_SHUTDOWN : TR_ENOSYS;
    int rc = program_new(self, &o, &p);
    if (rc < 0)
        return rc;
    rc = program_start(p, file, args, &o);
    if (rc < 0) {
        tr__node_errmsg(self->loop->node, "cannot start %s: %s", file, tr_strerror(rc));
        program_free(p);
        return rc;
    }
    p->cb = cb;
    p->exited = exited;
    p->arg = arg;
    tr__list_append(&self->owned, &p->owned.link);
    if (ret_process != NULL)
        ret_process->id = p->id;
    return 0;
}

int tr_process_open(tr_actor *self, const char *file, const char *const *args,
                    const tr_process_opts *opts, tr_process_ended cb, void *arg,
                    tr_process *ret_process)
{
    return tr__process_open(self, file, args, opts, cb, NULL, arg, ret_process);
}

// ---- While it runs ----

static int program_of(tr_actor *self, tr_process process, program **ret_program)
{
    if (!tr__actor_here(self))
        return TR_EINVAL;
    program *p = tr__slots_find(&self->loop->processes, process.id);
    if (p == NULL || p->actor != self)
        return TR_ENOENT;
    *ret_program = p;
    return 0;
}

int tr_process_stream(tr_actor *self, tr_process process, int fd, tr_stream *ret_stream)
{
    program *p;
    int rc = program_of(self, process, &p);
    if (rc < 0 || (unsigned)fd >= TR__STDIO || ret_stream == NULL)
        return rc < 0 ? rc : TR_EINVAL;
    pipe_end *pipe = &p->pipes[fd];
    if (pipe->endpoint == NULL)
        return TR_ENOENT;
    rc = pipe_take(pipe, self, fd == 0 ? &tr__output_ops : &tr__input_ops);
    if (rc == 0)
        *ret_stream = pipe->stream;
    return rc;
}

int tr__process_stop(tr_actor *self, tr_process process, int why)
{
    program *p;
    int rc = program_of(self, process, &p);
    if (rc == 0)
        program_stop(p, why);
    return rc;
}

int tr_process_stop(tr_actor *self, tr_process process)
{
    return tr__process_stop(self, process, TR_SHUTDOWN);
}

static int program_signal(tr_actor *self, tr_process process, int signal, bool group)
{
    program *p;
    int rc = program_of(self, process, &p);
    if (rc < 0 || signal < 0 || signal > SIGNALS)
        return rc < 0 ? rc : TR_EINVAL;
    const tr_world_ops *ops = program_world(p);
    return (group ? ops->process_signal_group : ops->process_signal)(p->process, signal);
}

int tr_process_signal(tr_actor *self, tr_process process, int signal)
{
    return program_signal(self, process, signal, false);
}

int tr_process_signal_group(tr_actor *self, tr_process process, int signal)
{
    return program_signal(self, process, signal, true);
}

int tr_process_look(tr_actor *self, tr_process process, tr_process_info *ret_info)
{
    program *p;
    int rc = program_of(self, process, &p);
    if (rc < 0 || ret_info == NULL)
        return rc < 0 ? rc : TR_EINVAL;
    bool stops = p->stage != LADDER_NONE;
    ret_info->state = p->dead ? TR_PROCESS_DEAD : stops ? TR_PROCESS_STOPPING : TR_PROCESS_RUNNING;
    ret_info->pid = program_world(p)->process_pid(p->process);
    return 0;
}
