// What is the real world's own about processes; tests/conform has what every world owes. The
// children are this program again, with a role: what they find, they write to descriptor 3.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <troupe/error.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "uv/uv.h"

// ---- The roles ----

static void role_descriptors(void)
{
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            dprintf(3, "%d ", fd);
}

// What the first four are: a pipe, a device or a socket, to be read and written.
static void role_kinds(void)
{
    for (int fd = 0; fd < 4; fd++) {
        struct stat file;
        int flags = fcntl(fd, F_GETFL), mode = flags & O_ACCMODE;
        fstat(fd, &file);
        dprintf(3, "%c%s%s ",
                S_ISFIFO(file.st_mode)   ? 'p'
                : S_ISSOCK(file.st_mode) ? 's'
                : S_ISCHR(file.st_mode)  ? 'c'
                                         : '?',
                mode == O_RDONLY   ? "r"
                : mode == O_WRONLY ? "w"
                                   : "rw",
                flags & O_NONBLOCK ? "n" : "");
    }
}

static void role_environment(const char *prefix)
{
    for (char **env = environ; *env != NULL; env++)
        if (strncmp(*env, prefix, strlen(prefix)) == 0)
            dprintf(3, "%s ", *env);
}

static void role_signals(void)
{
    sigset_t blocked;
    struct sigaction action;
    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int signal = 1; signal < SIGRTMIN; signal++)
        if (sigismember(&blocked, signal) ||
            (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN))
            dprintf(3, "%d ", signal);
    dprintf(3, "end");
}

static int role_play(const char *role)
{
    if (strcmp(role, "descriptors") == 0)
        role_descriptors();
    else if (strcmp(role, "kinds") == 0)
        role_kinds();
    else if (strcmp(role, "environment") == 0)
        role_environment("TROUPE_SEEN");
    else if (strcmp(role, "signals") == 0)
        role_signals();
    else
        pause(); // "wait"
    return 0;
}

// ---- What a child has said, and how it ended ----

static tr_world *world;

struct child {
    tr__process *process;
    tr_endpoint *ends[TR__ENDS];
    tr_exit_status status;
    bool exited;
    char said[256];
    size_t size;
};

static void exited(void *owner, const tr_exit_status *status)
{
    struct child *child = owner;
    child->exited = true;
    child->status = *status;
}

static const tr_process_up child_up = {.exited = exited};

static tr_stdio stdio[TR__STDIO]; // of the children of one test

static int child_spawn(struct child *child, const char *role, const char *const *env)
{
    const char *const argv[] = {"test_process", "--role", role, NULL};
    tr_program program = {.argv = argv, .env = env};
    memcpy(program.stdio, stdio, sizeof stdio);
    *child = (struct child){0};
    return world->ops->spawn(world, &program, &child_up, child, &child->process, child->ends);
}

static void child_end(struct child *child)
{
    while (!child->exited)
        world->ops->poll(world, TR__NEVER);
    tr_iov iov = {child->said, sizeof child->said - 1};
    ssize_t n;
    while ((n = world->ops->endpoint_read(child->ends[TR__LINK_FD], &iov, 1)) > 0) {
        iov.base = (char *)iov.base + n;
        iov.len -= (size_t)n;
    }
    assert_int_equal(0, n);
    for (int fd = 0; fd < TR__ENDS; fd++)
        if (child->ends[fd] != NULL)
            world->ops->endpoint_close(child->ends[fd]);
    world->ops->process_close(&child->process);
}

static const char *child_says(const char *role, const char *const *env)
{
    static struct child child;
    assert_int_equal(0, child_spawn(&child, role, env));
    child_end(&child);
    return child.said;
}

static bool pidfds(void)
{
    int fd = pidfd_open(getpid(), 0);
    bool known = fd >= 0 || errno != ENOSYS;
    close(fd);
    return known;
}

static int setup(void **state)
{
    (void)state;
    memset(stdio, 0, sizeof stdio);
    return tr__uv_open(&world);
}

static int teardown(void **state)
{
    (void)state;
    world->ops->close(&world);
    return 0;
}

// ---- The tests ----

static void test_a_child_has_four_descriptors(void **state)
{
    (void)state;
    int open_one = dup2(0, 50); // not close-on-exec
    assert_string_equal("0 1 2 3 ", child_says("descriptors", NULL));
    close(open_one);
}

// Goal:   the child's end becomes its descriptor 3, whatever numbers the pair has here.
// Method: make 3 the lowest free number, so that it is the parent's end; then free 0 as well, so
//         that 3 is the child's end.
static void test_descriptor_3_may_be_one_of_the_pair(void **state)
{
    world->ops->close(&world);
    int kept = dup2(0, 60), was = dup2(3, 61); // 3 may be in use, by whoever runs the test
    dup2(0, 3);
    assert_int_equal(0, setup(state)); // the world's own numbers are above 3
    close(3);
    assert_string_equal("0 1 2 3 ", child_says("descriptors", NULL));
    close(0);
    assert_string_equal("1 2 3 ", child_says("descriptors", NULL));
    dup2(kept, 0);
    close(kept);
    if (was >= 0)
        dup2(was, 3);
    close(was);
}

static void use_pipes(void)
{
    for (int fd = 0; fd < TR__STDIO; fd++)
        stdio[fd] = TR_STDIO_PIPE;
}

