// What a process does with itself: its end, its limits, and what its service manager has said in
// the environment, as systemd's conventions are (sd_notify(3), sd_watchdog_enabled(3),
// sd_listen_fds(3)).
//
// The sockets that it was started with stay open, and who listens at one has a descriptor of its
// own for it. So it may be closed, and listened at again, while clients wait. Nothing of ours shuts
// it down, for it is the manager's, too.
//
// The manager's variables are for one process, so they are taken out when they are read, once, and
// no child sees them. SERVICE_ENV is for children: see src/troupe.c.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "uv/inside.h"

#define GIVEN_FIRST 3
#define GIVEN_MAX   1024

static struct manager {
    struct sockaddr_un address;
    socklen_t size; // 0: there is none
    uint64_t watchdog_ns;
    int given;        // descriptors from GIVEN_FIRST on
    char names[4096]; // of them, with colons between
} manager;

// An "@" stands for the NUL that an abstract name begins with.
static socklen_t manager_address(const char *text, struct sockaddr_un *ret_address)
{
    size_t size = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || size < 2 || size >= sizeof ret_address->sun_path)
        return 0;
    ret_address->sun_family = AF_UNIX;
    memcpy(ret_address->sun_path, text, size);
    bool abstract = text[0] == '@';
    if (abstract)
        ret_address->sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + !abstract);
}

static bool env_number(const char *name, uint64_t *ret_number)
{
    const char *text = getenv(name);
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *ret_number = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static uint64_t manager_watchdog(void)
{
    uint64_t usec = 0, pid = (uint64_t)getpid();
    bool wanted = env_number("WATCHDOG_USEC", &usec) && usec < UINT64_MAX / 1000;
    bool ours = getenv("WATCHDOG_PID") == NULL ||
                (env_number("WATCHDOG_PID", &pid) && pid == (uint64_t)getpid());
    return wanted && ours ? usec * 1000 : 0;
}

// They are this process's if it is the one that is named; all are kept from those that it starts.
static int manager_given(void)
{
    uint64_t pid, count;
    if (!env_number("LISTEN_PID", &pid) || pid != (uint64_t)getpid() ||
        !env_number("LISTEN_FDS", &count) || count > GIVEN_MAX)
        return 0;
    for (int fd = GIVEN_FIRST; fd < GIVEN_FIRST + (int)count; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return (int)count;
}

static void manager_take(void)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES"};
    const char *socket = getenv("NOTIFY_SOCKET"), *given = getenv("LISTEN_FDNAMES");
    manager.size = socket == NULL ? 0 : manager_address(socket, &manager.address);
    manager.watchdog_ns = manager_watchdog();
    manager.given = manager_given();
    snprintf(manager.names, sizeof manager.names, "%s", given == NULL ? "" : given);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static const struct manager *manager_get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, manager_take);
    return &manager;
}

// ---- What it was started with ----

// The descriptor of that name, or number; -1: there is none.
static int given_find(const struct manager *m, const char *name)
{
    const char *at = m->names;
    size_t size = strlen(name);
    if (name[strspn(name, "0123456789")] == '\0') {
        long fd = strtol(name, NULL, 10);
        return fd >= GIVEN_FIRST && fd < GIVEN_FIRST + m->given ? (int)fd : -1;
    }
    for (int i = 0; i < m->given; i++) {
        size_t end = strcspn(at, ":");
        if (end == size && memcmp(at, name, size) == 0)
            return GIVEN_FIRST + i;
        at += end + (at[end] == ':');
    }
    return -1;
}

static bool socket_has(int fd, int option, int value)
{
    int found = -1;
    socklen_t size = sizeof found;
    return getsockopt(fd, SOL_SOCKET, option, &found, &size) == 0 && found == value;
}

int tr__uv_given(const char *name)
{
    int given = given_find(manager_get(), name);
    if (given < 0)
        return TR_ENOENT;
    int flags = fcntl(given, F_GETFL);
    if (flags < 0)
        return -errno;
    if (!socket_has(given, SO_TYPE, SOCK_STREAM) || !socket_has(given, SO_ACCEPTCONN, 1))
        return TR_EINVAL;
    if (fcntl(given, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    int fd = fcntl(given, F_DUPFD_CLOEXEC, GIVEN_FIRST);
    return fd < 0 ? -errno : fd;
}

// ---- What is asked for ----

int tr__uv_notify(tr_world *world, const char *state)
{
    (void)world;
    const struct manager *m = manager_get();
    if (m->size == 0)
        return TR_ENOSYS;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    ssize_t n = sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
                       (const struct sockaddr *)&m->address, m->size);
    int rc = n >= 0 ? 0 : errno == EMSGSIZE ? TR_ETOOBIG : -errno;
    close(fd);
    return rc;
}

static int64_t own_serve(void)
{
    uint64_t ns = manager_get()->watchdog_ns;
    return setenv(SERVICE_ENV, "1", 1) < 0 ? -errno : ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
}

static int64_t own_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : (int64_t)limit.rlim_cur;
}

int64_t tr__uv_own(tr_world *world, tr__own what, int arg)
{
    (void)world;
    switch (what) {
    case TR__OWN_SERVE:
        return own_serve();
    case TR__OWN_FILES:
        return own_files();
    case TR__OWN_REAP:
        return tr__uv_orphans_reap();
    case TR__OWN_QUIT:
        _exit(arg);
    default:
        return getpid();
    }
}
