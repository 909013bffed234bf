// Goal:   what troupe/process.h promises of real programs, and of what they start themselves: every
//         error of starting, how they are started, that nobody of a tree is left behind.
// Method: shells with children of their own. The actor notes what it is told; the test looks at the
//         notes, and at the process groups, when its node has ended.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/counted_memory.h"
#include "support/ipc.h"

#define NOBODY  65534u
#define GONE_MS 5000

// What the last program has come to.
static struct {
    int64_t pid;
    int status;
    tr_process_end end;
    char out[4096], err[4096];
    size_t out_size;
    uint64_t out_total;
    bool out_cut;
} m;

// ---- One program, in a node ----

static struct {
    const char *command; // for a shell; NULL: file and args
    const char *file;
    const char *const *args;
    const tr_exec_opts *opts;
} plan;

static void on_result(tr_actor *self, int error, const tr_exec_result *result, void *arg)
{
    (void)arg;
    m.status = error;
    m.end = result->end;
    m.out_size = result->out.len;
    m.out_total = result->out_total;
    m.out_cut = result->out_cut;
    snprintf(m.out, sizeof m.out, "%s", result->out.ptr);
    snprintf(m.err, sizeof m.err, "%s", result->err.ptr);
    tr_exit(self, TR_NORMAL);
}

static int runner_start(tr_actor *self, const tr_val *args)
{
    tr_process process;
    tr_process_info info;
    (void)args;
    int rc = plan.command != NULL
                 ? tr_exec(self, plan.command, plan.opts, on_result, NULL, &process)
                 : tr_exec_file(self, plan.file, plan.args, plan.opts, on_result, NULL, &process);
    m.status = rc;
    if (rc < 0)
        return tr_exit(self, TR_NORMAL);
    m.pid = tr_process_look(self, process, &info) == 0 ? info.pid : 0;
    return 0;
}
static const tr_behavior runner = {.name = "runner", .start = runner_start};

static const tr_app *app(void);

static int run(const char *command, const tr_exec_opts *opts)
{
    memset(&m, 0, sizeof m);
    plan.command = command;
    plan.opts = opts;
    assert_int_equal(0, TR_RUN(app(), &runner, TR_NULL));
    return m.status;
}

static int run_file(const char *file, const char *const *args, const tr_process_opts *how)
{
    plan.file = file;
    plan.args = args;
    return run(NULL, TR_EXEC(.program = how));
}

static int run_with(const char *command, const tr_process_opts *how)
{
    return run(command, TR_EXEC(.program = how));
}

// ---- One that is stopped when it has said something ----

static void said_something(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    tr_process *process = arg;
    size_t size = tr_buf_size(chunk), room = sizeof m.out - 1 - m.out_size;
    (void)stream;
    memcpy(m.out + m.out_size, tr_buf_data(chunk), size < room ? size : room);
    m.out_size += size < room ? size : room;
    if (strchr(m.out, '\n') != NULL)
        tr_process_stop(self, *process);
}

static void on_stopped(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    (void)process, (void)arg;
    m.end = *end;
    tr_exit(self, TR_NORMAL);
}

static int stopper_start(tr_actor *self, const tr_val *args)
{
    static const tr_stream_events events = {.data = said_something};
    static tr_process process;
    tr_process_info info;
    tr_stream out;
    (void)args;
    int rc = tr_process_open(self, "sh", TR_ARGS("-c", plan.command), plan.opts->program,
                             on_stopped, NULL, &process);
    if (rc == 0)
        rc = tr_process_look(self, process, &info);
    if (rc == 0)
        rc = tr_process_stream(self, process, 1, &out);
    m.pid = rc == 0 ? info.pid : 0;
    return rc < 0 ? rc : tr_stream_on(self, out, &events, &process);
}
static const tr_behavior stopper = {.name = "stopper", .start = stopper_start};

static void run_until_said(const char *command, const tr_process_opts *how)
{
    memset(&m, 0, sizeof m);
    plan.command = command;
    plan.opts = TR_EXEC(.program = how);
    assert_int_equal(0, TR_RUN(app(), &stopper, TR_NULL));
    assert_int_equal(TR_SHUTDOWN, m.end.status);
}

// Whether a process is in this group, and is no zombie: those of others are not ours to reap.
static bool process_lives_in(const char *pid, int64_t group)
{
    char path[64], text[512] = "", state = 'Z';
    long long found = 0;
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && sscanf(name_end, ") %c %*d %lld", &state, &found) == 2 &&
           found == group && state != 'Z' && state != 'X';
}

