// The program of the suite in the simulated world. A player has bytes to write, and perhaps more
// where they come from: its input, or a count.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#include "conform/program_suite.h"

struct player {
    tr_world *world;
    tr_endpoint *ends[TR__STDIO]; // NULL: it is no pipe, or at its end
    char bytes[1000];
    size_t at, size; // of what is to be written
    size_t more;     // to be poured
    int code, signal;
    bool stays; // when there is nothing more to write
    bool started, left;
};

static tr_sim *machine;

static bool told_readable(void *owner)
{
    return owner != NULL;
}

static void told(void *owner)
{
    (void)owner;
}

static void player_put(struct player *p, const char *text)
{
    p->size = strlen(text);
    memcpy(p->bytes, text, p->size);
}

static void player_refill(struct player *p)
{
    const tr_world_ops *ops = p->world->ops;
    size_t size = p->more < sizeof p->bytes ? p->more : sizeof p->bytes;
    memset(p->bytes, 'y', size);
    p->at = 0;
    p->more -= size;
    p->size = size;
    if (size > 0 || p->ends[0] == NULL)
        return;
    ssize_t n = ops->endpoint_read(p->ends[0], &(tr_iov){p->bytes, sizeof p->bytes}, 1);
    p->size = n > 0 ? (size_t)n : 0;
    ops->endpoint_want(p->ends[0], n == TR_EAGAIN ? TR__READ : 0);
    if (n != TR_EAGAIN && n <= 0)
        p->ends[0] = NULL;
}

// What cannot be written for want of a pipe goes to nobody.
static void player_write(struct player *p)
{
    const tr_world_ops *ops = p->world->ops;
    ssize_t n = (ssize_t)(p->size - p->at);
    if (n > 0 && p->ends[1] != NULL)
        n = ops->endpoint_write(p->ends[1], &(tr_iov){p->bytes + p->at, (size_t)n}, 1);
    if (n > 0)
        p->at += (size_t)n;
    else if (n < 0 && n != TR_EAGAIN)
        p->left = true;
    if (p->ends[1] != NULL)
        ops->endpoint_want(p->ends[1], p->at < p->size ? TR__WRITE : 0);
}

static void player_step(void *state)
{
    struct player *p = state;
    p->world->ops->poll(p->world, p->started ? TR__NEVER : 0);
    p->started = true;
    if (p->signal != 0) {
        tr__sim_kill(machine, tr__sim_pid(p->world), p->signal);
        return;
    }
    do {
        if (p->at == p->size)
            player_refill(p);
        player_write(p);
    } while (p->at == p->size && p->size > 0 && !p->left);
    p->left |= p->at == p->size && p->more == 0 && p->ends[0] == NULL && !p->stays;
}

static uint64_t player_due(void *state)
{
    return ((struct player *)state)->started ? TR__NEVER : 0;
}

static bool player_done(void *state, int *ret_code)
{
    const struct player *p = state;
    *ret_code = p->code;
    return p->left;
}

// It hears of the signal, and that is all.
static int player_be_stubborn(struct player *p)
{
    static const tr_ear_up up = {told};
    tr_ear *ear;
    player_put(p, "ready\n");
    return p->world->ops->hear(p->world, SIGTERM, &up, p, &ear);
}

// There is room for so little.
static void player_complain(tr_world *world, tr_endpoint *to)
{
    const char text[] = "oops\n";
    for (size_t at = 0; at + 1 < sizeof text;) {
        ssize_t n = world->ops->endpoint_write(
            to, &(tr_iov){(char *)(uintptr_t)text + at, sizeof text - 1 - at}, 1);
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

static int player_take_role(struct player *p, const char *const *argv)
{
    const char *role = argv[2];
    int number = argv[3] == NULL ? 0 : atoi(argv[3]);
    p->code = strcmp(role, "exit") == 0 ? number : 0;
    p->signal = strcmp(role, "kill") == 0 ? number : 0;
    p->more = strcmp(role, "pour") == 0 ? (size_t)number : 0;
    p->stays = strcmp(role, "stubborn") == 0;
    if (strcmp(role, "cat") != 0)
        p->ends[0] = NULL;
    if (p->stays)
        return player_be_stubborn(p);
    if (strcmp(role, "say") != 0)
        return 0;
    player_put(p, "hello\n");
    if (p->ends[2] != NULL)
        player_complain(p->world, p->ends[2]);
    return 0;
}

static int player_open(tr_world *world, tr_endpoint *link, const char *const *argv,
                       const char *const *env, void *arg, void **ret_state)
{
    static const tr_endpoint_up up = {told_readable, told, told};
    struct player *p = calloc(1, sizeof *p);
    (void)link, (void)env, (void)arg;
    p->world = world;
    for (int fd = 0; fd < TR__STDIO; fd++)
        if (world->ops->borrow(world, fd, &p->ends[fd]) == 0)
            world->ops->endpoint_bind(p->ends[fd], &up, p);
    int rc = player_take_role(p, argv);
    if (rc < 0)
        free(p);
    else
        *ret_state = p;
    return rc;
}

void program_sim_add(tr_sim *sim)
{
    static const tr_sim_program player = {
        .path = "player",
        .open = player_open,
        .step = player_step,
        .due = player_due,
        .done = player_done,
        .close = free,
    };
    machine = sim;
    assert_int_equal(0, tr__sim_program_add(sim, &player));
}
