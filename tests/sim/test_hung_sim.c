// Processes that hang, in a simulated machine: those that were stopped, and programs that write to
// their pulse what they like. (What real loops do: ipc/hung.) Over seeds, with virtual time.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/node.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/seeds.h"
#include "support/sim_node.h"

#define SEEDS   seeds_of(50)
#define HUNG_MS 100u
#define LONG_MS (10 * HUNG_MS)

static struct sim_nodes nodes;
static char heard[256], warned[256];
static uint64_t born, ended;

// ---- A child that does little, and one that stops itself ----

static void child_done(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static int child_start(tr_actor *self, const tr_val *args)
{
    bool stops = false;
    tr_as_bool(*args, &stops);
    if (stops)
        return tr_send(self, tr_self(self), "stop", TR_NULL);
    return tr_timer_start(self, TR_MS(LONG_MS), child_done, NULL, NULL);
}

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    if (!tr_msg_is(msg, "stop"))
        return TR_EUNKNOWN;
    sim_nodes_kill(&nodes, self, SIGSTOP);
    return 0;
}
static const tr_behavior child = {.name = "child", .start = child_start, .receive = child_receive};

// ---- A program that knows nothing of troupe but its pulse ----

static struct foreign {
    tr_world *world;
    tr_endpoint *pulse;
    const char *says; // at each step a byte of it
    size_t size;
} foreign;

static int foreign_open(tr_world *world, tr_endpoint *link, const char *const *argv,
                        const char *const *env, void *arg, void **ret_state)
{
    (void)link, (void)argv, (void)arg;
    bool told = false;
    for (; *env != NULL; env++)
        told |= strcmp(*env, "TROUPE_PULSE=4:100") == 0;
    assert_true(told);
    foreign.world = world;
    assert_int_equal(0, world->ops->borrow(world, TR__PULSE_FD, &foreign.pulse));
    *ret_state = &foreign;
    return 0;
}

static void foreign_step(void *state)
{
    const tr_world_ops *ops = foreign.world->ops;
    (void)state;
    if (foreign.says != NULL && foreign.size == 0) {
        ops->endpoint_close(foreign.pulse);
        foreign.says = NULL;
    }
    if (foreign.says != NULL) {
        const tr_iov iov = {(void *)(uintptr_t)foreign.says++, 1};
        ssize_t n = ops->endpoint_write(foreign.pulse, &iov, 1);
        assert_true(n == 1 || n == TR_EPIPE); // nobody listens any more
        foreign.size -= foreign.size == SIZE_MAX ? 0 : 1;
        if (*foreign.says == '\0' && foreign.size == SIZE_MAX)
            foreign.says = NULL; // and it stays open
    }
    ops->poll(foreign.world, foreign.says == NULL ? TR__NEVER : 0);
}

static uint64_t foreign_due(void *state)
{
    (void)state;
    return foreign.says == NULL ? TR__NEVER : 0;
}

static bool foreign_done(void *state, int *ret_code)
{
    (void)state, (void)ret_code;
    return false;
}

static void foreign_close(void *state)
{
    (void)state;
}

static const tr_sim_program foreign_program = {
    .path = "foreign",
    .open = foreign_open,
    .step = foreign_step,
    .due = foreign_due,
    .done = foreign_done,
    .close = foreign_close,
};

// ---- The first actor: spawns one of them, waits for its end, or ends it after a long time ----

static struct {
    bool stops, forks;
} play;
static tr_addr kid;

static void first_kills(tr_actor *self, void *arg)
{
    (void)arg;
    tr_kill(self, kid);
}

static int first_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    born = tr_now(self);
    int rc = play.forks ? tr_fork(self, "foreign", TR_SPAWN(.hung_ms = HUNG_MS), &kid)
                        : tr_spawn(self, &child,
                                   TR_SPAWN(.isolation = TR_PROCESS, .hung_ms = HUNG_MS,
                                            .args = tr_val_bool(play.stops)),
                                   &kid);
    if (rc == 0)
        rc = tr_monitor(self, kid, NULL);
    return rc < 0 ? rc : tr_timer_start(self, TR_MS(2 * LONG_MS), first_kills, NULL, NULL);
}

static int first_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    char why[64];
    if (down == NULL)
        return TR_EUNKNOWN;
    ended = tr_now(self);
    snprintf(heard, sizeof heard, "%s: %s", tr_reason_text(down->reason, why, sizeof why),
             down->hung);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior first = {.name = "first", .start = first_start, .receive = first_receive};

