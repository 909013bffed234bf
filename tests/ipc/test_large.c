// A message of nearly 64 MiB between two processes: others are answered while it is on its way, to
// either side; and a process that is killed in the middle of one leaves nothing of it.
#include <signal.h>
#include <unistd.h>

#include "ipc/numbered.h"
#include "support/ipc.h"

#define HUGE_BYTES (60u << 20)

// ---- The child: one that takes and gives, and one that is quick ----

static int quick_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "crash"))
        return kill(getpid(), SIGKILL);
    return tr_reply(self, msg, TR_NULL);
}
static const tr_behavior quick = {.name = "quick", .receive = quick_receive};

static int child_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    (void)args;
    int rc = tr_spawn(self, &quick, NULL, &addr);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "there", TR_V(addr));
}

// It goes when nothing else is on its way to the parent.
static void give(tr_actor *self, void *arg)
{
    tr_addr to = tr_parent(self);
    (void)arg;
    int rc = numbered_send(self, to, BUFFER, HUGE_BYTES, 7);
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, to, give, NULL);
    if (rc < 0)
        tr_exit(self, rc);
}

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "give"))
        return give(self, NULL), 0;
    if (tr_msg_is(msg, "behind"))
        return tr_exit(self, TR_NORMAL);
    if (!numbered_is(msg, HUGE_BYTES, 7))
        return TR_EBADMSG;
    return tr_send(self, tr_msg_from(msg), "taken", TR_NULL);
}
static const tr_behavior child = {.name = "child", .start = child_start, .receive = child_receive};

// ---- The parent ----

static struct {
    unsigned answers; // before the large one was there
    bool there;
    tr_reason reason; // of the child's end
} seen;

enum { TAKES, GIVES, CRASHES };

struct parent {
    int what; // the child does
    tr_addr quick;
};

static void ask_on(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct parent *p = arg;
    if (seen.there)
        return;
    seen.answers += answer != NULL && answer->status == 0;
    tr_ask(self, p->quick, "ping", TR_NULL, TR_ASK(.timeout_ms = 60000), NULL, ask_on, p);
}

static int parent_start(tr_actor *self, const tr_val *args)
{
    struct parent *p = tr_state(self);
    tr_addr kid;
    int64_t what = 0;
    int rc = tr_as_int(*args, &what);
    p->what = (int)what;
    if (rc == 0)
        rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS), &kid);
    return rc < 0 ? rc : tr_monitor(self, kid, NULL);
}

static int parent_begin(tr_actor *self, tr_addr kid)
{
    struct parent *p = tr_state(self);
    int rc = p->what == GIVES ? tr_send(self, kid, "give", TR_NULL)
                              : numbered_send(self, kid, BUFFER, HUGE_BYTES, 7);
    if (rc == 0 && p->what == CRASHES)
        rc = tr_send(self, p->quick, "crash", TR_NULL);
    else if (rc == 0)
        ask_on(self, NULL, p);
    return rc;
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    struct parent *p = tr_state(self);
    if (tr_msg_down(msg) != NULL) {
        seen.reason = tr_msg_down(msg)->reason;
        return tr_exit(self, TR_NORMAL);
    }
    if (tr_msg_is(msg, "there")) {
        int rc = tr_as_addr(tr_msg_body(msg), &p->quick);
        return rc < 0 ? rc : parent_begin(self, tr_msg_from(msg));
    }
    if (p->what == GIVES && !numbered_is(msg, HUGE_BYTES, 7))
        return TR_EBADMSG;
    seen.there = true;
    return tr_send(self, tr_msg_from(msg), "behind", TR_NULL);
}
static const tr_behavior parent = {.name = "parent",
                                   .state_size = sizeof(struct parent),
                                   .start = parent_start,
                                   .receive = parent_receive};

#define APP TR_APP(&parent, &child, &quick)

static void play(int what)
{
    memset(&seen, 0, sizeof seen);
    assert_int_equal(0, TR_RUN(APP, &parent, TR_V(what)));
}

static void others_are_answered_while_a_large_message_goes_to_their_process(void **state)
{
    (void)state;
    play(TAKES);
    assert_true(seen.there && seen.reason.kind == TR_REASON_NORMAL);
    assert_in_range(seen.answers, 5, 1000000);
}

static void others_are_answered_while_a_large_message_comes_from_their_process(void **state)
{
    (void)state;
    play(GIVES);
    assert_true(seen.there && seen.reason.kind == TR_REASON_NORMAL);
    assert_in_range(seen.answers, 5, 1000000);
}

static void a_process_that_is_killed_in_the_middle_of_one_is_told_as_killed(void **state)
{
    (void)state;
    play(CRASHES);
    assert_false(seen.there);
    assert_int_equal(TR_REASON_KILLED, seen.reason.kind);
    assert_int_equal(SIGKILL, seen.reason.code);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(others_are_answered_while_a_large_message_goes_to_their_process),
    TR_PROCESS_TEST(others_are_answered_while_a_large_message_comes_from_their_process),
    TR_PROCESS_TEST(a_process_that_is_killed_in_the_middle_of_one_is_told_as_killed),
};
TR_TEST_MAIN("ipc/large", APP, tests)
