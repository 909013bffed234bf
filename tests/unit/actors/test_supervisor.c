// The supervisor in a simulated machine, with exact times. A test is a play: a spec, and steps at
// given milliseconds. Kids note when they start ("a+") and stop ("a-"); where times matter a note
// has them ("a+@100").
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/node.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/random.h"
#include "support/sim_node.h"

static struct sim_nodes nodes;
static char heard[4096];
static bool timed; // notes have times
static uint64_t begun;
static tr_addr kids[128]; // by the first letter of their names; of the last incarnation

static void note(const tr_actor *self, const char *word)
{
    size_t size = strlen(heard);
    unsigned long long ms = (tr_now(self) - begun) / TR_MS(1);
    snprintf(heard + size, sizeof heard - size, "%s%s", size == 0 ? "" : " ", word);
    size = strlen(heard);
    if (timed)
        snprintf(heard + size, sizeof heard - size, "@%llu", ms);
}

// ---- Kids: {"name": text} ----

struct kid {
    char name[8];
};

static void kid_note(tr_actor *self, const char *what)
{
    char word[16];
    snprintf(word, sizeof word, "%s%s", ((struct kid *)tr_state(self))->name, what);
    note(self, word);
}

static int kid_start(tr_actor *self, const tr_val *args)
{
    tr_str name;
    int rc = tr_get_str(*args, "name", &name);
    if (rc < 0)
        return rc;
    snprintf(((struct kid *)tr_state(self))->name, 8, "%.*s", TR_STR_ARG(name));
    kids[(unsigned char)name.ptr[0]] = tr_self(self);
    kid_note(self, "+");
    return 0;
}

static int kid_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t number = 0;
    tr_as_int(tr_msg_body(msg), &number);
    if (tr_msg_is(msg, "fail"))
        return (int)number;
    if (tr_msg_is(msg, "leave"))
        return tr_exit(self, (int)number);
    if (tr_msg_is(msg, "deaf"))
        return tr_trap_exit(self, true);
    if (tr_msg_is(msg, "crash"))
        return sim_nodes_kill(&nodes, self, (int)number), 0;
    if (tr_msg_is(msg, "link"))
        return tr_link(self, tr_parent(self));
    if (tr_msg_is(msg, "stop parent"))
        return tr_stop(self, tr_parent(self));
    return 0;
}

static void kid_stop(tr_actor *self, tr_reason reason)
{
    (void)reason;
    kid_note(self, "-");
}

static const tr_behavior kid = {.name = "kid",
                                .state_size = sizeof(struct kid),
                                .start = kid_start,
                                .receive = kid_receive,
                                .stop = kid_stop};

#define KID(n) KID_WITH(n, .path = NULL)
#define KID_WITH(n, ...)                                                                           \
    {                                                                                              \
        .id = n, .behavior = &kid, .opts = TR_SPAWN(.args = TR_MAP("name", n)), __VA_ARGS__        \
    }

// ---- The play ----

struct step {
    uint32_t at_ms;
    const char *to; // a kid, or "" for the supervisor
    const char *name;
    int number;
};

static int (*play)(tr_actor *self, tr_addr *ret_supervisor); // calls tr_supervise
static const struct step *steps;
static tr_addr top;
static char over[64]; // why the supervisor has ended

static void boss_step(tr_actor *self, void *arg)
{
    const struct step *step = arg;
    bool stop = strcmp(step->name, "stop") == 0;
    tr_addr to = step->to[0] == '\0' ? top : kids[(unsigned char)step->to[0]];
    if (stop)
        tr_stop(self, to);
    else
        tr_send(self, to, step->name, TR_V(step->number));
}

static int boss_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    begun = tr_now(self);
    int rc = play(self, &top);
    if (rc == 0)
        rc = tr_monitor(self, top, NULL);
    for (const struct step *s = steps; rc == 0 && s->name != NULL; s++)
        rc = tr_timer_start(self, TR_MS(s->at_ms), boss_step, (void *)(uintptr_t)s, NULL);
    return rc;
}

static int boss_event(tr_actor *self, const tr_msg *msg)
{
    char word[128];
    tr_str event, id, reason = {"", 0};
    uint64_t restarts, delay_ms;
    int rc = TR_READ(tr_msg_body(msg), "event", &event, "id", &id, "restarts", &restarts,
                     "delay_ms", &delay_ms);
    tr_get_str(tr_msg_body(msg), "reason", &reason);
    snprintf(word, sizeof word, "[%.*s %.*s%s%.*s %d %d]", TR_STR_ARG(event), TR_STR_ARG(id),
             reason.len > 0 ? " " : "", TR_STR_ARG(reason), (int)restarts, (int)delay_ms);
    note(self, word);
    return rc;
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "supervisor"))
        return boss_event(self, msg);
    const tr_down *down = tr_msg_down(msg);
    if (down == NULL)
        return 0;
    tr_reason_text(down->reason, over, sizeof over);
    note(self, ".");
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior boss = {.name = "boss", .start = boss_start, .receive = boss_receive};

// ---- Running ----

static unsigned warned_restart, warned_kill, warned_gave_up, warned_start;
static char last_warning[512];

