// What a process does with itself: its end, its limits, and what its service manager has said in
// the environment, as systemd's conventions are (sd_notify(3), sd_watchdog_enabled(3)).
//
// The manager's variables are for one process, so they are taken out when they are read, once, and
// no child sees them. SERVICE_ENV is for children: see src/troupe.c.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "uv/inside.h"

static struct manager {
    struct sockaddr_un address;
    socklen_t size; // 0: there is none
    uint64_t watchdog_ns;
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

static void manager_take(void)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    const char *socket = getenv(names[0]);
    manager.size = socket == NULL ? 0 : manager_address(socket, &manager.address);
    manager.watchdog_ns = manager_watchdog();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static const struct manager *manager_get(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, manager_take);
    return &manager;
}

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
