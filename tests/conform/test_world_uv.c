// The real world passes the suite. Its programs are this one, started again with a role.
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <troupe/error.h>
#include <unistd.h>

#include "conform/world_suite.h"
#include "support/cmocka.h"
#include "uv/uv.h"

// ---- The roles ----

static int copy(int from, int to)
{
    char bytes[4096];
    ssize_t n;
    while ((n = read(from, bytes, sizeof bytes)) > 0)
        for (ssize_t done = 0, put; done < n; done += put)
            if ((put = write(to, bytes + done, (size_t)(n - done))) < 0)
                return 1;
    return n < 0;
}

static int role_cat(void)
{
    return write(STDERR_FILENO, "e", 1) == 1 ? copy(STDIN_FILENO, STDOUT_FILENO) : 1;
}

static int role_last_words(void)
{
    static char words[LAST_WORDS];
    memset(words, 'w', sizeof words);
    ssize_t n = write(TR__LINK_FD, words, sizeof words);
    raise(SIGKILL);
    return n != sizeof words;
}

static int role_play(const char *role)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (strncmp(role, "exit:", 5) == 0)
        return atoi(role + 5);
    if (strncmp(role, "signal:", 7) == 0)
        return raise(atoi(role + 7));
    if (strcmp(role, "echo") == 0)
        return copy(TR__LINK_FD, TR__LINK_FD);
    if (strcmp(role, "cat") == 0)
        return role_cat();
    if (strcmp(role, "last-words") == 0)
        return role_last_words();
    return 99;
}

// ---- The harness ----

static char directory[] = "/tmp/troupe-world-XXXXXX";
static tr_site sites[] = {
    {.tcp = false}, {.tcp = true, .name = "127.0.0.1"}, {.tcp = true, .name = "::1"}};

static tr_world *open_world(void)
{
    tr_world *world = NULL;
    assert_int_equal(0, tr__uv_open(&world));
    return world;
}

static void close_world(tr_world **world)
{
    (*world)->ops->close(world);
}

static void pair(tr_world *world, tr_endpoint **ret_a, tr_endpoint **ret_b)
{
    int ends[2];
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    assert_int_equal(0, tr__uv_adopt(world, ends[0], ret_a));
    assert_int_equal(0, tr__uv_adopt(world, ends[1], ret_b));
}

static void signal_self(tr_world *world, int signum)
{
    (void)world;
    kill(getpid(), signum);
}

static const tr_program *program(tr_world *world, const char *role)
{
    (void)world;
    static const char *argv[4] = {"test_world_uv", "--role"};
    static tr_program self = {.argv = argv};
    argv[2] = role;
    self.path = strcmp(role, "missing") == 0 ? "/nowhere/to/be/found" : NULL;
    return &self;
}

// Some machines have no IPv6.
static bool has_v6(void)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool has = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return has;
}

static struct world_harness harness = {
    .name = "conform/world_uv",
    .open = open_world,
    .close = close_world,
    .pair = pair,
    .program = program,
    .signal = signal_self,
    .sites = sites,
    .threads = true,
};

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--role") == 0)
        return role_play(argv[2]);
    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(sites[0].name, sizeof sites[0].name, "%s/socket", directory);
    harness.site_count = has_v6() ? 3 : 2;
    int pidfd = pidfd_open(getpid(), 0);
    if (pidfd < 0 && errno == ENOSYS) // as under valgrind 3.19
        harness.program = NULL;
    close(pidfd);
    int failed = world_suite(&harness);
    if (rmdir(directory) != 0) // not empty: a listener has left its file
        failed++;
    return failed;
}