static void count_warning(const char *id, const char *text, void *arg)
{
    (void)arg;
    bool restart = strcmp(id, "supervisor.restart") == 0;
    warned_restart += restart;
    warned_kill += strcmp(id, "supervisor.kill") == 0;
    warned_gave_up += strcmp(id, "supervisor.gave_up") == 0;
    warned_start += strcmp(id, "supervisor.start") == 0;
    if (restart)
        snprintf(last_warning, sizeof last_warning, "%s", text);
}

static void run_seed(uint64_t seed, void (*prepare)(void))
{
    heard[0] = over[0] = '\0';
    warned_restart = warned_kill = warned_gave_up = warned_start = 0;
    tr_log_set(count_warning, NULL);
    counted_memory_start(0);
    sim_nodes_open(&nodes, seed, TR_APP(&boss, &kid));
    if (prepare != NULL)
        prepare();
    assert_true(sim_nodes_run(&nodes, 600));
    assert_int_equal(0, nodes.code);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
}

static void run(int (*what)(tr_actor *self, tr_addr *ret_supervisor), const struct step *does)
{
    play = what;
    steps = does;
    run_seed(4, NULL); // no delays
}

#define STEPS(...) ((const struct step[]){__VA_ARGS__, {0, NULL, NULL, 0}})

#define assert_play(what, does, words, reason)                                                     \
    do {                                                                                           \
        run(what, does);                                                                           \
        assert_string_equal(words, heard);                                                         \
        assert_string_equal(reason, over);                                                         \
    } while (0)

// ---- Strategies ----

static tr_strategy strategy;

static int three(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(
        self, TR_SUPERVISOR(.strategy = strategy, TR_CHILDREN(KID("a"), KID("b"), KID("c"))), NULL,
        ret);
}

static void each_strategy_starts_again_whom_it_says(void **state)
{
    (void)state;
    static const struct {
        tr_strategy strategy;
        const char *heard;
    } all[] = {
        {TR_ONE_FOR_ONE, "a+ b+ c+ b- b+ c- b- a- ."},
        {TR_ONE_FOR_ALL, "a+ b+ c+ b- c- a- a+ b+ c+ c- b- a- ."},
        {TR_REST_FOR_ONE, "a+ b+ c+ b- c- b+ c+ c- b- a- ."},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        strategy = all[i].strategy;
        assert_play(three, STEPS({10, "b", "fail", TR_EIO}, {20, "", "stop", 0}), all[i].heard,
                    "shutdown");
    }
}

static void failures_at_the_same_time_are_one_group(void **state)
{
    (void)state;
    strategy = TR_ONE_FOR_ALL;
    assert_play(three,
                STEPS({10, "b", "fail", TR_EIO}, {10, "a", "fail", TR_EIO}, {20, "", "stop", 0}),
                "a+ b+ c+ b- a- c- a+ b+ c+ c- b- a- .", "shutdown");
    strategy = TR_REST_FOR_ONE; // a fails while those behind b are being stopped
    assert_play(three,
                STEPS({10, "b", "fail", TR_EIO}, {10, "a", "fail", TR_EIO}, {20, "", "stop", 0}),
                "a+ b+ c+ b- a- c- a+ b+ c+ c- b- a- .", "shutdown");
}

// ---- Who is started again ----

static tr_restart restart;

static int two(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(
        self,
        TR_SUPERVISOR(.strategy = strategy, TR_CHILDREN(KID_WITH("a", .restart = restart),
                                                        KID_WITH("b", .restart = TR_PERMANENT))),
        NULL, ret);
}

static void restart_says_after_which_end(void **state)
{
    (void)state;
    static const struct {
        tr_restart restart;
        int reason;
        const char *heard;
    } all[] = {
        {TR_PERMANENT, TR_NORMAL, "a+ b+ a- a+ b- a- ."},
        {TR_PERMANENT, TR_EIO, "a+ b+ a- a+ b- a- ."},
        {TR_TRANSIENT, TR_NORMAL, "a+ b+ a- b- ."},
        {TR_TRANSIENT, TR_SHUTDOWN, "a+ b+ a- b- ."},
        {TR_TRANSIENT, TR_EIO, "a+ b+ a- a+ b- a- ."},
        {TR_TEMPORARY, TR_NORMAL, "a+ b+ a- b- ."},
        {TR_TEMPORARY, TR_EIO, "a+ b+ a- b- ."},
    };
    strategy = TR_ONE_FOR_ONE;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        restart = all[i].restart;
        assert_play(two, STEPS({10, "a", "leave", all[i].reason}, {20, "", "stop", 0}),
                    all[i].heard, "shutdown");
    }
}

static void a_temporary_one_is_stopped_with_the_others_for_good(void **state)
{
    (void)state;
    strategy = TR_ONE_FOR_ALL;
    restart = TR_TEMPORARY;
    assert_play(two, STEPS({10, "b", "fail", TR_EIO}, {20, "", "stop", 0}), "a+ b+ b- a- b+ b- .",
                "shutdown");
    restart = TR_TRANSIENT; // stopping it with others is not its own end
    assert_play(two, STEPS({10, "b", "fail", TR_EIO}, {20, "", "stop", 0}),
                "a+ b+ b- a- a+ b+ b- a- .", "shutdown");
}

// ---- Limits ----

static int limited(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(self,
                        TR_SUPERVISOR(.restart_max = 2, .restart_window_ms = 100,
                                      TR_CHILDREN(KID("a"), KID("b"), KID("c"))),
                        NULL, ret);
}

