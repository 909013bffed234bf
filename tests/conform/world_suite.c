// The tests hold for every world, so they promise themselves nothing about time but that it goes
// on, and nothing about how many bytes one call moves. An upcall only counts and records: cmocka
// must not jump out of it. What is bound to an endpoint hears of its end from the world's close, if
// not before: so it is static.
#include "conform/world_suite.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#include "support/cmocka.h"

#define MS       1000000ull
#define PATIENCE (20000 * MS)
#define CHUNK    65536

static const struct world_harness *harness;
static tr_world *w; // the running test's

static uint64_t now(void)
{
    return w->ops->now(w);
}

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uint64_t until = now() + PATIENCE;                                                         \
        while (!(condition)) {                                                                     \
            assert_true(now() < until);                                                            \
            w->ops->poll(w, until);                                                                \
        }                                                                                          \
    } while (0)

// Let what should not happen happen.
static void linger(void)
{
    uint64_t until = now() + 2 * MS;
    while (now() < until)
        w->ops->poll(w, until);
}

// ---- Endpoints: a side does as it is told and records what comes ----

struct side {
    tr_endpoint *endpoint;
    unsigned readable, writable, closed; // upcalls
    bool (*on_readable)(struct side *side);
    struct side *other; // for an action that concerns both
    size_t step;        // bytes that one call asks for
    size_t got, put, total;
    bool gone;   // was closed here
    bool late;   // readable or writable came after that
    bool wrong;  // bytes are not those that were written
    bool full;   // a write found no room
    ssize_t end; // what read said when there were no more bytes: 0 or an error
};

#define OPEN 1 // side.end, as long as it has not come

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

// One call, in two pieces where there is something to split.
static int pieces(unsigned char *bytes, size_t size, tr_iov iov[2])
{
    size_t first = size / 3 + 1;
    iov[0] = (tr_iov){bytes, first < size ? first : size};
    iov[1] = (tr_iov){bytes + iov[0].len, size - iov[0].len};
    return iov[1].len > 0 ? 2 : 1;
}

static bool side_read(struct side *side)
{
    unsigned char bytes[CHUNK];
    tr_iov iov[2];
    ssize_t n = w->ops->endpoint_read(side->endpoint, iov, pieces(bytes, side->step, iov));
    for (ssize_t i = 0; i < n; i++)
        side->wrong |= bytes[i] != byte_at(side->got + (size_t)i);
    if (n > 0)
        side->got += (size_t)n;
    else if (n != TR_EAGAIN)
        side->end = n;
    if (side->end != OPEN)
        w->ops->endpoint_want(side->endpoint, 0);
    return n > 0;
}

static ssize_t side_write(struct side *side)
{
    unsigned char bytes[CHUNK];
    tr_iov iov[2];
    size_t rest = side->total - side->put;
    size_t size = rest < side->step ? rest : side->step;
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(side->put + i);
    ssize_t n = w->ops->endpoint_write(side->endpoint, iov, pieces(bytes, size, iov));
    side->full |= n == TR_EAGAIN;
    side->put += n > 0 ? (size_t)n : 0;
    return n;
}

static bool readable(void *owner)
{
    struct side *side = owner;
    side->readable++;
    side->late |= side->gone;
    return side->on_readable != NULL && side->on_readable(side);
}

static void writable(void *owner)
{
    struct side *side = owner;
    side->writable++;
    side->late |= side->gone;
    if (side->put < side->total)
        side_write(side);
    if (side->put == side->total)
        w->ops->endpoint_want(side->endpoint, 0);
}

static void closed(void *owner)
{
    struct side *side = owner;
    side->closed++;
}

static const tr_endpoint_up side_up = {
    .readable = readable, .writable = writable, .closed = closed};

static void side_bind(struct side *side, tr_endpoint *endpoint)
{
    *side = (struct side){.endpoint = endpoint, .step = CHUNK, .end = OPEN};
    w->ops->endpoint_bind(endpoint, &side_up, side);
}

static void side_want(struct side *side, unsigned events)
{
    w->ops->endpoint_want(side->endpoint, events);
}

static void side_close(struct side *side)
{
    side->gone = true;
    w->ops->endpoint_close(side->endpoint);
}

// From now on read whatever comes.
static void side_listen(struct side *side)
{
    side->on_readable = side_read;
    side_want(side, TR__READ);
}

// Write so many bytes more, now; they must find room at once, or later within poll.
static void side_say(struct side *side, size_t size)
{
    side->total += size;
    side_want(side, TR__WRITE);
    UNTIL(side->put == side->total);
}

static void pair(struct side *a, struct side *b)
{
    tr_endpoint *endpoints[2];
    harness->pair(w, &endpoints[0], &endpoints[1]);
    side_bind(a, endpoints[0]);
    side_bind(b, endpoints[1]);
}

// Goal:   bytes arrive whole and in order, whatever the sizes of reads and writes.
// Method: writes of 1 to 64 bytes, reads of 64 to 1.
static void test_bytes_of_every_size(void **state)
{
    (void)state;
    for (size_t step = 1; step <= 64; step++) {
        static struct side a, b;
        pair(&a, &b);
        a.step = step;
        b.step = 65 - step;
        side_listen(&b);
        side_say(&a, 1000);
        UNTIL(b.got == 1000);
        w->ops->endpoint_shutdown(a.endpoint);
        UNTIL(b.end != OPEN);
        assert_int_equal(0, b.end);
        assert_int_equal(1000, b.got);
        assert_false(b.wrong);
        side_close(&a);
        side_close(&b);
        UNTIL(a.closed && b.closed);
    }
}

// Goal:   a reader that does not read makes the writer see TR_EAGAIN, and reading ends that.
// Method: write 8 MiB, at first to nobody.
static void test_back_pressure(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    a.total = 8 << 20;
    while (!a.full && a.put < a.total)
        side_write(&a);
    assert_true(a.full);
    size_t held = a.put;
    a.total = held + (1 << 20);
    side_want(&a, TR__WRITE);
    linger();
    assert_int_equal(held, a.put);
    side_listen(&b);
    UNTIL(b.got == a.total);
    assert_true(a.writable > 0);
    assert_false(b.wrong);
}

static void test_shutdown_ends_one_direction(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    side_say(&a, 3000);
    w->ops->endpoint_shutdown(a.endpoint);
    side_listen(&b);
    UNTIL(b.end != OPEN);
    assert_int_equal(0, b.end);
    assert_int_equal(3000, b.got);
    side_listen(&a);
    b.total = 5;
    assert_true(side_write(&b) > 0);
    UNTIL(a.got == b.put);
    assert_int_equal(OPEN, a.end);
}

static void test_end_comes_after_what_was_written(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    side_say(&a, 3000);
    side_close(&a);
    UNTIL(a.closed);
    side_listen(&b);
    UNTIL(b.end != OPEN);
    assert_int_equal(0, b.end);
    assert_int_equal(3000, b.got);
    assert_false(b.wrong);
}

