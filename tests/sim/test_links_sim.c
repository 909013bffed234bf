// Links and kills between actors on one loop, on two threads and in two processes: what holds
// wherever they live, on any schedule. Every play runs for each isolation over all seeds.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/seeds.h"
#include "support/sim_node.h"

#define SEEDS seeds_of(100)

static struct sim_nodes nodes;
static tr_isolation isolation;
static char heard[512];

static void note(const char *what, tr_reason reason)
{
    char why[64];
    size_t size = strlen(heard);
    snprintf(heard + size, sizeof heard - size, "%s%s=%s", size == 0 ? "" : " ", what,
             tr_reason_text(reason, why, sizeof why));
}

// ---- The kid: does what it is told ----

static const tr_behavior kid;

static int number_of(const tr_msg *msg)
{
    int64_t number = -1;
    tr_as_int(tr_msg_body(msg), &number);
    return (int)number;
}

static int kid_neighbour(tr_actor *self, const tr_msg *msg)
{
    tr_addr addr;
    int rc = tr_spawn(self, &kid, NULL, &addr);
    return rc < 0 ? rc : tr_send(self, tr_msg_from(msg), "neighbour", TR_V(addr));
}

static int kid_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "exit"))
        return tr_exit(self, number_of(msg));
    if (tr_msg_is(msg, "crash"))
        return sim_nodes_kill(&nodes, self, number_of(msg)), 0;
    if (tr_msg_is(msg, "link"))
        return tr_link(self, tr_msg_from(msg));
    if (tr_msg_is(msg, "unlink"))
        return tr_unlink(self, tr_msg_from(msg));
    if (tr_msg_is(msg, "kill"))
        return tr_kill(self, tr_msg_from(msg));
    if (tr_msg_is(msg, "neighbour"))
        return kid_neighbour(self, msg);
    return TR_EUNKNOWN;
}
static const tr_behavior kid = {.name = "kid", .receive = kid_receive};

// ---- The middle: one that owns a kid and is linked to it, and does not trap ----

struct play {
    int (*start)(tr_actor *self);                      // the middle's
    int (*receive)(tr_actor *self, const tr_msg *msg); // NULL: knows nothing
    bool traps;                                        // it tells the first one what it hears
};
static const struct play *play;

static int middle_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_trap_exit(self, play->traps);
    return play->start(self);
}

static int middle_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *end = tr_msg_exit(msg) != NULL ? tr_msg_exit(msg) : tr_msg_down(msg);
    if (end == NULL)
        return play->receive == NULL ? TR_EUNKNOWN : play->receive(self, msg);
    bool linked = tr_msg_exit(msg) != NULL && end->linked;
    note(linked ? "linked" : tr_msg_name(msg), end->reason);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior middle = {
    .name = "middle", .start = middle_start, .receive = middle_receive};

// ---- The first: watches the middle, and the kid when it is told of it ----

static int waits_for;

static int first_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr addr;
    int rc = tr_spawn(self, &middle, NULL, &addr);
    waits_for = 1;
    return rc < 0 ? rc : tr_monitor(self, addr, NULL);
}

static int first_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (down == NULL) {
        tr_addr addr;
        int rc = tr_as_addr(tr_msg_body(msg), &addr);
        waits_for++;
        if (rc == 0)
            rc = tr_monitor(self, addr, NULL);
        return rc < 0 ? rc : tr_send(self, tr_msg_from(msg), "watched", TR_V(addr));
    }
    note("down", down->reason);
    return --waits_for == 0 ? tr_exit(self, TR_NORMAL) : 0;
}
static const tr_behavior first = {.name = "first", .start = first_start, .receive = first_receive};

// ---- Running ----

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static uint64_t run(uint64_t seed)
{
    heard[0] = '\0';
    counted_memory_start(0);
    sim_nodes_open(&nodes, seed, TR_APP(&first, &middle, &kid));
    assert_true(sim_nodes_run(&nodes, 60));
    assert_int_equal(0, nodes.code);
    uint64_t hash = tr__sim_hash(nodes.sim);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
    return hash;
}

