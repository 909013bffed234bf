// Processes: how they start, run, and end; and a child as its parent knows it.
//
// Death comes in two steps. A process that ends is dead at once: its endpoints and listeners are
// cut off from the machine, its children are killed, its parent's exit notice is on its way. Its
// memory goes when none of its code is on the stack any more, which is later when it dies in the
// middle of its own step. Its threads go with it, and run no more. The exit notice travels like
// bytes do, but comes no earlier than the last byte and the end of all that the process wrote:
// whoever hears of an exit finds them there.
#include "base/memory.h"
#include "sim/inside.h"
#include <signal.h>
#include <string.h>
#include <troupe/error.h>

struct sim_child {
    tr__process base;
    struct sim_source source;
    struct sim_process *process; // NULL when it has ended
    bool stays;                  // it does not end with its parent
    int64_t pid;
    const tr_process_up *up;
    void *owner;
    tr_exit_status status;
    uint64_t due; // of the exit notice
};

// ---- A child ----

static struct sim_child *child_of(const struct sim_source *source)
{
    return tr__container(source, struct sim_child, source);
}

static uint64_t child_due(const struct sim_source *source, unsigned event)
{
    return event == SIM_EXIT ? child_of(source)->due : TR__NEVER;
}

static void child_tell(struct sim_source *source, unsigned event)
{
    struct sim_child *child = child_of(source);
    (void)event;
    child->due = TR__NEVER;
    child->up->exited(child->owner, &child->status);
}

// Its parent has no child any more.
static void child_leave(struct sim_source *source)
{
    struct sim_child *child = child_of(source);
    if (child->process != NULL && !child->stays)
        tr__sim_process_end(child->process, 0, SIGKILL);
    else if (child->process != NULL)
        child->process->child = NULL;
    child->process = NULL;
}

static void child_free(struct sim_source *source, bool tell)
{
    (void)tell;
    child_leave(source);
    tr__list_remove(&source->node);
    tr__free(child_of(source));
}

static const struct sim_source_ops child_source_ops = {
    .due = child_due,
    .tell = child_tell,
    .sever = child_leave,
    .free = child_free,
};

static void child_ended(struct sim_child *child, int code, int signal)
{
    child->status = (tr_exit_status){.code = code & 0xff, .signal = signal};
    child->due = tr__sim_arrival(child->process->sim);
    if (child->due < child->process->last_sent)
        child->due = child->process->last_sent;
    child->process = NULL;
}

// ---- A process ----

static bool main_run(void *owner)
{
    struct sim_process *process = owner;
    process->program->step(process->state);
    return true;
}

static uint64_t main_due(void *owner)
{
    struct sim_process *process = owner;
    return process->program->due(process->state);
}

int tr__sim_process_new(tr_sim *sim, const tr_sim_program *program,
                        struct sim_process **ret_process)
{
    static const tr_thread_up up = {.run = main_run, .due = main_due};
    struct sim_process *process = tr__zalloc(sizeof *process);
    if (process == NULL)
        return TR_ENOMEM;
    process->sim = sim;
    process->pid = ++sim->last_pid;
    process->program = program;
    tr__list_init(&process->worlds);
    tr__list_init(&process->ears);
    tr__sim_world_init(&process->main, process);
    process->main.up = program != NULL ? &up : NULL;
    process->main.owner = process;
    for (int fd = 0; fd < TR__STDIO; fd++)
        process->stdio[fd] = tr__sim_half_ref(&sim->null);
    tr__list_append(&sim->processes, &process->node);
    *ret_process = process;
    return 0;
}

static struct sim_world *world_at(tr__list *node)
{
    return tr__container(node, struct sim_world, node);
}

static void process_free(struct sim_process *process)
{
    if (process->opened)
        process->program->close(process->state);
    while (!tr__list_empty(&process->worlds)) // whom to tell went with the state
        tr__sim_world_free(world_at(process->worlds.next), false);
    tr__list_remove(&process->node);
    tr__free(process);
}

void tr__sim_process_end(struct sim_process *process, int code, int signal)
{
    if (process->dead)
        return;
    process->dead = true;
    tr__sim_note(process->sim, (uint64_t)process->pid);
    for (tr__list *n = process->worlds.next; n != &process->worlds; n = n->next)
        tr__sim_sources_sever(world_at(n));
    for (int fd = 0; fd < TR__ENDS; fd++)
        tr__sim_half_unref(&process->stdio[fd], process);
    tr__sim_files_close(process);
    if (process->child != NULL)
        child_ended(process->child, code, signal);
    process->child = NULL;
    if (!process->busy)
        process_free(process);
}