static void test_readable_is_level_triggered_and_only_when_wanted(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    side_say(&a, 1);
    linger();
    assert_int_equal(0, b.readable);
    side_want(&b, TR__READ); // and does not read
    UNTIL(b.readable == 3);
    side_want(&b, 0);
    unsigned before = b.readable;
    linger();
    assert_int_equal(before, b.readable);
    side_listen(&b);
    UNTIL(b.got == 1);
    before = b.readable;
    linger(); // a try or two are allowed, but nothing is there
    assert_int_equal(1, b.got);
    assert_int_equal(OPEN, b.end);
}

static void test_writable_is_level_triggered(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    a.total = 1; // keeps wanting: nothing is written before put is total
    a.put = 2;
    side_want(&a, TR__WRITE);
    UNTIL(a.writable == 3);
    side_want(&a, 0);
    linger();
    assert_int_equal(3, a.writable);
}

static void test_closed_comes_once_and_later(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    side_close(&a);
    side_close(&a);
    assert_int_equal(0, a.closed);
    UNTIL(a.closed);
    linger();
    assert_int_equal(1, a.closed);
}

static bool close_twice(struct side *side)
{
    side_close(side);
    side_close(side);
    return false;
}

// Goal:   closed comes from a later poll than the one that made the upcall which closed.
// Method: the poll in which readable closes must leave closed at 0.
static void test_closed_in_an_upcall_comes_from_a_later_poll(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    side_say(&b, 1);
    a.on_readable = close_twice;
    side_want(&a, TR__READ);
    UNTIL(a.readable);
    assert_int_equal(0, a.closed);
    UNTIL(a.closed);
    linger();
    assert_int_equal(1, a.closed);
    assert_false(a.late);
}

static bool close_both(struct side *side)
{
    side_close(side);
    side_close(side->other);
    return false;
}

// Goal:   after close nothing comes but closed, even when it was ready in the same poll.
// Method: two endpoints have bytes; whichever hears first closes both.
static void test_no_upcall_after_close(void **state)
{
    (void)state;
    static struct side a[2], b[2];
    for (int i = 0; i < 2; i++) {
        pair(&a[i], &b[i]);
        side_say(&b[i], 1);
        a[i].other = &a[1 - i];
        a[i].on_readable = close_both;
    }
    side_want(&a[0], TR__READ | TR__WRITE);
    side_want(&a[1], TR__READ);
    a[0].total = SIZE_MAX; // stays writable
    UNTIL(a[0].closed && a[1].closed);
    linger();
    assert_int_equal(1, a[0].readable + a[1].readable);
    assert_int_equal(2, a[0].closed + a[1].closed);
    assert_false(a[0].late || a[1].late);
}

static void test_write_to_a_closed_peer_is_an_error(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    side_close(&b);
    UNTIL(b.closed);
    ssize_t rc = 0;
    a.total = SIZE_MAX;
    UNTIL((rc = side_write(&a)) < 0 && rc != TR_EAGAIN);
    assert_true(rc == TR_EPIPE || rc == -ECONNRESET);
}

// Goal:   a peer that goes without having read what was sent to it does not leave us waiting.
static void test_peer_that_closes_unread_bytes_is_heard(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    side_say(&a, 100);
    side_say(&b, 10);
    side_listen(&a);
    side_close(&b);
    UNTIL(a.end != OPEN);
    assert_int_equal(10, a.got);
    assert_true(a.end == 0 || a.end == -ECONNRESET);
}

// ---- Time, wake, random ----

static void test_poll_returns_at_due_and_not_before(void **state)
{
    (void)state;
    const uint64_t waits[] = {1, 200000, MS - 1, MS, MS + 1, 2 * MS + MS / 2, 5 * MS};
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
            uint64_t due = now() + waits[i];
            w->ops->poll(w, due);
            assert_true(now() >= due);
        }
    }
}

// Goal:   a poll that something else has ended does not spoil the next one for the same due.
// Method: fractions of a millisecond, as worlds may count in whole ones.
static void test_due_holds_until_it_has_come(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        uint64_t start = now(), due = start + 19 * MS / 10;
        w->ops->wake(w);
        w->ops->poll(w, due);
        while (now() < start + MS / 2)
            w->ops->poll(w, 0);
        w->ops->poll(w, due);
        assert_true(now() >= due);
    }
}

static void test_poll_that_is_due_does_not_wait(void **state)
{
    (void)state;
    w->ops->poll(w, 0);
    uint64_t past = now();
    for (int i = 0; i < 100; i++)
        w->ops->poll(w, past);
    assert_true(now() < past + PATIENCE);
}

// Goal:   wake ends one poll, and a wake that came twice ends one poll, too.
static void test_wake_ends_the_next_poll(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        uint64_t far = now() + PATIENCE;
        w->ops->wake(w);
        w->ops->wake(w);
        w->ops->poll(w, far);
        assert_true(now() < far);
        uint64_t due = now() + MS;
        w->ops->poll(w, due);
        assert_true(now() >= due);
    }
}

struct waker {
    tr_world *world;
    sem_t go;
    int rounds;
};

static void *waker_run(void *arg)
{
    struct waker *waker = arg;
    for (int i = 0; i < waker->rounds; i++) {
        sem_wait(&waker->go);
        waker->world->ops->wake(waker->world);
    }
    return NULL;
}

static void test_idle_is_the_time_that_was_slept(void **state)
{
    (void)state;
    uint64_t start = now(), idle = w->ops->idle(w);
    linger();
    idle = w->ops->idle(w) - idle;
    assert_in_range(idle, 1, now() - start);
}

// Goal:   no wake is lost, whenever it comes.
// Method: many wakes from another thread, each let loose right before a poll; a lost one leaves
//         the poll waiting for due.
static void test_wake_from_another_thread(void **state)
{
    (void)state;
    if (!harness->threads)
        skip();
    struct waker waker = {.world = w, .rounds = 2000};
    pthread_t thread;
    sem_init(&waker.go, 0, 0);
    assert_int_equal(0, pthread_create(&thread, NULL, waker_run, &waker));
    uint64_t far = now() + PATIENCE;
    for (int i = 0; i < waker.rounds; i++) {
        sem_post(&waker.go);
        w->ops->poll(w, far);
    }
    bool lost = now() >= far;
    pthread_join(thread, NULL);
    sem_destroy(&waker.go);
    assert_false(lost);
}

// Goal:   one that is woken all the time still hears its endpoints.
static void test_wakes_do_not_starve_endpoints(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    side_say(&a, 1);
    side_want(&b, TR__READ);
    uint64_t far = now() + PATIENCE;
    while (b.readable == 0) {
        assert_true(now() < far);
        w->ops->wake(w);
        w->ops->poll(w, far);
    }
}

static void test_random_differs(void **state)
{
    (void)state;
    unsigned char a[600] = {0}, b[600] = {0}, zero[600] = {0};
    w->ops->random(w, a, sizeof a);
    w->ops->random(w, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 568, zero, 32);
    w->ops->random(w, zero, 0);
    assert_int_equal(0, zero[0]);
}