static void too_many_restarts_end_the_supervisor(void **state)
{
    (void)state;
    assert_play(
        limited,
        STEPS({10, "a", "fail", TR_EIO}, {20, "b", "fail", TR_EIO}, {110, "a", "fail", TR_EIO}),
        "a+ b+ c+ a- a+ b- b+ a- c- b- .", "error: had to be started again too often");
    assert_int_equal(1, warned_gave_up);
    assert_play(limited, // 101 ms after the first
                STEPS({10, "a", "fail", TR_EIO}, {20, "b", "fail", TR_EIO},
                      {111, "a", "fail", TR_EIO}, {120, "", "stop", 0}),
                "a+ b+ c+ a- a+ b- b+ a- a+ c- b- a- .", "shutdown");
    assert_int_equal(0, warned_gave_up);
}

static int own_limits(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(self,
                        TR_SUPERVISOR(.restart_max = 1, TR_CHILDREN(KID_WITH("a", .restart_max = 2),
                                                                    KID("b"), KID("c"))),
                        NULL, ret);
}

static void a_limit_of_its_own_is_shared_with_nobody(void **state)
{
    (void)state;
    assert_play(own_limits, // two of a's, and one of the others'
                STEPS({10, "a", "fail", TR_EIO}, {20, "a", "fail", TR_EIO},
                      {30, "b", "fail", TR_EIO}, {40, "", "stop", 0}),
                "a+ b+ c+ a- a+ a- a+ b- b+ c- b- a- .", "shutdown");
    assert_play(own_limits, STEPS({10, "b", "fail", TR_EIO}, {20, "c", "fail", TR_EIO}),
                "a+ b+ c+ b- b+ c- b- a- .", "error: had to be started again too often");
    assert_play(
        own_limits,
        STEPS({10, "a", "fail", TR_EIO}, {20, "a", "fail", TR_EIO}, {30, "a", "fail", TR_EIO}),
        "a+ b+ c+ a- a+ a- a+ a- c- b- .", "error: had to be started again too often");
}

static int own_window(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(
        self, TR_SUPERVISOR(TR_CHILDREN(KID_WITH("a", .restart_max = 1, .restart_window_ms = 10))),
        NULL, ret);
}

static void a_limit_of_its_own_has_a_window_of_its_own(void **state)
{
    (void)state;
    assert_play(own_window,
                STEPS({10, "a", "fail", TR_EIO}, {21, "a", "fail", TR_EIO}, {40, "", "stop", 0}),
                "a+ a- a+ a- a+ a- .", "shutdown");
    assert_play(own_window, STEPS({10, "a", "fail", TR_EIO}, {20, "a", "fail", TR_EIO}),
                "a+ a- a+ a- .", "error: had to be started again too often");
}

static int unlimited(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(self, TR_SUPERVISOR(TR_CHILDREN(KID("a"))), NULL, ret);
}

static void by_default_the_sixth_restart_in_5_seconds_is_too_many(void **state)
{
    (void)state;
    const struct step five[] = {{1, "a", "fail", TR_EIO}, {2, "a", "fail", TR_EIO},
                                {3, "a", "fail", TR_EIO}, {4, "a", "fail", TR_EIO},
                                {5, "a", "fail", TR_EIO}, {5001, "a", "fail", TR_EIO},
                                {0, NULL, NULL, 0}};
    run(unlimited, five);
    assert_string_equal("error: had to be started again too often", over);
    assert_int_equal(5, warned_restart);
    assert_non_null(strstr(last_warning, "child=a reason=\"error: input or output error\""));
    assert_non_null(strstr(last_warning, "restarts=5 delay_ms=0"));
}

// ---- Backoff ----

static uint32_t reset_ms;
static double factor, jitter;

static int backing_off(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(self,
                        TR_SUPERVISOR(.strategy = strategy, .restart_max = 100,
                                      .backoff_min_ms = 100, .backoff_max_ms = 500,
                                      .backoff_factor = factor, .backoff_jitter = jitter,
                                      .backoff_reset_ms = reset_ms, TR_CHILDREN(KID("a"))),
                        NULL, ret);
}

static void run_backing_off(const struct step *does)
{
    timed = true;
    run(backing_off, does);
    timed = false;
}

static void waiting_grows_up_to_the_most_and_begins_again(void **state)
{
    (void)state;
    const struct step *does =
        STEPS({10, "a", "fail", TR_EIO}, {111, "a", "fail", TR_EIO}, {312, "a", "fail", TR_EIO},
              {713, "a", "fail", TR_EIO}, {1214, "a", "fail", TR_EIO}, {2214, "a", "fail", TR_EIO},
              {2500, "", "stop", 0});
    strategy = TR_ONE_FOR_ONE;
    jitter = 0;
    reset_ms = 0; // as the most: 500
    factor = 0;   // 2
    run_backing_off(does);
    assert_string_equal("a+@0 a-@10 a+@110 a-@111 a+@311 a-@312 a+@712 a-@713 a+@1213 a-@1214 "
                        "a+@1714 a-@2214 a+@2314 a-@2500 .@2500",
                        heard);
    reset_ms = 501;
    run_backing_off(does);
    assert_non_null(strstr(heard, "a+@1714 a-@2214 .@2500")); // 500 more would be after the end
    factor = 3;
    run_backing_off(
        STEPS({10, "a", "fail", TR_EIO}, {111, "a", "fail", TR_EIO}, {500, "", "stop", 0}));
    assert_string_equal("a+@0 a-@10 a+@110 a-@111 a+@411 a-@500 .@500", heard);
}