// What a signal does that nobody hears. 0 only asks.
static void process_default(struct sim_process *process, int signal)
{
    if (signal == SIGSTOP || signal == SIGCONT)
        process->stopped = signal == SIGSTOP;
    else if (signal != 0)
        tr__sim_process_end(process, 0, signal);
}

// None of its code is on the stack any more.
static void process_leave(struct sim_process *process)
{
    int code = 0;
    if (!process->dead && process->opened && process->program->done(process->state, &code))
        tr__sim_process_end(process, code, 0);
    process->busy = false;
    if (process->dead)
        process_free(process);
}

void tr__sim_process_step(struct sim_world *world)
{
    struct sim_process *process = world->process;
    bool busy = process->busy; // one of its loops joins this one
    tr_assert(!process->dead);
    process->busy = true;
    if (world->asleep)
        world->idle += process->sim->now - world->slept_at;
    world->asleep = false; // a run that had something to do may not poll
    if (!world->up->run(world->owner))
        world->up = NULL;
    if (!busy)
        process_leave(process);
}

// Run the program's open. On an error the process is gone.
static int process_open(struct sim_process *process, tr_endpoint *link, const char *const *argv,
                        const char *const *env)
{
    const tr_sim_program *program = process->program;
    process->busy = true;
    int rc = program->open(&process->main.base, link, argv, env, program->arg, &process->state);
    process->opened = rc == 0;
    if (rc < 0)
        tr__sim_process_end(process, 0, SIGKILL);
    process_leave(process);
    return rc;
}

static const tr_sim_program *program_find(const tr_sim *sim, const char *path)
{
    for (tr__list *n = sim->programs.next; n != &sim->programs; n = n->next) {
        const tr_sim_program *program = tr__container(n, struct sim_listed, node)->program;
        if (strcmp(program->path, path) == 0)
            return program;
    }
    return NULL;
}

// ---- Starting and ending, from outside the machine ----

int tr__sim_start(tr_sim *sim, const char *path, const char *const *argv, int64_t *ret_pid)
{
    const tr_sim_program *program = program_find(sim, path);
    struct sim_process *process = NULL;
    if (program == NULL)
        return TR_ENOENT;
    int rc = tr__sim_process_new(sim, program, &process);
    if (rc < 0)
        return rc;
    int64_t pid = process->pid;
    rc = process_open(process, NULL, argv, (const char *const[]){NULL});
    if (rc == 0)
        *ret_pid = pid;
    return rc;
}

static struct sim_process *process_at(const tr_sim *sim, int64_t pid)
{
    for (tr__list *n = sim->processes.next; n != &sim->processes; n = n->next) {
        struct sim_process *process = tr__container(n, struct sim_process, node);
        if (process->pid == pid && !process->dead)
            return process;
    }
    return NULL;
}

// Not the test itself.
static struct sim_process *process_find(const tr_sim *sim, int64_t pid)
{
    struct sim_process *process = process_at(sim, pid);
    return process == NULL || process->program == NULL ? NULL : process;
}

int tr__sim_kill(tr_sim *sim, int64_t pid, int signal)
{
    struct sim_process *process = process_find(sim, pid);
    if (process == NULL)
        return TR_ENOENT;
    process_default(process, signal);
    return 0;
}

static void process_signal(struct sim_process *process, int signal)
{
    if (signal != 0 && !tr__sim_heard(process, signal))
        process_default(process, signal);
}

int tr__sim_signal(tr_sim *sim, int64_t pid, int signal)
{
    struct sim_process *process = process_at(sim, pid);
    if (process == NULL)
        return TR_ENOENT;
    process_signal(process, signal);
    return 0;
}

bool tr__sim_alive(const tr_sim *sim, int64_t pid)
{
    return process_find(sim, pid) != NULL;
}

int64_t tr__sim_pid(const tr_world *world)
{
    return ((const struct sim_world *)world)->process->pid;
}

// ---- Children, from inside a world ----

static struct sim_child *child_new(tr_world *world, const tr_process_up *up, void *owner)
{
    struct sim_child *child = tr__zalloc(sizeof *child);
    if (child == NULL)
        return NULL;
    child->base.world = world;
    child->up = up;
    child->owner = owner;
    child->due = TR__NEVER;
    tr__sim_source_init(&child->source, world, &child_source_ops);
    return child;
}

