// The simulated world keeps the contract of every world: over many seeds, with pipes that are
// slow, short, and deliver in parts.
#include "conform/world_suite.h"
#include "sim/sim.h"
#include "support/seeds.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#define SEEDS seeds_of(16)

static tr_sim *sim;
static uint64_t seed;

static void must(int rc)
{
    if (rc == 0)
        return;
    fprintf(stderr, "the simulator cannot: %s\n", tr_strerror(rc));
    abort();
}

// ---- The program that plays the roles of world_suite.h ----

struct player {
    tr_world *world;
    tr_endpoint *in, *out;          // the link, or standard ones
    void (*play)(struct player *p); // after each poll
    int number;
    bool started, left;
    unsigned char bytes[1000];
    size_t at, size; // of what was read and is not written back yet
};

static void exit_play(struct player *p)
{
    p->left = true;
}

static void signal_play(struct player *p)
{
    tr__sim_kill(sim, tr__sim_pid(p->world), p->number);
}

static void echo_play(struct player *p)
{
    tr_iov whole = {p->bytes, sizeof p->bytes}, rest = {p->bytes + p->at, p->size - p->at};
    ssize_t n;
    if (rest.len > 0) {
        n = p->world->ops->endpoint_write(p->out, &rest, 1);
        p->at += n > 0 ? (size_t)n : 0;
    } else {
        n = p->world->ops->endpoint_read(p->in, &whole, 1);
        p->at = 0;
        p->size = n > 0 ? (size_t)n : 0;
    }
    p->left = n <= 0 && n != TR_EAGAIN;
    bool full = p->at < p->size;
    p->world->ops->endpoint_want(full ? p->in : p->out, 0); // which may be one
    p->world->ops->endpoint_want(full ? p->out : p->in, full ? TR__WRITE : TR__READ);
}

static void last_words_play(struct player *p)
{
    tr_iov words = {p->bytes, LAST_WORDS - p->size};
    memset(p->bytes, 'w', sizeof p->bytes);
    if (words.len > sizeof p->bytes)
        words.len = sizeof p->bytes;
    ssize_t n = p->world->ops->endpoint_write(p->out, &words, 1);
    p->size += n > 0 ? (size_t)n : 0;
    p->world->ops->endpoint_want(p->out, TR__WRITE);
    if (p->size == LAST_WORDS)
        tr__sim_kill(sim, tr__sim_pid(p->world), SIGKILL);
}

static bool player_readable(void *owner)
{
    return owner != NULL;
}

static void player_told(void *owner)
{
    (void)owner;
}

// What cat does at first.
static void player_take_stdio(struct player *p)
{
    tr_endpoint *errors;
    const tr_world_ops *ops = p->world->ops;
    must(ops->borrow(p->world, 0, &p->in));
    must(ops->borrow(p->world, 1, &p->out));
    must(ops->borrow(p->world, 2, &errors));
    must(ops->endpoint_write(errors, &(tr_iov){(char[]){'e'}, 1}, 1) == 1 ? 0 : TR_EIO);
}

static int player_open(tr_world *world, tr_endpoint *link, const char *const *argv,
                       const char *const *env, void *arg, void **ret_state)
{
    static const tr_endpoint_up up = {player_readable, player_told, player_told};
    static const struct {
        const char *name;
        void (*play)(struct player *p);
    } roles[] = {{"exit:", exit_play},
                 {"signal:", signal_play},
                 {"echo", echo_play},
                 {"cat", echo_play},
                 {"last-words", last_words_play}};
    struct player *p = calloc(1, sizeof *p);
    (void)env;
    (void)arg;
    p->world = world;
    p->in = p->out = link;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        size_t size = strlen(roles[i].name);
        if (strncmp(argv[1], roles[i].name, size) != 0)
            continue;
        p->play = roles[i].play;
        p->number = atoi(argv[1] + size);
    }
    if (strcmp(argv[1], "cat") == 0)
        player_take_stdio(p);
    if (p->in != NULL) {
        world->ops->endpoint_bind(p->in, &up, p);
        world->ops->endpoint_bind(p->out, &up, p);
    }
    *ret_state = p;
    return 0;
}

static void player_step(void *state)
{
    struct player *p = state;
    p->world->ops->poll(p->world, TR__NEVER);
    p->started = true;
    p->play(p);
}

static uint64_t player_due(void *state)
{
    return ((struct player *)state)->started ? TR__NEVER : 0;
}

static bool player_done(void *state, int *ret_code)
{
    struct player *p = state;
    *ret_code = p->play == exit_play ? p->number : 0;
    return p->left;
}

static const tr_sim_program player = {
    .path = "player",
    .open = player_open,
    .step = player_step,
    .due = player_due,
    .done = player_done,
    .close = free,
};

// ---- The harness ----

static tr_world *sim_world_open(void)
{
    tr_world *world = NULL;
    must(tr__sim_open(seed, &sim));
    must(tr__sim_program_add(sim, &player));
    must(tr__sim_world(sim, &world));
    tr__sim_set_whole(sim, seed % 4 == 0);
    tr__sim_set_delay(sim, seed % 5 == 0 ? 0 : 1000u << seed % 16);
    if (seed % 2 == 0)
        tr__sim_set_capacity(sim, LAST_WORDS);
    return world;
}

static void sim_world_close(tr_world **world)
{
    (*world)->ops->close(world);
    tr__sim_close(&sim);
}

static void sim_world_pair(tr_world *world, tr_endpoint **ret_a, tr_endpoint **ret_b)
{
    must(tr__sim_pipe(world, world, ret_a, ret_b));
}

static void sim_world_signal(tr_world *world, int signum)
{
    must(tr__sim_signal(sim, tr__sim_pid(world), signum));
}

static const tr_program *sim_world_program(tr_world *world, const char *role)
{
    static const char *argv[3], *env[1];
    static tr_program program;
    (void)world;
    argv[0] = strcmp(role, "missing") == 0 ? "missing" : "player";
    argv[1] = role;
    program = (tr_program){.path = argv[0], .argv = argv, .env = env};
    return &program;
}

int main(void)
{
    static const tr_site sites[] = {
        {.name = "/simulated"}, {.tcp = true, .name = "127.0.0.1"}, {.tcp = true, .name = "::1"}};
    int failed = 0;
    for (seed = 0; seed < SEEDS && failed == 0; seed++) {
        char name[32];
        snprintf(name, sizeof name, "sim, seed %d", (int)seed);
        const struct world_harness harness = {
            .name = name,
            .open = sim_world_open,
            .close = sim_world_close,
            .pair = sim_world_pair,
            .program = sim_world_program,
            .signal = sim_world_signal,
            .sites = sites,
            .site_count = 3,
        };
        failed = world_suite(&harness);
    }
    return failed;
}