static void perform_in(tr_isolation where, const struct play *of, const char *words)
{
    play = of;
    isolation = where;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint64_t hash = run(seed);
        assert_string_equal(words, heard);
        assert_int_equal(hash, run(seed));
    }
}

static void perform(const struct play *of, const char *words)
{
    tr_log_set(warn_nobody, NULL);
    for (int where = TR_SHARED; where <= TR_PROCESS; where++)
        perform_in((tr_isolation)where, of, words);
}

// A kid of the isolation, linked or not, that is told one thing.
static int spawn_kid(tr_actor *self, bool linked, const char *name, int number)
{
    tr_addr addr;
    int rc = tr_spawn(self, &kid, TR_SPAWN(.isolation = isolation, .link = linked), &addr);
    return rc < 0 ? rc : tr_send(self, addr, name, TR_V(number));
}

// ---- The plays ----

static int start_error(tr_actor *self)
{
    return spawn_kid(self, true, "exit", TR_EIO);
}

static void a_linked_kid_takes_its_spawner_along(void **state)
{
    (void)state;
    perform(&(struct play){.start = start_error}, "down=error: input or output error");
}

static void a_spawner_that_traps_hears_of_its_linked_kid(void **state)
{
    (void)state;
    perform(&(struct play){.start = start_error, .traps = true},
            "linked=error: input or output error down=normal");
}

static int start_normal(tr_actor *self)
{
    return spawn_kid(self, true, "exit", TR_NORMAL);
}

static void a_normal_end_is_told_to_one_that_traps(void **state)
{
    (void)state;
    perform(&(struct play){.start = start_normal, .traps = true}, "linked=normal down=normal");
}

static int start_link_me(tr_actor *self)
{
    tr_addr addr;
    int rc = tr_spawn(self, &kid, TR_SPAWN(.isolation = isolation), &addr);
    if (rc == 0)
        rc = tr_send(self, addr, "link", TR_NULL);
    return rc < 0 ? rc : tr_send(self, addr, "exit", TR_V(TR_EIO));
}

// Goal:   the reason is the true one however soon after the wish for the link the end comes.
static void one_that_links_and_ends_at_once_takes_the_other_along(void **state)
{
    (void)state;
    perform(&(struct play){.start = start_link_me}, "down=error: input or output error");
}

static int start_kill_me(tr_actor *self)
{
    return spawn_kid(self, false, "kill", 0);
}

static void a_kill_ends_one_that_traps(void **state)
{
    (void)state;
    perform(&(struct play){.start = start_kill_me, .traps = true}, "down=killed by signal 9");
}

static int start_kill_kid(tr_actor *self)
{
    tr_addr addr;
    int rc = tr_spawn(self, &kid, TR_SPAWN(.isolation = isolation), &addr);
    if (rc == 0)
        rc = tr_monitor(self, addr, NULL);
    return rc < 0 ? rc : tr_kill(self, addr);
}

static void a_kid_that_is_killed_is_down_by_signal_9(void **state)
{
    (void)state;
    perform(&(struct play){.start = start_kill_kid}, "down=killed by signal 9 down=normal");
}

static int start_unlink(tr_actor *self)
{
    tr_addr addr;
    int rc = tr_spawn(self, &kid, TR_SPAWN(.isolation = isolation, .link = true), &addr);
    if (rc == 0)
        rc = tr_monitor(self, addr, NULL);
    if (rc == 0)
        rc = tr_unlink(self, addr);
    return rc < 0 ? rc : tr_send(self, addr, "exit", TR_V(TR_EIO));
}

static void one_that_has_unlinked_only_hears_by_its_monitor(void **state)
{
    (void)state;
    perform(&(struct play){.start = start_unlink}, "down=error: input or output error down=normal");
}

