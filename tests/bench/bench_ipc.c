// troupe's side of `./dev bench ipc`: `bench_ipc FIGURE`, as ipc.sh describes it. Plain use of the
// public API: documents are packed and read on both sides, a large message is an attached buffer.
//
// With BENCH_LISTEN in the environment, a url, it is that of `./dev bench link`: it listens there,
// and what it starts is a program that dials it, `bench_ipc join URL COUNT`.
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <troupe.h>
#include <unistd.h>

#include "bench.h"

#define SPAWNS    21u
#define WARM_UP   1000u
#define LARGE_MAX 0x100000u

struct figure {
    const char *name;
    const char *key; // of a rate
    uint64_t count;
    size_t size; // of a large message's buffer
};

static const struct figure figures[] = {
    {"rtt", NULL, 10000, 0},
    {"oneway", "oneway_kps", 5000000, 0},
    {"pipeline", "pipeline_kps", 2000000, 0},
    {"large64k", "mbps_64k", 20000, 0x10000},
    {"large1m", "mbps_1m", 1500, 0x100000},
    {"spawn", NULL, 0, 0},
    {"memory", NULL, 0, 0},
};

static const struct figure *figure_named(tr_val name)
{
    tr_str text;
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (tr_as_str(name, &text) == 0 && tr_str_eq(text, figures[i].name))
            return &figures[i];
    }
    return NULL;
}

static void check_small(const tr_msg *msg, const char *key, size_t size, char first)
{
    tr_str text;
    bench_must(tr_get_str(tr_msg_body(msg), key, &text) == 0);
    bench_must(text.len == size && text.ptr[0] == first);
}

static void check_large(const tr_msg *msg, size_t size)
{
    bench_must(tr_msg_buf_count(msg) == 1);
    const char *bytes = tr_buf_data(tr_msg_buf(msg, 0));
    bench_must(tr_buf_size(tr_msg_buf(msg, 0)) == size && bytes[0] == 'x' &&
               bytes[size - 1] == 'x');
}

// ---- The child: answers requests, counts what pours in ----

struct child {
    uint64_t taken, count; // of what pours in
};

static int child_start(tr_actor *self, const tr_val *args)
{
    struct child *c = tr_state(self);
    bench_pin_child();
    bench_must(tr_as_uint(*args, &c->count) == 0);
    return tr_send(self, tr_parent(self), "ready", tr_val_int(getpid()));
}

static int child_poured(tr_actor *self, const tr_msg *msg)
{
    struct child *c = tr_state(self);
    if (++c->taken < c->count)
        return 0;
    c->taken = 0;
    return tr_send(self, tr_msg_from(msg), "done", TR_NULL);
}

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "large")) {
        check_large(msg, tr_buf_size(tr_msg_buf(msg, 0)));
        return child_poured(self, msg);
    }
    check_small(msg, "hello", 5, 'w');
    if (tr_msg_is(msg, "pour"))
        return child_poured(self, msg);
    return tr_reply(self, msg, TR_MAP("response", "Hello back!"));
}
static const tr_behavior child = {.name = "child",
                                  .state_size = sizeof(struct child),
                                  .start = child_start,
                                  .receive = child_receive};

// ---- A program that dials, in its place ----

static int join_links(tr_actor *self)
{
    static char ca[512], cert[512], key[512];
    static const char secret[] = "as good as any for this";
    const char *papers = getenv("BENCH_PAPERS");
    tr_link_opts opts = {.size = sizeof opts, .secret = secret, .secret_size = sizeof secret};
    if (papers != NULL) {
        snprintf(ca, sizeof ca, "%s/ca.pem", papers);
        snprintf(cert, sizeof cert, "%s/node.pem", papers);
        snprintf(key, sizeof key, "%s/node.key", papers);
        opts.tls_ca = ca, opts.tls_cert = cert, opts.tls_key = key, opts.tls_name = "node.test";
    }
    return tr_node_links(tr_node_of(self), &opts);
}

