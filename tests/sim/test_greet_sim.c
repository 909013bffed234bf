// Those who come to a node's door: too many of them, ones that hurry it, and what becomes of those
// who mean well when there is no memory.
#include <string.h>

#include "remote/remote.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/sim_node.h"
#include "support/sweep.h"

#define UNMET_MAX 256 // as greet.c
#define MORE      40
#define BULK      0x60000u
#define URL       "tcp://10.0.0.1:7000"
#define ELSEWHERE "tcp://10.0.0.2:7000"
#define PATH      "/node"
#define SECRET    "the two know this one"

static struct sim_nodes nodes;
static tr_world *outside;
static tr_node *known[2]; // the first one listens, the second one dials
static unsigned started;
static unsigned crowds; // that were told of
static unsigned ups;    // "node up" that actors have heard
static int listened, dialled;
static bool bulky;       // the second one has something large to say
static uint64_t bulk_at; // when that was there
static unsigned losses;  // that were told of

static void note_warning(const char *id, const char *text, void *arg)
{
    (void)text, (void)arg;
    crowds += strcmp(id, "peer.crowded") == 0;
    losses += strcmp(id, "peer.lost") == 0;
}

// ---- A node, with an actor that hears who comes ----

static int square_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior square = {.name = "square", .start = square_start};

static int actor_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_node *node = tr_node_of(self);
    int rc = tr_node_links(node, TR_LINKS(.secret = SECRET, .secret_size = sizeof SECRET - 1,
                                          .spawns = TR_APP(&square)));
    if (rc == 0)
        rc = tr_node_watch(self, true);
    if (rc == 0)
        rc = tr_register(self, "actor");
    known[started > 0] = node;
    if (rc == 0 && started++ > 0)
        return tr_node_dial(node, URL, NULL);
    if (rc == 0)
        rc = tr_node_listen(node, "ipc://" PATH);
    return rc < 0 ? rc : tr_node_listen(node, URL);
}

static int send_bulk(tr_actor *self, tr_val up)
{
    static uint8_t bytes[BULK];
    tr_addr addr;
    int rc = TR_READ(up, "addr", &addr);
    return rc < 0 ? rc : tr_send(self, addr, "bulk", TR_V(((tr_bytes){bytes, sizeof bytes})));
}

static int actor_receive(tr_actor *self, const tr_msg *msg)
{
    tr_node *node = tr_node_of(self);
    ups += tr_msg_is(msg, "node up");
    if (tr_msg_is(msg, "node up") && bulky && node == known[1])
        return send_bulk(self, tr_msg_body(msg));
    if (tr_msg_is(msg, "bulk"))
        bulk_at = tr_now(self);
    if (tr_msg_is(msg, "listen")) {
        listened = tr_node_listen(node, ELSEWHERE);
        dialled = tr_node_dial(node, "tcp://10.0.0.3:7000", NULL);
        int undialled = tr_node_undial(node, "tcp://10.0.0.3:7000");
        assert_int_equal(dialled == 0 ? 0 : TR_ENOENT, undialled);
    }
    return tr_msg_is_ask(msg) ? tr_reply(self, msg, tr_msg_body(msg)) : 0;
}
static const tr_behavior actor = {.name = "actor", .start = actor_start, .receive = actor_receive};

static const tr_app *const app = TR_APP(&actor);

static void run_for(uint64_t ns)
{
    uint64_t end = outside->ops->now(outside) + ns;
    while (outside->ops->now(outside) < end)
        outside->ops->poll(outside, end);
}

static void start_node(void)
{
    assert_int_equal(0, sim_nodes_start(&nodes));
    run_for(TR_US(100));
}

static void open_all(void)
{
    started = crowds = ups = 0;
    tr_log_set(note_warning, NULL);
    sim_nodes_open(&nodes, 0, app);
    tr__sim_set_capacity(nodes.sim, 0x10000);
    assert_int_equal(0, tr__sim_world(nodes.sim, &outside));
    start_node();
}

static void close_all(void)
{
    outside->ops->close(&outside);
    sim_nodes_close(&nodes);
    tr_log_set(NULL, NULL);
}

// ---- Strangers ----

struct stranger {
    tr__link *link;
    bool closed;
    unsigned frames, answers;
};

static int stranger_frame(void *owner, tr_buf *storage, const uint8_t *bytes, size_t size)
{
    struct stranger *s = owner;
    (void)storage;
    s->frames++;
    while (size > 0) {
        tr__envelope e;
        size_t used;
        assert_int_equal(0, tr__envelope_read(bytes, size, &e, &used));
        s->answers += e.kind == TR__ANSWER;
        bytes += used;
        size -= used;
    }
    return 0;
}

