// Large messages over a link, on any schedule: those of others pass them, in turn with each other,
// and what one actor sends to another stays in order, to the last word before its end.
//
// The first node has a child; on the child's node are two actors, the kid, which is its first one,
// and the echo. Each play is what the first actor does when both are there, and what is heard then.
// In some there are others: one of another loop of the first node, another child, a child of that.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/node.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/handles.h"
#include "support/seeds.h"
#include "support/sim_node.h"

#define SEEDS  seeds_of(16)
#define SMALL  64u
#define LARGE  0x30000u
#define LARGER 0x68000u

static struct sim_nodes nodes;
static uint64_t seed;
static uint32_t loops;    // of each node
static tr_addr handed_to; // what the first one hands on; nobody: it does not
static int (*go)(tr_actor *self, tr_addr kid, tr_addr echo); // the play
static char heard[512];

static void note(const char *who, const char *what)
{
    size_t size = strlen(heard);
    snprintf(heard + size, sizeof heard - size, "%s%s%s%s", size == 0 ? "" : " ", who,
             *who == '\0' ? "" : ":", what);
}

static void note_end(const char *what, tr_reason reason)
{
    char why[64];
    note(what, tr_reason_text(reason, why, sizeof why));
}

// ---- Messages of a size, whose content follows from it ----

static uint8_t content[LARGER];

static void fill_content(void)
{
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 2654435761u >> 13);
}

static tr_val sized(size_t size)
{
    return tr_val_bin((tr_bytes){content, size});
}

static const char *size_word(const tr_msg *msg)
{
    tr_bytes bytes = {0};
    if (tr_as_bin(tr_msg_body(msg), &bytes) < 0 || memcmp(bytes.ptr, content, bytes.len) != 0)
        return "wrong";
    return bytes.len == SMALL ? "small" : bytes.len == LARGE ? "large" : "larger";
}

static int send_sized(tr_actor *self, tr_addr to, size_t size)
{
    return tr_send(self, to, "sized", sized(size));
}

// ---- Handles ----

static const char *handle_word(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle = NULL;
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    tr_handle_close(&handle);
    return rc == 0 ? "handle" : "nothing";
}

static int send_among_large(tr_actor *self, tr_addr to)
{
    int rc = send_sized(self, to, LARGER);
    if (rc == 0)
        rc = send_handle(self, to);
    if (rc == 0)
        rc = send_sized(self, to, LARGE);
    if (rc == 0)
        rc = send_handle(self, to);
    return rc < 0 ? rc : send_sized(self, to, SMALL);
}

// ---- On the child's node ----

static int last_words(tr_actor *self, tr_addr to)
{
    int rc = send_sized(self, to, LARGER);
    if (rc == 0)
        rc = send_sized(self, to, LARGE);
    return rc < 0 ? rc : send_sized(self, to, SMALL);
}

static bool kid_has_large;

static int member_receive(tr_actor *self, const tr_msg *msg, const char *who)
{
    if (tr_msg_is(msg, "sized") && !tr_msg_is_ask(msg)) {
        note(who, size_word(msg));
        kid_has_large |= strcmp(who, "kid") == 0;
        return 0;
    }
    if (tr_msg_is(msg, "sized"))
        return note(who, size_word(msg)), tr_reply(self, msg, tr_msg_body(msg));
    if (tr_msg_is(msg, "ping"))
        return tr_reply(self, msg, TR_V(kid_has_large));
    if (tr_msg_is(msg, "crash"))
        return sim_nodes_kill(&nodes, self, SIGKILL), 0;
    if (tr_msg_is(msg, "say"))
        return last_words(self, tr_msg_from(msg));
    if (tr_msg_is(msg, "over"))
        return tr_exit(self, TR_NORMAL);
    if (tr_msg_is(msg, "handle"))
        return note(who, handle_word(self, msg)), 0;
    if (tr_msg_is(msg, "say with handles"))
        return send_among_large(self, tr_msg_from(msg));
    int rc = last_words(self, tr_msg_from(msg));
    return rc < 0 ? rc : tr_exit(self, tr_msg_is(msg, "end") ? TR_NORMAL : TR_EIO);
}

static int echo_receive(tr_actor *self, const tr_msg *msg)
{
    return member_receive(self, msg, "echo");
}
static const tr_behavior echo = {.name = "echo", .receive = echo_receive};

