// A service's manners, with real processes: what it does on signals, what it tells its manager,
// which is this test, and that its workers end with it and not before. The service is
// prog_service.c.
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/ipc.h"

#define CLIENTS  8
#define ROUNDS   20
#define WORKERS  2
#define QUIET_MS 500

static struct svc {
    pid_t pid;
    int in;
    FILE *out, *err;
    int workers[WORKERS]; // pidfds
    unsigned worker_count;
    unsigned port, given_port;
    int manager; // a datagram socket; -1: none
    char notify[128], env[3][160];
    unsigned env_count;
    bool journal; // its stderr is one
    int clients[CLIENTS];
} s;

// ---- Its manager ----

// name: a path, or after "@" an abstract one
static void manager_open(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(s.notify, sizeof s.notify, "NOTIFY_SOCKET=%s", name);
    size_t size = strlen(name);
    memcpy(address.sun_path, name, size);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    s.manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t all = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (name[0] != '@'));
    assert_int_equal(0, bind(s.manager, (struct sockaddr *)&address, all));
}

static const char *manager_hears_any(void)
{
    static char text[512];
    ssize_t n = recv(s.manager, text, sizeof text - 1, 0);
    assert_true(n > 0);
    text[n] = '\0';
    return text;
}

// The next thing that it is told, but for signs of life unless those are wanted, begins so.
static void manager_hears(const char *begin)
{
    const char *text = manager_hears_any();
    while (strcmp(text, "WATCHDOG=1") == 0 && strcmp(begin, text) != 0)
        text = manager_hears_any();
    if (strncmp(text, begin, strlen(begin)) != 0)
        assert_string_equal(begin, text);
}

static bool manager_hears_nothing(int ms)
{
    struct pollfd ready = {.fd = s.manager, .events = POLLIN};
    return poll(&ready, 1, ms) == 0;
}

// ---- Starting it ----

static void svc_env(const char *name, const char *value)
{
    snprintf(s.env[s.env_count++], sizeof s.env[0], "%s=%s", name, value);
}

static bool is_replaced(const char *inherited)
{
    size_t name = strcspn(inherited, "=") + 1;
    for (unsigned i = 0; i < s.env_count; i++)
        if (strncmp(inherited, s.env[i], name) == 0)
            return true;
    return strncmp(inherited, "NOTIFY_SOCKET=", name) == 0;
}

static char **svc_environment(void)
{
    static char *env[256];
    size_t n = 0;
    if (s.manager >= 0)
        env[n++] = s.notify;
    for (unsigned i = 0; i < s.env_count; i++)
        env[n++] = s.env[i];
    for (char **e = environ; *e != NULL && n < 255; e++)
        if (!is_replaced(*e))
            env[n++] = *e;
    env[n] = NULL;
    return env;
}

static void env_journal(int fd)
{
    struct stat info;
    char text[64];
    assert_int_equal(0, fstat(fd, &info));
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)info.st_dev,
             (unsigned long long)info.st_ino);
    svc_env("JOURNAL_STREAM", text);
}

static void pipe_open(int ends[2])
{
    assert_int_equal(0, pipe2(ends, O_CLOEXEC));
}

// In a process group of its own. given: its descriptor 3; -1: it has none
static void svc_spawn(const char *path, char *const *argv, int given)
{
    int in[2], out[2], err[2];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    pipe_open(in);
    pipe_open(out);
    pipe_open(err);
    if (s.journal)
        env_journal(err[1]);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    if (given >= 0)
        posix_spawn_file_actions_adddup2(&actions, given, 3);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    assert_int_equal(0, posix_spawn(&s.pid, path, &actions, &attr, argv, svc_environment()));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    close(in[0]);
    close(out[1]);
    close(err[1]);
    s.in = in[1];
    s.err = fdopen(err[0], "r");
    s.out = fdopen(out[0], "r");
}

