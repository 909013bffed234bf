// Measures a peer: `prog FIGURE` is the parent; it starts `prog FIGURE ADDRESS`, the child. Both
// know the counts. Every child first says that it is there, so that its start is in no figure but
// "spawn". The rates run twice and the second time counts: the first one warms up.
//
// The parent kills and reaps its child, which otherwise waits for ever, and leaves by _exit:
// closing may deadlock in the library under test.
#include "peer.h"

#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SPAWNS    21u
#define WARM_UP   1000u
#define LARGE_MAX 0x100000u
#define REQUEST   "{\"hello\":\"world\"}"
#define REPLY     "{\"response\":\"Hello back!\"}"

extern char **environ;

const peer_msg peer_request = {REQUEST, sizeof REQUEST - 1};
const peer_msg peer_reply = {REPLY, sizeof REPLY - 1};

struct figure {
    const char *name;
    void (*parent)(const struct figure *figure);
    void (*child)(const struct figure *figure);
    const uint64_t *count;
    size_t size;     // of a large message; 0: the request
    const char *key; // of a rate
};

static pid_t child;

static void child_start(const struct figure *figure)
{
    char address[PEER_ADDRESS_MAX];
    int inherited = peer_open(address);
    char *argv[] = {(char *)"peer", (char *)figure->name, address, NULL};
    bench_must(posix_spawn(&child, "/proc/self/exe", NULL, NULL, argv, environ) == 0);
    if (inherited >= 0)
        close(inherited);
    peer_expect(peer_reply);
}

static void child_end(void)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static peer_msg figure_message(const struct figure *figure)
{
    static char large[LARGE_MAX];
    if (figure->size == 0)
        return peer_request;
    memset(large, 'x', figure->size);
    return (peer_msg){large, figure->size};
}

static uint64_t round_trip_ns(void)
{
    uint64_t start = bench_now_ns();
    peer_send(peer_request);
    peer_expect(peer_reply);
    return bench_now_ns() - start;
}

static void rtt_parent(const struct figure *figure)
{
    size_t count = bench_count(*figure->count);
    uint64_t *samples = calloc(count, sizeof *samples);
    bench_must(samples != NULL);
    child_start(figure);
    for (unsigned i = 0; i < WARM_UP; i++)
        round_trip_ns();
    for (size_t i = 0; i < count; i++)
        samples[i] = round_trip_ns();
    child_end();
    bench_emit("rtt_p50_us", (double)bench_percentile(samples, count, 50) / 1e3);
    bench_emit("rtt_p99_us", (double)bench_percentile(samples, count, 99) / 1e3);
}

static void rtt_child(const struct figure *figure)
{
    (void)figure;
    for (;;) {
        peer_expect(peer_request);
        peer_send(peer_reply);
    }
}

// Thousands of messages a second, or for large ones millions of bytes.
static void emit_rate(const struct figure *figure, uint64_t count, uint64_t ns)
{
    double per_s = (double)count * 1e9 / (double)ns;
    bench_emit(figure->key, figure->size == 0 ? per_s / 1e3 : per_s * (double)figure->size / 1e6);
}

static void oneway_parent(const struct figure *figure)
{
    uint64_t count = bench_count(*figure->count), ns = 0;
    peer_msg msg = figure_message(figure);
    child_start(figure);
    for (int round = 0; round < 2; round++) {
        uint64_t start = bench_now_ns();
        peer_pour(msg, count);
        peer_expect(peer_reply);
        ns = bench_now_ns() - start;
    }
    child_end();
    emit_rate(figure, count, ns);
}

static void oneway_child(const struct figure *figure)
{
    uint64_t count = bench_count(*figure->count);
    peer_msg msg = figure_message(figure);
    for (;;) {
        peer_take(msg, count);
        peer_send(peer_reply);
    }
}

static void pipeline_parent(const struct figure *figure)
{
    uint64_t count = bench_count(*figure->count), ns = 0;
    child_start(figure);
    for (int round = 0; round < 2; round++) {
        uint64_t start = bench_now_ns();
        peer_ask(count);
        ns = bench_now_ns() - start;
    }
    child_end();
    emit_rate(figure, count, ns);
}

static void pipeline_child(const struct figure *figure)
{
    (void)figure;
    peer_answer();
}

static void spawn_parent(const struct figure *figure)
{
    uint64_t samples[SPAWNS];
    for (unsigned i = 0; i < SPAWNS; i++) {
        uint64_t start = bench_now_ns();
        child_start(figure);
        samples[i] = bench_now_ns() - start;
        child_end();
    }
    bench_emit("spawn_ms", (double)bench_percentile(samples, SPAWNS, 50) / 1e6);
}

static void memory_parent(const struct figure *figure)
{
    child_start(figure);
    round_trip_ns();
    bench_emit_memory(child);
    child_end();
}

static const struct figure figures[] = {
    {"rtt", rtt_parent, rtt_child, &peer_counts.rtt, 0, NULL},
    {"oneway", oneway_parent, oneway_child, &peer_counts.oneway, 0, "oneway_kps"},
    {"pipeline", pipeline_parent, pipeline_child, &peer_counts.pipeline, 0, "pipeline_kps"},
    {"large64k", oneway_parent, oneway_child, &peer_counts.large64k, 0x10000, "mbps_64k"},
    {"large1m", oneway_parent, oneway_child, &peer_counts.large1m, LARGE_MAX, "mbps_1m"},
    {"spawn", spawn_parent, rtt_child, NULL, 0, NULL},
    {"memory", memory_parent, rtt_child, NULL, 0, NULL},
};

static const struct figure *figure_find(const char *name)
{
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        if (strcmp(figures[i].name, name) == 0)
            return &figures[i];
    }
    return NULL;
}

static void child_main(const struct figure *figure, const char *address)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_pin_child();
    peer_join(address);
    peer_send(peer_reply);
    figure->child(figure);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0)
        return puts(peer_version()) < 0;
    const struct figure *figure = argc >= 2 ? figure_find(argv[1]) : NULL;
    if (figure == NULL)
        return fputs("usage: prog FIGURE | version\n", stderr), 2;
    if (argc == 3)
        child_main(figure, argv[2]);
    figure->parent(figure);
    _exit(0);
}
