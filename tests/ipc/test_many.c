// Many actors: ten thousand senders that flood a slow receiver, a thousand that are idle, a million
// that live.
#include <malloc.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/ipc.h"

#define LOOPS 2

// What is in use: without what earlier tests have freed.
static size_t rss_trimmed(void)
{
    malloc_trim(0);
    return ipc_rss(getpid());
}

// ---- A flood ----

#define SENDERS    10000u
#define PER_SENDER 10u
#define MAIL_MAX   4096u                 // the default
#define COST_NS    TR_US(5)              // of a message, to the receiver
#define SOON       (TR_MS(10) / COST_NS) // messages that it handles in 10 ms at most
#define GROWTH_MAX (64u << 20)

// What comes of it, on whichever thread.
static struct {
    tr_isolation isolation; // of the receiver
    bool greedy; // a sender sends until it is refused; or one message, and waits for room
    bool stops;  // the receiver is asked to stop in the midst of it
    uint32_t senders;
    uint64_t total; // messages that they are to send
    tr_addr receiver;
    atomic_uint_fast64_t accepted, refused, waits, resumed, ended;
    atomic_bool stop_sent;
    uint32_t passes[SENDERS]; // how often it found no room, at most, before it got some

    // The receiver's.
    uint64_t handled;
    uint64_t asked_at;           // so many were handled when it asked for the next two
    uint64_t down_at, answer_at; // and when they had come
    uint64_t after_stop;

    // The driver's.
    size_t rss_before, rss_most;
    bool all_sent, all_over;
} flood;

struct sender {
    uint32_t index, left, refused; // refused: in a row
};

static void sender_resume(tr_actor *self, void *arg);

static void sender_wait(tr_actor *self, struct sender *s)
{
    atomic_fetch_add(&flood.waits, 1);
    TR_CHECK(tr_on_writable(self, flood.receiver, sender_resume, s) == 0);
}

// Returns whether it may send on at once.
static bool sender_send(tr_actor *self, struct sender *s)
{
    int rc = tr_send(self, flood.receiver, "m", TR_V(s->index));
    if (rc == TR_EFULL) {
        atomic_fetch_add(&flood.refused, 1);
        s->refused++;
        return false;
    }
    if (flood.passes[s->index] < s->refused)
        flood.passes[s->index] = s->refused;
    s->refused = 0;
    if (TR_CHECK(rc == 0 || (rc == TR_ENOACTOR && flood.stops)))
        atomic_fetch_add(&flood.accepted, rc == 0);
    s->left--;
    return flood.greedy;
}

static void sender_go_on(tr_actor *self, struct sender *s)
{
    while (s->left > 0 && sender_send(self, s))
        continue;
    if (s->left > 0)
        sender_wait(self, s);
    else if (atomic_fetch_add(&flood.ended, 1) + 1 == flood.senders)
        TR_CHECK(tr_send(self, tr_parent(self), "sent", TR_NULL) == 0);
}

static void sender_resume(tr_actor *self, void *arg)
{
    atomic_fetch_add(&flood.resumed, 1);
    sender_go_on(self, arg);
}

static int sender_start(tr_actor *self, const tr_val *args)
{
    struct sender *s = tr_state(self);
    s->left = PER_SENDER;
    int rc = TR_READ(*args, "index", &s->index);
    if (rc == 0)
        sender_go_on(self, s);
    return rc;
}
static const tr_behavior sender = {
    .name = "sender", .state_size = sizeof(struct sender), .start = sender_start};

// ---- The receiver, and what the system has to say to it meanwhile ----

static int echo_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_reply(self, msg, TR_NULL);
}
static const tr_behavior echo = {.name = "echo", .receive = echo_receive};

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)arg;
    TR_CHECK(answer->status == 0);
    flood.answer_at = flood.handled;
}

static int receiver_ask_system(tr_actor *self)
{
    tr_addr victim, asked;
    flood.asked_at = flood.handled;
    int rc = tr_spawn(self, &echo, NULL, &victim);
    if (rc == 0)
        rc = tr_spawn(self, &echo, NULL, &asked);
    if (rc == 0)
        rc = tr_monitor(self, victim, NULL);
    if (rc == 0)
        rc = tr_stop(self, victim);
    return rc < 0 ? rc : tr_ask(self, asked, "echo", TR_NULL, NULL, NULL, on_answer, NULL);
}