// ---- An end of the middle, which the first one sees in the kid ----

static tr_addr linked_kid;

static int start_shown(tr_actor *self)
{
    int rc = tr_spawn(self, &kid, TR_SPAWN(.isolation = isolation, .link = true), &linked_kid);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "kid", TR_V(linked_kid));
}

static int receive_watched(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    return tr_msg_is(msg, "watched") ? TR_EBADMSG : TR_EUNKNOWN;
}

static void a_spawner_takes_its_linked_kid_along(void **state)
{
    (void)state;
    perform(&(struct play){.start = start_shown, .receive = receive_watched},
            "down=error: not the document that was expected "
            "down=error: not the document that was expected");
}

// ---- Between processes alone ----

static int start_crash(tr_actor *self)
{
    return spawn_kid(self, true, "crash", SIGSEGV);
}

static void a_crash_of_a_process_is_the_reason_of_the_linked(void **state)
{
    (void)state;
    tr_log_set(warn_nobody, NULL);
    perform_in(TR_PROCESS, &(struct play){.start = start_crash}, "down=killed by signal 11");
    perform_in(TR_PROCESS, &(struct play){.start = start_crash, .traps = true},
               "linked=killed by signal 11 down=normal");
}

// Links to an actor inside of the process, which is not its own.
static const char *told;
static int told_number;

static int start_neighbour(tr_actor *self)
{
    return spawn_kid(self, false, "neighbour", 0);
}

static int receive_neighbour(tr_actor *self, const tr_msg *msg)
{
    tr_addr addr;
    int rc = tr_as_addr(tr_msg_body(msg), &addr);
    if (rc == 0)
        rc = tr_link(self, addr);
    if (rc == 0 && told == NULL)
        rc = tr_kill(self, addr);
    return rc < 0 || told == NULL ? rc : tr_send(self, addr, told, TR_V(told_number));
}

static void perform_neighbour(const char *name, int number, const char *words)
{
    told = name;
    told_number = number;
    for (int where = TR_SHARED; where <= TR_PROCESS; where++)
        perform_in((tr_isolation)where,
                   &(struct play){.start = start_neighbour, .receive = receive_neighbour}, words);
}

static void actors_inside_of_another_loop_or_node_are_linked(void **state)
{
    (void)state;
    tr_log_set(warn_nobody, NULL);
    perform_neighbour("exit", TR_EIO, "down=error: input or output error");
    perform_neighbour("exit", TR_SHUTDOWN, "down=shutdown");
    perform_neighbour(NULL, 0, "down=killed by signal 9");
}

static int start_nobody_there(tr_actor *self)
{
    tr_addr addr;
    int rc = tr_spawn(self, &kid, TR_SPAWN(.isolation = isolation), &addr);
    addr.actor += (uint64_t)1 << 40;
    return rc < 0 ? rc : tr_link(self, addr);
}

static void a_link_to_nobody_over_there_ends_with_no_actor(void **state)
{
    (void)state;
    perform(&(struct play){.start = start_nobody_there}, "down=no actor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linked_kid_takes_its_spawner_along),
        cmocka_unit_test(a_spawner_that_traps_hears_of_its_linked_kid),
        cmocka_unit_test(a_normal_end_is_told_to_one_that_traps),
        cmocka_unit_test(one_that_links_and_ends_at_once_takes_the_other_along),
        cmocka_unit_test(a_kill_ends_one_that_traps),
        cmocka_unit_test(a_kid_that_is_killed_is_down_by_signal_9),
        cmocka_unit_test(one_that_has_unlinked_only_hears_by_its_monitor),
        cmocka_unit_test(a_spawner_takes_its_linked_kid_along),
        cmocka_unit_test(a_crash_of_a_process_is_the_reason_of_the_linked),
        cmocka_unit_test(actors_inside_of_another_loop_or_node_are_linked),
        cmocka_unit_test(a_link_to_nobody_over_there_ends_with_no_actor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