// ---- Other worlds, and the threads that run them ----

static tr_world *another(tr_world *world)
{
    tr_world *other = NULL;
    return world->ops->another(world, &other) == 0 ? other : NULL;
}

// A thread's loop. It does its work after each poll, until that says that it is done.
struct hand {
    tr_world *world, *boss; // boss is woken at the end
    bool (*done)(struct hand *hand);
    uint64_t due;
    int runs;
    atomic_bool ended;
    atomic_int turn;
    struct side a, b;
    struct hand *helper;
};

static bool hand_run(void *owner)
{
    struct hand *hand = owner;
    hand->world->ops->poll(hand->world, hand->due);
    hand->runs++;
    if (!hand->done(hand))
        return true;
    atomic_store(&hand->ended, true);
    hand->boss->ops->wake(hand->boss);
    return false;
}

static uint64_t hand_due(void *owner)
{
    return ((struct hand *)owner)->due;
}

static bool hand_start(struct hand *hand)
{
    static const tr_thread_up up = {.run = hand_run, .due = hand_due};
    atomic_store(&hand->ended, false);
    return hand->world->ops->thread_start(hand->world, &up, hand) == 0;
}

static void hand_join(struct hand *hand)
{
    UNTIL(atomic_load(&hand->ended));
    w->ops->thread_join(hand->world);
}

static void hand_close(struct hand *hand)
{
    hand->world->ops->close(&hand->world);
    assert_null(hand->world);
}

static void test_another_world_is_one_of_its_own(void **state)
{
    (void)state;
    static struct side mine, its;
    tr_endpoint *endpoints[4];
    tr_world *other = another(w);
    assert_non_null(other);
    harness->pair(w, &endpoints[0], &endpoints[1]);
    harness->pair(other, &endpoints[2], &endpoints[3]);
    side_bind(&mine, endpoints[0]);
    side_bind(&its, endpoints[2]);
    side_want(&mine, TR__WRITE);
    w->ops->wake(w);
    uint64_t far = now() + PATIENCE, due = now() + MS;
    other->ops->poll(other, due); // hears nothing of all this
    assert_true(now() >= due);
    assert_int_equal(0, mine.writable);
    w->ops->poll(w, far);
    assert_true(now() < far);
    other->ops->close(&other);
    assert_int_equal(1, its.closed);
    assert_int_equal(0, mine.closed);
    side_want(&mine, 0);
    side_want(&mine, TR__WRITE);
    UNTIL(mine.writable > 0);
}

static bool fifth(struct hand *hand)
{
    return hand->runs % 5 == 0;
}

// Goal:   a thread runs until it says no, and not once more; then its world may have another one.
static void test_thread_runs_until_it_says_no(void **state)
{
    (void)state;
    struct hand hand = {.world = another(w), .boss = w, .done = fifth};
    for (int round = 1; round <= 3; round++) {
        assert_true(hand_start(&hand));
        hand_join(&hand);
        linger();
        assert_int_equal(5 * round, hand.runs);
    }
    hand_close(&hand);
}

static bool asked(struct hand *hand)
{
    return atomic_load(&hand->turn) != 0;
}

// Goal:   who joins need not wait for the end before.
// Method: ask a thread to end, wake it, and join; another one ends when its time has come.
static void test_join_waits_for_the_end(void **state)
{
    (void)state;
    struct hand hand = {.world = another(w), .boss = w, .done = asked, .due = TR__NEVER};
    assert_true(hand_start(&hand));
    linger();
    atomic_store(&hand.turn, 1);
    w->ops->wake(hand.world);
    w->ops->thread_join(hand.world);
    assert_true(atomic_load(&hand.ended));
    hand.done = fifth;
    hand.runs = 3;
    hand.due = now() + MS;
    assert_true(hand_start(&hand));
    w->ops->thread_join(hand.world);
    assert_int_equal(5, hand.runs);
    hand_close(&hand);
}

#define TURNS 4000

// At an odd turn it is the hand's.
static bool turned(struct hand *hand)
{
    if (atomic_load(&hand->turn) % 2 == 0)
        return false;
    int turn = atomic_fetch_add(&hand->turn, 1);
    hand->boss->ops->wake(hand->boss);
    return turn + 1 >= TURNS;
}

// Goal:   two loops that wake each other lose no wake.
// Method: nothing else ends their polls, and each waits for the other.
static void test_two_loops_wake_each_other(void **state)
{
    (void)state;
    struct hand hand = {.world = another(w), .boss = w, .done = turned, .due = TR__NEVER};
    assert_true(hand_start(&hand));
    for (int turn = 0; turn < TURNS; turn += 2) {
        atomic_store(&hand.turn, turn + 1);
        hand.world->ops->wake(hand.world);
        UNTIL(atomic_load(&hand.turn) == turn + 2);
    }
    hand_join(&hand);
    hand_close(&hand);
}

static bool read_all(struct hand *hand)
{
    return hand->b.got == hand->a.total;
}

static void test_endpoints_of_a_threads_world(void **state)
{
    (void)state;
    static struct hand hand;
    tr_endpoint *endpoints[2];
    hand = (struct hand){.world = another(w), .boss = w, .done = read_all, .due = TR__NEVER};
    harness->pair(hand.world, &endpoints[0], &endpoints[1]);
    side_bind(&hand.a, endpoints[0]);
    side_bind(&hand.b, endpoints[1]);
    hand.a.total = 1 << 20;
    side_want(&hand.a, TR__WRITE);
    side_listen(&hand.b);
    assert_true(hand_start(&hand));
    hand_join(&hand);
    assert_false(hand.b.wrong);
    assert_int_equal(0, hand.a.closed + hand.b.closed);
    hand_close(&hand);
    assert_int_equal(2, hand.a.closed + hand.b.closed);
}

// Opens a world and starts a thread for it; when that has ended, joins it and closes the world.
static bool helped(struct hand *hand)
{
    struct hand *helper = hand->helper;
    if (helper->world == NULL) {
        helper->world = another(hand->world);
        return helper->world == NULL || !hand_start(helper);
    }
    if (!atomic_load(&helper->ended))
        return false;
    hand->world->ops->thread_join(helper->world);
    helper->world->ops->close(&helper->world);
    return true;
}

static void test_a_thread_has_threads(void **state)
{
    (void)state;
    struct hand helper = {.done = fifth};
    struct hand hand = {.world = another(w), .boss = w, .done = helped, .due = TR__NEVER};
    hand.helper = &helper;
    helper.boss = hand.world;
    assert_true(hand_start(&hand));
    w->ops->wake(hand.world); // its first poll
    hand_join(&hand);
    assert_int_equal(5, helper.runs);
    assert_null(helper.world);
    hand_close(&hand);
}

// ---- Processes ----

struct child {
    tr__process *process;
    struct side side;
    unsigned exited;
    tr_exit_status status;
    bool close_at_exit;
};