static int receiver_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t until = tr_now(self) + COST_NS;
    if (tr_msg_down(msg) != NULL)
        return flood.down_at = flood.handled, 0;
    flood.handled++;
    flood.after_stop += atomic_load(&flood.stop_sent);
    while (tr_now(self) < until)
        continue;
    if (flood.handled == flood.total / 2)
        return flood.stops ? tr_send(self, tr_parent(self), "stop it", TR_NULL)
                           : receiver_ask_system(self);
    return flood.handled == flood.total ? tr_exit(self, TR_NORMAL) : 0;
}
static const tr_behavior receiver = {.name = "receiver", .receive = receiver_receive};

// ---- The driver ----

static void driver_look(tr_actor *self, void *arg)
{
    size_t rss = ipc_rss(getpid());
    (void)self, (void)arg;
    flood.rss_most = rss > flood.rss_most ? rss : flood.rss_most;
}

static int driver_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    flood.rss_before = rss_trimmed();
    int rc = tr_spawn(self, &receiver, TR_SPAWN(.isolation = flood.isolation), &flood.receiver);
    if (rc == 0)
        rc = tr_monitor(self, flood.receiver, NULL);
    for (uint32_t i = 0; rc == 0 && i < flood.senders; i++)
        rc = tr_spawn(self, &sender, TR_SPAWN(.placement = TR_SPREAD, .args = TR_MAP("index", i)),
                      NULL);
    return rc < 0 ? rc : tr_interval_start(self, TR_MS(1), driver_look, NULL, NULL);
}

static int driver_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "stop it")) {
        atomic_store(&flood.stop_sent, true);
        return tr_stop(self, flood.receiver);
    }
    if (tr_msg_down(msg) != NULL)
        flood.all_over = true;
    else
        flood.all_sent = true;
    return flood.all_over && flood.all_sent ? tr_exit(self, TR_NORMAL) : 0;
}
static const tr_behavior driver = {
    .name = "driver", .start = driver_start, .receive = driver_receive};

static uint64_t run(const tr_behavior *first)
{
    tr_node *node = NULL;
    assert_int_equal(0, tr_node_open(TR_NODE(.loops = LOOPS), &node));
    assert_int_equal(0, tr_node_spawn(node, first, NULL, NULL));
    assert_int_equal(0, tr_node_run(node));
    uint64_t dead_letters = tr_node_dead_letters(node);
    tr_node_close(&node);
    return dead_letters;
}

static void run_flood(tr_isolation isolation, bool greedy, bool stops)
{
    memset(&flood, 0, sizeof flood);
    flood.isolation = isolation;
    flood.greedy = greedy;
    flood.stops = stops;
    flood.senders = greedy ? (uint32_t)ipc_scaled(SENDERS) : SENDERS;
    flood.total = (uint64_t)flood.senders * PER_SENDER;
    uint64_t dead_letters = run(&driver);

    assert_int_equal(flood.senders, flood.ended);
    assert_true(flood.refused > 0 || flood.senders < SENDERS);
    assert_int_equal(flood.waits, flood.resumed);
    assert_int_equal(flood.accepted, flood.handled + dead_letters);
    if (!tr_test_sanitized())
        assert_in_range(flood.rss_most - flood.rss_before, 0, GROWTH_MAX);
}

static void run_whole_flood(tr_isolation isolation)
{
    run_flood(isolation, true, false);
    assert_int_equal(flood.total, flood.handled);
    assert_in_range(flood.down_at - flood.asked_at, 0, SOON);
    assert_in_range(flood.answer_at - flood.asked_at, 0, SOON);
}

static void a_flood_is_taken_in_by_a_shared_loop(void **state)
{
    (void)state;
    run_whole_flood(TR_SHARED);
}

static void a_flood_is_taken_in_by_a_thread(void **state)
{
    (void)state;
    run_whole_flood(TR_THREAD);
}

static void one_that_is_flooded_stops_when_it_is_asked(void **state)
{
    (void)state;
    run_flood(TR_SHARED, true, true);
    assert_in_range(flood.handled, flood.total / 2, flood.total - 1);
    assert_in_range(flood.after_stop, 0, SOON);
}

// How soon it is asked is the scheduler's business here.
static void a_flood_of_one_that_stops_on_a_thread_is_accounted_for(void **state)
{
    (void)state;
    run_flood(TR_THREAD, true, true);
    assert_in_range(flood.handled, flood.total / 2, flood.total);
}

// Goal:   of those that wait for room none is passed over.
// Method: each sends one message when it is told that there is room, which is half of the mailbox.
//         So many halves serve a line of all senders of a loop; nobody is refused more often. How
//         the loops share is the scheduler's business. Sanitizers have all the senders, too: fewer
//         would not fill the mailbox.
static void a_herd_that_waits_for_room_gets_on_together(void **state)
{
    (void)state;
    run_flood(TR_SHARED, false, false);
    assert_int_equal(flood.total, flood.handled);
    for (uint32_t i = 0; i < SENDERS; i++)
        assert_in_range(flood.passes[i], 0, 1 + SENDERS / LOOPS / (MAIL_MAX / 2));
}