// A pipe to the parent, its parent's own, its output's, or none of these.
static void child_give(struct sim_child *child, int fd, tr_stdio what, tr_endpoint **theirs)
{
    const struct sim_process *parent = sim_process_of(child->base.world);
    struct sim_half **given = &child->process->stdio[fd];
    if (what == TR_STDIO_PIPE) {
        tr__sim_set_stdio(&child->process->main.base, fd, theirs);
        return;
    }
    if (what == TR_STDIO_NULL)
        return;
    const struct sim_process *from = what == TR_STDIO_OUTPUT ? child->process : parent;
    struct sim_half *half = from->stdio[what == TR_STDIO_OUTPUT ? 1 : fd];
    tr__sim_half_unref(given, child->process);
    *given = half == NULL ? NULL : tr__sim_half_ref(half);
}

// ours: NULL where there is none, and where it has failed
static int child_connect(struct sim_child *child, const tr_program *program,
                         tr_endpoint *ours[TR__ENDS], tr_endpoint **ret_link)
{
    tr_world *world = &child->process->main.base;
    for (int fd = 0; fd < TR__ENDS; fd++) {
        tr_endpoint *theirs = NULL;
        int rc = tr__program_has_end(program, fd)
                     ? tr__sim_pipe(child->base.world, world, &ours[fd], &theirs)
                     : 0;
        if (rc < 0)
            return rc;
        if (fd == TR__LINK_FD)
            *ret_link = theirs;
        else
            child_give(child, fd, fd < TR__STDIO ? program->stdio[fd] : TR_STDIO_PIPE, &theirs);
    }
    return 0;
}

static int child_start(struct sim_child *child, const tr_sim_program *code,
                       const tr_program *program, tr_endpoint *ret_ends[TR__ENDS])
{
    tr_endpoint *ours[TR__ENDS] = {NULL}, *link = NULL;
    int rc = tr__sim_process_new(sim_process_of(child->base.world)->sim, code, &child->process);
    if (rc < 0)
        return rc;
    child->pid = child->process->pid;
    child->process->child = child;
    rc = child_connect(child, program, ours, &link);
    if (rc == 0)
        rc = process_open(child->process, link, program->argv, program->env);
    if (rc == 0)
        memcpy(ret_ends, ours, sizeof ours);
    for (int fd = 0; fd < TR__ENDS && rc < 0; fd++)
        if (ours[fd] != NULL)
            tr__sim_endpoint_close(ours[fd]);
    return rc;
}

int tr__sim_spawn(tr_world *world, const tr_program *program, const tr_process_up *up, void *owner,
                  tr__process **ret_process, tr_endpoint *ret_ends[TR__ENDS])
{
    struct sim_process *parent = sim_process_of(world);
    tr_sim *sim = parent->sim;
    if (parent->dead)
        return TR_EDOWN;
    for (int fd = 0; fd < TR__STDIO; fd++)
        if (program->stdio[fd] == TR_STDIO_FD)
            return TR_ENOSYS;
    if (program->how != NULL && program->how->more_count > 0)
        return TR_ENOSYS;
    if (sim->spawn_error_in > 0 && --sim->spawn_error_in == 0)
        return sim->spawn_error;
    const tr_sim_program *code =
        program->path == NULL ? parent->program : program_find(sim, program->path);
    if (code == NULL)
        return TR_ENOENT;
    struct sim_child *child = child_new(world, up, owner);
    if (child == NULL)
        return TR_ENOMEM;
    child->stays = program->how != NULL && program->how->detached;
    int rc = child_start(child, code, program, ret_ends);
    if (rc < 0)
        child_free(&child->source, false);
    else
        *ret_process = &child->base;
    return rc;
}

// Its children end with it: so what reaches it reaches its group.
int tr__sim_process_signal(tr__process *process, int signal)
{
    struct sim_child *child = (struct sim_child *)process;
    if (child->process == NULL)
        return TR_ENOENT;
    process_signal(child->process, signal);
    return 0;
}

int64_t tr__sim_process_pid(const tr__process *process)
{
    return ((const struct sim_child *)process)->pid;
}

void tr__sim_process_close(tr__process **process)
{
    if (*process != NULL)
        child_free(&((struct sim_child *)*process)->source, false);
    *process = NULL;
}
