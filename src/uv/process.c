// Child processes: posix_spawn to start one, a pidfd to hear of its end.
//
// Not uv_spawn: libuv 1.44 forks, which stops the loop for as long as it takes to copy the parent's
// page tables (123 ms at 3 GiB); posix_spawn shares them until the exec. And a pidfd needs no
// SIGCHLD handler, which a library must not take from its host.
//
// A child gets the standard descriptors and one end of a socket pair as descriptor 3, no other; no
// blocked signals and no ignored ones, whatever this process has made of its own. Where a standard
// descriptor has its other end here it is a pipe, not a socket: programs open /dev/stdin once more.
// And a pipe's ends are two open files, so ours does not block and the child's does.
//
// The pidfd tells when, wait4 tells how it ended and what it has used: until then the pid is its
// own.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "uv/inside.h"

struct real_process {
    tr__process base;
    struct real_source source; // its pidfd
    pid_t pid;
    struct real_kin kin;
    bool reaped;
    const tr_process_up *up;
    void *owner;
};

static struct real_process *process_of(const tr__process *base)
{
    return (struct real_process *)(uintptr_t)base;
}

static struct real_process *process_of_source(struct real_source *source)
{
    return tr__container(source, struct real_process, source);
}

static uint64_t ns_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

static tr_exit_status status_of(int status, const struct rusage *usage)
{
    tr_exit_status exit = {.user_ns = ns_of(usage->ru_utime),
                           .system_ns = ns_of(usage->ru_stime),
                           .rss_max = (uint64_t)usage->ru_maxrss * 1024}; // it comes in KiB
    if (WIFEXITED(status)) {
        exit.code = WEXITSTATUS(status);
    } else {
        exit.signal = WTERMSIG(status);
        exit.core = WCOREDUMP(status);
    }
    return exit;
}

// Wait for the end and collect the status. Where SIGCHLD is ignored nothing is left to collect.
static tr_exit_status pid_reap(pid_t pid)
{
    int status;
    struct rusage usage;
    while (wait4(pid, &status, 0, &usage) < 0) {
        if (errno == ECHILD)
            return (tr_exit_status){.code = -1};
        tr_assert(errno == EINTR);
    }
    return status_of(status, &usage);
}

static tr_exit_status process_reap(struct real_process *process)
{
    tr_exit_status exit = pid_reap(process->pid);
    process->reaped = true;
    tr__uv_kin_remove(&process->kin);
    return exit;
}

static void process_exited(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct real_process *process = process_of_source(poll->data);
    tr__uv_source_watch(&process->source, 0, process_exited);
    tr_exit_status exit = process_reap(process);
    real_world_stir(real_world_of(process->base.world));
    process->up->exited(process->owner, &exit);
}

void tr__uv_process_signal(tr__process *base, int signal)
{
    struct real_process *process = process_of(base);
    if (!process->reaped)
        pidfd_send_signal(process->source.fd, signal, NULL, 0);
}

int64_t tr__uv_process_pid(const tr__process *base)
{
    return process_of(base)->pid;
}

static void process_let_go(uv_handle_t *handle)
{
    tr__free(process_of_source(handle->data));
}

static void process_close_source(struct real_source *source)
{
    struct real_process *process = process_of_source(source);
    if (!process->reaped) {
        tr__uv_process_signal(&process->base, SIGKILL);
        process_reap(process);
    }
    tr__uv_source_close(source, process_let_go);
}

void tr__uv_process_close(tr__process **base)
{
    if (*base != NULL)
        process_close_source(&process_of(*base)->source);
    *base = NULL;
}

// ---- Its descriptors ----

// Both ends of each, while it is being started.
struct process_ends {
    tr_endpoint *ours[TR__ENDS]; // NULL: none
    int theirs[TR__ENDS];        // lifted; 0: left as it is
};

// pair: ours, theirs
static int pair_open(int fd, int pair[2])
{
    if (fd == TR__LINK_FD)
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    pair[0] = ends[fd == 0];
    pair[1] = ends[fd != 0];
    return 0;
}

// returns: theirs
static int end_open(struct real_world *world, int fd, tr_endpoint **ret_ours)
{
    int pair[2];
    if (pair_open(fd, pair) < 0)
        return -errno;
    int rc = fd == TR__LINK_FD
                 ? tr__uv_endpoint_open(world, pair[0], ret_ours)
                 : tr__uv_endpoint_open_as(world, REAL_OPENED, pair[0], pair[0], ret_ours);
    if (rc == 0)
        return pair[1];
    close(pair[0]);
    close(pair[1]);
    return rc;
}

