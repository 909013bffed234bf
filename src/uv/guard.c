// The guard: what ends the groups of programs when this process has been killed.
//
// A program's own process is ended by the system then (start.c), but not what that has started. So
// the first program of a process is followed by a small helper, a shell that reads from a pipe
// which groups there are. When the pipe ends, this process is gone, whatever has become of it, and
// the helper kills those that are left. Nothing else is needed of it, so it costs a line to write
// for each program, and one when that has ended.
//
// There is one for all the worlds of a process, under a lock, as long as one of them has programs
// to be guarded. A line that it does not take is the last: it is ended, and the next program gets
// another one.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uv/inside.h"

static struct {
    pthread_mutex_t lock;
    unsigned worlds; // that have a part in it
    int fd;          // of the pipe; -1: there is no helper
    pid_t pid;
    int pidfd;
    struct real_kin kin;
} guard = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

static const char script[] =
    "trap '' HUP INT QUIT TERM\n"
    "groups=' '\n"
    "while read -r what group; do\n"
    "    case $what$groups in\n"
    "    +*) groups=\"$groups$group \" ;;\n"
    "    -*\" $group \"*) groups=\"${groups%% $group *} ${groups#* $group }\" ;;\n"
    "    esac\n"
    "done\n"
    "for group in $groups; do\n"
    "    kill -s KILL -- \"-$group\"\n"
    "done\n";

static int guard_start(int from)
{
    static const char *const argv[] = {"sh", "-c", script, "troupe-guard", NULL};
    static const tr_process_opts how = {.size = sizeof how, .cwd = "/", .detached = true};
    static const tr_program program = {.path = "/bin/sh", .argv = argv, .alone = true, .how = &how};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return -errno;
    const int theirs[TR__ENDS] = {from, null, null};
    tr__uv_kin_begin();
    int rc = tr__uv_start(&program, theirs, &guard.pid, &guard.pidfd);
    if (rc == 0)
        tr__uv_kin_add(&guard.kin, guard.pid);
    tr__uv_kin_end();
    close(null);
    return rc;
}

static void guard_open(void)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC | O_NONBLOCK) < 0)
        return;
    fcntl(pair[0], F_SETFL, 0); // the helper's own end: it waits
    if (guard_start(pair[0]) < 0)
        close(pair[1]);
    else
        guard.fd = pair[1];
    close(pair[0]);
}

// kill: what it has been told is not to be done.
static void guard_close(bool kill)
{
    if (guard.fd < 0)
        return;
    if (kill)
        pidfd_send_signal(guard.pidfd, SIGKILL, NULL, 0);
    close(guard.fd);
    close(guard.pidfd);
    while (waitpid(guard.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    tr__uv_kin_remove(&guard.kin);
    guard.fd = -1;
}

static bool guard_tell(char what, pid_t group)
{
    char line[32];
    struct iovec iov = {line, (size_t)snprintf(line, sizeof line, "%c %d\n", what, (int)group)};
    bool told = guard.fd >= 0 && tr__uv_write_quietly(guard.fd, &iov, 1) == (ssize_t)iov.iov_len;
    if (!told)
        guard_close(true);
    return told;
}

bool tr__uv_guard_add(struct real_world *world, pid_t group)
{
    pthread_mutex_lock(&guard.lock);
    if (!world->guarded)
        guard.worlds++;
    world->guarded = true;
    if (guard.fd < 0)
        guard_open();
    bool told = guard_tell('+', group);
    pthread_mutex_unlock(&guard.lock);
    return told;
}

void tr__uv_guard_remove(pid_t group)
{
    pthread_mutex_lock(&guard.lock);
    guard_tell('-', group);
    pthread_mutex_unlock(&guard.lock);
}

void tr__uv_guard_leave(struct real_world *world)
{
    pthread_mutex_lock(&guard.lock);
    if (world->guarded && --guard.worlds == 0)
        guard_close(false);
    world->guarded = false;
    pthread_mutex_unlock(&guard.lock);
}