static void a_group_waits_as_its_failed_child(void **state)
{
    (void)state;
    strategy = TR_ONE_FOR_ALL;
    jitter = factor = 0;
    run_backing_off(STEPS({10, "a", "fail", TR_EIO}, {150, "", "stop", 0}));
    assert_string_equal("a+@0 a-@10 a+@110 a-@150 .@150", heard);
}

static void who_is_asked_to_end_while_it_waits_ends_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        strategy = i == 0 ? TR_ONE_FOR_ONE : TR_ONE_FOR_ALL;
        run_backing_off(STEPS({10, "a", "fail", TR_EIO}, {50, "", "stop", 0}));
        assert_string_equal("a+@0 a-@10 .@50", heard);
    }
}

// Goal:   jitter takes off up to its part, never adds, and differs.
static void jitter_takes_a_random_part_off(void **state)
{
    (void)state;
    unsigned different = 0, before = 0;
    strategy = TR_ONE_FOR_ONE;
    factor = 0;
    jitter = 0.5;
    play = backing_off;
    steps = STEPS({10, "a", "fail", TR_EIO}, {150, "", "stop", 0});
    timed = true;
    for (uint64_t seed = 0; seed < 50; seed++) {
        unsigned at = 0;
        run_seed(seed, NULL);
        assert_int_equal(1, sscanf(heard, "a+@0 a-@10 a+@%u", &at));
        assert_in_range(at, 60, 110);
        different += at != before;
        before = at;
    }
    timed = false;
    assert_true(different > 25);
}

// ---- Ends ----

static int patient(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(
        self, TR_SUPERVISOR(TR_CHILDREN(KID("a"), KID_WITH("b", .stop_ms = 70), KID("c"))), NULL,
        ret);
}

static void who_does_not_end_in_time_is_killed_and_the_order_stays(void **state)
{
    (void)state;
    timed = true;
    assert_play(
        patient,
        STEPS({1, "a", "deaf", 0}, {1, "b", "deaf", 0}, {10, "", "stop", 0}, {20, "", "stop", 0}),
        "a+@0 b+@0 c+@0 c-@10 b-@80 a-@5080 .@5080", "shutdown");
    timed = false;
    assert_int_equal(2, warned_kill);
}

static void a_child_may_ask_its_supervisor_to_end(void **state)
{
    (void)state;
    strategy = TR_ONE_FOR_ONE;
    assert_play(three, STEPS({10, "a", "link", 0}, {20, "a", "stop parent", 0}),
                "a+ b+ c+ c- b- a- .", "shutdown");
}

static void a_child_that_has_linked_itself_is_restarted_as_any_other(void **state)
{
    (void)state;
    strategy = TR_ONE_FOR_ONE;
    assert_play(three, STEPS({10, "a", "link", 0}, {20, "a", "fail", TR_EIO}, {30, "", "stop", 0}),
                "a+ b+ c+ a- a+ c- b- a- .", "shutdown");
}

static int stranger_links(tr_actor *self, const tr_val *args)
{
    tr_addr to = TR_NOBODY;
    tr_as_addr(*args, &to);
    return tr_link(self, to);
}
static const tr_behavior linking = {
    .name = "linking", .start = stranger_links, .receive = kid_receive};

static int with_linked(tr_actor *self, tr_addr *ret)
{
    int rc = three(self, ret);
    if (rc == 0)
        rc = tr_spawn(self, &linking, TR_SPAWN(.args = TR_V(*ret)), &kids['l']);
    return rc;
}

static void a_supervisor_ends_with_one_that_it_is_linked_to(void **state)
{
    (void)state;
    strategy = TR_ONE_FOR_ONE;
    assert_play(with_linked, STEPS({10, "l", "fail", TR_EBADMSG}), "a+ b+ c+ c- b- a- .",
                "error: not the document that was expected");
    assert_play(with_linked, STEPS({10, "l", "leave", TR_NORMAL}, {20, "", "stop", 0}),
                "a+ b+ c+ c- b- a- .", "shutdown");
}

// ---- Trees ----

static int tree(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(
        self,
        TR_SUPERVISOR(.restart_max = 1,
                      TR_CHILDREN(
                          KID("a"),
                          {.id = "below",
                           .supervisor = TR_SUPERVISOR(.strategy = TR_ONE_FOR_ALL, .restart_max = 1,
                                                       TR_CHILDREN(KID("b"), KID("c")))},
                          KID("d"))),
        NULL, ret);
}

static void what_is_too_much_below_is_one_failure_above(void **state)
{
    (void)state;
    assert_play(tree,
                STEPS({10, "b", "fail", TR_EIO}, {20, "c", "fail", TR_EIO},
                      {30, "b", "fail", TR_EIO}, {40, "", "stop", 0}),
                "a+ d+ b+ c+ b- c- b+ c+ c- b- b+ c+ b- c- b+ c+ d- c- b- a- .", "shutdown");
    assert_play(tree,
                STEPS({10, "b", "fail", TR_EIO}, {20, "c", "fail", TR_EIO},
                      {30, "b", "fail", TR_EIO}, {40, "b", "fail", TR_EIO}),
                "a+ d+ b+ c+ b- c- b+ c+ c- b- b+ c+ b- c- b+ c+ b- c- d- a- .",
                "error: had to be started again too often");
}