static int kid_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    (void)args;
    int rc = tr_join(self, "all");
    if (rc == 0)
        rc = tr_spawn(self, &echo, NULL, &addr);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "there", TR_V(addr));
}

static int kid_receive(tr_actor *self, const tr_msg *msg)
{
    return member_receive(self, msg, "kid");
}
static const tr_behavior kid = {.name = "kid", .start = kid_start, .receive = kid_receive};

// ---- The first ----

static int first_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    (void)args;
    tr_trap_exit(self, true);
    int rc = tr_spawn(self, &kid, TR_SPAWN(.isolation = TR_PROCESS), &addr);
    return rc < 0 ? rc : tr_monitor(self, addr, NULL);
}

static int first_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *end = tr_msg_exit(msg) != NULL ? tr_msg_exit(msg) : tr_msg_down(msg);
    tr_addr addr;
    if (end != NULL && loops > 1)
        return 0; // the teller tells
    if (end != NULL) {
        note_end(tr_msg_name(msg), end->reason);
        if (tr_msg_exit(msg) != NULL)
            return tr_stop(self, (tr_addr){end->addr.node, TR__ROOT_ID});
        return end->addr.actor == TR__ROOT_ID ? tr_exit(self, TR_NORMAL) : 0;
    }
    bool hands_on = handed_to.node != 0 && !tr_msg_is(msg, "there");
    if (hands_on)
        return tr_forward(self, msg, handed_to);
    if (tr_msg_is(msg, "sized"))
        return note("", size_word(msg)), 0;
    if (tr_msg_is(msg, "handle"))
        return note("", handle_word(self, msg)), 0;
    if (tr_msg_is(msg, "over"))
        return tr_exit(self, TR_NORMAL);
    int rc = tr_as_addr(tr_msg_body(msg), &addr);
    return rc < 0 ? rc : go(self, tr_msg_from(msg), addr);
}
static const tr_behavior first = {.name = "first", .start = first_start, .receive = first_receive};

// ---- Running ----

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static const tr_behavior twin, grandchild;

static uint64_t run(void)
{
    heard[0] = '\0';
    kid_has_large = false;
    handed_to = TR_NOBODY;
    counted_memory_start(0);
    sim_nodes_open(&nodes, seed, TR_APP(&first, &kid, &echo, &twin, &grandchild));
    nodes.loops = loops;
    assert_true(sim_nodes_run(&nodes, 600));
    assert_int_equal(0, nodes.code);
    uint64_t hash = tr__sim_hash(nodes.sim);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
    return hash;
}

static void perform(int (*of)(tr_actor *self, tr_addr kid, tr_addr echo), void (*check)(void))
{
    go = of;
    tr_log_set(warn_nobody, NULL);
    for (seed = 0; seed < SEEDS; seed++) {
        uint64_t hash = run();
        check();
        if (seed % 8 == 0)
            assert_int_equal(hash, run());
    }
    tr_log_set(NULL, NULL);
    loops = 0;
}

// ---- Others pass ----

static unsigned before, after; // answers

static void on_pong(tr_actor *self, const tr_answer *answer, void *arg)
{
    bool has = false;
    tr_addr *asked = arg;
    assert_int_equal(0, answer->status);
    assert_int_equal(0, tr_as_bool(answer->body, &has));
    *(has ? &after : &before) += 1;
    if (has)
        tr_stop(self, (tr_addr){asked->node, TR__ROOT_ID});
    else
        tr_ask(self, *asked, "ping", TR_NULL, NULL, NULL, on_pong, arg);
}

static int go_ask(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    static tr_addr asked;
    asked = echo_addr;
    before = after = 0;
    int rc = send_sized(self, kid_addr, LARGER);
    if (rc == 0)
        rc = send_sized(self, kid_addr, SMALL);
    return rc < 0 ? rc : tr_ask(self, echo_addr, "ping", TR_NULL, NULL, NULL, on_pong, &asked);
}

static void check_asked(void)
{
    assert_string_equal("kid:larger kid:small down:shutdown", heard);
    assert_in_range(before, 1, 1000000);
    assert_int_equal(1, after);
}

static void small_asks_are_answered_while_a_large_message_is_on_its_way(void **state)
{
    (void)state;
    perform(go_ask, check_asked);
}