// Its lines, until it is ready.
static void svc_wait_ready(void)
{
    char line[256];
    while (s.port == 0) {
        int pid;
        assert_non_null(fgets(line, sizeof line, s.out));
        if (sscanf(line, "worker %d", &pid) == 1)
            s.workers[s.worker_count++] = pidfd_open(pid, 0);
        else if (sscanf(line, "ready tcp://127.0.0.1:%u", &s.port) != 1)
            assert_int_equal(0, strncmp(line, "ready", 5)), s.port = 1;
    }
    assert_int_equal(WORKERS, s.worker_count);
}

static void svc_prepare(void)
{
    s = (struct svc){.manager = -1};
}

#define SVC_START(...)                                                                             \
    svc_start((char *[]){(char[]){"service"}, (char[]){"tcp://127.0.0.1:0"}, __VA_ARGS__ NULL})
static void svc_start(char *const *argv)
{
    svc_spawn(ipc_program("prog_service"), argv, -1);
    svc_wait_ready();
    if (s.manager >= 0)
        manager_hears("READY=1\nMAINPID=");
}
// An argument, and the comma behind it.
#define WORD(text) ((char[]){text}),

// The next line on its stderr; "" at the end. That a turn took long, as on a busy machine, is
// passed over.
static const char *svc_warns(void)
{
    static char line[512];
    do {
        if (fgets(line, sizeof line, s.err) == NULL)
            return "";
    } while (strstr(line, ".slow: ") != NULL);
    return line;
}

static void svc_signal(int signum)
{
    assert_int_equal(0, kill(s.pid, signum));
}

// Its end; its workers end, too.
static int svc_wait(void)
{
    int status;
    assert_int_equal(s.pid, waitpid(s.pid, &status, 0));
    for (unsigned i = 0; i < s.worker_count; i++) {
        assert_true(ipc_ended(s.workers[i], 10000));
        close(s.workers[i]);
    }
    fclose(s.out);
    close(s.in);
    fclose(s.err);
    if (s.manager >= 0)
        close(s.manager);
    return status;
}

static void svc_expect_exit(int code)
{
    int status = svc_wait();
    assert_true(WIFEXITED(status));
    assert_int_equal(code, WEXITSTATUS(status));
}

// ---- Its clients ----

static void client_open(int *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)s.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, connect(*client, (struct sockaddr *)&address, sizeof address));
}

static void client_send(int client, char request)
{
    assert_int_equal(1, send(client, &request, 1, MSG_NOSIGNAL));
}

static char client_hear(int client)
{
    char answer = 0;
    assert_int_equal(1, recv(client, &answer, 1, 0));
    return answer;
}

static void clients_open(void)
{
    for (int i = 0; i < CLIENTS; i++)
        client_open(&s.clients[i]);
}

static void clients_close(void)
{
    for (int i = 0; i < CLIENTS; i++)
        close(s.clients[i]);
}

static void clients_send(void)
{
    for (int i = 0; i < CLIENTS; i++)
        client_send(s.clients[i], 'a');
}

// Those that are told that it stops have no more requests.
static unsigned clients_hear(void)
{
    unsigned left = 0;
    for (int i = 0; i < CLIENTS; i++) {
        char answer = client_hear(s.clients[i]);
        assert_true(answer == 'A' || answer == 'Z');
        left += answer == 'Z';
    }
    return left;
}

// Goal:   every request that was sent is answered, on all connections, before the service ends.
// Method: requests of all clients are with its workers when the signal comes to `whom`.
static void see_drain(pid_t whom, int signum)
{
    clients_open();
    for (int i = 0; i < ROUNDS; i++) {
        clients_send();
        assert_int_equal(0, clients_hear());
    }
    clients_send();
    assert_int_equal(0, kill(whom, signum));
    if (s.manager >= 0)
        manager_hears("STOPPING=1\nSTATUS=two workers");
    unsigned told = clients_hear();
    if (told < CLIENTS) {
        for (int i = 0; i < CLIENTS; i++)
            send(s.clients[i], "a", 1, MSG_NOSIGNAL); // some have been told
        for (int i = 0; i < CLIENTS; i++) {
            char answer = 'Z';
            ssize_t n = recv(s.clients[i], &answer, 1, 0);
            assert_true(n <= 0 || answer == 'Z');
            told += n == 1;
        }
    }
    assert_int_equal(CLIENTS, told);
    clients_close();
}