// A supervisor is not killed while its children take their time.
static int patient_tree(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(self,
                        TR_SUPERVISOR(TR_CHILDREN({.id = "below",
                                                   .supervisor = TR_SUPERVISOR(TR_CHILDREN(
                                                       KID_WITH("a", .stop_ms = 20000)))})),
                        NULL, ret);
}

static void a_supervisor_below_has_the_time_that_its_children_take(void **state)
{
    (void)state;
    timed = true;
    assert_play(patient_tree, STEPS({1, "a", "deaf", 0}, {10, "", "stop", 0}),
                "a+@0 a-@20010 .@20010", "shutdown");
    timed = false;
    assert_int_equal(1, warned_kill);
}

// ---- Children that are added ----

static char answers[2048];
static size_t asked;
static tr_addr added; // the first one

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg);

static int ask_next(tr_actor *self)
{
    static const char ID[] = "k";
    switch (asked++) {
    case 0:
        return tr_ask(self, top, "count", TR_NULL, NULL, NULL, on_answer, NULL);
    case 1:
        return tr_ask(self, top, "add", TR_MAP("id", ID), NULL, NULL, on_answer, NULL);
    case 2:
        return tr_ask(self, top, "add", TR_MAP("id", ID), NULL, NULL, on_answer, NULL);
    case 3:
        return tr_ask(self, top, "add", TR_MAP("args", TR_MAP("name", "m")), NULL, NULL, on_answer,
                      NULL);
    case 4:
        return tr_ask(self, top, "add", TR_V(7), NULL, NULL, on_answer, NULL);
    case 5:
        return tr_ask(self, top, "add", TR_MAP("id", 7), NULL, NULL, on_answer, NULL);
    case 6:
        return tr_ask(self, top, "whereis", TR_V(ID), NULL, NULL, on_answer, NULL);
    case 7:
        return tr_ask(self, top, "whereis", TR_V("nobody"), NULL, NULL, on_answer, NULL);
    case 8:
        return tr_ask(self, top, "whereis", TR_V(7), NULL, NULL, on_answer, NULL);
    case 9:
        return tr_ask(self, top, "children", TR_NULL, NULL, NULL, on_answer, NULL);
    case 10:
        return tr_ask(self, top, "remove", TR_V(ID), NULL, NULL, on_answer, NULL);
    case 11:
        return tr_ask(self, top, "remove", TR_V(ID), NULL, NULL, on_answer, NULL);
    case 12:
        return tr_ask(self, top, "unheard of", TR_NULL, NULL, NULL, on_answer, NULL);
    case 13:
        return tr_ask(self, top, "count", TR_NULL, NULL, NULL, on_answer, NULL);
    default:
        return tr_stop(self, top);
    }
}

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    size_t size = strlen(answers);
    char *json = NULL;
    tr_val value;
    tr_addr addr;
    assert_int_equal(0, tr_json_print(answer->body, &json));
    bool is_addr = tr_as_addr(answer->body, &addr) == 0;
    bool list = tr_at(answer->body, 0, &value) == 0;
    if (is_addr && added.node == 0)
        added = addr;
    const char *text = is_addr ? (tr_addr_eq(addr, added) ? "k" : "addr") : json;
    if (list) {
        tr_str id, state;
        assert_int_equal(0, TR_READ(value, "id", &id, "state", &state, "addr", &addr));
        assert_true(tr_str_eq(id, "k") && tr_str_eq(state, "running") && tr_addr_eq(addr, added));
        text = tr_val_count(answer->body) == 2 ? "two" : "not two";
    }
    snprintf(answers + size, sizeof answers - size, "%s%s", size == 0 ? "" : " ",
             answer->status < 0 ? tr_errname(answer->status) : text);
    tr_free(json);
    assert_int_equal(0, ask_next(self));
}

static int dynamic(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(self,
                        TR_SUPERVISOR(.strategy = TR_DYNAMIC, .restart_max = 2,
                                      TR_CHILDREN({.behavior = &kid,
                                                   .restart = TR_TRANSIENT,
                                                   .opts = TR_SPAWN(.args = TR_MAP("name", "k"))})),
                        NULL, ret);
}

static int dynamic_asking(tr_actor *self, tr_addr *ret)
{
    int rc = dynamic(self, ret);
    top = *ret;
    answers[0] = '\0';
    added = TR_NOBODY;
    asked = 0;
    return rc < 0 ? rc : ask_next(self);
}

static void children_are_added_found_and_removed(void **state)
{
    (void)state;
    assert_play(dynamic_asking, STEPS({1000, "", "nothing", 0}), "k+ m+ k- m- .", "shutdown");
    assert_string_equal("{\"children\":0,\"running\":0,\"restarts\":0} k TR_EEXIST addr "
                        "TR_EBADMSG TR_EBADMSG k TR_ENOENT TR_EBADMSG two true TR_ENOENT "
                        "TR_EUNKNOWN {\"children\":1,\"running\":1,\"restarts\":0}",
                        answers);
}

#define MANY 300

static int dynamic_many(tr_actor *self, tr_addr *ret)
{
    int rc = dynamic(self, ret);
    for (int i = 0; rc == 0 && i < MANY; i++)
        rc = tr_send(self, *ret, "add", TR_NULL);
    return rc;
}