static int go_both(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    int rc = send_sized(self, kid_addr, LARGER);
    if (rc == 0)
        rc = send_sized(self, echo_addr, LARGE);
    if (rc == 0)
        rc = send_sized(self, echo_addr, SMALL);
    return rc < 0 ? rc : tr_stop(self, kid_addr);
}

static void check_both(void)
{
    assert_string_equal("echo:large echo:small kid:larger down:shutdown", heard);
}

static void large_ones_go_in_turn(void **state)
{
    (void)state;
    perform(go_both, check_both);
}

// ---- Order ----

static void on_sized(tr_actor *self, const tr_answer *answer, void *arg)
{
    assert_int_equal(0, answer->status);
    note("answer", size_word(answer->msg));
    if (arg != NULL)
        tr_stop(self, *(tr_addr *)arg);
}

static int go_order(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    static const size_t sizes[] = {SMALL, LARGE, SMALL, SMALL, LARGER, LARGE, SMALL};
    static tr_addr last;
    const tr_ask_opts *opts = TR_ASK(.timeout_ms = 600000);
    (void)echo_addr;
    last = kid_addr;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof sizes / sizeof sizes[0]; i++)
        rc = send_sized(self, kid_addr, sizes[i]);
    if (rc == 0)
        rc = tr_ask(self, kid_addr, "sized", sized(LARGER), opts, NULL, on_sized, NULL);
    return rc < 0 ? rc : tr_ask(self, kid_addr, "sized", sized(SMALL), opts, NULL, on_sized, &last);
}

static void check_order(void)
{
    assert_string_equal("kid:small kid:large kid:small kid:small kid:larger kid:large kid:small "
                        "kid:larger kid:small answer:larger answer:small down:shutdown",
                        heard);
}

static void what_one_sends_to_another_stays_in_order(void **state)
{
    (void)state;
    perform(go_order, check_order);
}

static int go_publish(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    (void)echo_addr;
    int rc = send_sized(self, kid_addr, LARGE);
    if (rc == 0)
        rc = tr_publish(self, "all", "sized", sized(LARGER));
    if (rc == 0)
        rc = tr_publish(self, "all", "sized", sized(SMALL));
    if (rc == 0)
        rc = send_sized(self, kid_addr, SMALL);
    return rc < 0 ? rc : tr_stop(self, kid_addr);
}

static void check_publish(void)
{
    assert_string_equal("kid:large kid:larger kid:small kid:small down:shutdown", heard);
}

static void what_one_publishes_is_in_order_with_what_it_sends(void **state)
{
    (void)state;
    perform(go_publish, check_publish);
}

// ---- Handles among them ----

static int go_handles(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    (void)echo_addr;
    int rc = send_among_large(self, kid_addr);
    if (rc == 0)
        rc = tr_send(self, kid_addr, "say with handles", TR_NULL);
    return rc < 0 ? rc : tr_send(self, kid_addr, "end", TR_NULL);
}

static void check_handles(void)
{
    assert_string_equal("kid:larger kid:handle kid:large kid:handle kid:small "
                        "larger handle large handle small larger large small down:normal",
                        heard);
}

static void handles_stay_in_their_order_behind_large_messages(void **state)
{
    (void)state;
    perform(go_handles, check_handles);
}

// ---- From another loop ----

// The first of two on all loops is on that of their spawner; the other one does all there is to do.
static int teller_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    int rc = tr_as_addr(*args, &addr);
    if (self->loop->index == 0)
        return tr_exit(self, TR_NORMAL);
    if (rc == 0)
        rc = tr_monitor(self, addr, NULL);
    if (rc == 0)
        rc = send_among_large(self, addr);
    if (rc == 0)
        rc = tr_send(self, addr, "say with handles", TR_NULL);
    return rc < 0 ? rc : tr_send(self, addr, "end", TR_NULL);
}

static int teller_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "sized"))
        return note("teller", size_word(msg)), 0;
    if (tr_msg_is(msg, "handle"))
        return note("teller", handle_word(self, msg)), 0;
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    note_end("teller:down", tr_msg_down(msg)->reason);
    return tr_send(self, tr_parent(self), "over", TR_NULL);
}
static const tr_behavior teller = {
    .name = "teller", .start = teller_start, .receive = teller_receive};

static int go_teller(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    const tr_spawn_opts *opts = TR_SPAWN(.placement = TR_SPREAD, .args = TR_V(kid_addr));
    (void)echo_addr;
    int rc = tr_spawn(self, &teller, opts, NULL);
    return rc < 0 ? rc : tr_spawn(self, &teller, opts, NULL);
}

