// Many messages, and large ones, between a parent and its child, both ways at the same time: all of
// them arrive, in order and unchanged. The child ends when it has sent and got all of its own.
#include "ipc/numbered.h"
#include "support/ipc.h"

#define MIB (1u << 20)

// What both ends do alike: send so many, take so many.
struct stream {
    tr_addr peer;
    enum shape shape;
    uint64_t bytes, count;
    uint64_t sent, got;
    bool is_child;
};

// The child is through when it has done its share; the parent then hears of its end.
static void stream_end_if_done(tr_actor *self, const struct stream *s)
{
    if (s->is_child && s->sent == s->count && s->got == s->count)
        tr_exit(self, TR_NORMAL);
}

// Send what is accepted, and go on when there is room.
static void stream_pump(tr_actor *self, void *arg)
{
    struct stream *s = arg;
    int rc = 0;
    while (s->sent < s->count &&
           (rc = numbered_send(self, s->peer, s->shape, s->bytes, s->sent)) == 0)
        s->sent++;
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, s->peer, stream_pump, s);
    if (rc < 0)
        tr_exit(self, rc);
    stream_end_if_done(self, s);
}

static int stream_take(tr_actor *self, const tr_msg *msg)
{
    struct stream *s = tr_state(self);
    if (!numbered_is(msg, s->bytes, s->got))
        return TR_EBADMSG;
    s->got++;
    stream_end_if_done(self, s);
    return 0;
}

static int stream_start(tr_actor *self, tr_addr peer, const tr_val *args)
{
    struct stream *s = tr_state(self);
    int shape;
    int rc = TR_READ(*args, "shape", &shape, "bytes", &s->bytes, "count", &s->count);
    if (rc < 0)
        return rc;
    s->shape = (enum shape)shape;
    s->peer = peer;
    stream_pump(self, s);
    return 0;
}

static int child_start(tr_actor *self, const tr_val *args)
{
    ((struct stream *)tr_state(self))->is_child = true;
    return stream_start(self, tr_parent(self), args);
}
static const tr_behavior child = {.name = "child",
                                  .state_size = sizeof(struct stream),
                                  .start = child_start,
                                  .receive = stream_take};

static struct stream parents; // as the parent's end left it
static tr_reason child_reason;

static int parent_start(tr_actor *self, const tr_val *args)
{
    tr_addr kid;
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS, .args = *args), &kid);
    if (rc == 0)
        rc = tr_monitor(self, kid, NULL);
    return rc < 0 ? rc : stream_start(self, kid, args);
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return stream_take(self, msg);
    child_reason = tr_msg_down(msg)->reason;
    parents = *(struct stream *)tr_state(self);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior parent = {.name = "parent",
                                   .state_size = sizeof(struct stream),
                                   .start = parent_start,
                                   .receive = parent_receive};

#define APP TR_APP(&parent, &child)

static void exchange(enum shape shape, uint64_t bytes, uint64_t count)
{
    count = ipc_scaled(count);
    parents = (struct stream){0};
    child_reason = (tr_reason){.kind = TR_REASON_NOACTOR};
    assert_int_equal(
        0, TR_RUN(APP, &parent, TR_MAP("shape", (int)shape, "bytes", bytes, "count", count)));
    assert_int_equal(TR_REASON_NORMAL, child_reason.kind);
    assert_int_equal(count, parents.sent);
    assert_int_equal(count, parents.got);
}

static void a_million_small_messages_each_way_arrive_in_order(void **state)
{
    (void)state;
    exchange(SMALL, 0, 1000000);
}

static void two_thousand_buffers_of_1_MiB_each_way_arrive_in_order(void **state)
{
    (void)state;
    exchange(BUFFER, MIB, 2000);
}

static void a_hundred_documents_of_1_MiB_each_way_arrive_in_order(void **state)
{
    (void)state;
    exchange(DOCUMENT, MIB, 100);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(a_million_small_messages_each_way_arrive_in_order),
    TR_PROCESS_TEST(two_thousand_buffers_of_1_MiB_each_way_arrive_in_order),
    TR_PROCESS_TEST(a_hundred_documents_of_1_MiB_each_way_arrive_in_order),
};
TR_TEST_MAIN("ipc/volume", APP, tests)