// Goal:   the table of those that run grows and shrinks right.
static void many_children_are_stopped_one_by_one(void **state)
{
    (void)state;
    run(dynamic_many,
        STEPS({10, "k", "fail", TR_EIO}, {20, "k", "leave", TR_NORMAL}, {1000, "", "stop", 0}));
    unsigned starts = 0, stops = 0;
    for (const char *c = heard; *c != '\0'; c++) {
        starts += *c == '+';
        stops += *c == '-';
    }
    assert_int_equal(MANY + 1, starts);
    assert_int_equal(MANY + 1, stops);
    assert_string_equal("shutdown", over);
}

static void on_static_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    assert_int_equal(TR_ENOSYS, answer->status);
    asked++;
}

static int static_asking(tr_actor *self, tr_addr *ret)
{
    int rc = three(self, ret);
    asked = 0;
    if (rc == 0)
        rc = tr_ask(self, *ret, "add", TR_NULL, NULL, NULL, on_static_answer, NULL);
    return rc < 0 ? rc
                  : tr_ask(self, *ret, "remove", TR_V("a"), NULL, NULL, on_static_answer, NULL);
}

static void only_a_dynamic_one_is_added_to(void **state)
{
    (void)state;
    strategy = TR_ONE_FOR_ONE;
    assert_play(static_asking, STEPS({10, "", "stop", 0}), "a+ b+ c+ c- b- a- .", "shutdown");
    assert_int_equal(2, asked);
}

// One that is not started again is still there to be asked for.
static void on_ended(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_val first;
    tr_str shown;
    (void)self;
    if (arg == NULL) {
        assert_int_equal(TR_TYPE_NULL, answer->body.type);
        assert_int_equal(0, answer->status);
    } else {
        assert_int_equal(0, tr_at(answer->body, 0, &first));
        assert_int_equal(0, tr_get_str(first, "state", &shown));
        assert_true(tr_str_eq(shown, "ended"));
    }
    asked++;
}

static void ask_for_ended(tr_actor *self, void *arg)
{
    (void)arg;
    assert_int_equal(0, tr_ask(self, top, "whereis", TR_V("a"), NULL, NULL, on_ended, NULL));
    assert_int_equal(0, tr_ask(self, top, "children", TR_NULL, NULL, NULL, on_ended, &asked));
}

static int two_asking(tr_actor *self, tr_addr *ret)
{
    asked = 0;
    int rc = two(self, ret);
    return rc < 0 ? rc : tr_timer_start(self, TR_MS(15), ask_for_ended, NULL, NULL);
}

static void one_that_has_ended_for_good_does_not_vanish(void **state)
{
    (void)state;
    strategy = TR_ONE_FOR_ONE;
    restart = TR_TEMPORARY;
    assert_play(two_asking, STEPS({10, "a", "fail", TR_EIO}, {20, "", "stop", 0}), "a+ b+ a- b- .",
                "shutdown");
    assert_int_equal(2, asked);
}

// ---- The observer ----

static int observed(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(self,
                        TR_SUPERVISOR(.restart_max = 1, .backoff_min_ms = 5,
                                      .observer = tr_self(self), TR_CHILDREN(KID("a"))),
                        NULL, ret);
}

static void an_observer_hears_of_all_that_happens(void **state)
{
    (void)state;
    assert_play(observed, STEPS({10, "a", "fail", TR_EIO}, {20, "a", "leave", TR_NORMAL}),
                "[start a 0 0] a+ a- [end a error: input or output error 0 0] [restart a 1 5] "
                "[start a 1 0] a+ a- [end a normal 1 0] [give up a 1 0] .",
                "error: had to be started again too often");
}

// ---- Specs that cannot be, children that cannot start ----

static void on_start_bad(tr_actor *self)
{
    static const tr_behavior other = {.name = "other"};
    const tr_child_spec good = {.id = "a", .behavior = &kid}, nameless = {.behavior = &kid},
                        nothing = {.id = "a"}, both = {.id = "a", .behavior = &kid, .path = "x"},
                        restarts = {.id = "a", .behavior = &kid, .restart = (tr_restart)3},
                        limit = {.id = "a", .behavior = &kid, .restart_max = UINT32_MAX},
                        away = {.id = "a",
                                .supervisor = TR_SUPERVISOR(.child_count = 0),
                                .opts = TR_SPAWN(.isolation = TR_PROCESS)},
                        below = {.id = "a", .supervisor = TR_SUPERVISOR(.backoff_jitter = 2)};
    const tr_child_spec *const bad_children[] = {&nameless, &nothing, &both, &restarts,
                                                 &limit,    &away,    &below};
    const tr_supervisor_spec *const bad[] = {
        TR_SUPERVISOR(.strategy = (tr_strategy)4), TR_SUPERVISOR(.child_count = 1),
        TR_SUPERVISOR(.strategy = TR_DYNAMIC),     TR_SUPERVISOR(.restart_max = UINT32_MAX),
        TR_SUPERVISOR(.backoff_factor = 0.5),      TR_SUPERVISOR(.backoff_factor = 1e9),
        TR_SUPERVISOR(.backoff_jitter = -0.1),     &(const tr_supervisor_spec){0},
    };
    tr_addr addr = {7, 7};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(TR_EINVAL, tr_supervise(self, bad[i], NULL, &addr));
    for (size_t i = 0; i < sizeof bad_children / sizeof *bad_children; i++)
        assert_int_equal(TR_EINVAL,
                         tr_supervise(self,
                                      TR_SUPERVISOR(.children = bad_children[i], .child_count = 1),
                                      NULL, &addr));
    const tr_supervisor_spec *fine = TR_SUPERVISOR(.children = &good, .child_count = 1);
    assert_int_equal(TR_EINVAL, tr_supervise(self, NULL, NULL, &addr));
    assert_int_equal(TR_EINVAL, tr_supervise(NULL, fine, NULL, &addr));
    assert_int_equal(TR_EINVAL, tr_supervise(self, fine, TR_SPAWN(.isolation = TR_PROCESS), &addr));
    assert_int_equal(TR_EINVAL, tr_supervise(self, fine, TR_SPAWN(.args = TR_V(1)), &addr));
    assert_int_equal(TR_EEXIST,
                     tr_supervise(self,
                                  TR_SUPERVISOR(TR_CHILDREN({.id = "a", .behavior = &kid},
                                                            {.id = "a", .behavior = &other})),
                                  NULL, &addr));
    assert_true(addr.node == 7 && addr.actor == 7);
}