// ---- Ends ----

static void sigterm_under_traffic_drains(void **state)
{
    (void)state;
    svc_prepare();
    manager_open(tr_test_path("notify"));
    SVC_START();
    see_drain(s.pid, SIGTERM);
    svc_expect_exit(0);
}

static void ctrl_c_in_a_terminal_drains(void **state)
{
    (void)state;
    svc_prepare();
    SVC_START();
    see_drain(-s.pid, SIGINT);
    svc_expect_exit(0);
}

static void sigterm_to_the_whole_group_drains(void **state)
{
    (void)state;
    svc_prepare();
    SVC_START();
    see_drain(-s.pid, SIGTERM);
    svc_expect_exit(0);
}

static void a_target_is_asked_to_drain_first(void **state)
{
    char line[64];
    (void)state;
    svc_prepare();
    SVC_START(WORD("drain"));
    svc_signal(SIGTERM);
    assert_non_null(fgets(line, sizeof line, s.out));
    assert_string_equal("drain\n", line);
    svc_expect_exit(0);
}

// Whether it has taken the first signal: it has told its manager so.
static void see_second_signal(int first, int second, int code)
{
    svc_prepare();
    manager_open(tr_test_path("notify"));
    SVC_START(WORD("stuck"));
    svc_signal(first);
    manager_hears("STOPPING=1");
    svc_signal(second);
    svc_expect_exit(code);
    unlink(tr_test_path("notify"));
}

static void a_second_signal_ends_it_at_once(void **state)
{
    (void)state;
    see_second_signal(SIGTERM, SIGTERM, 128 + SIGTERM);
    see_second_signal(SIGTERM, SIGINT, 128 + SIGINT);
    see_second_signal(SIGINT, SIGTERM, 128 + SIGTERM);
}

static void one_that_does_not_stop_in_time_is_ended(void **state)
{
    (void)state;
    svc_prepare();
    SVC_START(WORD("stuck") WORD("late"));
    svc_signal(SIGTERM);
    assert_string_equal("troupe: service.late: ms=200 not stopped by then, so it is ended\n",
                        svc_warns());
    svc_expect_exit(1);
}

static void a_program_chooses_its_status(void **state)
{
    (void)state;
    svc_prepare();
    SVC_START(WORD("status"));
    svc_signal(SIGTERM);
    svc_expect_exit(75);
}

// A child that does not end is another matter: its parent's SIGTERM is not left to anybody.
static void workers_end_by_a_second_signal_of_others(void **state)
{
    (void)state;
    svc_prepare();
    SVC_START();
    for (int i = 0; i < WORKERS; i++) {
        pidfd_send_signal(s.workers[i], SIGHUP, NULL, 0);
        pidfd_send_signal(s.workers[i], SIGTERM, NULL, 0);
    }
    clients_open();
    clients_send();
    assert_int_equal(0, clients_hear()); // they live
    clients_close();
    for (int i = 0; i < WORKERS; i++) {
        pidfd_send_signal(s.workers[i], SIGTERM, NULL, 0);
        assert_true(ipc_ended(s.workers[i], 10000));
    }
    svc_signal(SIGTERM);
    svc_expect_exit(0);
}

// Goal:   a worker that leaves the group's signals to the service still ends by the service's own.
static void a_worker_that_hangs_is_sent_sigterm_by_the_service(void **state)
{
    (void)state;
    int client;
    svc_prepare();
    SVC_START();
    client_open(&client);
    client_send(client, 'h');
    assert_int_equal('H', client_hear(client));
    close(client);
    assert_int_equal(0, kill(-s.pid, SIGTERM));
    assert_int_equal(0, strncmp(svc_warns(), "troupe: child.term: pid=", 24));
    assert_string_equal("", svc_warns()); // that was enough
    svc_expect_exit(0);
}

// ---- What the manager is told ----

