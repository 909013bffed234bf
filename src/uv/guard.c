// The guard: what ends the groups of programs when this process has been killed.
//
// A program's own process is ended by the system then (start.c), but not what that has started. So
// the first program of a process is followed by a small helper, a shell that waits for the end of a
// pipe, which comes when this process is gone, whatever has become of it. Then it reads from a file
// in memory which groups there are, and kills them. The file is mapped here, a line a group, so
// that to add or remove one costs a few stores and wakes nobody.
//
// This process may be killed between two of those: a line counts only without its mark, which is
// set before the number is changed, and taken away behind that.
//
// There is one for all the worlds of a process, under a lock, as long as one of them has programs
// to be guarded. A helper that has been killed is followed by another with the next program.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "uv/inside.h"

#define LINE  12 // mark, number, newline
#define LINES 65536
#define BYTES ((size_t)LINES * LINE)
#define STEP  4096 // by which the file grows

static struct {
    pthread_mutex_t lock;
    unsigned worlds;      // that have a part in it
    volatile char *lines; // NULL: there is no file
    int file;
    size_t size;
    unsigned used; // lines that have been in use
    unsigned next; // where to look for a free one
    int pipe;      // -1: there is no helper
    pid_t pid;
    int pidfd;
    struct real_kin kin;
} guard = {.lock = PTHREAD_MUTEX_INITIALIZER, .pipe = -1};

static const char script[] = "trap '' HUP INT QUIT TERM\n"
                             "read -r end\n"
                             "while read -r group; do\n"
                             "    case $group in\n"
                             "    '#'*) ;;\n"
                             "    *) kill -s KILL -- \"-$group\" ;;\n"
                             "    esac\n"
                             "done <&3\n";

// ---- The file ----

static bool file_open(void)
{
    if (guard.lines != NULL)
        return true;
    int fd = memfd_create("troupe-guard", MFD_CLOEXEC);
    if (fd < 0)
        return false;
    void *lines = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (lines == MAP_FAILED) {
        close(fd);
        return false;
    }
    guard.file = fd;
    guard.lines = lines;
    guard.size = guard.used = guard.next = 0;
    return true;
}

static void file_close(void)
{
    if (guard.lines == NULL)
        return;
    munmap((void *)(uintptr_t)guard.lines, BYTES);
    close(guard.file);
    guard.lines = NULL;
}

static bool line_is_free(unsigned i)
{
    return i >= guard.used || guard.lines[(size_t)i * LINE] == '#';
}

// returns: its number, from 1; 0: all are in use
static unsigned line_find(void)
{
    for (unsigned tries = 0; tries < LINES; tries++) {
        unsigned i = guard.next;
        guard.next = (i + 1) % LINES;
        if (guard.next > guard.used + 1)
            guard.next = 0;
        if (line_is_free(i))
            return i + 1;
    }
    return 0;
}

static bool line_has_room(unsigned number)
{
    size_t end = (size_t)number * LINE;
    if (end > guard.size && ftruncate(guard.file, (off_t)(guard.size + STEP)) == 0)
        guard.size += STEP;
    return end <= guard.size;
}

static void line_set(unsigned number, pid_t group)
{
    char text[LINE + 1];
    volatile char *line = guard.lines + (size_t)(number - 1) * LINE;
    snprintf(text, sizeof text, "#%*d\n", LINE - 2, (int)group);
    for (int i = 0; i < LINE; i++)
        line[i] = text[i];
    line[0] = ' ';
    if (number > guard.used)
        guard.used = number;
}

// ---- The helper ----

static int helper_start(int from)
{
    static const char *const argv[] = {"sh", "-c", script, "troupe-guard", NULL};
    static const tr_process_opts how = {.size = sizeof how, .cwd = "/", .detached = true};
    static const tr_program program = {.path = "/bin/sh", .argv = argv, .alone = true, .how = &how};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int file = fcntl(guard.file, F_DUPFD_CLOEXEC, TR__ENDS);
    int rc = null < 0 || file < 0 ? -errno : 0;
    int theirs[TR__ENDS] = {from, null, null};
    theirs[TR__STDIO] = file;
    tr__uv_kin_begin();
    if (rc == 0)
        rc = tr__uv_start(&program, theirs, NULL, &guard.pid, &guard.pidfd);
    if (rc == 0)
        tr__uv_kin_add(&guard.kin, guard.pid);
    tr__uv_kin_end();
    if (null >= 0)
        close(null);
    if (file >= 0)
        close(file);
    return rc;
}

static void helper_open(void)
{
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return;
    if (helper_start(pair[0]) < 0)
        close(pair[1]);
    else
        guard.pipe = pair[1];
    close(pair[0]);
}

// Nobody is to be killed by it.
static void helper_close(void)
{
    if (guard.pipe < 0)
        return;
    pidfd_send_signal(guard.pidfd, SIGKILL, NULL, 0);
    close(guard.pipe);
    close(guard.pidfd);
    while (waitpid(guard.pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    tr__uv_kin_remove(&guard.kin);
    guard.pipe = -1;
}

static bool helper_lives(void)
{
    struct pollfd end = {.fd = guard.pidfd, .events = POLLIN};
    return guard.pipe >= 0 && poll(&end, 1, 0) == 0;
}

// ---- Groups ----

unsigned tr__uv_guard_add(struct real_world *world, pid_t group)
{
    pthread_mutex_lock(&guard.lock);
    if (!world->guarded)
        guard.worlds++;
    world->guarded = true;
    unsigned number = file_open() ? line_find() : 0;
    if (number > 0 && !line_has_room(number))
        number = 0;
    if (number > 0)
        line_set(number, group);
    if (number > 0 && !helper_lives()) {
        helper_close();
        helper_open();
    }
    pthread_mutex_unlock(&guard.lock);
    return number;
}

void tr__uv_guard_remove(unsigned number)
{
    pthread_mutex_lock(&guard.lock);
    guard.lines[(size_t)(number - 1) * LINE] = '#';
    pthread_mutex_unlock(&guard.lock);
}

void tr__uv_guard_leave(struct real_world *world)
{
    pthread_mutex_lock(&guard.lock);
    if (world->guarded && --guard.worlds == 0) {
        helper_close();
        file_close();
    }
    world->guarded = false;
    pthread_mutex_unlock(&guard.lock);
}
