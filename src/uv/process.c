// Processes as the loop knows them: a pidfd to hear of the end, and our ends of their descriptors.
// How they are started: start.c.
//
// A pidfd needs no SIGCHLD handler, which a library must not take from its host. It tells when,
// wait4 tells how the process ended and what it has used: until then the pid is its own.
//
// A process group outlives its leader. While somebody is left in it the number is the group's, so
// it may be signalled; as soon as nobody answers it is forgotten, for it may become another's.
//
// Where a standard descriptor has its other end here it is a pipe, not a socket: programs open
// /dev/stdin once more. And a pipe's ends are two open files, so ours does not block and the
// child's does.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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
    bool leads;       // a group, in which somebody may be left
    bool stays;       // when it is closed
    unsigned guarded; // that group's number with the guard; 0: it is not
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

// Nobody is left in its group.
static void group_forget(struct real_process *process)
{
    process->leads = false;
    if (process->guarded > 0)
        tr__uv_guard_remove(process->guarded);
    process->guarded = 0;
}

static int group_signal(struct real_process *process, int signal)
{
    if (kill(-process->pid, signal) == 0)
        return 0;
    if (errno != ESRCH)
        return -errno;
    group_forget(process);
    return TR_ENOENT;
}

static void process_exited(uv_poll_t *poll, int status, int events)
{
    (void)status, (void)events;
    struct real_process *process = process_of_source(poll->data);
    tr__uv_source_watch(&process->source, 0, process_exited);
    tr_exit_status exit = process_reap(process);
    if (process->leads)
        group_signal(process, 0);
    real_world_stir(real_world_of(process->base.world));
    process->up->exited(process->owner, &exit);
}

int tr__uv_process_signal(tr__process *base, int signal)
{
    struct real_process *process = process_of(base);
    if (process->reaped)
        return TR_ENOENT;
    return pidfd_send_signal(process->source.fd, signal, NULL, 0) < 0 ? -errno : 0;
}

// A leader may leave its group.
int tr__uv_process_signal_group(tr__process *base, int signal)
{
    struct real_process *process = process_of(base);
    int rc = process->leads ? group_signal(process, signal) : TR_ENOENT;
    return rc == TR_ENOENT ? tr__uv_process_signal(base, signal) : rc;
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
    if (!process->reaped && !process->stays) {
        tr__uv_process_signal_group(&process->base, SIGKILL);
        tr__uv_process_signal(&process->base, SIGKILL);
        process_reap(process);
    }
    if (!process->reaped) // it is nobody's now
        tr__uv_kin_remove(&process->kin);
    group_forget(process);
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
    int *more;                   // those from 3 on that it is given, lifted; -1: none there
    size_t more_count;
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

static int fd_copy_above(int fd, size_t least)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, (int)least);
    return copy < 0 ? -errno : copy;
}

static int fd_copy(int fd)
{
    return fd_copy_above(fd, TR__ENDS);
}

// Out of the way of those that are set in the child, one after the other.
static int fd_lift(int fd)
{
    if (fd < 0 || fd >= TR__ENDS)
        return fd;
    int lifted = fd_copy(fd);
    close(fd);
    return lifted;
}

// returns: theirs; 0: none
static int theirs_open(struct real_world *world, const tr_program *program, int fd,
                       tr_endpoint **ret_ours)
{
    if (tr__program_has_end(program, fd))
        return fd_lift(end_open(world, fd, ret_ours));
    if (fd >= TR__STDIO)
        return 0;
    switch (program->stdio[fd]) {
    case TR_STDIO_NULL:
        return fd_lift(null_open());
    case TR_STDIO_FD:
        return fd_copy(program->how->fds[fd]);
    default:
        return 0; // its own, or start.c's business
    }
}

static int ends_open(struct real_world *world, const tr_program *program, struct process_ends *ends)
{
    for (int fd = 0; fd < TR__ENDS; fd++) {
        int theirs = theirs_open(world, program, fd, &ends->ours[fd]);
        if (theirs < 0)
            return theirs;
        ends->theirs[fd] = theirs;
    }
    return 0;
}

// None of them lies where another one is to be.
static int more_open(const tr_process_opts *how, struct process_ends *ends)
{
    if (how == NULL || how->more_count == 0)
        return 0;
    ends->more = tr__alloc(how->more_count * sizeof *ends->more);
    if (ends->more == NULL)
        return TR_ENOMEM;
    for (size_t i = 0; i < how->more_count; i++) {
        int fd = how->more_fds[i];
        int copy = fd < 0 ? -1 : fd_copy_above(fd, TR__ENDS + how->more_count);
        if (fd >= 0 && copy < 0)
            return copy;
        ends->more[ends->more_count++] = copy;
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
    for (size_t i = 0; i < ends->more_count; i++)
        if (ends->more[i] >= 0)
            close(ends->more[i]);
    tr__free(ends->more);
}

// ---- Starting it ----

// moves: pidfd, always
static int process_open(struct real_world *world, pid_t pid, int pidfd,
                        struct real_process **ret_process)
{
    struct real_process *process = tr__zalloc(sizeof *process);
    int rc = process == NULL
                 ? TR_ENOMEM
                 : tr__uv_source_open(world, pidfd, process_close_source, &process->source);
    if (rc < 0) {
        close(pidfd);
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
                         const struct process_ends *ends, struct real_process **ret_process)
{
    pid_t pid;
    int pidfd;
    const tr_process_opts *how = program->how;
    int rc = tr__uv_start(program, ends->theirs, ends->more, &pid, &pidfd);
    if (rc < 0)
        return rc;
    rc = process_open(world, pid, pidfd, ret_process);
    if (rc < 0) { // it could be started, and cannot be watched
        kill(pid, SIGKILL);
        pid_reap(pid);
        return rc;
    }
    (*ret_process)->leads = how != NULL && !how->same_group;
    (*ret_process)->stays = how != NULL && how->detached;
    return 0;
}

int tr__uv_spawn(tr_world *base, const tr_program *program, const tr_process_up *up, void *owner,
                 tr__process **ret_process, tr_endpoint *ret_ends[TR__ENDS])
{
    struct real_world *world = real_world_of(base);
    struct real_process *process = NULL;
    struct process_ends ends = {0};
    int rc = ends_open(world, program, &ends);
    if (rc == 0)
        rc = more_open(program->how, &ends);
    if (rc == 0) {
        tr__uv_kin_begin();
        rc = process_spawn(world, program, &ends, &process);
        tr__uv_kin_end();
    }
    ends_close_theirs(&ends);
    if (rc < 0) {
        ends_close_ours(&ends);
        return rc;
    }
    if (process->leads && !process->stays)
        process->guarded = tr__uv_guard_add(world, process->pid);
    process->up = up;
    process->owner = owner;
    *ret_process = &process->base;
    memcpy(ret_ends, ends.ours, sizeof ends.ours);
    return 0;
}