static void exited(void *owner, const tr_exit_status *status)
{
    struct child *child = owner;
    child->exited++;
    child->status = *status;
    if (child->close_at_exit)
        w->ops->process_close(&child->process);
}

static const tr_process_up child_up = {.exited = exited};

static void child_spawn(struct child *child, const char *role)
{
    tr_endpoint *ends[TR__ENDS];
    *child = (struct child){0};
    if (harness->program == NULL)
        skip();
    const tr_program *program = harness->program(w, role);
    int rc = w->ops->spawn(w, program, &child_up, child, &child->process, ends);
    assert_int_equal(0, rc);
    for (int fd = 0; fd < TR__STDIO; fd++)
        assert_null(ends[fd]);
    side_bind(&child->side, ends[TR__LINK_FD]);
}

static void child_expect(struct child *child, int code, int signal)
{
    UNTIL(child->exited);
    assert_int_equal(code, child->status.code);
    assert_int_equal(signal, child->status.signal);
    linger();
    assert_int_equal(1, child->exited);
}

static void test_spawn_tells_the_exit_code(void **state)
{
    (void)state;
    static struct child child, other;
    child_spawn(&other, "exit:0");
    child_expect(&other, 0, 0);
    child_spawn(&child, "exit:3");
    child_expect(&child, 3, 0);
    assert_false(child.status.core);
    side_listen(&child.side);
    UNTIL(child.side.end != OPEN);
    assert_int_equal(0, child.side.end);
    // It is gone: nobody else is hit.
    assert_int_equal(TR_ENOENT, w->ops->process_signal(child.process, SIGKILL));
    assert_int_equal(TR_ENOENT, w->ops->process_signal_group(child.process, SIGKILL));
    w->ops->process_close(&child.process);
    assert_null(child.process);
}

static void test_spawn_tells_the_signal(void **state)
{
    (void)state;
    static struct child child;
    child_spawn(&child, "signal:9");
    child.close_at_exit = true;
    child_expect(&child, 0, SIGKILL);
    assert_null(child.process);
}

static void test_spawn_of_what_cannot_run_is_an_error(void **state)
{
    (void)state;
    if (harness->program == NULL)
        skip();
    tr__process *process = NULL;
    tr_endpoint *ends[TR__ENDS] = {NULL};
    struct child child = {0};
    tr_program program = *harness->program(w, "missing");
    program.stdio[1] = TR_STDIO_PIPE;
    assert_int_equal(TR_ENOENT, w->ops->spawn(w, &program, &child_up, &child, &process, ends));
    assert_null(process);
    assert_null(ends[1]);
    assert_null(ends[TR__LINK_FD]);
    linger();
    assert_int_equal(0, child.exited);
}

static void test_children_are_talked_to(void **state)
{
    (void)state;
    static struct child a, b;
    child_spawn(&a, "echo");
    child_spawn(&b, "echo");
    assert_true(w->ops->process_pid(a.process) > 0);
    assert_int_not_equal(w->ops->process_pid(a.process), w->ops->process_pid(b.process));
    side_say(&a.side, 5000);
    side_listen(&a.side);
    UNTIL(a.side.got == 5000);
    assert_false(a.side.wrong);
    assert_int_equal(0, a.exited + b.exited);
    w->ops->endpoint_shutdown(a.side.endpoint);
    side_close(&b.side);
    child_expect(&a, 0, 0);
    child_expect(&b, 0, 0);
    UNTIL(a.side.end != OPEN);
    assert_int_equal(0, a.side.end);
}

static void test_last_words_are_there_after_exited(void **state)
{
    (void)state;
    static struct child child;
    child_spawn(&child, "last-words");
    child_expect(&child, 0, SIGKILL);
    unsigned char words[LAST_WORDS];
    tr_iov iov = {words, sizeof words};
    ssize_t n;
    while (iov.len > 0 && (n = w->ops->endpoint_read(child.side.endpoint, &iov, 1)) > 0) {
        iov.base = (unsigned char *)iov.base + n;
        iov.len -= (size_t)n;
    }
    assert_int_equal(0, iov.len);
    for (size_t i = 0; i < sizeof words; i++)
        assert_int_equal('w', words[i]);
    side_listen(&child.side);
    UNTIL(child.side.end != OPEN);
    assert_int_equal(0, child.side.end);
}

static void test_signal_reaches_the_process(void **state)
{
    (void)state;
    static struct child child;
    child_spawn(&child, "echo");
    assert_int_equal(0, w->ops->process_signal(child.process, 0));
    assert_int_equal(0, w->ops->process_signal(child.process, SIGTERM));
    child_expect(&child, 0, SIGTERM);
}

static void test_process_close_kills(void **state)
{
    (void)state;
    static struct child child;
    child_spawn(&child, "echo");
    side_say(&child.side, 1);
    side_listen(&child.side);
    UNTIL(child.side.got == 1);
    w->ops->process_close(&child.process);
    assert_null(child.process);
    w->ops->process_close(&child.process);
    UNTIL(child.side.end != OPEN);
    assert_int_equal(0, child.exited);
}

// ---- The standard descriptors of processes ----

struct pipes {
    struct child child;
    struct side sides[TR__STDIO];
};

// One that has nothing but them.
static void pipes_spawn_as(struct pipes *pipes, const char *role, const tr_stdio stdio[TR__STDIO],
                           const tr_process_opts *how)
{
    tr_endpoint *ends[TR__ENDS];
    *pipes = (struct pipes){0};
    if (harness->program == NULL)
        skip();
    tr_program program = *harness->program(w, role);
    program.alone = true;
    program.how = how;
    memcpy(program.stdio, stdio, sizeof program.stdio);
    assert_int_equal(
        0, w->ops->spawn(w, &program, &child_up, &pipes->child, &pipes->child.process, ends));
    assert_null(ends[TR__LINK_FD]);
    for (int fd = 0; fd < TR__STDIO; fd++) {
        assert_int_equal(stdio[fd] == TR_STDIO_PIPE, ends[fd] != NULL);
        if (ends[fd] != NULL)
            side_bind(&pipes->sides[fd], ends[fd]);
    }
}

static void pipes_spawn(struct pipes *pipes, const char *role, const tr_stdio stdio[TR__STDIO])
{
    pipes_spawn_as(pipes, role, stdio, NULL);
}

static const tr_stdio all_pipes[] = {TR_STDIO_PIPE, TR_STDIO_PIPE, TR_STDIO_PIPE};

// One that leads a group, and one that leads none.
static void test_signal_reaches_the_group(void **state)
{
    (void)state;
    static struct pipes p;
    static struct child child;
    static const tr_process_opts how = {.size = sizeof how};
    pipes_spawn_as(&p, "cat", all_pipes, &how);
    assert_int_equal(0, w->ops->process_signal_group(p.child.process, 0));
    assert_int_equal(0, w->ops->process_signal_group(p.child.process, SIGTERM));
    child_expect(&p.child, 0, SIGTERM);
    assert_int_equal(TR_ENOENT, w->ops->process_signal_group(p.child.process, 0));
    child_spawn(&child, "echo");
    assert_int_equal(0, w->ops->process_signal_group(child.process, SIGTERM));
    child_expect(&child, 0, SIGTERM);
}