// Its arguments: "join", the url, the count.
static int joiner_start(tr_actor *self, const tr_val *args)
{
    struct child *c = tr_state(self);
    char url[TR_URL_MAX];
    tr_val url_arg, count_arg;
    tr_str text, count;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_pin_child();
    bench_must(tr_at(*args, 1, &url_arg) == 0 && tr_as_str(url_arg, &text) == 0);
    bench_must(tr_at(*args, 2, &count_arg) == 0 && tr_as_str(count_arg, &count) == 0);
    c->count = strtoull(count.ptr, NULL, 10);
    snprintf(url, sizeof url, "%.*s", TR_STR_ARG(text));
    bench_must(join_links(self) == 0 && tr_node_watch(self, true) == 0);
    return tr_node_dial(tr_node_of(self), url, NULL);
}

static int joiner_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr parent;
    if (tr_msg_is(msg, "node down"))
        return tr_exit(self, TR_NORMAL);
    if (!tr_msg_is(msg, "node up"))
        return child_receive(self, msg);
    bench_must(TR_READ(tr_msg_body(msg), "addr", &parent) == 0);
    return tr_send(self, parent, "ready", tr_val_int(getpid()));
}
static const tr_behavior joiner = {.name = "joiner",
                                   .state_size = sizeof(struct child),
                                   .start = joiner_start,
                                   .receive = joiner_receive};

// ---- The parent ----

struct parent {
    const struct figure *figure;
    tr_addr child;
    pid_t pid; // the child's
    tr_buf *large;
    uint64_t count, sent, got;
    uint64_t start;
    uint64_t *samples;
    unsigned round;
};

extern char **environ;

static int parent_listen(tr_actor *self, const char *url)
{
    struct parent *p = tr_state(self);
    char where[TR_URL_MAX], count[24];
    char *argv[] = {(char *)"bench_ipc", (char *)"join", where, count, NULL};
    tr_node *node = tr_node_of(self);
    bench_must(join_links(self) == 0);
    bench_must(tr_node_listen(node, url) == 0 && tr_node_url(node, 0, where) == 0);
    snprintf(count, sizeof count, "%llu", (unsigned long long)p->count);
    bench_must(posix_spawn(&p->pid, "/proc/self/exe", NULL, NULL, argv, environ) == 0);
    return 0;
}

static int parent_spawn(tr_actor *self)
{
    struct parent *p = tr_state(self);
    const char *url = getenv("BENCH_LISTEN");
    p->start = bench_now_ns();
    if (url != NULL)
        return parent_listen(self, url);
    return tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS, .args = tr_val_uint(p->count)),
                    &p->child);
}

static int send_small(tr_actor *self, const char *name)
{
    struct parent *p = tr_state(self);
    return tr_send(self, p->child, name, TR_MAP("hello", "world"));
}

static int send_large(tr_actor *self)
{
    struct parent *p = tr_state(self);
    tr_msg *msg = NULL;
    tr_buf *buf = tr_buf_ref(p->large);
    int rc = tr_msg_new("large", TR_NULL, &msg);
    if (rc == 0)
        rc = tr_msg_attach(msg, &buf);
    if (rc == 0)
        rc = tr_send_msg(self, p->child, &msg);
    tr_buf_unref(&buf);
    tr_msg_free(&msg);
    return rc;
}

// Send until the window is full, and go on when there is room.
static void pour(tr_actor *self, void *arg)
{
    struct parent *p = tr_state(self);
    int rc = 0;
    while (p->sent < p->count && rc == 0) {
        rc = p->large != NULL ? send_large(self) : send_small(self, "pour");
        p->sent += rc == 0;
    }
    bench_must(rc == 0 || rc == TR_EFULL);
    if (rc == TR_EFULL)
        bench_must(tr_on_writable(self, p->child, pour, arg) == 0);
}

static int round_start(tr_actor *self)
{
    struct parent *p = tr_state(self);
    p->start = bench_now_ns();
    p->sent = p->got = 0;
    if (strcmp(p->figure->name, "pipeline") != 0) {
        pour(self, NULL);
        return 0;
    }
    int rc = 0;
    for (; rc == 0 && p->sent < BENCH_WINDOW && p->sent < p->count; p->sent++)
        rc = send_small(self, "ask");
    return rc;
}