static void see_reload(const char *name, char *word)
{
    unsigned long long before = ipc_now() / 1000, usec = 0;
    svc_prepare();
    manager_open(name);
    svc_start((char *[]){WORD("service") WORD("tcp://127.0.0.1:0") word, NULL});
    svc_signal(SIGHUP);
    const char *text = manager_hears_any();
    assert_int_equal(1, sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu\n", &usec));
    assert_in_range(usec, before, ipc_now() / 1000);
    manager_hears("READY=1\nMAINPID=");
    svc_signal(SIGTERM);
    manager_hears("STOPPING=1");
    svc_expect_exit(0);
}

static void sighup_reloads_and_the_manager_is_told(void **state)
{
    char abstract[64];
    (void)state;
    snprintf(abstract, sizeof abstract, "@troupe-test-%d", (int)getpid());
    see_reload(tr_test_path("notify"), NULL);
    see_reload(abstract, NULL);
    see_reload(tr_test_path("another"), (char[]){"bad-reload"}); // which is warned of
}

static void sighup_may_be_left_alone(void **state)
{
    (void)state;
    svc_prepare();
    SVC_START(WORD("no-reload"));
    svc_signal(SIGHUP);
    int status = svc_wait();
    assert_true(WIFSIGNALED(status));
    assert_int_equal(SIGHUP, WTERMSIG(status));
}

static void a_blocked_loop_gives_no_sign_of_life(void **state)
{
    int client;
    (void)state;
    svc_prepare();
    manager_open(tr_test_path("notify"));
    svc_env("WATCHDOG_USEC", "50000");
    SVC_START();
    for (int i = 0; i < 5; i++)
        manager_hears("WATCHDOG=1");
    client_open(&client);
    client_send(client, 'b');
    assert_int_equal('B', client_hear(client));
    while (!manager_hears_nothing(QUIET_MS)) // those that were on their way
        manager_hears("WATCHDOG=1");
    close(s.in);
    s.in = -1;
    manager_hears("WATCHDOG=1"); // it goes on
    close(client);
    svc_signal(SIGTERM);
    manager_hears("STOPPING=1");
    svc_expect_exit(0);
}

static void anothers_watchdog_is_none_of_its(void **state)
{
    (void)state;
    svc_prepare();
    manager_open(tr_test_path("notify"));
    svc_env("WATCHDOG_USEC", "20000");
    svc_env("WATCHDOG_PID", "1");
    SVC_START();
    assert_true(manager_hears_nothing(200));
    svc_signal(SIGTERM);
    svc_expect_exit(0);
}

static void see_prefix(bool journal, const char *prefix)
{
    char expected[256];
    svc_prepare();
    s.journal = journal;
    if (!journal)
        svc_env("JOURNAL_STREAM", "1:2");
    SVC_START(WORD("bad-reload"));
    svc_signal(SIGHUP);
    snprintf(expected, sizeof expected,
             "%stroupe: service.reload: ask=reload error=TR_EUNKNOWN (the actor does not know this "
             "message)\n",
             prefix);
    assert_string_equal(expected, svc_warns());
    svc_signal(SIGTERM);
    svc_expect_exit(0);
}

static void a_journal_is_told_how_grave_a_line_is(void **state)
{
    (void)state;
    see_prefix(true, "<4>");
    see_prefix(false, "");
}

static void svc_fails(bool journal, const char *line)
{
    svc_prepare();
    s.journal = journal;
    svc_spawn(ipc_program("prog_service"),
              (char *[]){WORD("service") WORD("tcp://127.0.0.1:0") WORD("fails") NULL}, -1);
    assert_string_equal(line, svc_warns());
    assert_string_equal("", svc_warns());
    svc_expect_exit(1);
}

#define FAILED "troupe: actor.failed: actor=app error=TR_ETOODEEP (nested deeper than the limit)\n"

static void a_failure_is_told_once_and_is_the_status(void **state)
{
    (void)state;
    svc_fails(false, FAILED);
    svc_fails(true, "<3>" FAILED);
}

static void it_has_as_many_descriptors_as_it_may(void **state)
{
    struct rlimit limit, its;
    (void)state;
    svc_prepare();
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &limit));
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &(struct rlimit){128, limit.rlim_max}));
    SVC_START();
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &limit));
    assert_int_equal(0, prlimit(s.pid, RLIMIT_NOFILE, NULL, &its));
    assert_int_equal(limit.rlim_max, its.rlim_cur);
    svc_signal(SIGTERM);
    svc_expect_exit(0);
}