static bool group_lives(int64_t group)
{
    bool lives = false;
    DIR *all = opendir("/proc");
    assert_non_null(all);
    for (struct dirent *one; !lives && (one = readdir(all)) != NULL;)
        lives =
            one->d_name[0] >= '1' && one->d_name[0] <= '9' && process_lives_in(one->d_name, group);
    closedir(all);
    return lives;
}

static bool group_is_gone(int64_t pid)
{
    uint64_t until = ipc_now() + TR_MS(GONE_MS);
    while (group_lives(pid) && ipc_now() < until)
        sched_yield();
    return pid > 1 && !group_lives(pid);
}

// ---- Errors of starting ----

static const char *file_with(const char *name, const char *text, mode_t mode)
{
    const char *path = tr_test_path(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(0, chmod(path, mode));
    return path;
}

static void what_cannot_be_started_is_an_error_of_the_call(void **state)
{
    (void)state;
    const char *plain = file_with("plain", "hello", 0644), *no_program = file_with("no", "x", 0755);
    assert_int_equal(-ENOENT, run_file("/nowhere/to/be/found", NULL, NULL));
    assert_int_equal(-ENOENT, run_file("nowhere-to-be-found", NULL, NULL));
    assert_int_equal(-ENOENT, run_file("", NULL, NULL));
    assert_int_equal(-EACCES, run_file(plain, NULL, NULL));
    assert_int_equal(-EACCES, run_file(tr_test_path("."), NULL, NULL));
    assert_int_equal(-ENOTDIR, run_file(tr_test_path("plain/x"), NULL, NULL) == -ENOENT
                                   ? -ENOTDIR
                                   : m.status); // as execvp, which looks further
    assert_int_equal(-ENOEXEC, run_file(no_program, NULL, NULL));
    assert_int_equal(-ENOENT, run_file("true", NULL, TR_PROGRAM(.cwd = "/nowhere")));
    assert_int_equal(-ENOTDIR, run_file("true", NULL, TR_PROGRAM(.cwd = plain)));
    assert_int_equal(-ENOENT, run_file("true", NULL, TR_PROGRAM(.cgroup = "/nowhere")));
    assert_int_equal(-EBADF,
                     run_file("true", NULL, TR_PROGRAM(.stdio = {TR_STDIO_FD}, .fds = {1000})));
    assert_int_equal(
        -EINVAL,
        run_file("true", NULL,
                 TR_PROGRAM(.limits = &(tr_process_limit){RLIMIT_NOFILE, 2, 1}, .limit_count = 1)));
    assert_int_equal(0, run_file("true", NULL, NULL));
}

static void a_list_of_arguments_has_its_limit(void **state)
{
    (void)state;
    size_t size = 4u << 20;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size - 1);
    text[size - 1] = '\0';
    assert_int_equal(-E2BIG, run_file("true", TR_ARGS(text), NULL));
    free(text);
}

