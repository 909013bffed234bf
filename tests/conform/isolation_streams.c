// Streams in messages: either side of one, handed to an actor wherever that lives.
#include "conform/isolation_suite.h"

#define ITEM 1000 // bytes of an item, of which the first eight are its number

// ---- Streams of numbers ----

// Gives, or takes, the numbers from 0 on.
struct numbers {
    int64_t next, count;
    int error;  // behind the last one; 0: the end
    bool wrong; // one was not the next
};

static int numbers_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    struct numbers *n = state;
    tr_buf *item = NULL;
    (void)want;
    if (n->next == n->count)
        return n->error < 0 ? n->error : tr_stream_push(self, stream, NULL) < 0;
    int rc = tr_buf_new(ITEM, &item);
    if (rc < 0)
        return rc;
    memset(tr_buf_data(item), 0, ITEM);
    memcpy(tr_buf_data(item), &n->next, sizeof n->next);
    n->next++;
    rc = tr_stream_push(self, stream, &item);
    tr_buf_unref(&item);
    return rc < 0 ? rc : 0;
}

static void numbers_take(struct numbers *n, const tr_buf *item)
{
    int64_t number = -1;
    if (tr_buf_size(item) == ITEM)
        memcpy(&number, tr_buf_data(item), sizeof number);
    n->wrong |= number != n->next++;
}

static int numbers_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *items,
                         size_t count)
{
    struct numbers *n = state;
    (void)self, (void)stream;
    for (size_t i = 0; i < count; i++)
        numbers_take(n, items[i]);
    return n->error < 0 && n->next >= n->count ? n->error : 0;
}

static const tr_stream_ops source_ops = {
    .name = "source", .state_size = sizeof(struct numbers), .read = numbers_read};
static const tr_stream_ops sink_ops = {
    .name = "sink", .state_size = sizeof(struct numbers), .write_count = 4, .write = numbers_write};

static int numbers_open(tr_actor *self, const tr_stream_ops *ops, struct numbers like,
                        tr_stream *ret_stream)
{
    int rc = tr_stream_new(self, ops, TR_STREAM(.mode = TR_ITEMS), ret_stream);
    if (rc == 0)
        *(struct numbers *)tr_stream_state(self, *ret_stream, ops) = like;
    return rc;
}

// ---- Who offers ----

// Offers its parent a source or a sink, and says how that ended.
struct spring {
    tr_stream stream;
    bool source;
    struct numbers last; // as it was when it ended
};

static void spring_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)stream, (void)arg;
    if (tr_send(self, tr_parent(self), "closed", TR_V(status)) < 0)
        tr_exit(self, TR_EIO);
}

static int spring_offer(tr_actor *self, struct spring *s, const tr_offer_opts *opts)
{
    tr_offer offer;
    int rc = s->source ? tr_stream_offer_read(self, s->stream, opts, &offer)
                       : tr_stream_offer_write(self, s->stream, opts, &offer);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "offer", tr_val_offer(&offer));
}

static int spring_start(tr_actor *self, const tr_val *args)
{
    static const tr_stream_events events = {.closed = spring_closed};
    struct spring *s = tr_state(self);
    int64_t count, error, timeout_ms;
    int rc = TR_READ(*args, "source", &s->source, "count", &count, "error", &error, "timeout_ms",
                     &timeout_ms);
    if (rc == 0)
        rc = numbers_open(self, s->source ? &source_ops : &sink_ops,
                          (struct numbers){.count = count, .error = (int)error}, &s->stream);
    if (rc == 0)
        rc = tr_stream_on(self, s->stream, &events, NULL);
    return rc < 0 ? rc : spring_offer(self, s, TR_OFFER(.timeout_ms = (uint32_t)timeout_ms));
}

// How far it has come.
static int spring_receive(tr_actor *self, const tr_msg *msg)
{
    struct spring *s = tr_state(self);
    struct numbers *n = tr_stream_state(self, s->stream, s->source ? &source_ops : &sink_ops);
    return tr_msg_is(msg, "far?") ? tr_reply(self, msg, TR_V(n == NULL ? -1 : n->next))
                                  : tr_exit(self, TR_NORMAL);
}

const tr_behavior spring = {.name = "spring",
                            .state_size = sizeof(struct spring),
                            .start = spring_start,
                            .receive = spring_receive};