// ---- Sockets that it is started with ----

// A child of another process; state: what it is to be in; 0: whatever. 0: there is none
static pid_t child_of(pid_t parent, char state)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; found == 0 && (entry = readdir(proc)) != NULL;) {
        char path[300], text[512], its;
        int ppid;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *in = entry->d_name[0] < '0' || entry->d_name[0] > '9' ? NULL : fopen(path, "r");
        if (in == NULL)
            continue;
        text[fread(text, 1, sizeof text - 1, in)] = '\0';
        fclose(in);
        const char *end = strrchr(text, ')');
        if (end != NULL && sscanf(end, ") %c %d", &its, &ppid) == 2 && ppid == parent &&
            (state == 0 || its == state))
            found = (pid_t)strtol(entry->d_name, NULL, 10);
    }
    closedir(proc);
    return found;
}

static int socket_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, bind(fd, (struct sockaddr *)&address, sizeof address));
    assert_int_equal(0, listen(fd, 8));
    assert_int_equal(0, getsockname(fd, (struct sockaddr *)&address, &size));
    s.given_port = ntohs(address.sin_port);
    return fd;
}

// By a shell, which is the process that LISTEN_PID names when it has become the service.
static void svc_activate(char *address, int given, const char *before)
{
    char command[128], path[512];
    snprintf(command, sizeof command, "%s exec \"$0\" \"$@\"", before);
    snprintf(path, sizeof path, "%s", ipc_program("prog_service"));
    svc_env("LISTEN_FDS", "1");
    svc_env("LISTEN_FDNAMES", "web");
    svc_spawn("/bin/sh", (char *[]){WORD("sh") WORD("-c") command, path, address, NULL}, given);
}

// A worker of it: what is in its environment, and which descriptors it has.
static void see_nothing_inherited(pid_t worker)
{
    char path[64], text[16384];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)worker);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    size_t n = fread(text, 1, sizeof text, in);
    fclose(in);
    assert_null(memmem(text, n, "LISTEN_", 7));
    assert_null(memmem(text, n, "NOTIFY_SOCKET", 13));
}

static void see_activated(char *address)
{
    int client;
    svc_prepare();
    manager_open(tr_test_path("notify"));
    int given = socket_open();
    svc_activate(address, given, "LISTEN_PID=$$; export LISTEN_PID;");
    svc_wait_ready();
    assert_int_equal(s.given_port, s.port);
    manager_hears("READY=1");
    see_nothing_inherited(child_of(s.pid, 0));
    see_drain(s.pid, SIGTERM);
    svc_expect_exit(0);
    client_open(&client); // it waits for the next one
    close(client);
    close(given);
    unlink(tr_test_path("notify"));
}

static void a_socket_that_it_was_started_with_is_served(void **state)
{
    (void)state;
    see_activated((char[]){"fd:web"});
    see_activated((char[]){"fd:3"});
}

static void see_not_given(char *address, const char *before, const char *error)
{
    char line[128];
    svc_prepare();
    int given = socket_open();
    svc_activate(address, given, before);
    snprintf(line, sizeof line, "troupe: actor.failed: actor=app error=%s", error);
    assert_int_equal(0, strncmp(line, svc_warns(), strlen(line)));
    svc_expect_exit(1);
    close(given);
}

static void what_was_given_to_another_is_not_there(void **state)
{
    (void)state;
    const char *ours = "LISTEN_PID=$$; export LISTEN_PID;";
    see_not_given((char[]){"fd:web"}, "LISTEN_PID=1; export LISTEN_PID;", "TR_ENOENT");
    see_not_given((char[]){"fd:web"}, "", "TR_ENOENT");
    see_not_given((char[]){"fd:we"}, ours, "TR_ENOENT");
    see_not_given((char[]){"fd:webs"}, ours, "TR_ENOENT");
    see_not_given((char[]){"fd:4"}, ours, "TR_ENOENT");
    see_not_given((char[]){"fd:2"}, ours, "TR_ENOENT");
    see_not_given((char[]){"fd:web"}, "LISTEN_PID=$$; export LISTEN_PID; exec 3</dev/null;",
                  "TR_EINVAL");
}