static int bad_then_none(tr_actor *self, tr_addr *ret)
{
    on_start_bad(self);
    return tr_supervise(self, TR_SUPERVISOR(.child_count = 0), NULL, ret);
}

static void a_spec_is_checked_at_once(void **state)
{
    (void)state;
    assert_play(bad_then_none, STEPS({10, "", "stop", 0}), ".", "shutdown");
}

static int with_process(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(
        self,
        TR_SUPERVISOR(.backoff_min_ms = 10,
                      TR_CHILDREN(KID("a"), {.id = "p",
                                             .behavior = &kid,
                                             .opts = TR_SPAWN(.isolation = TR_PROCESS,
                                                              .args = TR_MAP("name", "p"))})),
        NULL, ret);
}

static void fail_first_spawn(void)
{
    tr__sim_set_spawn_error(nodes.sim, TR_EAGAIN, 1);
}

static void fail_second_spawn(void)
{
    tr__sim_set_spawn_error(nodes.sim, TR_EAGAIN, 2);
}

static void one_that_cannot_be_spawned_at_first_ends_the_supervisor(void **state)
{
    (void)state;
    play = with_process;
    steps = STEPS({10, "", "nothing", 0});
    run_seed(4, fail_first_spawn);
    assert_string_equal("a+ a- .", heard);
    assert_string_equal("error: not now, try again later", over);
    assert_int_equal(1, warned_start);
}

static void one_that_cannot_be_spawned_again_has_failed_once_more(void **state)
{
    (void)state;
    play = with_process;
    steps = STEPS({10, "p", "crash", SIGSEGV}, {100, "", "stop", 0});
    run_seed(4, fail_second_spawn);
    assert_string_equal("a+ p+ p- p+ p- a- .", heard);
    assert_string_equal("shutdown", over);
    assert_int_equal(2, warned_restart);
    assert_non_null(strstr(last_warning, "child=p reason=\"error: not now, try again later\""));
    assert_non_null(strstr(last_warning, "restarts=2 delay_ms=20"));
}

static void a_crash_is_logged_with_its_signal(void **state)
{
    (void)state;
    run(with_process, STEPS({10, "p", "crash", SIGSEGV}, {100, "", "stop", 0}));
    assert_string_equal("a+ p+ p- p+ p- a- .", heard);
    assert_int_equal(1, warned_restart);
    assert_non_null(strstr(last_warning, "child=p reason=\"killed by signal 11\" user_ms=0"));
}

static int forks(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(self, TR_SUPERVISOR(TR_CHILDREN({.id = "p", .path = "missing"})), NULL,
                        ret);
}

static void a_path_is_forked(void **state)
{
    (void)state;
    assert_play(forks, STEPS({10, "", "nothing", 0}), ".", "error: no such thing");
}

static int in_thread(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(self, TR_SUPERVISOR(TR_CHILDREN(KID("a"))),
                        TR_SPAWN(.isolation = TR_THREAD), ret);
}

static void a_supervisor_may_have_a_thread_of_its_own(void **state)
{
    (void)state;
    run(in_thread, STEPS({10, "a", "fail", TR_EIO}, {20, "", "stop", 0}));
    assert_string_equal("a+ a- a+ a- .", heard);
    assert_true(kids['a'].actor >> TR__ID_LOOP_SHIFT != 0);
}

// ---- Names ----

static unsigned named_right;

static void look_for_name(tr_actor *self, void *arg)
{
    tr_addr addr;
    (void)arg;
    named_right += tr_whereis(self, "singer", &addr) == 0 && tr_addr_eq(addr, kids['a']);
}

static int named(tr_actor *self, tr_addr *ret)
{
    char name[] = "singer";
    named_right = 0;
    int rc = tr_supervise(
        self,
        TR_SUPERVISOR(TR_CHILDREN({.id = "a",
                                   .behavior = &kid,
                                   .opts = TR_SPAWN(.name = name, .args = TR_MAP("name", "a"))})),
        NULL, ret);
    memset(name, 'x', sizeof name - 1); // it has been copied
    if (rc == 0)
        rc = tr_timer_start(self, TR_MS(5), look_for_name, NULL, NULL);
    return rc < 0 ? rc : tr_timer_start(self, TR_MS(15), look_for_name, NULL, NULL);
}