static int spawn_spring(tr_actor *self, bool source, int64_t count, int error, int timeout_ms,
                        tr_addr *ret_addr)
{
    tr_val args =
        TR_MAP("source", source, "count", count, "error", error, "timeout_ms", timeout_ms);
    return play_spawn(self, &spring, TR_SPAWN(.args = args), ret_addr);
}

// ---- The first actor takes ----

static struct taker {
    tr_addr from;
    tr_stream stream;
    struct numbers numbers;
    int64_t drop_at; // closes it there; -1: never
    int left;        // what is to be heard before the play ends
} taker;

static void heard_one(tr_actor *self)
{
    if (--taker.left == 0)
        tr_exit(self, TR_NORMAL);
}

static void on_item(tr_actor *self, tr_stream stream, tr_buf *item, void *arg)
{
    (void)arg;
    numbers_take(&taker.numbers, item);
    if (taker.numbers.next == taker.drop_at)
        tr_stream_destroy(self, stream, TR_EPIPE);
}

static void on_end(tr_actor *self, tr_stream stream, void *arg)
{
    (void)self, (void)stream, (void)arg;
    note(taker.numbers.wrong || taker.numbers.next != taker.numbers.count ? "wrong" : "all");
}

static void note_status(const char *what, int status)
{
    note("%s=%s", what, status == 0 ? "0" : tr_errname(status));
}

static void on_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)stream, (void)arg;
    note_status("mine", status);
    heard_one(self);
}

// The owner is gone: which of the two it is depends on whether an ask was under way.
static void on_gone(tr_actor *self, tr_stream stream, int status, void *arg)
{
    on_closed(self, stream, status == TR_ENOACTOR ? TR_EDOWN : status, arg);
}

static const tr_stream_events reads = {.data = on_item, .end = on_end, .closed = on_closed};

// Writes as long as there is room.
static void write_more(tr_actor *self, tr_stream stream, void *arg)
{
    struct numbers *n = &taker.numbers;
    int rc = 0;
    (void)arg;
    while (rc == 0 && n->next < n->count) {
        char item[ITEM] = {0};
        memcpy(item, &n->next, sizeof n->next);
        rc = tr_stream_write_bytes(self, stream, item, sizeof item);
        n->next += rc >= 0;
    }
    if (n->next == n->count)
        tr_stream_end(self, stream);
}

static void on_finish(tr_actor *self, tr_stream stream, void *arg)
{
    (void)self, (void)stream, (void)arg;
    note("finish");
}

static const tr_stream_events writes = {
    .drain = write_more, .finish = on_finish, .closed = on_closed};

static int take(tr_actor *self, const tr_msg *msg, const tr_stream_events *events)
{
    tr_offer offer;
    taker.from = tr_msg_from(msg);
    int rc = tr_as_offer(tr_msg_body(msg), &offer);
    if (rc == 0)
        rc = tr_stream_accept(self, &offer, NULL, &taker.stream);
    if (rc == 0)
        rc = tr_stream_on(self, taker.stream, events, NULL);
    if (rc == 0 && events == &writes)
        write_more(self, taker.stream, NULL);
    return rc;
}

// Its stream's end and the owner's come in any order: the notes of the owner's are taken apart.
static int theirs;

static int hear_closed(tr_actor *self, const tr_msg *msg)
{
    theirs = (int)number_of(msg);
    heard_one(self);
    return 0;
}

static int receive_to_read(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_is(msg, "offer") ? take(self, msg, &reads) : hear_closed(self, msg);
}

static int receive_to_write(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_is(msg, "offer") ? take(self, msg, &writes) : hear_closed(self, msg);
}

// ---- All goes through ----

static int start_reading(tr_actor *self)
{
    taker = (struct taker){.numbers.count = (int64_t)play_many(2000), .drop_at = -1, .left = 2};
    theirs = 1;
    return spawn_spring(self, true, taker.numbers.count, 0, 0, NULL);
}

static void what_is_read_elsewhere_arrives_whole_and_in_order(void **state)
{
    (void)state;
    perform(&(struct play){start_reading, receive_to_read, false}, "all mine=0");
    assert_int_equal(0, theirs);
}

static int start_writing(tr_actor *self)
{
    taker = (struct taker){.numbers.count = (int64_t)play_many(2000), .drop_at = -1, .left = 2};
    theirs = 1;
    return spawn_spring(self, false, taker.numbers.count, 0, 0, NULL);
}