// ---- A thousand that are idle ----

#define IDLERS    1000
#define WATCH_NS  TR_S(3)
#define BUSY_MAX  (WATCH_NS / 1000) // 0.1 %
#define SETTLE_NS TR_MS(200)

static uint64_t cpu_before, cpu_used;
static size_t descriptors_few, descriptors_all; // with two on each loop, and with all

static uint64_t cpu_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void watch_end(tr_actor *self, void *arg)
{
    (void)arg;
    cpu_used = cpu_now() - cpu_before;
    tr_exit(self, TR_NORMAL);
}

static void watch_begin(tr_actor *self, void *arg)
{
    (void)arg;
    cpu_before = cpu_now();
    TR_CHECK(tr_timer_start(self, WATCH_NS, watch_end, NULL, NULL) == 0);
}

static int watcher_start(tr_actor *self, const tr_val *args)
{
    int rc = 0;
    (void)args;
    for (int i = 0; rc == 0 && i < IDLERS; i++) {
        rc = tr_spawn(self, &echo, TR_SPAWN(.placement = TR_SPREAD), NULL);
        if (i == 2 * LOOPS)
            descriptors_few = tr_test_descriptors(getpid());
    }
    descriptors_all = tr_test_descriptors(getpid());
    return rc < 0 ? rc : tr_timer_start(self, SETTLE_NS, watch_begin, NULL, NULL);
}
static const tr_behavior watcher = {.name = "watcher", .start = watcher_start};

static void idle_actors_use_no_processor(void **state)
{
    (void)state;
    run(&watcher);
    assert_int_equal(descriptors_few, descriptors_all);
    if (!tr_test_sanitized())
        assert_in_range(cpu_used, 1, BUSY_MAX);
}

// ---- A million that live ----

#define CROWD     1000000
#define CHUNK     1000
#define EACH_MAX  256
#define ENDING_NS TR_S(10)

static struct {
    uint64_t count, made;
    size_t rss_before, rss;
    atomic_uint_fast64_t stopped;
    uint64_t end_begun;
} crowd;

static void one_stop(tr_actor *self, tr_reason reason)
{
    (void)self;
    TR_CHECK(reason.kind == TR_REASON_SHUTDOWN);
    atomic_fetch_add_explicit(&crowd.stopped, 1, memory_order_relaxed);
}
static const tr_behavior one = {.name = "one", .stop = one_stop};

static void crowd_grow(tr_actor *self, void *arg)
{
    (void)arg;
    if (crowd.made == crowd.count) { // and the last ones have been started
        crowd.rss = ipc_rss(getpid());
        crowd.end_begun = ipc_now();
        tr_exit(self, TR_NORMAL);
        return;
    }
    for (int i = 0; i < CHUNK && crowd.made < crowd.count; i++, crowd.made++)
        TR_CHECK(tr_spawn(self, &one, TR_SPAWN(.placement = TR_SPREAD), NULL) == 0);
    TR_CHECK(tr_immediate(self, crowd_grow, NULL) == 0);
}

static int maker_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    crowd.rss_before = rss_trimmed();
    return tr_immediate(self, crowd_grow, NULL);
}
static const tr_behavior maker = {.name = "maker", .start = maker_start};

static void a_million_live_and_end(void **state)
{
    (void)state;
    crowd.count = ipc_scaled(CROWD);
    run(&maker);
    uint64_t ending = ipc_now() - crowd.end_begun;
    assert_int_equal(crowd.count, crowd.stopped);
    if (crowd.count < CROWD)
        return;
    assert_in_range((crowd.rss - crowd.rss_before) / CROWD, 1, EACH_MAX);
    assert_in_range(ending, 1, ENDING_NS);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(a_flood_is_taken_in_by_a_shared_loop),
    TR_PROCESS_TEST(a_flood_is_taken_in_by_a_thread),
    TR_PROCESS_TEST(one_that_is_flooded_stops_when_it_is_asked),
    TR_PROCESS_TEST(a_flood_of_one_that_stops_on_a_thread_is_accounted_for),
    TR_PROCESS_TEST(a_herd_that_waits_for_room_gets_on_together),
    TR_PROCESS_TEST(idle_actors_use_no_processor),
    TR_PROCESS_TEST(a_million_live_and_end),
};
TR_TEST_MAIN("ipc/many", TR_APP(&driver), tests)