static void check_teller(void)
{
    assert_string_equal("kid:larger kid:handle kid:large kid:handle kid:small "
                        "teller:larger teller:handle teller:large teller:handle teller:small "
                        "teller:larger teller:large teller:small teller:down:normal",
                        heard);
}

static void what_goes_by_another_loop_stays_in_order(void **state)
{
    (void)state;
    loops = 2;
    perform(go_teller, check_teller);
}

// ---- Between siblings ----

static void twin_has_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_addr to = tr_msg_from(answer->msg);
    (void)arg;
    int rc = answer->status < 0 ? answer->status : send_among_large(self, to);
    if (rc == 0)
        rc = tr_send(self, to, "over", TR_NULL);
    tr_exit(self, rc);
}

// It says the same before there is a link, and when there is one.
static int twin_start(tr_actor *self, const tr_val *args)
{
    tr_addr to;
    int rc = tr_as_addr(*args, &to);
    if (rc < 0)
        return tr_spawn(self, &grandchild, TR_SPAWN(.isolation = TR_PROCESS), NULL);
    rc = send_among_large(self, to);
    return rc < 0 ? rc
                  : tr_ask(self, to, "ping", TR_NULL, TR_ASK(.timeout_ms = 600000), NULL,
                           twin_has_answer, NULL);
}

static int twin_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_forward(self, msg, tr_parent(self));
}
static const tr_behavior twin = {.name = "twin", .start = twin_start, .receive = twin_receive};

static int go_twin(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    (void)echo_addr;
    return tr_spawn(self, &twin, TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V(kid_addr)), NULL);
}

static void check_twin(void)
{
    assert_string_equal("kid:larger kid:handle kid:large kid:handle kid:small "
                        "kid:larger kid:handle kid:large kid:handle kid:small down:normal",
                        heard);
}

static void what_one_sends_to_a_sibling_stays_in_order(void **state)
{
    (void)state;
    perform(go_twin, check_twin);
}

// ---- Through two others ----

// Its words go by its parent and by the first node to the kid: handed on by their actors, or published,
// when all have heard of each other.
static void grandchild_publish(tr_actor *self, void *arg)
{
    (void)arg;
    int rc = tr_publish(self, "all", "sized", sized(LARGER));
    if (rc == 0)
        rc = tr_publish(self, "all", "sized", sized(LARGE));
    if (rc == 0)
        rc = tr_publish(self, "all", "sized", sized(SMALL));
    if (rc == 0)
        rc = tr_publish(self, "all", "over", TR_NULL);
    if (rc < 0)
        note("grandchild", tr_errname(rc));
}

static int grandchild_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    if (handed_to.node == 0)
        return tr_timer_start(self, TR_S(10), grandchild_publish, NULL, NULL);
    int rc = last_words(self, tr_parent(self));
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "over", TR_NULL);
}
static const tr_behavior grandchild = {.name = "grandchild", .start = grandchild_start};

static int go_through(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    (void)kid_addr, (void)echo_addr;
    return tr_spawn(self, &twin, TR_SPAWN(.isolation = TR_PROCESS), NULL);
}

static int go_by_hand(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    handed_to = kid_addr;
    return go_through(self, kid_addr, echo_addr);
}

static void check_through(void)
{
    assert_string_equal("kid:larger kid:large kid:small down:normal", heard);
}

static void what_is_published_two_links_away_stays_in_order(void **state)
{
    (void)state;
    perform(go_through, check_through);
}

static void what_is_handed_on_two_links_away_stays_in_order(void **state)
{
    (void)state;
    perform(go_by_hand, check_through);
}

// ---- Ends ----

static int go_ends(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    int rc = tr_monitor(self, echo_addr, NULL);
    if (rc == 0)
        rc = tr_send(self, echo_addr, "fail", TR_NULL);
    return rc < 0 ? rc : tr_send(self, kid_addr, "end", TR_NULL);
}

// The words of the two come in turn.
static void check_ends(void)
{
    const char *echoes = strstr(heard, "down:error"), *kids = strstr(heard, "down:normal");
    unsigned words[2] = {0};
    assert_true(echoes != NULL && kids != NULL && kids > echoes);
    assert_string_equal("down:normal", kids);
    for (const char *at = heard; (at = strstr(at, "large")) != NULL; at++)
        words[at > echoes]++;
    assert_in_range(words[0], 2, 4); // its own are there
    assert_int_equal(4, words[0] + words[1]);
    assert_null(strstr(heard, "wrong"));
}