static void keep_warning(const char *id, const char *text, void *arg)
{
    (void)arg;
    snprintf(warned, sizeof warned, "%s: %s", id, text);
}

static void run(uint64_t seed)
{
    heard[0] = warned[0] = '\0';
    counted_memory_start(0);
    sim_nodes_open(&nodes, seed, TR_APP(&first, &child));
    assert_int_equal(0, tr__sim_program_add(nodes.sim, &foreign_program));
    assert_true(sim_nodes_run(&nodes, 60));
    assert_int_equal(0, nodes.code);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
}

static void see_child(bool stops, const char *expected)
{
    tr_log_set(keep_warning, NULL);
    play.forks = false;
    play.stops = stops;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        run(seed);
        assert_string_equal(expected, heard);
    }
}

static void one_that_lives_is_left_alone(void **state)
{
    (void)state;
    see_child(false, "normal: ");
    assert_string_equal("", warned);
}

static void one_that_was_stopped_is_killed(void **state)
{
    (void)state;
    see_child(true, "killed by signal 9: ms=100 no sign of life");
    assert_in_range(ended - born, TR_MS(HUNG_MS), TR_MS(2 * HUNG_MS));
    assert_non_null(strstr(warned, "child.hung: pid="));
}

// size: SIZE_MAX: a text, after which the pulse stays open
static void see_foreign(const char *says, size_t size, const char *expected)
{
    tr_log_set(keep_warning, NULL);
    play.forks = true;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        foreign = (struct foreign){.says = says, .size = size};
        run(seed);
        assert_string_equal(expected, heard);
    }
}

#define KILLED_BY_US "killed by signal 9: "

static void one_that_never_gave_a_sign_is_left_alone(void **state)
{
    (void)state;
    see_foreign(NULL, 0, KILLED_BY_US);
}

static void one_that_gave_one_sign_and_no_more_is_killed(void **state)
{
    (void)state;
    see_foreign("\xc0", SIZE_MAX, KILLED_BY_US "ms=100 no sign of life");
}

static void one_that_has_closed_its_pulse_is_left_alone(void **state)
{
    (void)state;
    see_foreign("\xc0\xc0", 2, KILLED_BY_US);
    assert_string_equal("", warned);
}

static void one_that_names_what_does_not_return_is_killed(void **state)
{
    (void)state;
    see_foreign("\xc0\x94\xcc\x96\x07\xa3js\n\xa4spin", SIZE_MAX,
                KILLED_BY_US "ms=150 behavior=js? message=spin");
    assert_non_null(strstr(warned, "ms=150 behavior=js? message=spin"));
}

static void what_has_not_lasted_long_enough_is_a_sign_of_life(void **state)
{
    (void)state;
    see_foreign("\x94\x32\x07\xa2js\xa4spin", SIZE_MAX, KILLED_BY_US "ms=100 no sign of life");
}

static void one_that_writes_something_else_is_told_and_left_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x01", "\xa2hi", "\x93\x01\x01\x01", "\x94\x01\x01\x01\x01"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        see_foreign(bad[i], SIZE_MAX, KILLED_BY_US);
        assert_non_null(strstr(warned, "child.pulse: pid="));
    }
}

static void a_document_without_an_end_is_no_report(void **state)
{
    (void)state;
    static char endless[600];
    memset(endless, 'x', sizeof endless - 1);
    endless[0] = '\xda'; // text of 0x7878 bytes
    see_foreign(endless, SIZE_MAX, KILLED_BY_US);
    assert_non_null(strstr(warned, "child.pulse: pid="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_lives_is_left_alone),
        cmocka_unit_test(one_that_was_stopped_is_killed),
        cmocka_unit_test(one_that_never_gave_a_sign_is_left_alone),
        cmocka_unit_test(one_that_gave_one_sign_and_no_more_is_killed),
        cmocka_unit_test(one_that_has_closed_its_pulse_is_left_alone),
        cmocka_unit_test(one_that_names_what_does_not_return_is_killed),
        cmocka_unit_test(what_has_not_lasted_long_enough_is_a_sign_of_life),
        cmocka_unit_test(one_that_writes_something_else_is_told_and_left_alone),
        cmocka_unit_test(a_document_without_an_end_is_no_report),
    };
    return cmocka_run_group_tests_name("sim/hung", tests, NULL, NULL);
}