static void test_standard_descriptors_are_pipes(void **state)
{
    (void)state;
    static struct pipes p;
    pipes_spawn(&p, "cat", all_pipes);
    p.sides[0].step = 4096;
    side_listen(&p.sides[1]);
    side_say(&p.sides[0], 200000); // more than is on the way at one time
    UNTIL(p.sides[1].got == 200000);
    assert_false(p.sides[1].wrong);
    side_close(&p.sides[0]); // the end of its input
    child_expect(&p.child, 0, 0);
    UNTIL(p.sides[1].end != OPEN);
    assert_int_equal(0, p.sides[1].end);
    char error[2];
    tr_iov iov = {error, sizeof error};
    assert_int_equal(1, w->ops->endpoint_read(p.sides[2].endpoint, &iov, 1));
    assert_int_equal('e', error[0]);
    side_listen(&p.sides[2]);
    UNTIL(p.sides[2].end != OPEN);
    assert_int_equal(0, p.sides[2].end);
}

static void test_a_pipe_that_nobody_reads_is_an_error(void **state)
{
    (void)state;
    static struct pipes p;
    pipes_spawn(&p, "exit:0", all_pipes);
    child_expect(&p.child, 0, 0);
    tr_iov iov = {(char[]){'x'}, 1};
    assert_int_equal(TR_EPIPE, w->ops->endpoint_write(p.sides[0].endpoint, &iov, 1));
}

static void test_null_is_no_pipe(void **state)
{
    (void)state;
    static struct pipes p;
    pipes_spawn(&p, "exit:4", (tr_stdio[]){TR_STDIO_NULL, TR_STDIO_INHERIT, TR_STDIO_NULL});
    child_expect(&p.child, 4, 0);
}

// ---- Listeners and connecting ----

#define GUESTS 40 // more than a world may accept at one go

struct door {
    tr_listener *listener;
    tr_site site; // where it is
    unsigned accepted;
    struct side guests[GUESTS];
    tr_peer_cred cred;
    bool refuse;
};

static void accepted(void *owner, tr_endpoint *endpoint)
{
    struct door *door = owner;
    struct side *guest = &door->guests[door->accepted++ % GUESTS];
    w->ops->endpoint_cred(endpoint, &door->cred);
    side_bind(guest, endpoint);
    if (door->refuse)
        side_close(guest);
    else
        side_listen(guest);
}

static void dropped(void *owner, int error)
{
    (void)owner, (void)error;
    abort(); // no test here runs out of anything
}

static const tr_listener_up door_up = {.accepted = accepted, .dropped = dropped};

static int door_open_as(struct door *door, const tr_site *site, const tr_listen_how *how)
{
    *door = (struct door){0};
    int rc = w->ops->listen(w, site, how, &door_up, door, &door->listener);
    if (rc == 0)
        w->ops->listener_site(door->listener, &door->site);
    return rc;
}

static int door_open(struct door *door, const tr_site *site)
{
    return door_open_as(door, site, &(tr_listen_how){.tuning = {true, 60}});
}

static int visit(struct side *visitor, const tr_site *site)
{
    tr_endpoint *endpoint;
    int rc = w->ops->connect(w, site, &endpoint);
    if (rc == 0)
        side_bind(visitor, endpoint);
    return rc;
}

// What has come of it.
static int visit_wait(struct side *visitor)
{
    int rc;
    side_want(visitor, TR__WRITE);
    UNTIL((rc = w->ops->endpoint_connected(visitor->endpoint)) != TR_EAGAIN);
    return rc;
}

static void visit_well(struct side *visitor, const tr_site *site)
{
    assert_int_equal(0, visit(visitor, site));
    assert_int_equal(0, visit_wait(visitor));
}

#define EACH_SITE(site)                                                                            \
    for (const tr_site *site = harness->sites; site < harness->sites + harness->site_count; site++)

static void test_listener_accepts(void **state)
{
    (void)state;
    static struct door door;
    static struct side visitors[GUESTS];
    EACH_SITE(site)
    {
        assert_int_equal(0, door_open(&door, site));
        for (int i = 0; i < GUESTS; i++)
            visit_well(&visitors[i], &door.site);
        UNTIL(door.accepted == GUESTS);
        assert_int_equal(!site->tcp, door.cred.same_user);
        for (int i = 0; i < GUESTS; i++)
            side_say(&visitors[i], 100);
        for (int i = 0; i < GUESTS; i++)
            UNTIL(door.guests[i].got == 100);
        for (int i = 0; i < GUESTS; i++) {
            side_close(&door.guests[i]);
            side_close(&visitors[i]);
        }
        for (int i = 0; i < GUESTS; i++)
            UNTIL(door.guests[i].closed && visitors[i].closed);
        w->ops->listener_close(&door.listener);
        assert_null(door.listener);
    }
}

static void expect_site(const tr_site *site, struct side *side, bool peer)
{
    tr_site found;
    assert_int_equal(0, w->ops->endpoint_site(side->endpoint, peer, &found));
    assert_int_equal(site->tcp, found.tcp);
    assert_int_equal(site->port, found.port);
    assert_string_equal(site->name, found.name);
}

// Goal:   a port that was left to the system is known, and both sides agree on who is where.
static void test_sites_are_known(void **state)
{
    (void)state;
    static struct door door;
    static struct side visitor;
    EACH_SITE(site)
    {
        tr_site mine;
        assert_int_equal(0, door_open(&door, site));
        assert_string_equal(site->name, door.site.name);
        assert_int_equal(site->tcp, door.site.port != 0);
        visit_well(&visitor, &door.site);
        UNTIL(door.accepted == 1);
        expect_site(&door.site, &visitor, true);
        expect_site(&door.site, &door.guests[0], false);
        assert_int_equal(0, w->ops->endpoint_site(visitor.endpoint, false, &mine));
        expect_site(&mine, &door.guests[0], true);
        w->ops->endpoint_tune(visitor.endpoint, &(tr_tuning){true, 60});
        w->ops->listener_close(&door.listener);
        side_close(&visitor);
        side_close(&door.guests[0]);
        UNTIL(visitor.closed && door.guests[0].closed);
    }
}

static void test_guest_may_be_refused_in_the_upcall(void **state)
{
    (void)state;
    static struct door door;
    static struct side visitor;
    EACH_SITE(site)
    {
        assert_int_equal(0, door_open(&door, site));
        door.refuse = true;
        visit_well(&visitor, &door.site);
        side_listen(&visitor);
        UNTIL(visitor.end != OPEN && door.guests[0].closed);
        assert_int_equal(0, visitor.end);
        w->ops->listener_close(&door.listener);
        side_close(&visitor);
        UNTIL(visitor.closed);
    }
}