static void stranger_drained(void *owner)
{
    (void)owner;
}

static void stranger_down(void *owner, int error)
{
    struct stranger *s = owner;
    (void)error;
    s->closed = true;
    s->link->ops->free(&s->link);
}

static const tr__link_up STRANGER_UP = {
    .frame = stranger_frame, .drained = stranger_drained, .down = stranger_down};

static void stranger_open(struct stranger *s, const tr_site *site)
{
    tr_endpoint *endpoint;
    *s = (struct stranger){0};
    assert_int_equal(0, outside->ops->connect(outside, site, &endpoint));
    assert_int_equal(0, tr__link_sp_open(endpoint, &STRANGER_UP, s, &s->link));
    run_for(TR_US(50));
}

static void stranger_say(struct stranger *s, tr_val envelope)
{
    tr__frame *frame = NULL;
    if (s->link != NULL && tr__frame_new(&frame) == 0 && tr__envelope_put(frame, envelope) == 0)
        s->link->ops->send(s->link, &frame);
    tr__frame_free(&frame);
    run_for(TR_US(100));
}

static void stranger_close(struct stranger *s)
{
    if (s->link != NULL)
        s->link->ops->free(&s->link);
}

static void stranger_ask(struct stranger *s, int n)
{
    stranger_say(s, TR_LIST((int)TR__ASK, TR__ROOT_ID, 9, "hello", TR_NULL, n, 1000000));
}

// Goal: however many come and say nothing, who was let in is served, who means well gets in, the
//       oldest go first, and it is told once.
static void strangers_in_great_numbers(const tr_site *site)
{
    static struct stranger strangers[UNMET_MAX + MORE];
    struct stranger good, late;
    counted_memory_start(0);
    open_all();
    stranger_open(&good, &(tr_site){.name = PATH});
    stranger_say(&good, TR_LIST((int)TR__HELLO, TR_MAP("troupe", 1, "node", 42)));
    for (int i = 0; i < UNMET_MAX; i++)
        stranger_open(&strangers[i], site);
    stranger_ask(&good, 1);
    assert_int_equal(1, good.answers);
    assert_int_equal(0, crowds);
    size_t full = counted.live;
    for (int i = 0; i < MORE; i++) {
        assert_false(strangers[i].closed);
        stranger_open(&strangers[UNMET_MAX + i], site);
        assert_true(strangers[i].closed);
    }
    assert_in_range(counted.live, 0, full + full / 10);
    assert_int_equal(1, crowds);
    stranger_ask(&good, 2);
    assert_int_equal(2, good.answers);
    stranger_open(&late, &(tr_site){.name = PATH});
    stranger_say(&late, TR_LIST((int)TR__HELLO, TR_MAP("troupe", 1, "node", 43)));
    stranger_ask(&late, 1);
    assert_int_equal(1, late.answers);
    start_node(); // over TCP, with the secret
    run_for(TR_MS(1));
    assert_int_equal(4, ups);
    for (int i = 0; i < UNMET_MAX + MORE; i++) {
        assert_int_equal(i < MORE + 1, strangers[i].closed);
        stranger_close(&strangers[i]);
    }
    stranger_close(&good);
    stranger_close(&late);
    close_all();
    assert_int_equal(0, counted_memory_stop());
}

static void of_too_many_that_say_nothing_the_oldest_go(void **state)
{
    (void)state;
    tr_site tcp[TR__SITES_KNOWN];
    assert_int_equal(1, tr__sites_parse(URL, tcp));
    strangers_in_great_numbers(&(tr_site){.name = PATH});
    strangers_in_great_numbers(&tcp[0]);
}

// Goal: who says that it bears no silence at all gets signs of life, but not as many as it likes.
static void one_that_bears_no_silence_does_not_hurry_the_node(void **state)
{
    (void)state;
    struct stranger s;
    open_all();
    stranger_open(&s, &(tr_site){.name = PATH});
    stranger_say(&s, TR_LIST((int)TR__HELLO, TR_MAP("troupe", 1, "node", 42, "silence", 1)));
    unsigned before = s.frames;
    run_for(TR_S(1));
    assert_in_range(s.frames - before, 35, 45);
    stranger_close(&s);
    close_all();
}

// Goal: who sends or gets a message for longer than either bears silence is not taken for silent.
static void a_large_message_over_a_slow_link_loses_nobody(void **state)
{
    (void)state;
    open_all();
    bulky = true;
    bulk_at = 0;
    losses = 0;
    tr__sim_set_capacity(nodes.sim, 1024);
    tr__sim_set_delay(nodes.sim, TR_MS(50));
    uint64_t start = outside->ops->now(outside);
    assert_int_equal(0, sim_nodes_start(&nodes));
    for (int i = 0; i < 100 && bulk_at == 0; i++)
        run_for(TR_S(1));
    assert_in_range(bulk_at, start + TR_MS(TR__SILENCE_MS), start + TR_S(100));
    run_for(TR_S(10));
    assert_int_equal(0, losses);
    assert_int_equal(2, ups);
    bulky = false;
    close_all();
}

