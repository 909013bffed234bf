// What was accepted arrives, also when the sender ends in the same turn: from a child that exits,
// and from a parent that exits, whose child is asked to shut down right behind the messages.
#include <stdio.h>

#include "ipc/numbered.h"
#include "support/ipc.h"

// One side speaks: it sends until all is sent or no more is accepted, and exits in that turn. The
// other listens. Both leave their counts in files, since the child has no other way when its
// parent is the one that leaves.
struct talk {
    int shape;
    uint64_t bytes, count;
    char spoken[64], heard[64];
};

static tr_val talk_val(const struct talk *t)
{
    return tr_val_bin((tr_bytes){t, sizeof *t});
}

static int talk_read(tr_val val, struct talk *ret_talk)
{
    tr_bytes bytes;
    if (tr_as_bin(val, &bytes) < 0 || bytes.len != sizeof *ret_talk)
        return TR_EBADMSG;
    memcpy(ret_talk, bytes.ptr, bytes.len);
    return 0;
}

static int speak(tr_actor *self, tr_addr to, const struct talk *t)
{
    uint64_t accepted = 0;
    int rc = 0;
    while (rc == 0 && accepted < t->count) {
        rc = numbered_send(self, to, (enum shape)t->shape, t->bytes, accepted);
        accepted += rc == 0;
    }
    ipc_note(t->spoken, accepted);
    return tr_exit(self, rc == TR_EFULL ? TR_NORMAL : rc);
}

struct listener {
    struct talk talk;
    uint64_t heard;
};

static int listen_to(tr_actor *self, const tr_msg *msg)
{
    struct listener *l = tr_state(self);
    if (!numbered_is(msg, l->talk.bytes, l->heard))
        return TR_EBADMSG;
    l->heard++;
    return 0;
}

static void listener_stop(tr_actor *self, tr_reason reason)
{
    (void)reason;
    const struct listener *l = tr_state(self);
    ipc_note(l->talk.heard, l->heard);
}

// ---- A child that speaks ----

static int speaking_child_start(tr_actor *self, const tr_val *args)
{
    struct talk talk;
    int rc = talk_read(*args, &talk);
    return rc < 0 ? rc : speak(self, tr_parent(self), &talk);
}
static const tr_behavior speaking_child = {.name = "speaking child", .start = speaking_child_start};

static int listening_parent_start(tr_actor *self, const tr_val *args)
{
    struct listener *l = tr_state(self);
    tr_addr kid;
    int rc = talk_read(*args, &l->talk);
    if (rc == 0)
        rc =
            tr_spawn(self, &speaking_child, TR_SPAWN(.isolation = TR_PROCESS, .args = *args), &kid);
    return rc < 0 ? rc : tr_monitor(self, kid, NULL);
}

static int listening_parent_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return listen_to(self, msg);
    return tr_exit(self, tr_msg_down(msg)->reason.kind == TR_REASON_NORMAL ? TR_NORMAL : TR_EIO);
}
static const tr_behavior listening_parent = {.name = "listening parent",
                                             .state_size = sizeof(struct listener),
                                             .start = listening_parent_start,
                                             .receive = listening_parent_receive,
                                             .stop = listener_stop};

// ---- A parent that speaks ----

static int listening_child_start(tr_actor *self, const tr_val *args)
{
    struct listener *l = tr_state(self);
    return talk_read(*args, &l->talk);
}
static const tr_behavior listening_child = {.name = "listening child",
                                            .state_size = sizeof(struct listener),
                                            .start = listening_child_start,
                                            .receive = listen_to,
                                            .stop = listener_stop};

static int speaking_parent_start(tr_actor *self, const tr_val *args)
{
    struct talk talk;
    tr_addr kid;
    int rc = talk_read(*args, &talk);
    if (rc == 0)
        rc = tr_spawn(self, &listening_child, TR_SPAWN(.isolation = TR_PROCESS, .args = *args),
                      &kid);
    return rc < 0 ? rc : speak(self, kid, &talk);
}
static const tr_behavior speaking_parent = {.name = "speaking parent",
                                            .start = speaking_parent_start};

#define APP TR_APP(&speaking_child, &listening_child)

// ---- The tests ----

// Returns how many were accepted.
static uint64_t talk_through(const tr_behavior *parent, enum shape shape, uint64_t bytes,
                             uint64_t count)
{
    struct talk talk = {.shape = (int)shape, .bytes = bytes, .count = count};
    snprintf(talk.spoken, sizeof talk.spoken, "%s", tr_test_path("spoken"));
    snprintf(talk.heard, sizeof talk.heard, "%s", tr_test_path("heard"));
    assert_int_equal(0, TR_RUN(APP, parent, talk_val(&talk)));
    uint64_t spoken = ipc_noted(talk.spoken);
    assert_int_equal(spoken, ipc_noted(talk.heard));
    return spoken;
}

static void one_buffer_of_10_MB_outlives_its_child(void **state)
{
    (void)state;
    assert_int_equal(1, talk_through(&listening_parent, BUFFER, 10000000, 1));
}

static void one_document_of_10_MB_outlives_its_child(void **state)
{
    (void)state;
    assert_int_equal(1, talk_through(&listening_parent, DOCUMENT, 10000000, 1));
}

static void buffers_of_10_MB_in_all_outlive_their_child(void **state)
{
    (void)state;
    assert_int_equal(160, talk_through(&listening_parent, BUFFER, 65536, 160));
}

static void as_many_small_messages_as_are_accepted_outlive_their_child(void **state)
{
    (void)state;
    assert_in_range(talk_through(&listening_parent, SMALL, 0, 100000), 4000, 100000);
}

static void one_buffer_of_10_MB_outlives_its_parent(void **state)
{
    (void)state;
    assert_int_equal(1, talk_through(&speaking_parent, BUFFER, 10000000, 1));
}

static void one_document_of_10_MB_outlives_its_parent(void **state)
{
    (void)state;
    assert_int_equal(1, talk_through(&speaking_parent, DOCUMENT, 10000000, 1));
}

static void buffers_of_10_MB_in_all_outlive_their_parent(void **state)
{
    (void)state;
    assert_int_equal(160, talk_through(&speaking_parent, BUFFER, 65536, 160));
}

static void as_many_small_messages_as_are_accepted_outlive_their_parent(void **state)
{
    (void)state;
    assert_in_range(talk_through(&speaking_parent, SMALL, 0, 100000), 4000, 100000);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(one_buffer_of_10_MB_outlives_its_child),
    TR_PROCESS_TEST(one_document_of_10_MB_outlives_its_child),
    TR_PROCESS_TEST(buffers_of_10_MB_in_all_outlive_their_child),
    TR_PROCESS_TEST(as_many_small_messages_as_are_accepted_outlive_their_child),
    TR_PROCESS_TEST(one_buffer_of_10_MB_outlives_its_parent),
    TR_PROCESS_TEST(one_document_of_10_MB_outlives_its_parent),
    TR_PROCESS_TEST(buffers_of_10_MB_in_all_outlive_their_parent),
    TR_PROCESS_TEST(as_many_small_messages_as_are_accepted_outlive_their_parent),
};
TR_TEST_MAIN("ipc/last_words", APP, tests)