static void what_is_written_elsewhere_has_left_when_it_has_finished(void **state)
{
    (void)state;
    perform(&(struct play){start_writing, receive_to_write, false}, "finish mine=0");
    assert_int_equal(0, theirs);
}

// ---- Errors come through ----

static int start_failing_source(tr_actor *self)
{
    taker = (struct taker){.numbers.count = 10, .drop_at = -1, .left = 2};
    return spawn_spring(self, true, 10, TR_EIO, 0, NULL);
}

static void an_error_of_the_source_is_the_readers(void **state)
{
    (void)state;
    perform(&(struct play){start_failing_source, receive_to_read, false}, "mine=TR_EIO");
    assert_int_equal(TR_EIO, theirs);
}

static int start_failing_sink(tr_actor *self)
{
    taker = (struct taker){.numbers.count = 1000, .drop_at = -1, .left = 2};
    return spawn_spring(self, false, 10, TR_EIO, 0, NULL);
}

static void an_error_of_the_sink_is_the_writers(void **state)
{
    (void)state;
    perform(&(struct play){start_failing_sink, receive_to_write, false}, "mine=TR_EIO");
    assert_int_equal(TR_EIO, theirs);
}

static int start_dropping(tr_actor *self)
{
    taker = (struct taker){.numbers.count = 1000, .drop_at = 5, .left = 2};
    return spawn_spring(self, true, 1000, 0, 0, NULL);
}

static void a_reader_that_closes_closes_the_source(void **state)
{
    (void)state;
    perform(&(struct play){start_dropping, receive_to_read, false}, "mine=TR_EPIPE");
    assert_int_equal(TR_EPIPE, theirs);
}

// ---- Ends ----

static void on_item_then_kill(tr_actor *self, tr_stream stream, tr_buf *item, void *arg)
{
    (void)stream, (void)item, (void)arg;
    if (taker.left == 2 && tr_send(self, taker.from, "exit", TR_NULL) == 0)
        taker.left = 1; // else with the next one: there is no end to them
}

static int receive_and_kill(tr_actor *self, const tr_msg *msg)
{
    static const tr_stream_events kills = {.data = on_item_then_kill, .closed = on_gone};
    return tr_msg_is(msg, "offer") ? take(self, msg, &kills) : 0;
}

static int start_endless(tr_actor *self)
{
    taker = (struct taker){.numbers.count = 1, .drop_at = -1, .left = 2};
    return spawn_spring(self, true, INT64_MAX, 0, 0, NULL);
}

static void the_end_of_the_owner_ends_the_reader(void **state)
{
    (void)state;
    perform(&(struct play){start_endless, receive_and_kill, false}, "mine=TR_EDOWN");
}

// Reads or writes what it is offered, and ends at the first item.
static void guest_ends(tr_actor *self, tr_stream stream, tr_buf *item, void *arg)
{
    (void)stream, (void)item, (void)arg;
    tr_exit(self, TR_NORMAL);
}

static int guest_receive(tr_actor *self, const tr_msg *msg)
{
    static const tr_stream_events events = {.data = guest_ends};
    tr_offer offer;
    tr_stream stream;
    int rc = tr_as_offer(tr_msg_body(msg), &offer);
    if (rc == 0)
        rc = tr_stream_accept(self, &offer, NULL, &stream);
    return rc < 0 ? rc : tr_stream_on(self, stream, &events, NULL);
}

const tr_behavior guest = {.name = "guest", .receive = guest_receive};

static int start_with_guest(tr_actor *self)
{
    static const tr_stream_events events = {.closed = on_closed};
    tr_addr to;
    tr_offer offer;
    taker = (struct taker){.left = 1};
    int rc = numbers_open(self, &source_ops, (struct numbers){.count = INT64_MAX}, &taker.stream);
    if (rc == 0)
        rc = tr_stream_on(self, taker.stream, &events, NULL);
    if (rc == 0)
        rc = tr_stream_offer_read(self, taker.stream, NULL, &offer);
    if (rc == 0)
        rc = play_spawn(self, &guest, NULL, &to);
    return rc < 0 ? rc : tr_send(self, to, "offer", tr_val_offer(&offer));
}