static int starved_start(tr_actor *self, const tr_val *args)
{
    struct rlimit before, low = {0};
    (void)args;
    getrlimit(RLIMIT_NOFILE, &before);
    low.rlim_max = before.rlim_max;
    low.rlim_cur = tr_test_descriptors(getpid()) + 2; // one that looks, and one more
    setrlimit(RLIMIT_NOFILE, &low);
    m.status = tr_exec(self, "true", NULL, on_result, NULL, NULL);
    setrlimit(RLIMIT_NOFILE, &before);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior starved = {.name = "starved", .start = starved_start};

static void want_of_descriptors_is_an_error_of_the_call(void **state)
{
    (void)state;
    m.status = 0;
    assert_int_equal(0, TR_RUN(app(), &starved, TR_NULL));
    assert_int_equal(-EMFILE, m.status);
}

// One that is root may be anybody, with a limit of processes that forbids any; others may not.
static void the_user_is_set_or_that_is_an_error(void **state)
{
    (void)state;
    const tr_process_user nobody = {.uid = NOBODY, .gid = NOBODY}, root = {0};
    if (geteuid() != 0) {
        assert_int_equal(-EPERM, run_file("true", NULL, TR_PROGRAM(.user = &root)));
        return;
    }
    assert_int_equal(0, run_with("id -u; id -g; id -G", TR_PROGRAM(.user = &nobody, .cwd = "/")));
    assert_string_equal("65534\n65534\n65534\n", m.out);
    const uint32_t groups[] = {5, 6};
    const tr_process_user grouped = {NOBODY, NOBODY, groups, 2};
    assert_int_equal(0, run_with("id -G", TR_PROGRAM(.user = &grouped, .cwd = "/")));
    assert_string_equal("65534 5 6\n", m.out);
    const tr_process_limit none = {RLIMIT_NPROC, 0, 0};
    assert_int_equal(0, run_with("true", TR_PROGRAM(.limits = &none, .limit_count = 1)));
    int rc = run_file("true", NULL,
                      TR_PROGRAM(.user = &nobody, .cwd = "/", .limits = &none, .limit_count = 1));
    assert_true(rc == -EAGAIN || rc == 0); // 0: nobody else runs as that user
}

// ---- How they are started ----

static void a_program_is_looked_for_along_its_own_path(void **state)
{
    (void)state;
    char path[512], bad[512];
    file_with("hello", "#!/bin/sh\necho \"hello $0\"\n", 0755);
    snprintf(path, sizeof path, "PATH=/nowhere:%s:/bin", tr_test_path("."));
    snprintf(bad, sizeof bad, "PATH=/nowhere:%s", tr_test_path("."));
    assert_int_equal(-ENOENT, run_file("hello", NULL, NULL));
    assert_int_equal(0, run_file("hello", NULL, TR_PROGRAM(.env = TR_ARGS(path))));
    assert_non_null(strstr(m.out, "hello /"));
    assert_int_equal(0,
                     run_file("hello", NULL, TR_PROGRAM(.env = TR_ARGS(path), .env_only = true)));
    assert_int_equal(-ENOENT, run_file("hello", NULL,
                                       TR_PROGRAM(.env = TR_ARGS("PATH=/bin"), .env_only = true)));
    file_with("hello", "#!/bin/sh\n", 0644); // it is there, and may not be run
    assert_int_equal(-EACCES, run_file("hello", NULL, TR_PROGRAM(.env = TR_ARGS(bad))));
}

static void an_empty_entry_of_the_path_is_the_directory(void **state)
{
    (void)state;
    file_with("hello", "#!/bin/sh\necho hello\n", 0755);
    const tr_process_opts *how = TR_PROGRAM(.env = TR_ARGS("PATH="), .cwd = tr_test_path("."));
    assert_int_equal(0, run_file("hello", NULL, how));
    assert_string_equal("hello\n", m.out);
}

static void it_is_started_as_it_was_said(void **state)
{
    (void)state;
    setenv("TROUPE_TEST_PROGRAM", "before", 1);
    assert_int_equal(0, run_with("echo $TROUPE_TEST_PROGRAM", NULL));
    assert_string_equal("before\n", m.out);
    const tr_process_opts *other = TR_PROGRAM(.env = TR_ARGS("TROUPE_TEST_PROGRAM=other"));
    assert_int_equal(0, run_with("echo $TROUPE_TEST_PROGRAM", other));
    assert_string_equal("other\n", m.out);
    assert_int_equal(0, run_with("echo $TROUPE_TEST_PROGRAM", TR_PROGRAM(.env_only = true)));
    assert_string_equal("\n", m.out);
    unsetenv("TROUPE_TEST_PROGRAM");
    assert_int_equal(0, run_with("echo $0; pwd", TR_PROGRAM(.argv0 = "another", .cwd = "/tmp")));
    assert_non_null(strstr(m.out, "/tmp\n"));
    assert_int_equal(0, run_file("sh", TR_ARGS("-c", "echo $0 $1", "a", "b c"), NULL));
    assert_string_equal("a b c\n", m.out);
    assert_int_equal(0, run_with("ls /proc/self/fd | wc -l", NULL)); // 0 to 2, and the one to look
    assert_string_equal("4\n", m.out);
    assert_int_equal(0, run_with("trap", NULL)); // no signal is ignored
    assert_string_equal("", m.out);
}

static void limits_and_places_are_set(void **state)
{
    (void)state;
    const tr_process_limit limits[] = {{RLIMIT_NOFILE, 77, 88}, {RLIMIT_CORE, 0, 0}};
    const uint32_t cpu = (uint32_t)sched_getcpu();
    int here = getpriority(PRIO_PROCESS, 0);
    const tr_process_opts *how =
        TR_PROGRAM(.limits = limits, .limit_count = 2, .nice = 3, .cpus = &cpu, .cpu_count = 1);
    char expected[64];
    snprintf(expected, sizeof expected, "77 88\n%d\n1\n", here + 3 > 19 ? 19 : here + 3);
    assert_int_equal(0, run_with("echo $(ulimit -Sn) $(ulimit -Hn); nice; nproc", how));
    assert_string_equal(expected, m.out);
}

static void ignored_and_blocked_signals_are_not_passed_on(void **state)
{
    (void)state;
    sigset_t usr, before;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr, &before);
    signal(SIGUSR2, SIG_IGN);
    assert_int_equal(0, run_with("grep -E '^Sig(Blk|Ign)' /proc/self/status", NULL));
    signal(SIGUSR2, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_string_equal("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", m.out);
}

static void errors_may_go_where_the_output_goes(void **state)
{
    (void)state;
    const tr_process_opts *how = TR_PROGRAM(.stdio = {[2] = TR_STDIO_OUTPUT});
    assert_int_equal(0, run_with("echo a; echo b >&2; echo c", how));
    assert_string_equal("a\nb\nc\n", m.out);
    assert_string_equal("", m.err);
}

static void a_descriptor_may_be_what_it_reads_and_writes(void **state)
{
    (void)state;
    char got[16] = "";
    const char *path = file_with("in", "from a file", 0644);
    int in = open(path, O_RDONLY | O_CLOEXEC);
    int out = open(tr_test_path("out"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const tr_process_opts *how = TR_PROGRAM(.stdio = {TR_STDIO_FD, TR_STDIO_FD}, .fds = {in, out});
    assert_int_equal(0, run_file("cat", NULL, how));
    assert_int_equal(11, pread(out, got, sizeof got - 1, 0));
    assert_string_equal("from a file", got);
    close(in);
    close(out);
}

static void what_it_has_used_is_told(void **state)
{
    (void)state;
    assert_int_equal(TR_EFAILED, run_with("exit 3", NULL));
    assert_int_equal(TR_REASON_EXITED, m.end.reason.kind);
    assert_int_equal(3, m.end.reason.code);
    assert_true(m.end.usage.rss_max > 100000);
    assert_true(m.end.usage.user_ns + m.end.usage.system_ns > 0);
    assert_int_equal(TR_EFAILED, run_with("kill -SEGV $$", NULL));
    assert_int_equal(TR_REASON_KILLED, m.end.reason.kind);
    assert_int_equal(SIGSEGV, m.end.reason.code);
}

// ---- Trees ----

static void a_tree_that_takes_too_long_is_gone(void **state)
{
    (void)state;
    assert_int_equal(TR_ETIMEDOUT,
                     run_with("sleep 1000 & sleep 1000", TR_PROGRAM(.timeout_ms = 50)));
    assert_int_equal(TR_REASON_KILLED, m.end.reason.kind);
    assert_int_equal(SIGTERM, m.end.reason.code);
    assert_false(m.end.held);
    assert_true(group_is_gone(m.pid));
}

// The shell ends at once; what it has started has to be killed, and is waited for.
static void one_of_a_tree_that_does_not_mind_is_killed(void **state)
{
    (void)state;
    const char *command = "(trap '' TERM; echo on; exec sleep 1000) & exec sleep 1000";
    run_until_said(command, TR_PROGRAM(.stdio = {[1] = TR_STDIO_PIPE}, .term_ms = 100));
    assert_string_equal("on\n", m.out);
    assert_int_equal(SIGTERM, m.end.reason.code);
    assert_true(group_is_gone(m.pid));
}

// One that was stopped by a signal hears SIGTERM all the same.
static void a_tree_that_stands_still_can_be_stopped(void **state)
{
    (void)state;
    const tr_process_opts *how = TR_PROGRAM(.timeout_ms = 100, .term_ms = 60000);
    assert_int_equal(TR_ETIMEDOUT, run_with("kill -STOP $$", how));
    assert_int_equal(SIGTERM, m.end.reason.code);
}

static void others_that_hold_the_output_are_not_waited_for(void **state)
{
    (void)state;
    assert_int_equal(0, run_with("sleep 1000 & echo said", TR_PROGRAM(.stdio_ms = 50)));
    assert_true(m.end.held);
    assert_string_equal("said\n", m.out);
    assert_int_equal(0, kill((pid_t)-m.pid, SIGKILL)); // it was not to be stopped
    assert_true(group_is_gone(m.pid));
}

static void others_that_go_on_writing_are_not_waited_for(void **state)
{
    (void)state;
    const tr_exec_opts *opts =
        TR_EXEC(.program = TR_PROGRAM(.stdio_ms = 50), .bytes_max = 6, .at_limit = TR_EXEC_DROP);
    assert_int_equal(0, run("echo said; yes & exit 0", opts));
    assert_true(m.end.held);
    assert_memory_equal("said\n", m.out, 5);
    assert_true(group_is_gone(m.pid)); // by a pipe that nobody reads
}

static void others_that_end_in_time_are_heard(void **state)
{
    (void)state;
    assert_int_equal(
        0, run_with("(read x </dev/null; echo later) & echo said", TR_PROGRAM(.stdio_ms = 60000)));
    assert_false(m.end.held);
    assert_int_equal(11, strlen(m.out));
}

static void one_in_our_group_is_stopped_alone(void **state)
{
    (void)state;
    run_until_said("ps -o pgid= -p $$; exec sleep 1000",
                   TR_PROGRAM(.stdio = {[1] = TR_STDIO_PIPE}, .same_group = true));
    assert_int_equal(getpgrp(), atoi(m.out));
    assert_int_equal(SIGTERM, m.end.reason.code);
}

// ---- Descriptors above 2 ----

enum { MANY = 40 };

// Goal:   a program has the descriptors that it is given, each under its number, and no other.
// Method: files whose own numbers lie where others are to be, in the other order; one left out.
static void it_has_the_descriptors_that_it_is_given(void **state)
{
    (void)state;
    int fds[MANY];
    char name[16], expected[8 * MANY + 8] = "";
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "file%d", i);
        snprintf(expected + strlen(expected), 8, "%d ", MANY - 1 - i);
        char text[8];
        snprintf(text, sizeof text, "%d ", i);
        fds[MANY - 1 - i] = open(file_with(name, text, 0600), O_RDONLY | O_CLOEXEC);
        assert_true(fds[MANY - 1 - i] > 2);
    }
    assert_int_equal(0, run_with("for fd in $(seq 3 42); do cat /dev/fd/$fd; done;"
                                 " [ ! -e /dev/fd/43 ] && echo none",
                                 TR_PROGRAM(.more_fds = fds, .more_count = MANY)));
    snprintf(expected + strlen(expected), 8, "none\n");
    assert_string_equal(expected, m.out);
    int some[] = {fds[0], -1, fds[1]};
    assert_int_equal(0, run_with("cat <&5; [ ! -e /dev/fd/4 ] && [ ! -e /dev/fd/6 ]",
                                 TR_PROGRAM(.more_fds = some, .more_count = 3)));
    assert_string_equal("38 ", m.out);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(0, close(fds[i])); // they are still ours
    assert_int_equal(-EBADF, run_with("true", TR_PROGRAM(.more_fds = fds, .more_count = 1)));
    assert_int_equal(TR_EINVAL, run_with("true", TR_PROGRAM(.more_count = 1)));
    fds[0] = -2;
    assert_int_equal(TR_EINVAL, run_with("true", TR_PROGRAM(.more_fds = fds, .more_count = 1)));
}

// A pair of sockets is a way to speak with it beside its standard descriptors.
static void a_pair_of_sockets_goes_both_ways(void **state)
{
    (void)state;
    int pair[2];
    char text[16] = "";
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    assert_int_equal(5, write(pair[0], "ping\n", 5));
    assert_int_equal(0, run_with("read word <&3; [ $word = ping ] && echo pong >&3",
                                 TR_PROGRAM(.more_fds = &pair[1], .more_count = 1)));
    close(pair[1]);
    assert_int_equal(5, read(pair[0], text, sizeof text));
    assert_string_equal("pong\n", text);
    assert_int_equal(0, read(pair[0], text, sizeof text));
    close(pair[0]);
}

// ---- Endless output ----

static void stop_when_full(tr_actor *self, tr_process process, int fd, void *arg)
{
    (void)arg;
    TR_CHECK(fd == 1);
    tr_process_stop(self, process);
}

// Goal: memory does not grow, whatever is written: nothing of a limit is more than that.
static void endless_output_takes_no_memory(void **state)
{
    (void)state;
    char command[64];
    const tr_exec_opts *hold = TR_EXEC(.full = stop_when_full);
    uint64_t bytes = (uint64_t)10 << 30; // which is a minute's work for a machine that is busy
    bytes = getenv("TROUPE_TEST_SCALE") != NULL ? ipc_scaled(bytes) : bytes / 40;
    counted_memory_start(0);
    assert_int_equal(TR_SHUTDOWN, run("yes | head -c 10G", hold));
    assert_true(m.out_cut);
    assert_int_equal(TR_EXEC_BYTES, m.out_size);
    assert_true(group_is_gone(m.pid));

    assert_int_equal(TR_ETOOBIG, run("yes | head -c 10G", TR_EXEC(.at_limit = TR_EXEC_STOP)));
    assert_int_equal(TR_EXEC_BYTES, m.out_size);
    assert_true(group_is_gone(m.pid));

    snprintf(command, sizeof command, "yes | head -c %llu", (unsigned long long)bytes);
    assert_int_equal(0, run(command, TR_EXEC(.at_limit = TR_EXEC_DROP)));
    assert_int_equal(TR_EXEC_BYTES, m.out_size);
    assert_true(m.out_total == bytes);
    print_message("%llu MiB were read and dropped, with %zu KiB of memory\n",
                  (unsigned long long)bytes >> 20, counted.peak >> 10);
    assert_true(counted.peak < 4u << 20);
    assert_int_equal(0, counted_memory_stop());
}

// ---- Ends of others ----

static void never(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    (void)self, (void)process, (void)end, (void)arg;
    TR_CHECK(!"told");
}

#define TREE "sleep 1000 & echo $!; wait"

// Starts a tree, tells its parent the ids of its shell and of the sleep, and lives on.
struct owner {
    tr_process process;
    int64_t shell;
};

static void owner_heard(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    struct owner *o = tr_state(self);
    char text[32] = "";
    (void)stream, (void)arg;
    memcpy(text, tr_buf_data(chunk), tr_buf_size(chunk) < 31 ? tr_buf_size(chunk) : 31);
    tr_send(self, tr_parent(self), "tree", TR_LIST(o->shell, (int64_t)atoi(text)));
}

static int owner_start(tr_actor *self, const tr_val *args)
{
    static const tr_stream_events out = {.data = owner_heard};
    struct owner *o = tr_state(self);
    tr_process_info info;
    tr_stream stream;
    bool detached = false;
    tr_as_bool(*args, &detached);
    int rc = tr_process_open(self, "sh", TR_ARGS("-c", TREE),
                             TR_PROGRAM(.stdio = {[1] = TR_STDIO_PIPE}, .detached = detached),
                             never, NULL, &o->process);
    if (rc == 0)
        rc = tr_process_look(self, o->process, &info);
    if (rc == 0)
        rc = tr_process_stream(self, o->process, 1, &stream);
    o->shell = rc == 0 ? info.pid : 0;
    return rc < 0 ? rc : tr_stream_on(self, stream, &out, NULL);
}
static const tr_behavior owner = {
    .name = "owner", .state_size = sizeof(struct owner), .start = owner_start};

// What becomes of an owner when it has told of its tree.
static struct {
    bool detached, in_process, end_node;
    int64_t pids[2];
    int ends[2]; // pidfds
    tr_addr kid;
} fate;

static int fates_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_isolation isolation = fate.in_process ? TR_PROCESS : TR_SHARED;
    int rc = tr_spawn(self, &owner, TR_SPAWN(.isolation = isolation, .args = TR_V(fate.detached)),
                      &fate.kid);
    return rc < 0 ? rc : tr_monitor(self, fate.kid, NULL);
}