// Two rounds, and the second one counts: the first one warms up.
static int round_end(tr_actor *self)
{
    struct parent *p = tr_state(self);
    double per_s = (double)p->count * 1e9 / (double)(bench_now_ns() - p->start);
    if (++p->round < 2)
        return round_start(self);
    double value = p->figure->size == 0 ? per_s / 1e3 : per_s * (double)p->figure->size / 1e6;
    bench_emit(p->figure->key, value);
    return tr_exit(self, TR_NORMAL);
}

static int rtt_ask(tr_actor *self)
{
    struct parent *p = tr_state(self);
    p->start = bench_now_ns();
    return send_small(self, "ask");
}

static int rtt_answered(tr_actor *self)
{
    struct parent *p = tr_state(self);
    uint64_t ns = bench_now_ns() - p->start;
    if (p->got >= WARM_UP)
        p->samples[p->got - WARM_UP] = ns;
    if (++p->got < p->count + WARM_UP)
        return rtt_ask(self);
    bench_emit("rtt_p50_us", (double)bench_percentile(p->samples, p->count, 50) / 1e3);
    bench_emit("rtt_p99_us", (double)bench_percentile(p->samples, p->count, 99) / 1e3);
    return tr_exit(self, TR_NORMAL);
}

static int pipeline_answered(tr_actor *self)
{
    struct parent *p = tr_state(self);
    p->got++;
    if (p->got == p->count)
        return round_end(self);
    if (p->sent == p->count)
        return 0;
    p->sent++;
    return send_small(self, "ask");
}

static int spawned(tr_actor *self)
{
    struct parent *p = tr_state(self);
    p->samples[p->got++] = bench_now_ns() - p->start;
    int rc = tr_stop(self, p->child);
    if (rc < 0 || p->got < SPAWNS)
        return rc < 0 ? rc : parent_spawn(self);
    bench_emit("spawn_ms", (double)bench_percentile(p->samples, SPAWNS, 50) / 1e6);
    return tr_exit(self, TR_NORMAL);
}

static int parent_ready(tr_actor *self, const tr_msg *msg)
{
    struct parent *p = tr_state(self);
    int64_t pid;
    bench_must(tr_as_int(tr_msg_body(msg), &pid) == 0);
    p->pid = (pid_t)pid;
    p->child = tr_msg_from(msg);
    if (strcmp(p->figure->name, "spawn") == 0)
        return spawned(self);
    if (p->figure->key != NULL)
        return round_start(self);
    return rtt_ask(self);
}

static int parent_answered(tr_actor *self)
{
    struct parent *p = tr_state(self);
    if (strcmp(p->figure->name, "pipeline") == 0)
        return pipeline_answered(self);
    if (strcmp(p->figure->name, "rtt") == 0)
        return rtt_answered(self);
    bench_emit_memory(p->pid);
    return tr_exit(self, TR_NORMAL);
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "ready"))
        return parent_ready(self, msg);
    if (tr_msg_is(msg, "done"))
        return round_end(self);
    check_small(msg, "response", 11, 'H');
    return parent_answered(self);
}

static int parent_start(tr_actor *self, const tr_val *args)
{
    struct parent *p = tr_state(self);
    tr_val name;
    if (tr_at(*args, 0, &name) < 0 || (p->figure = figure_named(name)) == NULL) {
        fputs("usage: bench_ipc FIGURE\n", stderr);
        return TR_EINVAL;
    }
    p->count = bench_count(p->figure->count);
    size_t samples = p->count < SPAWNS ? SPAWNS : p->count;
    p->samples = calloc(samples, sizeof *p->samples);
    bench_must(p->samples != NULL);
    if (p->figure->size > 0) {
        bench_must(tr_buf_new(p->figure->size, &p->large) == 0);
        memset(tr_buf_data(p->large), 'x', p->figure->size);
    }
    return parent_spawn(self);
}

static void parent_stop(tr_actor *self, tr_reason reason)
{
    (void)reason;
    struct parent *p = tr_state(self);
    free(p->samples);
    tr_buf_unref(&p->large);
}
static const tr_behavior parent = {.name = "parent",
                                   .state_size = sizeof(struct parent),
                                   .start = parent_start,
                                   .receive = parent_receive,
                                   .stop = parent_stop};

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "join") == 0)
        return tr_main(argc, argv, TR_APP(&joiner));
    return tr_main(argc, argv, TR_APP(&parent, &child));
}