static void an_end_is_told_behind_large_last_words(void **state)
{
    (void)state;
    perform(go_ends, check_ends);
}

static int go_linked(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    (void)kid_addr;
    int rc = tr_link(self, echo_addr);
    return rc < 0 ? rc : tr_send(self, echo_addr, "fail", TR_NULL);
}

static void check_linked(void)
{
    assert_string_equal("larger large small exit:error: input or output error down:shutdown",
                        heard);
}

static void the_end_of_a_linked_one_is_told_behind_its_large_last_words(void **state)
{
    (void)state;
    perform(go_linked, check_linked);
}

static int go_stop(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    int rc = tr_monitor(self, echo_addr, NULL);
    if (rc == 0)
        rc = send_sized(self, echo_addr, LARGER);
    if (rc == 0)
        rc = tr_stop(self, echo_addr);
    if (rc == 0)
        rc = send_sized(self, kid_addr, LARGER);
    if (rc == 0)
        rc = send_sized(self, kid_addr, LARGER);
    return rc < 0 ? rc : tr_stop(self, kid_addr);
}

static void check_stop(void)
{
    const char *stopped = strstr(heard, "down:shutdown"), *large = strstr(heard, "echo:larger");
    assert_true(stopped != NULL && large != NULL && large < stopped);
    assert_non_null(strstr(stopped, "kid:larger down:shutdown"));
}

static void who_is_asked_to_stop_handles_the_large_one_before(void **state)
{
    (void)state;
    perform(go_stop, check_stop);
}

static int go_crash(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    int rc = send_sized(self, kid_addr, LARGER);
    return rc < 0 ? rc : tr_send(self, echo_addr, "crash", TR_NULL);
}

static void check_crash(void)
{
    assert_string_equal("down:killed by signal 9", heard);
}

static void a_crash_of_the_receiver_in_the_middle_leaves_nothing(void **state)
{
    (void)state;
    perform(go_crash, check_crash);
}

static void crash_now(tr_actor *self, void *arg)
{
    tr_send(self, *(tr_addr *)arg, "crash", TR_NULL);
}

static int go_crash_later(tr_actor *self, tr_addr kid_addr, tr_addr echo_addr)
{
    static tr_addr crashing;
    crashing = echo_addr;
    int rc = tr_send(self, kid_addr, "say", TR_NULL);
    return rc < 0 ? rc : tr_timer_start(self, TR_US(100) << seed % 8, crash_now, &crashing, NULL);
}

static unsigned cut_short;

static void check_crash_later(void)
{
    const char *end = strstr(heard, "down:killed by signal 9");
    assert_non_null(end);
    cut_short += end == heard;
}

static void a_crash_of_the_sender_in_the_middle_leaves_nothing(void **state)
{
    (void)state;
    cut_short = 0;
    perform(go_crash_later, check_crash_later);
    assert_in_range(cut_short, SEEDS / 4, SEEDS);
}

int main(void)
{
    fill_content();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_asks_are_answered_while_a_large_message_is_on_its_way),
        cmocka_unit_test(large_ones_go_in_turn),
        cmocka_unit_test(what_one_sends_to_another_stays_in_order),
        cmocka_unit_test(what_one_publishes_is_in_order_with_what_it_sends),
        cmocka_unit_test(handles_stay_in_their_order_behind_large_messages),
        cmocka_unit_test(what_goes_by_another_loop_stays_in_order),
        cmocka_unit_test(what_one_sends_to_a_sibling_stays_in_order),
        cmocka_unit_test(what_is_published_two_links_away_stays_in_order),
        cmocka_unit_test(what_is_handed_on_two_links_away_stays_in_order),
        cmocka_unit_test(an_end_is_told_behind_large_last_words),
        cmocka_unit_test(the_end_of_a_linked_one_is_told_behind_its_large_last_words),
        cmocka_unit_test(who_is_asked_to_stop_handles_the_large_one_before),
        cmocka_unit_test(a_crash_of_the_receiver_in_the_middle_leaves_nothing),
        cmocka_unit_test(a_crash_of_the_sender_in_the_middle_leaves_nothing),
    };
    return cmocka_run_group_tests_name("sim/large", tests, NULL, NULL);
}