static int fates_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL)
        return tr_exit(self, TR_NORMAL);
    for (int i = 0; i < 2; i++) {
        tr_val pid;
        TR_CHECK(tr_at(tr_msg_body(msg), (size_t)i, &pid) == 0 &&
                 tr_as_int(pid, &fate.pids[i]) == 0);
        fate.ends[i] = pidfd_open((pid_t)fate.pids[i], 0);
    }
    if (fate.end_node)
        return tr_exit(self, TR_NORMAL);
    return fate.in_process ? tr_kill(self, fate.kid) : tr_stop(self, fate.kid);
}
static const tr_behavior fates = {.name = "fates", .start = fates_start, .receive = fates_receive};

// Whether both of the tree are gone, soon.
static bool tree_ends(void)
{
    bool gone = true;
    for (int i = 0; i < 2; i++) {
        gone &= fate.ends[i] >= 0 && ipc_ended(fate.ends[i], GONE_MS);
        close(fate.ends[i]);
    }
    return gone;
}

static void decide(bool detached, bool in_process, bool end_node)
{
    fate.detached = detached;
    fate.in_process = in_process;
    fate.end_node = end_node;
    assert_int_equal(0, TR_RUN(app(), &fates, TR_NULL));
}

static void the_end_of_its_actor_is_that_of_the_tree(void **state)
{
    (void)state;
    decide(false, false, false);
    assert_true(tree_ends());
}

