// Goal:   whatever allocation fails, in the parent or in a child, nothing crashes, hangs or leaks.
// Method: two children that are introduced at the same time say all that can be said, and a third
//         one that is killed in the midst of it, in the simulated machine; see support/sweep.h. What
//         comes of it is not compared, once memory has failed.
#include <signal.h>

#include "support/cmocka.h"
#include "support/handles.h"
#include "support/sim_node.h"
#include "support/sweep.h"

enum { KIDS = 3 };

static struct sim_nodes nodes;
static unsigned got, answered, downs, taken;

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

// ---- A kid ----

static void kid_answered(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    answered += answer->status == 0;
}

static void kid_crash(tr_actor *self, void *arg)
{
    (void)arg;
    sim_nodes_kill(&nodes, self, SIGKILL);
}

static int kid_start(tr_actor *self, const tr_val *args)
{
    uint64_t number;
    int rc = tr_as_uint(*args, &number);
    if (rc == 0 && number == 0)
        rc = tr_timer_start(self, TR_US(300), kid_crash, NULL, NULL);
    return rc;
}

static int kid_meet(tr_actor *self, tr_addr to)
{
    int rc = tr_send(self, to, "hello", TR_NULL);
    if (rc == 0)
        rc = tr_monitor(self, to, NULL);
    if (rc == 0)
        rc = tr_ask(self, to, "who", TR_NULL, TR_ASK(.timeout_ms = 1000), NULL, kid_answered, NULL);
    return rc < 0 ? rc : send_handle(self, to);
}

static int kid_go(tr_actor *self, const tr_msg *msg)
{
    tr_val addr;
    tr_addr to;
    tr_trap_exit(self, true);
    for (tr_iter it = tr_iter_of(tr_msg_body(msg)); tr_iter_next(&it, NULL, &addr);) {
        if (tr_as_addr(addr, &to) == 0 && !tr_addr_eq(to, tr_self(self))) {
            kid_meet(self, to);
            tr_link(self, to);
        }
    }
    return 0;
}

static int kid_receive(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle = NULL;
    if (tr_msg_is(msg, "go"))
        return kid_go(self, msg);
    if (tr_msg_is(msg, "who"))
        return tr_reply(self, msg, TR_NULL);
    got += tr_msg_is(msg, "hello");
    downs += tr_msg_down(msg) != NULL;
    taken += tr_msg_take_handle(self, msg, 0, &handle) == 0;
    tr_handle_close(&handle);
    return tr_msg_exit(msg) != NULL && !tr_msg_exit(msg)->linked ? tr_exit(self, TR_SHUTDOWN) : 0;
}
static const tr_behavior kid = {.name = "kid", .start = kid_start, .receive = kid_receive};

// ---- Their parent: lets them live for a little while ----

static void house_over(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

static int house_start(tr_actor *self, const tr_val *args)
{
    tr_addr kids[KIDS];
    tr_val list[KIDS];
    int rc = tr_timer_start(self, TR_MS(200), house_over, NULL, NULL);
    (void)args;
    for (int i = 0; rc == 0 && i < KIDS; i++) {
        rc = tr_spawn(
            self, &kid,
            TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V(i), .stop_ms = 50, .term_ms = 50),
            &kids[i]);
        list[i] = TR_V(kids[i]);
    }
    for (int i = 0; rc == 0 && i < KIDS; i++)
        rc = tr_send(self, kids[i], "go", tr_val_list(list, KIDS));
    return rc;
}
static const tr_behavior house = {.name = "house", .start = house_start};

// ---- The sweep ----

static void run(struct sweep *sweep)
{
    got = answered = downs = taken = 0;
    sim_nodes_open(&nodes, 4, TR_APP(&house, &kid));
    sweep_begin(sweep);
    sim_nodes_run(&nodes, 600);
    assert_int_equal(0, nodes.open);
    sim_nodes_close(&nodes);
    sweep_end(sweep);
}

static void every_allocation_may_fail(void **state)
{
    struct sweep sweep = {.whole = true};
    (void)state;
    tr_log_set(warn_nobody, NULL);
    while (sweep_next(&sweep)) {
        run(&sweep);
        if (sweep.nth == 0)
            assert_true(got >= 2 && answered >= 2 && downs >= 2 && taken >= 2 && sweep.count > 300);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests_name("sim/siblings_no_memory", tests, NULL, NULL);
}