static void a_name_is_given_again_with_each_start(void **state)
{
    (void)state;
    assert_play(named, STEPS({10, "a", "fail", TR_EIO}, {20, "", "stop", 0}), "a+ a- a+ a- .",
                "shutdown");
    assert_int_equal(2, named_right);
}

// ---- Anything may happen ----

#define CHAOS_SEEDS 300
#define CRASHES     40

static uint64_t chaos;
static uint64_t chaos_seed;

static tr_isolation chaos_isolation(int i)
{
    return (tr_isolation)((chaos_seed + (uint64_t)i) % 3);
}

static int chaotic(tr_actor *self, tr_addr *ret)
{
    return tr_supervise(
        self,
        TR_SUPERVISOR(.strategy = (tr_strategy)(chaos_seed % 3), .restart_max = 1000000,
                      .backoff_min_ms = chaos_seed % 2 == 0 ? 0 : 3,
                      TR_CHILDREN(
                          {.id = "a",
                           .behavior = &kid,
                           .opts = TR_SPAWN(.isolation = chaos_isolation(0),
                                            .args = TR_MAP("name", "a"))},
                          {.id = "b",
                           .behavior = &kid,
                           .opts = TR_SPAWN(.isolation = chaos_isolation(1),
                                            .args = TR_MAP("name", "b"))},
                          {.id = "below",
                           .supervisor = TR_SUPERVISOR(
                                   .restart_max = 1000000,
                                   TR_CHILDREN({.id = "c",
                                                .behavior = &kid,
                                                .opts = TR_SPAWN(.isolation = chaos_isolation(2),
                                                                 .args = TR_MAP("name", "c"))}))})),
        NULL, ret);
}

// Goal:   whoever crashes when and how, the tree is whole afterwards, and goes in order.
// Method: three kids of all isolations; errors, exits, kills and signals at random times; then
//         quiet; then a stop.
static void after_any_crashes_the_tree_is_whole(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c"}, *const ways[] = {"fail", "leave", "crash"};
    struct step chance[CRASHES + 2] = {{0, NULL, NULL, 0}};
    for (chaos_seed = 0; chaos_seed < CHAOS_SEEDS; chaos_seed++) {
        chaos = chaos_seed;
        for (int i = 0; i < CRASHES; i++) {
            int who = (int)random_below(&chaos, 3), way = (int)random_below(&chaos, 3);
            bool process = chaos_isolation(who) == TR_PROCESS;
            way = way == 2 && !process ? 0 : way;
            int number = way == 0 ? TR_EIO : way == 1 ? TR_NORMAL : SIGSEGV;
            chance[i] =
                (struct step){(uint32_t)random_below(&chaos, 200), names[who], ways[way], number};
        }
        chance[CRASHES] = (struct step){1000, "", "stop", 0};
        play = chaotic;
        steps = chance;
        run_seed(chaos_seed, NULL);
        assert_string_equal("shutdown", over);
        size_t size = strlen(heard);
        assert_true(size > 10 && warned_restart > 0);
        assert_string_equal(" c- b- a- .", heard + size - 11);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_strategy_starts_again_whom_it_says),
        cmocka_unit_test(failures_at_the_same_time_are_one_group),
        cmocka_unit_test(restart_says_after_which_end),
        cmocka_unit_test(a_temporary_one_is_stopped_with_the_others_for_good),
        cmocka_unit_test(too_many_restarts_end_the_supervisor),
        cmocka_unit_test(a_limit_of_its_own_is_shared_with_nobody),
        cmocka_unit_test(a_limit_of_its_own_has_a_window_of_its_own),
        cmocka_unit_test(by_default_the_sixth_restart_in_5_seconds_is_too_many),
        cmocka_unit_test(waiting_grows_up_to_the_most_and_begins_again),
        cmocka_unit_test(a_group_waits_as_its_failed_child),
        cmocka_unit_test(who_is_asked_to_end_while_it_waits_ends_at_once),
        cmocka_unit_test(jitter_takes_a_random_part_off),
        cmocka_unit_test(who_does_not_end_in_time_is_killed_and_the_order_stays),
        cmocka_unit_test(a_child_may_ask_its_supervisor_to_end),
        cmocka_unit_test(a_child_that_has_linked_itself_is_restarted_as_any_other),
        cmocka_unit_test(a_supervisor_ends_with_one_that_it_is_linked_to),
        cmocka_unit_test(what_is_too_much_below_is_one_failure_above),
        cmocka_unit_test(a_supervisor_below_has_the_time_that_its_children_take),
        cmocka_unit_test(children_are_added_found_and_removed),
        cmocka_unit_test(many_children_are_stopped_one_by_one),
        cmocka_unit_test(only_a_dynamic_one_is_added_to),
        cmocka_unit_test(one_that_has_ended_for_good_does_not_vanish),
        cmocka_unit_test(an_observer_hears_of_all_that_happens),
        cmocka_unit_test(a_spec_is_checked_at_once),
        cmocka_unit_test(one_that_cannot_be_spawned_at_first_ends_the_supervisor),
        cmocka_unit_test(one_that_cannot_be_spawned_again_has_failed_once_more),
        cmocka_unit_test(a_crash_is_logged_with_its_signal),
        cmocka_unit_test(a_path_is_forked),
        cmocka_unit_test(a_supervisor_may_have_a_thread_of_its_own),
        cmocka_unit_test(a_name_is_given_again_with_each_start),
        cmocka_unit_test(after_any_crashes_the_tree_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