static void the_end_of_the_node_is_that_of_the_tree(void **state)
{
    (void)state;
    decide(false, false, true);
    assert_true(tree_ends());
}

// SIGKILL for the process that has started it.
static void a_killed_parent_leaves_no_tree(void **state)
{
    (void)state;
    decide(false, true, false);
    assert_true(tree_ends());
}

static void a_detached_one_lives_on(void **state)
{
    (void)state;
    decide(true, false, true);
    assert_int_equal(0, kill((pid_t)fate.pids[0], 0));
    assert_int_equal(fate.pids[0], getsid((pid_t)fate.pids[0]));
    assert_int_equal(0, kill((pid_t)-fate.pids[0], SIGKILL));
    assert_true(tree_ends());
    assert_int_equal(fate.pids[0], waitpid((pid_t)fate.pids[0], NULL, 0));
}

// ---- Many, at random ----

#define AT_ONCE 20

static struct {
    uint64_t started, ended, count;
    uint64_t random;
} many;

static uint64_t below(uint64_t limit)
{
    many.random = many.random * 6364136223846793005u + 1442695040888963407u;
    return (many.random >> 33) % limit;
}

static void many_start(tr_actor *self);

static void many_ended(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    (void)arg, (void)process;
    bool unhurt = end->status == 0; // a cat whose input was closed
    TR_CHECK(unhurt || end->status == TR_SHUTDOWN || end->status == TR_EFAILED);
    TR_CHECK(!unhurt || (end->reason.kind == TR_REASON_EXITED && end->reason.code == 0));
    many.ended++;
    if (many.ended == many.count)
        tr_exit(self, TR_NORMAL);
    else
        many_start(self);
}