static void test_site_has_one_listener(void **state)
{
    (void)state;
    static struct door door, second;
    EACH_SITE(site)
    {
        assert_int_equal(0, door_open(&door, site));
        assert_int_equal(TR_EADDRINUSE, door_open(&second, &door.site));
        tr_site was = door.site;
        w->ops->listener_close(&door.listener);
        w->ops->listener_close(&door.listener);
        assert_int_equal(0, door_open(&second, &was));
        w->ops->listener_close(&second.listener);
    }
}

static void test_a_port_may_be_shared(void **state)
{
    (void)state;
    static struct door door, second;
    static struct side visitor;
    const tr_listen_how shared = {.reuse_port = true};
    EACH_SITE(site)
    {
        if (!site->tcp)
            continue;
        assert_int_equal(0, door_open_as(&door, site, &shared));
        assert_int_equal(0, door_open_as(&second, &door.site, &shared));
        visit_well(&visitor, &door.site);
        UNTIL(door.accepted + second.accepted == 1);
        w->ops->listener_close(&door.listener);
        w->ops->listener_close(&second.listener);
        side_close(&visitor);
        side_close(&(door.accepted ? &door : &second)->guests[0]);
        UNTIL(visitor.closed && door.guests[0].closed + second.guests[0].closed == 1);
    }
}

static void test_a_listener_may_let_wait(void **state)
{
    (void)state;
    static struct door door;
    static struct side visitor;
    EACH_SITE(site)
    {
        assert_int_equal(0, door_open(&door, site));
        w->ops->listener_want(door.listener, false);
        visit_well(&visitor, &door.site);
        linger();
        assert_int_equal(0, door.accepted);
        w->ops->listener_want(door.listener, true);
        UNTIL(door.accepted == 1);
        w->ops->listener_close(&door.listener);
        side_close(&visitor);
        side_close(&door.guests[0]);
        UNTIL(visitor.closed && door.guests[0].closed);
    }
}

// Goal:   those who wait when a listener closes find that there is nobody.
static void test_a_listener_that_closes_ends_those_who_wait(void **state)
{
    (void)state;
    static struct door door;
    static struct side visitor;
    EACH_SITE(site)
    {
        assert_int_equal(0, door_open(&door, site));
        w->ops->listener_want(door.listener, false);
        visit_well(&visitor, &door.site);
        w->ops->listener_close(&door.listener);
        side_listen(&visitor);
        UNTIL(visitor.end != OPEN);
        assert_true(visitor.end == 0 || visitor.end == -ECONNRESET);
        side_close(&visitor);
        UNTIL(visitor.closed);
    }
}

static void test_nobody_there_is_an_error(void **state)
{
    (void)state;
    static struct door door;
    static struct side visitor;
    EACH_SITE(site)
    {
        assert_int_equal(0, door_open(&door, site));
        w->ops->listener_close(&door.listener);
        int rc = visit(&visitor, &door.site);
        if (rc == 0) {
            rc = visit_wait(&visitor);
            side_close(&visitor);
            UNTIL(visitor.closed);
        }
        assert_int_equal(site->tcp ? -ECONNREFUSED : TR_ENOENT, rc);
    }
}

static void test_what_is_no_address_is_an_error(void **state)
{
    (void)state;
    const tr_site wrong[] = {
        {.tcp = true, .name = "localhost"}, {.tcp = true, .name = ""}, {.name = ""}};
    const tr_site given = {.given = true, .name = "nothing"};
    static struct door door;
    static struct side visitor;
    assert_int_equal(TR_ENOENT, door_open(&door, &given));
    assert_int_equal(TR_EINVAL, visit(&visitor, &given));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(TR_EINVAL, door_open(&door, &wrong[i]));
        assert_int_equal(TR_EINVAL, visit(&visitor, &wrong[i]));
    }
}

// ---- Signals ----

struct ear {
    tr_ear *ear;
    unsigned heard;
    struct ear *closes, *opens; // in its upcall; NULL: none
};

static void ear_open(struct ear *ear, int signum);

static void heard(void *owner)
{
    struct ear *ear = owner;
    ear->heard++;
    if (ear->closes != NULL)
        w->ops->ear_close(&ear->closes->ear);
    if (ear->opens != NULL && ear->opens->ear == NULL)
        ear_open(ear->opens, SIGUSR1);
}

static void ear_open(struct ear *ear, int signum)
{
    static const tr_ear_up up = {.heard = heard};
    *ear = (struct ear){0};
    assert_int_equal(0, w->ops->hear(w, signum, &up, ear, &ear->ear));
}

static void test_a_signal_is_heard_by_all_who_hear_it(void **state)
{
    (void)state;
    struct ear one, two, other;
    ear_open(&one, SIGUSR1);
    ear_open(&two, SIGUSR1);
    ear_open(&other, SIGUSR2);
    harness->signal(w, SIGUSR1);
    UNTIL(one.heard == 1 && two.heard == 1);
    harness->signal(w, SIGUSR2);
    UNTIL(other.heard == 1);
    linger();
    assert_int_equal(1, one.heard);
    assert_int_equal(1, two.heard);
    w->ops->ear_close(&one.ear);
    w->ops->ear_close(&one.ear);
    assert_null(one.ear);
    harness->signal(w, SIGUSR1);
    UNTIL(two.heard == 2);
    linger();
    assert_int_equal(1, one.heard);
    w->ops->ear_close(&two.ear);
    w->ops->ear_close(&other.ear);
}

// Goal:   however many come before a poll, and whatever else comes, the last one is heard.
static void test_no_signal_crowds_out_another(void **state)
{
    (void)state;
    struct ear many, one;
    ear_open(&many, SIGUSR1);
    ear_open(&one, SIGUSR2);
    for (int i = 0; i < 10000; i++)
        harness->signal(w, SIGUSR1);
    harness->signal(w, SIGUSR2);
    UNTIL(many.heard > 0 && one.heard == 1);
    linger();
    unsigned before = many.heard;
    harness->signal(w, SIGUSR1);
    UNTIL(many.heard == before + 1);
    w->ops->ear_close(&many.ear);
    w->ops->ear_close(&one.ear);
}

// Goal:   an upcall may close any ear and open new ones, which hear of what comes afterwards.
static void test_ears_may_be_closed_and_opened_in_an_upcall(void **state)
{
    (void)state;
    struct ear one, two, born = {0};
    ear_open(&one, SIGUSR1);
    ear_open(&two, SIGUSR1);
    one.closes = &two;
    two.closes = &one;
    one.opens = two.opens = &born;
    harness->signal(w, SIGUSR1);
    UNTIL(one.heard + two.heard == 1);
    linger();
    assert_int_equal(1, one.heard + two.heard);
    assert_int_equal(0, born.heard);
    assert_true((one.ear == NULL) != (two.ear == NULL));
    one.opens = two.opens = NULL;
    born.closes = &born;
    harness->signal(w, SIGUSR1);
    UNTIL(born.heard == 1 && one.heard + two.heard == 2);
    w->ops->ear_close(&one.ear);
    w->ops->ear_close(&two.ear);
}