static int null_open(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

// Out of the way of those that are set in the child, one after the other.
static int fd_lift(int fd)
{
    if (fd < 0 || fd >= TR__ENDS)
        return fd;
    int lifted = fcntl(fd, F_DUPFD_CLOEXEC, TR__ENDS), rc = -errno;
    close(fd);
    return lifted < 0 ? rc : lifted;
}

static int ends_open(struct real_world *world, const tr_program *program, struct process_ends *ends)
{
    for (int fd = 0; fd < TR__ENDS; fd++) {
        bool has_end = tr__program_has_end(program, fd);
        if (!has_end && (fd == TR__LINK_FD || program->stdio[fd] == TR_STDIO_INHERIT))
            continue;
        int theirs = fd_lift(has_end ? end_open(world, fd, &ends->ours[fd]) : null_open());
        if (theirs < 0)
            return theirs;
        ends->theirs[fd] = theirs;
    }
    return 0;
}

static void ends_close_ours(struct process_ends *ends)
{
    for (int fd = 0; fd < TR__ENDS; fd++)
        if (ends->ours[fd] != NULL)
            tr__uv_endpoint_close(ends->ours[fd]);
}

static void ends_close_theirs(struct process_ends *ends)
{
    for (int fd = 0; fd < TR__ENDS; fd++)
        if (ends->theirs[fd] > 0)
            close(ends->theirs[fd]);
}

// ---- Its environment ----

static bool env_replaces(const char *const *added, const char *inherited)
{
    size_t name = strcspn(inherited, "=");
    for (; *added != NULL; added++)
        if (strncmp(*added, inherited, name) == 0 && (*added)[name] == '=')
            return true;
    return false;
}

static size_t env_count(char *const *env)
{
    size_t n = 0;
    while (env[n] != NULL)
        n++;
    return n;
}

// gives: *ret_env, whose strings stay where they are
static int env_join(const char *const *added, char ***ret_env)
{
    char **extra = (char **)(uintptr_t)added;
    size_t n = env_count(extra);
    char **env = tr__alloc((n + env_count(environ) + 1) * sizeof *env);
    if (env == NULL)
        return TR_ENOMEM;
    memcpy(env, extra, n * sizeof *env);
    for (char **inherited = environ; *inherited != NULL; inherited++)
        if (!env_replaces(added, *inherited))
            env[n++] = *inherited;
    env[n] = NULL;
    *ret_env = env;
    return 0;
}

// ---- Starting it ----

static void spawn_set_signals(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setsigdefault(attr, &all);
    posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn_set_descriptors(const int theirs[TR__ENDS], posix_spawn_file_actions_t *actions)
{
    int rc = 0, end = theirs[TR__LINK_FD] > 0 ? TR__ENDS : TR__LINK_FD;
    for (int fd = 0; fd < TR__ENDS && rc == 0; fd++)
        if (theirs[fd] > 0)
            rc = posix_spawn_file_actions_adddup2(actions, theirs[fd], fd);
    return rc != 0 ? rc : posix_spawn_file_actions_addclosefrom_np(actions, end);
}

static int program_exec(const tr_program *program, char **env, const int theirs[TR__ENDS],
                        pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    const char *path = program->path != NULL ? program->path : "/proc/self/exe";
    char **argv = (char **)(uintptr_t)program->argv;
    spawn_set_signals(&attr);
    int rc = spawn_set_descriptors(theirs, &actions);
    if (rc == 0)
        rc = posix_spawn(ret_pid, path, &actions, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return -rc;
}

static int program_start(const tr_program *program, const int theirs[TR__ENDS], pid_t *ret_pid)
{
    static const char *const nothing[] = {NULL};
    char **env;
    int rc = env_join(program->env != NULL ? program->env : nothing, &env);
    if (rc < 0)
        return rc;
    rc = program_exec(program, env, theirs, ret_pid);
    tr__free(env);
    return rc;
}

static int process_open(struct real_world *world, pid_t pid, struct real_process **ret_process)
{
    struct real_process *process = tr__zalloc(sizeof *process);
    if (process == NULL)
        return TR_ENOMEM;
    int fd = pidfd_open(pid, 0);
    int rc =
        fd < 0 ? -errno : tr__uv_source_open(world, fd, process_close_source, &process->source);
    if (rc < 0) {
        if (fd >= 0)
            close(fd);
        tr__free(process);
        return rc;
    }
    process->base.world = &world->base;
    process->pid = pid;
    tr__uv_kin_add(&process->kin, pid);
    tr__uv_source_watch(&process->source, UV_READABLE, process_exited);
    *ret_process = process;
    return 0;
}

static int process_spawn(struct real_world *world, const tr_program *program,
                         const int theirs[TR__ENDS], struct real_process **ret_process)
{
    pid_t pid;
    int rc = program_start(program, theirs, &pid);
    if (rc < 0)
        return rc;
    rc = process_open(world, pid, ret_process);
    if (rc < 0) { // it could be started, and cannot be watched
        kill(pid, SIGKILL);
        pid_reap(pid);
    }
    return rc;
}

int tr__uv_spawn(tr_world *base, const tr_program *program, const tr_process_up *up, void *owner,
                 tr__process **ret_process, tr_endpoint *ret_ends[TR__ENDS])
{
    struct real_world *world = real_world_of(base);
    struct real_process *process = NULL;
    struct process_ends ends = {0};
    int rc = ends_open(world, program, &ends);
    if (rc == 0) {
        tr__uv_kin_begin();
        rc = process_spawn(world, program, ends.theirs, &process);
        tr__uv_kin_end();
    }
    ends_close_theirs(&ends);
    if (rc < 0) {
        ends_close_ours(&ends);
        return rc;
    }
    process->up = up;
    process->owner = owner;
    *ret_process = &process->base;
    memcpy(ret_ends, ends.ours, sizeof ends.ours);
    return 0;
}