static void heed_nothing(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)self, (void)stream, (void)chunk, (void)arg;
}

static void many_strike(tr_actor *self, void *arg)
{
    tr_process process = {(uint64_t)(uintptr_t)arg};
    switch (below(3)) {
    case 0:
        tr_process_signal_group(self, process, SIGKILL);
        break;
    case 1:
        tr_process_stop(self, process);
        tr_process_signal(self, process, SIGKILL);
        break;
    default:
        tr_process_stop(self, process);
    }
}

static void many_use(tr_actor *self, tr_stream stream, int fd)
{
    static const tr_stream_events reads = {.data = heed_nothing};
    if (below(4) == 0)
        tr_stream_destroy(self, stream, 0);
    else if (fd == 0)
        tr_stream_write_bytes(self, stream, "x", 1);
    else
        tr_stream_on(self, stream, &reads, NULL);
}

static void many_start(tr_actor *self)
{
    static const char *const commands[] = {"exec sleep 1000", "sleep 1000 & sleep 1000", "exec cat",
                                           "while :; do :; done"};
    const tr_stdio kinds[] = {TR_STDIO_PIPE, TR_STDIO_NULL};
    tr_process process;
    tr_stream stream;
    if (many.started == many.count)
        return;
    many.started++;
    const tr_process_opts *how =
        TR_PROGRAM(.stdio = {TR_STDIO_PIPE, kinds[below(2)], kinds[below(2)]}, .term_ms = 500);
    int rc = tr_process_open(self, "sh", TR_ARGS("-c", commands[below(4)]), how, many_ended, NULL,
                             &process);
    TR_CHECK(rc == 0);
    for (int fd = 0; fd < 3; fd++)
        if (below(2) == 0 && tr_process_stream(self, process, fd, &stream) == 0)
            many_use(self, stream, fd);
    rc = tr_timer_start(self, TR_US(below(3000)), many_strike, (void *)(uintptr_t)process.id, NULL);
    TR_CHECK(rc == 0);
}