// ---- Without memory ----

// Whether both have a link; that they had one may have been told to nobody.
static bool both_have_met(void)
{
    for (int i = 0; i < 2; i++) {
        const tr__remote *remote = tr__node_loop(known[i], 0)->remote;
        const tr__list *peers = &remote->peers;
        if (tr__list_empty(peers) || !tr__container(peers->next, tr__peer, link_in_remote)->greeted)
            return false;
    }
    return true;
}

static void have_memory_again(void)
{
    counted.fail_at = 0;
}

// Goal: whatever fails for want of memory while two nodes meet, they do when there is some.
static void nodes_meet_that_had_no_memory_for_it(void **state)
{
    (void)state;
    struct sweep sweep = {0};
    while (sweep_next(&sweep)) {
        open_all();
        assert_int_equal(0, sim_nodes_start(&nodes));
        run_for(TR_US(2));
        assert_int_equal(2, started);
        sweep_begin(&sweep);
        run_for(TR_MS(5));
        assert_true(both_have_met() || sweep.nth > 0);
        have_memory_again();
        for (int i = 0; i < 100 && !both_have_met(); i++)
            run_for(TR_S(1));
        assert_true(both_have_met());
        close_all();
        sweep_end(&sweep);
    }
}

static void who_cannot_listen_or_dial_for_want_of_memory_is_told(void **state)
{
    (void)state;
    struct sweep sweep = {0};
    while (sweep_next(&sweep)) {
        struct stranger s;
        open_all();
        stranger_open(&s, &(tr_site){.name = PATH});
        stranger_say(&s, TR_LIST((int)TR__HELLO, TR_MAP("troupe", 1, "node", 42)));
        listened = dialled = TR_ECANCELED; // it has not heard
        sweep_begin(&sweep);
        stranger_say(&s, TR_LIST((int)TR__MESSAGE, TR__ROOT_ID, 9, "listen", TR_NULL));
        have_memory_again();
        run_for(TR_MS(1));
        assert_true((listened == 0 && dialled == 0) || sweep.nth > 0);
        assert_true(listened == 0 || listened == TR_ENOMEM || listened == TR_ECANCELED);
        assert_true(dialled == 0 || dialled == TR_ENOMEM || dialled == TR_ECANCELED);
        stranger_close(&s);
        close_all();
        sweep_end(&sweep);
    }
}

// Goal: what is asked of the node itself is answered, or the link is lost: nobody waits for ever.
static void what_a_node_is_asked_is_answered_or_the_link_is_lost(void **state)
{
    (void)state;
    struct sweep sweep = {0};
    while (sweep_next(&sweep)) {
        struct stranger s;
        tr__frame *frame = NULL;
        open_all();
        stranger_open(&s, &(tr_site){.name = PATH});
        stranger_say(&s, TR_LIST((int)TR__HELLO, TR_MAP("troupe", 1, "node", 42)));
        assert_int_equal(0, tr__frame_new(&frame));
        assert_int_equal(0, tr__envelope_put(frame, TR_LIST((int)TR__ASK, 0, 9, "troupe.whereis",
                                                            "actor", 1, 1000000)));
        assert_int_equal(0, tr__envelope_put(frame, TR_LIST((int)TR__ASK, 0, 9, "troupe.spawn",
                                                            TR_MAP("behavior", "square", "args", 7),
                                                            2, 1000000)));
        sweep_begin(&sweep);
        s.link->ops->send(s.link, &frame);
        run_for(TR_MS(1));
        have_memory_again();
        run_for(TR_MS(1));
        assert_true(s.answers == 2 || (sweep.nth > 0 && s.closed));
        stranger_close(&s);
        close_all();
        sweep_end(&sweep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_too_many_that_say_nothing_the_oldest_go),
        cmocka_unit_test(one_that_bears_no_silence_does_not_hurry_the_node),
        cmocka_unit_test(a_large_message_over_a_slow_link_loses_nobody),
        cmocka_unit_test(nodes_meet_that_had_no_memory_for_it),
        cmocka_unit_test(who_cannot_listen_or_dial_for_want_of_memory_is_told),
        cmocka_unit_test(what_a_node_is_asked_is_answered_or_the_link_is_lost),
    };
    return cmocka_run_group_tests_name("sim/greet", tests, NULL, NULL);
}