static void test_another_world_hears_too(void **state)
{
    (void)state;
    tr_world *first = w, *second;
    struct ear one, two;
    assert_int_equal(0, w->ops->another(w, &second));
    ear_open(&one, SIGUSR1);
    w = second;
    ear_open(&two, SIGUSR1);
    w = first;
    harness->signal(w, SIGUSR1);
    UNTIL(one.heard == 1);
    w = second;
    UNTIL(two.heard == 1);
    w->ops->close(&w); // with its ear
    w = first;
    harness->signal(w, SIGUSR1);
    UNTIL(one.heard == 2);
    w->ops->ear_close(&one.ear);
}

static void test_what_is_no_signal_is_an_error(void **state)
{
    (void)state;
    static const tr_ear_up up = {.heard = heard};
    tr_ear *ear = NULL;
    assert_int_equal(TR_EINVAL, w->ops->hear(w, 0, &up, NULL, &ear));
    assert_int_equal(TR_EINVAL, w->ops->hear(w, -1, &up, NULL, &ear));
    assert_null(ear);
    assert_true(w->ops->own(w, TR__OWN_PID, 0) > 0);
}

// ---- The end ----

// Goal:   a world can be closed at any time; owners of endpoints hear closed once, nobody else.
// Method: with everything open and something to tell from each. What is lost shows as a leak.
static void test_world_closes_with_everything_open(void **state)
{
    (void)state;
    static struct side a, b, visitor;
    static struct door door;
    struct ear ear;
    pair(&a, &b);
    side_say(&a, 100);
    assert_int_equal(0, door_open(&door, &harness->sites[0]));
    assert_int_equal(0, visit(&visitor, &door.site));
    side_want(&a, TR__READ | TR__WRITE);
    side_want(&b, TR__READ);
    side_close(&a);
    ear_open(&ear, SIGUSR1);
    harness->signal(w, SIGUSR1);
    w->ops->wake(w);
    harness->close(&w);
    assert_null(w);
    assert_int_equal(1, a.closed);
    assert_int_equal(1, b.closed);
    assert_int_equal(1, visitor.closed);
    assert_int_equal(0, b.readable + door.accepted);
    assert_false(a.late);
}

static void test_world_closes_over_its_children(void **state)
{
    (void)state;
    static struct child alive, dead;
    child_spawn(&alive, "echo");
    child_spawn(&dead, "exit:0");
    child_expect(&dead, 0, 0);
    harness->close(&w);
    assert_int_equal(1, alive.side.closed);
    assert_int_equal(1, dead.side.closed);
    assert_int_equal(0, alive.exited);
}

// ---- Parcels ----

static tr_parcel *leave(struct side *side)
{
    tr_parcel *parcel = NULL;
    side_want(side, 0);
    assert_int_equal(0, w->ops->endpoint_leave(&side->endpoint, &parcel));
    assert_null(side->endpoint);
    parcel->kind = TR__PARCEL_SOCKET;
    return parcel;
}

static void enter(struct side *side, tr_parcel **parcel)
{
    tr_endpoint *endpoint;
    size_t got = side->got;
    assert_int_equal(0, w->ops->endpoint_enter(w, parcel, &endpoint));
    assert_null(*parcel);
    side_bind(side, endpoint);
    side->got = got;
    side_listen(side);
}

// Goal:   an endpoint that leaves and enters has missed nothing, and its old owner hears no more.
static void test_an_endpoint_leaves_and_enters(void **state)
{
    (void)state;
    static struct side a, b, old;
    pair(&a, &b);
    side_listen(&b);
    side_say(&a, 1000);
    UNTIL(b.got == 1000);
    side_say(&a, 500);
    tr_parcel *parcel = leave(&b);
    old = b;
    side_say(&a, 500);
    linger();
    enter(&b, &parcel);
    UNTIL(b.got == 2000);
    side_close(&a);
    UNTIL(b.end == 0);
    assert_false(b.wrong);
    assert_int_equal(0, old.closed);
    side_close(&b);
    UNTIL(a.closed && b.closed);
}

// Read with what comes along; what is read is of no interest.
static int receive(struct side *side, tr_parcel **parcels)
{
    unsigned char bytes[CHUNK];
    tr_iov iov = {bytes, side->step};
    int count = 0;
    bool lost = true;
    ssize_t n = w->ops->endpoint_receive(side->endpoint, &iov, 1, parcels, &count, &lost);
    assert_true(n > 0 || n == TR_EAGAIN);
    assert_false(lost);
    side->got += n > 0 ? (size_t)n : 0;
    return count;
}

static void send_along(struct side *side, size_t size, tr_parcel *const *parcels, int count)
{
    unsigned char bytes[CHUNK] = {0};
    tr_iov iov = {bytes, size};
    ssize_t n = count == 0 ? w->ops->endpoint_write(side->endpoint, &iov, 1)
                           : w->ops->endpoint_send(side->endpoint, &iov, 1, parcels, count);
    assert_in_range(n, 1, size);
    side->put += (size_t)n;
}

// Goal:   parcels come with a byte of those that they went along with, those of each send for
//         themselves, and their sender still has its own.
static void test_parcels_go_along_with_bytes(void **state)
{
    (void)state;
    static struct side a, b, c, d;
    tr_parcel *sent, *got[2 * TR__PARCELS_MAX];
    pair(&a, &b);
    pair(&c, &d);
    sent = leave(&d);
    b.step = 1;
    send_along(&a, 10, NULL, 0);
    size_t plain = a.put;
    send_along(&a, 10, (tr_parcel *[]){sent, sent}, 2);
    size_t first = a.put;
    send_along(&a, 10, (tr_parcel *[]){sent}, 1);
    int count = 0;
    side_want(&b, TR__READ);
    UNTIL((count = receive(&b, got)) > 0);
    assert_in_range(b.got, plain + 1, first);
    assert_int_equal(2, count);
    b.step = CHUNK;
    UNTIL((count = receive(&b, got + 2)) > 0);
    assert_int_equal(1, count);
    enter(&d, &got[0]);
    side_say(&c, 100);
    UNTIL(d.got == 100);
    side_close(&d);
    tr__parcel_unref(&got[1]);
    tr__parcel_unref(&got[2]);
    side_listen(&c);
    linger();
    assert_int_equal(OPEN, c.end); // one of them is left
    tr__parcel_unref(&sent);
    UNTIL(c.end != OPEN);
    side_close(&a);
    side_close(&b);
    side_close(&c);
    UNTIL(a.closed && b.closed && c.closed && d.closed);
}

// Goal:   parcels that nobody asks for are closed.
static void test_parcels_that_are_read_past_are_closed(void **state)
{
    (void)state;
    static struct side a, b, c, d;
    pair(&a, &b);
    pair(&c, &d);
    tr_parcel *sent = leave(&d);
    send_along(&a, 10, &sent, 1);
    tr__parcel_unref(&sent);
    side_listen(&c);
    linger();
    assert_int_equal(OPEN, c.end);
    b.on_readable = NULL;
    unsigned char bytes[CHUNK];
    UNTIL(w->ops->endpoint_read(b.endpoint, &(tr_iov){bytes, sizeof bytes}, 1) > 0);
    UNTIL(c.end != OPEN);
    side_close(&a);
    side_close(&b);
    side_close(&c);
    UNTIL(a.closed && b.closed && c.closed);
}