// Goal:   pipes are pipes, which block in the child, whatever numbers they have here.
// Method: close the first four descriptors of this process, so that they have those themselves.
static void test_standard_descriptors_may_have_any_number(void **state)
{
    int kept[4];
    world->ops->close(&world);
    for (int fd = 0; fd < 4; fd++)
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 60);
    dup2(kept[0], 3);
    assert_int_equal(0, setup(state)); // the world's own numbers are above 3
    use_pipes();
    char said[2][32];
    for (int fd = 0; fd < 4; fd++)
        close(fd);
    snprintf(said[0], sizeof said[0], "%s", child_says("kinds", NULL));
    stdio[0] = stdio[2] = TR_STDIO_NULL;
    snprintf(said[1], sizeof said[1], "%s", child_says("kinds", NULL));
    for (int fd = 0; fd < 4; fd++) {
        dup2(kept[fd], fd);
        close(kept[fd]);
    }
    assert_string_equal("pr pw pw srw ", said[0]);
    assert_string_equal("crw pw crw srw ", said[1]);
}

static void test_the_environment_is_added_to(void **state)
{
    (void)state;
    setenv("TROUPE_SEEN", "old", 1);
    setenv("TROUPE_SEEN_MORE", "kept", 1);
    assert_string_equal("TROUPE_SEEN=old TROUPE_SEEN_MORE=kept ", child_says("environment", NULL));
    const char *const env[] = {"TROUPE_SEEN=new", "TROUPE_SEEN_M=x", NULL};
    assert_string_equal("TROUPE_SEEN=new TROUPE_SEEN_M=x TROUPE_SEEN_MORE=kept ",
                        child_says("environment", env));
    unsetenv("TROUPE_SEEN");
    unsetenv("TROUPE_SEEN_MORE");
}

static void test_a_child_starts_with_default_signals(void **state)
{
    (void)state;
    sigset_t some, was;
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    sigprocmask(SIG_BLOCK, &some, &was);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    assert_string_equal("end", child_says("signals", NULL));
    signal(SIGPIPE, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &was, NULL);
}

static void test_a_host_that_ignores_children_still_hears_of_the_end(void **state)
{
    (void)state;
    struct child child;
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(0, child_spawn(&child, "wait", NULL));
    world->ops->process_signal(child.process, SIGKILL);
    child_end(&child);
    signal(SIGCHLD, SIG_DFL);
    assert_int_equal(-1, child.status.code);
    assert_int_equal(0, child.status.signal);
}

static void test_close_kills_and_reaps_at_once(void **state)
{
    (void)state;
    struct child child;
    assert_int_equal(0, child_spawn(&child, "wait", NULL));
    pid_t pid = (pid_t)world->ops->process_pid(child.process);
    assert_int_equal(0, kill(pid, 0));
    world->ops->process_close(&child.process);
    assert_int_equal(-1, kill(pid, 0));
    assert_int_equal(ESRCH, errno);
    assert_false(child.exited);
}

static int free_descriptor(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

// Goal:   a spawn that fails leaves neither a descriptor nor a process.
// Method: ever more descriptors are allowed until it works; among the failures is the one where
//         the child runs already and cannot be watched.
static void test_a_spawn_without_descriptors_leaves_nothing(void **state)
{
    (void)state;
    struct child child;
    struct rlimit was, limit;
    use_pipes();
    stdio[2] = TR_STDIO_NULL;
    int first = free_descriptor(), failed = 0, rc;
    getrlimit(RLIMIT_NOFILE, &was);
    limit = (struct rlimit){(rlim_t)first, was.rlim_max};
    for (;; failed++, limit.rlim_cur++) {
        setrlimit(RLIMIT_NOFILE, &limit);
        rc = child_spawn(&child, "wait", NULL);
        setrlimit(RLIMIT_NOFILE, &was);
        if (rc == 0)
            break;
        assert_int_equal(-EMFILE, rc);
        assert_int_equal(first, free_descriptor());
        assert_int_equal(-1, waitpid(-1, NULL, WNOHANG));
        assert_int_equal(ECHILD, errno);
    }
    assert_true(failed >= 8); // for each end, for watching
}

static void test_a_spawn_without_memory_leaves_nothing(void **state)
{
    static struct child child;
    size_t fail_at = 0;
    use_pipes();
    world->ops->close(&world);
    do {
        counted_memory_start(++fail_at);
        int rc = tr__uv_open(&world);
        if (rc == 0) {
            rc = child_spawn(&child, "wait", NULL);
            world->ops->close(&world);
        }
        assert_int_equal(0, counted_memory_stop());
        assert_int_equal(counted_memory_failed() ? TR_ENOMEM : 0, rc);
        assert_int_equal(-1, waitpid(-1, NULL, WNOHANG));
    } while (counted_memory_failed());
    assert_int_equal(0, setup(state));
}

static void test_a_program_that_cannot_run_leaves_nothing(void **state)
{
    (void)state;
    struct child child = {0};
    int first = free_descriptor();
    const char *const argv[] = {"x", NULL};
    tr_program program = {.path = "/dev/null", .argv = argv};
    assert_int_equal(TR_EACCES, world->ops->spawn(world, &program, &child_up, &child,
                                                  &child.process, child.ends));
    assert_int_equal(first, free_descriptor());
    assert_int_equal(-1, waitpid(-1, NULL, WNOHANG));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--role") == 0)
        return role_play(argv[2]);
    if (!pidfds()) {
        puts("skipped: this system has no pidfd_open (valgrind 3.19 has none)");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        TEST(test_a_child_has_four_descriptors),
        TEST(test_descriptor_3_may_be_one_of_the_pair),
        TEST(test_standard_descriptors_may_have_any_number),
        TEST(test_the_environment_is_added_to),
        TEST(test_a_child_starts_with_default_signals),
        TEST(test_a_host_that_ignores_children_still_hears_of_the_end),
        TEST(test_close_kills_and_reaps_at_once),
        TEST(test_a_spawn_without_descriptors_leaves_nothing),
        TEST(test_a_spawn_without_memory_leaves_nothing),
        TEST(test_a_program_that_cannot_run_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