static int receive_nothing(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return TR_EUNKNOWN;
}

static void the_end_of_the_reader_ends_the_source(void **state)
{
    (void)state;
    perform(&(struct play){start_with_guest, receive_nothing, false}, "mine=TR_EDOWN");
}

static int start_late(tr_actor *self)
{
    taker = (struct taker){.left = 1};
    return spawn_spring(self, true, INT64_MAX, 0, 1, NULL);
}

static int receive_late(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "offer"))
        return 0;
    note_status("theirs", (int)number_of(msg));
    return tr_exit(self, TR_NORMAL);
}

static void an_offer_that_nobody_takes_is_withdrawn(void **state)
{
    (void)state;
    perform(&(struct play){start_late, receive_late, false}, "theirs=TR_ETIMEDOUT");
}

// Takes the offer, and another one that never was.
static int receive_twice(tr_actor *self, const tr_msg *msg)
{
    tr_offer offer;
    if (!tr_msg_is(msg, "offer"))
        return 0;
    int rc = take(self, msg, &reads);
    if (rc == 0)
        rc = tr_as_offer(tr_msg_body(msg), &offer);
    tr_stream none;
    if (rc == 0) {
        offer.items[1] = TR_V((uint64_t)1 << 40);
        rc = tr_stream_accept(self, &offer, NULL, &none);
    }
    return rc < 0 ? rc : tr_stream_on(self, none, &reads, NULL);
}

static int start_twice(tr_actor *self)
{
    taker = (struct taker){.numbers.count = 3, .drop_at = -1, .left = 2};
    return spawn_spring(self, true, 3, 0, 0, NULL);
}

// The one that is missing is told first: it takes one question, and the other several.
static void an_offer_that_is_not_there_closes_the_stream(void **state)
{
    (void)state;
    perform(&(struct play){start_twice, receive_twice, false}, "mine=TR_ENOENT all mine=0");
}

// ---- Pressure ----

// Sixteen items on each side of two streams at either end, one message of chunks on the way.
#define HELD_MAX (4 * TR_STREAM_HIGH_ITEMS + TR_BUFS_MAX)

static int far_asks;

static void ask_far(tr_actor *self, void *arg);

static void on_far(tr_actor *self, const tr_answer *answer, void *arg)
{
    int64_t far = -1;
    (void)arg;
    if (tr_as_int(answer->body, &far) < 0 || far > HELD_MAX)
        note("far=%lld", (long long)far);
    if (++far_asks < 50)
        ask_far(self, NULL);
    else
        note(far < TR_STREAM_HIGH_ITEMS ? "idle" : "held"), tr_exit(self, TR_NORMAL);
}

static void ask_far(tr_actor *self, void *arg)
{
    (void)arg;
    int rc = tr_ask(self, taker.from, "far?", TR_NULL, NULL, NULL, on_far, NULL);
    if (rc < 0)
        tr_exit(self, rc);
}

// The reader listens and does not read.
static int receive_to_hold(tr_actor *self, const tr_msg *msg)
{
    static const tr_stream_events still = {.closed = on_closed};
    if (!tr_msg_is(msg, "offer"))
        return 0;
    far_asks = 0;
    int rc = take(self, msg, &still);
    if (rc == 0)
        ask_far(self, NULL);
    return rc;
}

static void a_reader_that_does_not_read_holds_the_source(void **state)
{
    (void)state;
    perform(&(struct play){start_endless, receive_to_hold, false}, "held");
}

int isolation_streams(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(what_is_read_elsewhere_arrives_whole_and_in_order),
        PLAY_TEST(what_is_written_elsewhere_has_left_when_it_has_finished),
        PLAY_TEST(an_error_of_the_source_is_the_readers),
        PLAY_TEST(an_error_of_the_sink_is_the_writers),
        PLAY_TEST(a_reader_that_closes_closes_the_source),
        PLAY_TEST(the_end_of_the_owner_ends_the_reader),
        PLAY_TEST(the_end_of_the_reader_ends_the_source),
        PLAY_TEST(an_offer_that_nobody_takes_is_withdrawn),
        PLAY_TEST(an_offer_that_is_not_there_closes_the_stream),
        PLAY_TEST(a_reader_that_does_not_read_holds_the_source),
    };
    return cmocka_run_group_tests_name(theatre->name, tests, NULL, NULL);
}
