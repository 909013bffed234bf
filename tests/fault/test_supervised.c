// Goal:   a supervised tree of all isolations, with names, a group, links, asks and a follower of a
//         name, comes to its end whatever allocation fails, and what fails is told.
// Method: one program in the simulated world, under sweep.h. Its boss checks each result; where
//         nothing has said that memory is short all of it must have happened.
#include <string.h>

#include "support/cmocka.h"
#include "support/sim_node.h"
#include "support/sweep.h"

#define SEEDS 12

static struct sim_nodes nodes;
static bool told;  // that something is wrong
static bool whole; // the boss has seen all that there is to see

static int check(int rc)
{
    told |= rc < 0;
    return rc;
}

// A process whose link has been given up leaves by itself.
static void note_warning(const char *id, const char *text, void *arg)
{
    (void)id, (void)arg;
    told |= strstr(text, "TR_ENOMEM") != NULL || strstr(text, tr_strerror(TR_ENOMEM)) != NULL ||
            strstr(text, "exited with status") != NULL;
}

// ---- Kids ----

static int kid_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return check(tr_join(self, "kids"));
}

static int kid_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "fail"))
        return TR_ECANCELED;
    return check(tr_reply(self, msg, tr_msg_body(msg)));
}
static const tr_behavior kid = {.name = "kid", .start = kid_start, .receive = kid_receive};

// ---- The boss: what it does at which time, and what comes of it ----

enum { KIDS = 4 };

struct boss {
    tr_addr top;
    int called, echoed, ups;
    bool counted;
};

static int boss_supervise(tr_actor *self, tr_addr *ret_top)
{
    const tr_supervisor_spec *inner = TR_SUPERVISOR(
            .backoff_min_ms = 1,
            TR_CHILDREN(
                {.id = "thread", .behavior = &kid, .opts = TR_SPAWN(.isolation = TR_THREAD)},
                {.id = "process", .behavior = &kid, .opts = TR_SPAWN(.isolation = TR_PROCESS)}));
    const tr_supervisor_spec *outer =
        TR_SUPERVISOR(.strategy = TR_ONE_FOR_ALL, .backoff_min_ms = 1,
                      TR_CHILDREN({.id = "here", .behavior = &kid, .opts = TR_SPAWN(.name = "it")},
                                  {.id = "spread",
                                   .behavior = &kid,
                                   .opts = TR_SPAWN(.placement = TR_SPREAD, .mail_max = 8)},
                                  {.id = "inner",
                                   .supervisor = inner,
                                   .opts = TR_SPAWN(.placement = TR_SPREAD)}));
    return tr_supervise(self, outer, NULL, ret_top);
}

static void on_call(tr_actor *self, void *arg)
{
    (void)arg;
    check(tr_publish(self, "kids", "call", TR_NULL));
}

static void on_fail(tr_actor *self, void *arg)
{
    (void)arg;
    check(tr_publish(self, "kids", "fail", TR_NULL));
}

static void on_echo(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct boss *b = tr_state(self);
    (void)arg;
    b->echoed += check(answer->status) == 0;
}

static void on_found(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_addr addr;
    if (check(answer->status) == 0 && check(tr_as_addr(answer->body, &addr)) == 0)
        check(tr_ask(self, addr, "echo", TR_V(1), NULL, NULL, on_echo, arg));
}

static void on_find(tr_actor *self, void *arg)
{
    const struct boss *b = tr_state(self);
    check(tr_ask(self, b->top, "whereis", TR_V("spread"), NULL, NULL, on_found, arg));
}

static void on_counted(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct boss *b = tr_state(self);
    int64_t running = 0;
    (void)arg;
    if (check(answer->status) == 0)
        check(tr_get_int(answer->body, "running", &running));
    b->counted = running == 3;
}

static void on_count(tr_actor *self, void *arg)
{
    const struct boss *b = tr_state(self);
    check(tr_ask(self, b->top, "count", TR_NULL, NULL, NULL, on_counted, arg));
}

static void on_stop(tr_actor *self, void *arg)
{
    const struct boss *b = tr_state(self);
    (void)arg;
    if (check(tr_stop(self, b->top)) == TR_ENOMEM)
        tr_exit(self, TR_ENOMEM);
}

// Calls: before the failures and when all are there again.
static const struct {
    uint32_t at_ms;
    tr_callback cb;
} STEPS[] = {
    {50, on_call}, {100, on_find}, {150, on_fail}, {400, on_call}, {450, on_count}, {500, on_stop},
};
#define STEPS_COUNT (sizeof STEPS / sizeof *STEPS)

static int boss_start(tr_actor *self, const tr_val *args)
{
    struct boss *b = tr_state(self);
    (void)args;
    tr_trap_exit(self, true);
    int rc = check(tr_dead_letters(self, true));
    if (rc == 0)
        rc = check(tr_monitor_name(self, "it", true, NULL));
    if (rc == 0)
        rc = check(boss_supervise(self, &b->top));
    if (rc == 0)
        rc = check(tr_link(self, b->top));
    for (size_t i = 0; rc == 0 && i < STEPS_COUNT; i++)
        rc = check(tr_timer_start(self, TR_MS(STEPS[i].at_ms), STEPS[i].cb, NULL, NULL));
    return rc;
}

static int boss_exit(tr_actor *self, const tr_down *exit)
{
    told |= exit->reason.kind > TR_REASON_SHUTDOWN;
    return tr_exit(self, TR_NORMAL);
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    struct boss *b = tr_state(self);
    if (tr_msg_exit(msg) != NULL)
        return boss_exit(self, tr_msg_exit(msg));
    b->ups += tr_msg_up(msg) != NULL;
    b->called += tr_msg_is(msg, "call") && tr_msg_down(msg) == NULL;
    return 0;
}

static void boss_stop(tr_actor *self, tr_reason reason)
{
    const struct boss *b = tr_state(self);
    (void)reason;
    whole = b->called == 2 * KIDS && b->echoed == 1 && b->ups == 2 && b->counted;
}

static const tr_behavior boss = {.name = "boss",
                                 .state_size = sizeof(struct boss),
                                 .start = boss_start,
                                 .receive = boss_receive,
                                 .stop = boss_stop};

// ---- Running ----

static void run(uint64_t seed, struct sweep *sweep)
{
    told = whole = false;
    sim_nodes_open(&nodes, seed, TR_APP(&boss, &kid));
    nodes.loops = 2;
    sweep_begin(sweep);
    bool ended = sim_nodes_run(&nodes, 60);
    sim_nodes_close(&nodes);
    told |= nodes.dead_letters > 0 || nodes.code != 0;
    if (!ended || (!told && !whole))
        print_error("seed %d, allocation %zu of %zu%s\n", (int)seed, sweep->nth, sweep->count,
                    sweep->lasting ? " and all behind" : "");
    assert_true(ended);
    assert_true(sweep->nth > 0 ? told || whole : whole && !told);
    sweep_end(sweep);
}

static void a_tree_without_memory_ends_and_tells(void **state)
{
    struct sweep sweep = {0};
    (void)state;
    tr_log_set(note_warning, NULL);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        while (sweep_next(&sweep))
            run(seed, &sweep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_tree_without_memory_ends_and_tells)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