// Goal:   who listens need not accept; several may, and a path goes with the last that has it.
static void test_a_listener_is_opened_and_shared(void **state)
{
    (void)state;
    static struct door door, other;
    static struct side visitor, second;
    EACH_SITE(site)
    {
        tr_parcel *parcel, *copy;
        tr_site where;
        door = other = (struct door){0};
        assert_int_equal(0, w->ops->listener_open(w, site, &(tr_listen_how){0}, &parcel));
        assert_int_equal(TR__PARCEL_LISTENER, parcel->kind);
        parcel->ops->parcel_site(parcel, &where);
        visit_well(&visitor, &where);
        assert_int_equal(0, parcel->ops->parcel_copy(parcel, &copy));
        assert_int_equal(0, w->ops->listener_enter(w, &parcel, &(tr_listen_how){0}, &door_up, &door,
                                                   &door.listener));
        assert_null(parcel);
        UNTIL(door.accepted == 1);
        w->ops->listener_want(door.listener, false);
        assert_int_equal(0, w->ops->listener_share(door.listener, &parcel));
        tr__parcel_unref(&parcel);
        assert_int_equal(0, w->ops->listener_enter(w, &copy, &(tr_listen_how){0}, &door_up, &other,
                                                   &other.listener));
        visit_well(&second, &where);
        UNTIL(other.accepted == 1);
        w->ops->listener_close(&other.listener);
        w->ops->listener_close(&door.listener);
        assert_true(visit(&second, &where) < 0 || visit_wait(&second) < 0);
        side_close(&visitor);
        side_close(&door.guests[0]);
        side_close(&other.guests[0]);
        UNTIL(visitor.closed && door.guests[0].closed && other.guests[0].closed);
    }
}

// Goal:   two parcels that are a pair are connected, and either may be dropped.
static void test_a_pair_of_parcels_is_connected(void **state)
{
    (void)state;
    static struct side a, b;
    tr_parcel *ends[2];
    assert_int_equal(0, w->ops->parcel_pair(w, ends));
    assert_int_equal(TR__PARCEL_SOCKET, ends[0]->kind);
    a.got = b.got = 0;
    enter(&a, &ends[0]);
    enter(&b, &ends[1]);
    side_say(&a, 1000);
    side_say(&b, 500);
    side_listen(&a);
    side_listen(&b);
    UNTIL(b.got == 1000 && a.got == 500);
    side_close(&a);
    UNTIL(b.end == 0);
    side_close(&b);
    UNTIL(a.closed && b.closed);

    assert_int_equal(0, w->ops->parcel_pair(w, ends));
    tr__parcel_unref(&ends[0]);
    enter(&b, &ends[1]);
    UNTIL(b.end == 0);
    side_close(&b);
    UNTIL(b.closed);
}

// Goal:   a parcel that nobody takes is closed with what is in it.
static void test_a_parcel_is_dropped(void **state)
{
    (void)state;
    static struct side a, b;
    pair(&a, &b);
    tr_parcel *parcel = leave(&b);
    side_listen(&a);
    linger();
    assert_int_equal(OPEN, a.end);
    tr__parcel_unref(&parcel);
    UNTIL(a.end == 0);
    side_close(&a);
    UNTIL(a.closed);
}

static int setup(void **state)
{
    (void)state;
    w = harness->open();
    return w == NULL;
}

static int teardown(void **state)
{
    (void)state;
    if (w != NULL)
        harness->close(&w);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int world_suite(const struct world_harness *of)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_of_every_size),
        TEST(test_back_pressure),
        TEST(test_shutdown_ends_one_direction),
        TEST(test_end_comes_after_what_was_written),
        TEST(test_readable_is_level_triggered_and_only_when_wanted),
        TEST(test_writable_is_level_triggered),
        TEST(test_closed_comes_once_and_later),
        TEST(test_closed_in_an_upcall_comes_from_a_later_poll),
        TEST(test_no_upcall_after_close),
        TEST(test_write_to_a_closed_peer_is_an_error),
        TEST(test_peer_that_closes_unread_bytes_is_heard),
        TEST(test_poll_returns_at_due_and_not_before),
        TEST(test_due_holds_until_it_has_come),
        TEST(test_poll_that_is_due_does_not_wait),
        TEST(test_wake_ends_the_next_poll),
        TEST(test_idle_is_the_time_that_was_slept),
        TEST(test_wake_from_another_thread),
        TEST(test_wakes_do_not_starve_endpoints),
        TEST(test_random_differs),
        TEST(test_another_world_is_one_of_its_own),
        TEST(test_thread_runs_until_it_says_no),
        TEST(test_join_waits_for_the_end),
        TEST(test_two_loops_wake_each_other),
        TEST(test_endpoints_of_a_threads_world),
        TEST(test_a_thread_has_threads),
        TEST(test_spawn_tells_the_exit_code),
        TEST(test_spawn_tells_the_signal),
        TEST(test_spawn_of_what_cannot_run_is_an_error),
        TEST(test_children_are_talked_to),
        TEST(test_last_words_are_there_after_exited),
        TEST(test_signal_reaches_the_process),
        TEST(test_signal_reaches_the_group),
        TEST(test_process_close_kills),
        TEST(test_standard_descriptors_are_pipes),
        TEST(test_a_pipe_that_nobody_reads_is_an_error),
        TEST(test_null_is_no_pipe),
        TEST(test_listener_accepts),
        TEST(test_sites_are_known),
        TEST(test_guest_may_be_refused_in_the_upcall),
        TEST(test_site_has_one_listener),
        TEST(test_a_port_may_be_shared),
        TEST(test_a_listener_may_let_wait),
        TEST(test_a_listener_that_closes_ends_those_who_wait),
        TEST(test_an_endpoint_leaves_and_enters),
        TEST(test_parcels_go_along_with_bytes),
        TEST(test_parcels_that_are_read_past_are_closed),
        TEST(test_a_listener_is_opened_and_shared),
        TEST(test_a_pair_of_parcels_is_connected),
        TEST(test_a_parcel_is_dropped),
        TEST(test_nobody_there_is_an_error),
        TEST(test_what_is_no_address_is_an_error),
        TEST(test_a_signal_is_heard_by_all_who_hear_it),
        TEST(test_no_signal_crowds_out_another),
        TEST(test_ears_may_be_closed_and_opened_in_an_upcall),
        TEST(test_another_world_hears_too),
        TEST(test_what_is_no_signal_is_an_error),
        TEST(test_world_closes_with_everything_open),
        TEST(test_world_closes_over_its_children),
    };
    harness = of;
    return cmocka_run_group_tests_name(of->name, tests, NULL, NULL);
}