static int crowd_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    many.started = many.ended = 0;
    many.random = 1;
    for (int i = 0; i < AT_ONCE; i++)
        many_start(self);
    return 0;
}
static const tr_behavior crowd = {.name = "crowd", .start = crowd_start};

// Goal: nothing is left of many that are killed at random: no process, descriptor, zombie, memory.
static void many_are_killed_at_random(void **state)
{
    (void)state;
    many.count = ipc_scaled(1000);
    if (many.count < AT_ONCE)
        many.count = AT_ONCE;
    counted_memory_start(0);
    assert_int_equal(0, TR_RUN(app(), &crowd, TR_NULL));
    assert_int_equal(0, counted_memory_stop());
    assert_int_equal(many.count, many.ended);
}

// ---- The guard ----

// It is this process's child, and no program of anybody's.
static void kill_guard(int64_t program)
{
    int64_t pids[8];
    size_t count = tr_test_children(pids, 8);
    for (size_t i = 0; i < count && i < 8; i++)
        if (pids[i] != program)
            m.pid = pids[i];
    int end = pidfd_open((pid_t)m.pid, 0);
    TR_CHECK(count == 2 && kill((pid_t)m.pid, SIGKILL) == 0 && ipc_ended(end, GONE_MS));
    close(end);
}

static void second_ended(tr_actor *self, int error, const tr_exec_result *result, void *arg)
{
    (void)result, (void)arg;
    m.status = error;
    tr_exit(self, TR_NORMAL);
}