static void a_local_one_keeps_its_path(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = tr_test_path("socket");
    svc_prepare();
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int given = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(0, bind(given, (struct sockaddr *)&address, sizeof address));
    assert_int_equal(0, listen(given, 8));
    svc_activate((char[]){"fd:web"}, given, "LISTEN_PID=$$; export LISTEN_PID;");
    svc_wait_ready();
    svc_signal(SIGTERM);
    svc_expect_exit(0);
    assert_int_equal(0, access(path, F_OK));
    unlink(path);
    close(given);
}

// ---- As the first process of a container ----

static bool namespaces_are_permitted(void)
{
    pid_t pid;
    int status = -1;
    char *argv[] = {WORD("unshare") WORD("-pf") WORD("true") NULL};
    if (posix_spawnp(&pid, "unshare", NULL, NULL, argv, environ) == 0)
        waitpid(pid, &status, 0);
    return status == 0;
}

// Goal:   as process 1 it reaps orphans, keeps hearing of its own children, and ends on SIGTERM.
static void process_1_of_a_container_reaps_orphans(void **state)
{
    (void)state;
    int client;
    char line[256], path[512];
    snprintf(path, sizeof path, "%s", ipc_program("prog_service"));
    if (!namespaces_are_permitted()) {
        print_message("no PID namespace is permitted here: not tried\n");
        skip();
    }
    svc_prepare();
    svc_spawn("/usr/bin/unshare",
              (char *[]){WORD("unshare") WORD("-pf") WORD("--kill-child") path,
                         WORD("tcp://127.0.0.1:0") NULL},
              -1);
    while (s.port == 0) {
        assert_non_null(fgets(line, sizeof line, s.out));
        sscanf(line, "ready tcp://127.0.0.1:%u", &s.port);
    }
    pid_t service = child_of(s.pid, 0);
    client_open(&client);
    for (int i = 0; i < ROUNDS; i++) {
        client_send(client, 'c');
        assert_int_equal('C', client_hear(client));
    }
    client_send(client, 'a');
    assert_int_equal('A', client_hear(client));
    while (child_of(service, 'Z') != 0)
        sched_yield(); // until the last one is reaped; the test has its deadline
    close(client);
    assert_int_equal(0, kill(service, SIGTERM));
    svc_expect_exit(0);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(sigterm_under_traffic_drains),
    TR_PROCESS_TEST(ctrl_c_in_a_terminal_drains),
    TR_PROCESS_TEST(sigterm_to_the_whole_group_drains),
    TR_PROCESS_TEST(a_target_is_asked_to_drain_first),
    TR_PROCESS_TEST(a_second_signal_ends_it_at_once),
    TR_PROCESS_TEST(one_that_does_not_stop_in_time_is_ended),
    TR_PROCESS_TEST(a_failure_is_told_once_and_is_the_status),
    TR_PROCESS_TEST(a_program_chooses_its_status),
    TR_PROCESS_TEST(workers_end_by_a_second_signal_of_others),
    TR_PROCESS_TEST(a_worker_that_hangs_is_sent_sigterm_by_the_service),
    TR_PROCESS_TEST(sighup_reloads_and_the_manager_is_told),
    TR_PROCESS_TEST(sighup_may_be_left_alone),
    TR_PROCESS_TEST(a_blocked_loop_gives_no_sign_of_life),
    TR_PROCESS_TEST(anothers_watchdog_is_none_of_its),
    TR_PROCESS_TEST(a_journal_is_told_how_grave_a_line_is),
    TR_PROCESS_TEST(it_has_as_many_descriptors_as_it_may),
    TR_PROCESS_TEST(a_socket_that_it_was_started_with_is_served),
    TR_PROCESS_TEST(what_was_given_to_another_is_not_there),
    TR_PROCESS_TEST(a_local_one_keeps_its_path),
    TR_PROCESS_TEST(process_1_of_a_container_reaps_orphans),
};
TR_TEST_MAIN("ipc/service", TR_APP(NULL), tests)
