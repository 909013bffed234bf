#include "ipc/server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <troupe/test.h>
#include <unistd.h>

#include "ipc/numbered.h"
#include "ipc/raw.h"
#include "support/papers.h"

#define BURST_BYTES 65536

#define PAPERS_ENV "TROUPE_TEST_PAPERS"

// ---- Certificates ----

bool server_has_tls(const char *url)
{
    return strncmp(url, "tls", 3) == 0 || strncmp(url, "wss", 3) == 0;
}

static const char *papers_in(const char *directory, const char *name, char (*path)[256])
{
    if (directory == NULL)
        return NULL;
    snprintf(*path, sizeof *path, "%s/%s", directory, name);
    return *path;
}

const struct server_papers *server_papers(void)
{
    static struct server_papers papers;
    const char *directory = tr_test_path("papers");
    if (mkdir(directory, 0700) == 0) {
        papers_authority(directory, "ca");
        papers_sign(directory, "ca", "server");
        papers_sign(directory, "ca", "user");
        setenv(PAPERS_ENV, directory, 1);
        papers_in(directory, "ca.pem", &papers.ca);
        papers_in(directory, "user.pem", &papers.cert);
        papers_in(directory, "user.key", &papers.key);
    }
    return &papers;
}

void server_use_libnng(void)
{
    tr_node *node;
    if (tr_node_open(NULL, &node) < 0)
        abort();
    tr_node_listen(node, "nng+ipc:///nowhere/at/all");
    tr_node_close(&node);
}

// ---- The server ----

static int square_start(tr_actor *self, const tr_val *args)
{
    int64_t x;
    int rc = tr_as_int(*args, &x);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "square", TR_V(x * x));
}
static const tr_behavior square = {.name = "square", .start = square_start};

static int server_begin(tr_actor *self, const tr_val *args)
{
    tr_val path;
    tr_str text;
    char url[TR_URL_MAX];
    int rc = tr_at(*args, 1, &path);
    if (rc == 0)
        rc = tr_as_str(path, &text);
    if (rc < 0)
        return rc;
    bool whole = memmem(text.ptr, text.len, "://", 3) != NULL;
    snprintf(url, sizeof url, "%s%.*s", whole ? "" : "ipc://", TR_STR_ARG(text));
    tr_node *node = tr_node_of(self);
    bool tls = server_has_tls(url);
    const char *certs = getenv(PAPERS_ENV);
    rc = tr_node_links(
        node,
        TR_LINKS(.spawns = TR_APP(&square), .secret = tls ? NULL : SERVER_SECRET,
                 .secret_size = tls ? 0 : sizeof SERVER_SECRET - 1, .silence_ms = SERVER_SILENCE_MS,
                 .tls_ca = papers_in(tls ? certs : NULL, "ca.pem", &(char[256]){0}),
                 .tls_cert = papers_in(tls ? certs : NULL, "server.pem", &(char[256]){0}),
                 .tls_key = papers_in(tls ? certs : NULL, "server.key", &(char[256]){0})));
    if (rc == 0)
        rc = tr_node_listen(node, url);
    if (rc == 0)
        rc = tr_node_url(node, 0, url);
    if (rc == 0)
        rc = tr_register(self, "server");
    if (rc == 0)
        puts(url), fflush(stdout);
    return rc;
}

static int burst(tr_actor *self, const tr_msg *msg)
{
    int count;
    tr_addr witness;
    int rc = TR_READ(tr_msg_body(msg), "count", &count, "witness", &witness);
    enum shape shape = count < 0 ? SMALL : BUFFER;
    for (int n = 0; rc == 0 && n < abs(count); n++)
        rc = numbered_send(self, tr_msg_from(msg), shape, BURST_BYTES, (uint64_t)n);
    if (rc == 0 || rc == TR_EFULL)
        rc = tr_send(self, witness, "sent", TR_NULL);
    return rc == TR_ENOACTOR ? 0 : rc;
}

static int server_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "echo"))
        return tr_reply(self, msg, tr_msg_body(msg));
    if (tr_msg_is(msg, "burst"))
        return burst(self, msg);
    if (tr_msg_is(msg, "quit"))
        return burst(self, msg), tr_exit(self, TR_NORMAL);
    return TR_EUNKNOWN;
}
static const tr_behavior server = {
    .name = "server", .start = server_begin, .receive = server_receive};

int server_main(int argc, char **argv)
{
    if (argc != 4 || strcmp(argv[1], "--serve") != 0)
        return -1;
    prctl(PR_SET_PDEATHSIG, SIGKILL); // whatever becomes of the test
    rlim_t limit = strtoul(argv[3], NULL, 10);
    if (limit > 0)
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){limit, limit});
    return tr_main(argc, argv, TR_APP(&server));
}

// ---- Its user ----

static char url_told[TR_URL_MAX];
static const char *log_path;

void server_log(const char *path)
{
    log_path = path;
}

pid_t server_start(const char *path, unsigned descriptors)
{
    int ends[2];
    pid_t pid;
    char limit[16], place[256];
    snprintf(limit, sizeof limit, "%u", descriptors);
    snprintf(place, sizeof place, "%s", path);
    char name[] = "server", option[] = "--serve";
    char *argv[] = {name, option, place, limit, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (pipe2(ends, 0) < 0)
        abort();
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (log_path != NULL)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log_path,
                                         O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ) != 0)
        abort();
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    ssize_t n = read(ends[0], url_told, sizeof url_told - 1); // or it has failed
    if (n <= 0)
        abort();
    url_told[n - 1] = '\0';
    close(ends[0]);
    return pid;
}

const char *server_url(void)
{
    return url_told;
}

int server_stop(pid_t pid, const char *path)
{
    struct raw r;
    int status;
    raw_open(&r, -1, path);
    raw_greet(&r);
    raw_send(&r, TR_LIST((int)MESSAGE, r.actor, RAW_ACTOR, "quit",
                         TR_MAP("count", 0, "witness", TR_NOBODY)));
    raw_next_of(&r, BYE);
    raw_close(&r);
    waitpid(pid, &status, 0);
    return status;
}