static void first_ended(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    (void)process, (void)arg;
    int64_t pids[8];
    TR_CHECK(end->status == TR_SHUTDOWN);
    TR_CHECK(tr_exec(self, "true", NULL, second_ended, NULL, NULL) == 0);
    size_t count = tr_test_children(pids, 8); // it, and another guard
    TR_CHECK(count == 2 && pids[0] != m.pid && pids[1] != m.pid);
}

static int unguarded_start(tr_actor *self, const tr_val *args)
{
    tr_process process;
    tr_process_info info;
    (void)args;
    int rc = tr_process_open(self, "sleep", TR_ARGS("1000"), NULL, first_ended, NULL, &process);
    if (rc < 0)
        return rc;
    tr_process_look(self, process, &info);
    kill_guard(info.pid);
    return tr_process_stop(self, process);
}
static const tr_behavior unguarded = {.name = "unguarded", .start = unguarded_start};

static void a_guard_that_is_killed_is_replaced(void **state)
{
    (void)state;
    memset(&m, 0, sizeof m);
    m.status = TR_EINVAL;
    assert_int_equal(0, TR_RUN(app(), &unguarded, TR_NULL));
    assert_int_equal(0, m.status);
}

static const tr_app *app(void)
{
    static const tr_behavior *const behaviors[] = {&owner, NULL};
    static const tr_app it = {behaviors, 1};
    return &it;
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(what_cannot_be_started_is_an_error_of_the_call),
    TR_PROCESS_TEST(a_list_of_arguments_has_its_limit),
    TR_PROCESS_TEST(want_of_descriptors_is_an_error_of_the_call),
    TR_PROCESS_TEST(the_user_is_set_or_that_is_an_error),
    TR_PROCESS_TEST(a_program_is_looked_for_along_its_own_path),
    TR_PROCESS_TEST(an_empty_entry_of_the_path_is_the_directory),
    TR_PROCESS_TEST(it_is_started_as_it_was_said),
    TR_PROCESS_TEST(limits_and_places_are_set),
    TR_PROCESS_TEST(ignored_and_blocked_signals_are_not_passed_on),
    TR_PROCESS_TEST(errors_may_go_where_the_output_goes),
    TR_PROCESS_TEST(a_descriptor_may_be_what_it_reads_and_writes),
    TR_PROCESS_TEST(what_it_has_used_is_told),
    TR_PROCESS_TEST(a_tree_that_takes_too_long_is_gone),
    TR_PROCESS_TEST(one_of_a_tree_that_does_not_mind_is_killed),
    TR_PROCESS_TEST(a_tree_that_stands_still_can_be_stopped),
    TR_PROCESS_TEST(others_that_hold_the_output_are_not_waited_for),
    TR_PROCESS_TEST(others_that_go_on_writing_are_not_waited_for),
    TR_PROCESS_TEST(others_that_end_in_time_are_heard),
    TR_PROCESS_TEST(one_in_our_group_is_stopped_alone),
    TR_PROCESS_TEST(it_has_the_descriptors_that_it_is_given),
    TR_PROCESS_TEST(a_pair_of_sockets_goes_both_ways),
    TR_PROCESS_TEST(endless_output_takes_no_memory),
    TR_PROCESS_TEST(the_end_of_its_actor_is_that_of_the_tree),
    TR_PROCESS_TEST(the_end_of_the_node_is_that_of_the_tree),
    TR_PROCESS_TEST(a_killed_parent_leaves_no_tree),
    TR_PROCESS_TEST(a_detached_one_lives_on),
    TR_PROCESS_TEST(many_are_killed_at_random),
    TR_PROCESS_TEST(a_guard_that_is_killed_is_replaced),
};
TR_TEST_MAIN("ipc/programs", app(), tests)
