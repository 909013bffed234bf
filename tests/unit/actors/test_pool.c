// The pool in the kit: its workers are probes, which the test reads and answers for.
#include <stdio.h>
#include <troupe.h>
#include <troupe/test.h>

#include "support/cmocka.h"

static const tr_behavior job = {.name = "job"};

enum { WORKERS_MAX = 64 };
static tr_addr workers[WORKERS_MAX];
static tr_addr client;

// ---- Starting one ----

static const tr_pool_spec *spec;
static const tr_spawn_opts *pool_opts;
static int start_rc;
static tr_addr pool_addr;

// Starts the pool, which so is not spawned by the kit itself but by an actor, as always.
static int owner_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    start_rc = tr_pool_start(self, spec, pool_opts, &pool_addr);
    return 0;
}
static const tr_behavior owner = {.name = "owner", .start = owner_start};

// In the kit a pool that is spawned is a probe: take what it was spawned as, and start that.
static tr_addr pool_with(const tr_pool_spec *given, uint32_t count)
{
    spec = given;
    pool_opts = NULL;
    TR_START(&owner, NULL);
    assert_int_equal(0, start_rc);
    const tr_kit_spawn *spawn = TR_TAKE_SPAWN();
    client = tr_kit_probe("client");
    tr_addr pool = TR_START(spawn->behavior, &spawn->opts);
    for (uint32_t i = 0; i < count; i++)
        workers[i] = TR_EXPECT_SPAWN(&job, TR_SHARED, TR_NULL);
    return pool;
}

static void send(tr_addr pool, int number)
{
    TR_GIVE(pool, client, "job", TR_V(number));
}

static void expect(uint32_t worker, int number)
{
    TR_EXPECT(workers[worker], "job", TR_V(number));
}

// Write what the pool says of each worker; returns how many there are.
static uint32_t stats(tr_addr pool, const char *key, uint64_t *ret_values)
{
    tr_val list, item;
    uint32_t count = 0;
    tr_addr reader = tr_kit_probe("reader");
    TR_GIVE_ASK(pool, reader, "pool.stats", TR_NULL);
    assert_int_equal(0, tr_get(tr_msg_body(TR_TAKE(reader)), "workers", &list));
    for (tr_iter it = tr_iter_of(list); tr_iter_next(&it, NULL, &item); count++)
        assert_int_equal(0, tr_get_uint(item, key, &ret_values[count]));
    return count;
}

static void expect_stats(tr_addr pool, uint32_t worker, const char *key, uint64_t value)
{
    uint64_t values[WORKERS_MAX];
    assert_true(worker < stats(pool, key, values));
    assert_int_equal(value, values[worker]);
}

// ---- Round robin ----

static void workers_take_turns(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 3), 3);
    for (int i = 0; i < 6; i++)
        send(pool, i);
    for (uint32_t i = 0; i < 6; i++)
        expect(i % 3, (int)i);
    TR_EXPECT_NOTHING(TR_NOBODY);
    expect_stats(pool, 2, "handed", 2);
}

static void a_worker_sees_the_sender_and_answers_the_asker(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 2), 2);
    send(pool, 1);
    assert_true(tr_addr_eq(client, tr_msg_from(TR_TAKE(workers[0]))));
    TR_GIVE_ASK(pool, client, "ask", TR_V(2));
    TR_EXPECT(workers[1], "ask", TR_V(2));
    TR_ANSWER(workers[1], TR_V(3));
    TR_EXPECT(client, "answer", TR_V(3));
}

static void one_without_room_is_passed_over(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 2), 2);
    tr_kit_room(workers[0], 0);
    send(pool, 1);
    send(pool, 2);
    expect(1, 1);
    expect(1, 2);
    expect_stats(pool, 0, "failed", 1);
    tr_kit_room(workers[0], 1);
    send(pool, 3);
    expect(0, 3);
}

static void what_nobody_has_room_for_is_declined(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 2), 2);
    tr_kit_room(workers[0], 0);
    tr_kit_room(workers[1], 0);
    TR_GIVE_ASK(pool, client, "ask", TR_NULL);
    TR_EXPECT(client, "error", TR_V(TR_EFULL));
    assert_int_equal(0, tr_kit_dead_letters());
    send(pool, 1);
    assert_int_equal(1, tr_kit_dead_letters());
    TR_GIVE_ASK(pool, client, "pool.stats", TR_NULL);
    TR_EXPECT_LIKE(client, "answer", TR_MAP("declined", 2));
    tr_kit_room(workers[1], 1);
    send(pool, 2);
    expect(1, 2);
}

static void what_nobody_has_room_for_can_be_held(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 1, .hold = true), 1);
    tr_kit_room(workers[0], 1);
    send(pool, 1);
    send(pool, 2);
    tr_kit_room(workers[0], 1);
    expect(0, 1);
    expect(0, 2);
    send(pool, 3);
    TR_GIVE_ASK(pool, client, "pool.stats", TR_NULL); // waits with the others
    TR_EXPECT_NOTHING(client);
    tr_kit_room(workers[0], UINT32_MAX);
    expect(0, 3);
    TR_EXPECT_LIKE(client, "answer", TR_MAP("declined", 0));
    assert_int_equal(0, tr_kit_dead_letters());
}

// ---- Least loaded ----

static void an_ask_is_load_until_it_is_answered(void **state)
{
    (void)state;
    tr_addr pool =
        pool_with(TR_POOL(.behavior = &job, .workers = 2, .strategy = TR_POOL_LEAST_LOADED), 2);
    for (int i = 0; i < 4; i++)
        TR_GIVE_ASK(pool, client, "ask", TR_V(i));
    for (int i = 0; i < 2; i++) {
        TR_EXPECT(workers[1], "ask", TR_V(2 * i + 1));
        TR_ANSWER(workers[1], TR_V(i));
        TR_EXPECT(client, "answer", TR_V(i));
    }
    expect_stats(pool, 0, "load", 2);
    expect_stats(pool, 1, "load", 0);
    TR_GIVE_ASK(pool, client, "ask", TR_V(4));
    TR_EXPECT(workers[1], "ask", TR_V(4));
    TR_ANSWER_ERROR(workers[1], TR_EBADMSG);
    TR_EXPECT(client, "error", TR_V(TR_EBADMSG));
    TR_GIVE_ASK(pool, client, "ask", TR_V(5));
    TR_EXPECT(workers[1], "ask", TR_V(5));
}

static void a_message_is_load_until_it_is_handled(void **state)
{
    (void)state;
    tr_addr pool =
        pool_with(TR_POOL(.behavior = &job, .workers = 2, .strategy = TR_POOL_LEAST_LOADED), 2);
    for (int i = 0; i < 4; i++)
        send(pool, i);
    expect(1, 1);
    TR_EXPECT(workers[1], "troupe.ping", TR_NULL);
    TR_ANSWER(workers[1], TR_NULL);
    expect_stats(pool, 1, "load", 1); // what was handed after the ping
    expect(1, 3);
    TR_EXPECT(workers[1], "troupe.ping", TR_NULL);
    TR_ANSWER_ERROR(workers[1], TR_EUNKNOWN); // as a program in another language may
    expect_stats(pool, 1, "load", 0);
    expect_stats(pool, 0, "load", 2);
    send(pool, 4);
    expect(1, 4);
}

static void the_end_of_the_asked_is_passed_on(void **state)
{
    (void)state;
    tr_addr pool =
        pool_with(TR_POOL(.behavior = &job, .workers = 1, .strategy = TR_POOL_LEAST_LOADED), 1);
    TR_GIVE_ASK(pool, client, "ask", TR_V(1));
    TR_EXPECT(workers[0], "ask", TR_V(1));
    tr_kit_end(workers[0], (tr_reason){.kind = TR_REASON_KILLED, .code = 9});
    TR_EXPECT(client, "error", TR_V(TR_EDOWN));
}

static void asks_that_wait_for_an_answer_go_with_the_pool(void **state)
{
    (void)state;
    tr_addr pool =
        pool_with(TR_POOL(.behavior = &job, .workers = 1, .strategy = TR_POOL_LEAST_LOADED), 1);
    TR_GIVE_ASK(pool, client, "ask", TR_V(1));
    TR_EXPECT(workers[0], "ask", TR_V(1));
    TR_STOP(pool);
    tr_kit_end(workers[0], (tr_reason){.kind = TR_REASON_SHUTDOWN});
    TR_EXPECT_EXIT(pool, TR_SHUTDOWN); // and no memory is left
}

// ---- Consistent hash ----

#define KEYS 500

// Which worker a message goes to.
static uint32_t goes_to(tr_addr pool, const char *name, tr_val body)
{
    uint64_t before[WORKERS_MAX], after[WORKERS_MAX];
    uint32_t count = stats(pool, "handed", before), found = UINT32_MAX;
    TR_GIVE(pool, client, name, body);
    stats(pool, "handed", after);
    for (uint32_t i = 0; i < count; i++)
        found = after[i] > before[i] ? i : found;
    assert_true(found < count);
    return found;
}

static void map_keys(tr_addr pool, uint32_t *ret_workers)
{
    for (int key = 0; key < KEYS; key++)
        ret_workers[key] = goes_to(pool, "job", TR_MAP("user", key));
}

// A share of the keys that is fair to within a half.
static void assert_share(uint32_t keys, uint32_t workers_count)
{
    assert_in_range(keys, KEYS / workers_count / 2, KEYS / workers_count * 3 / 2);
}

// Goal: one worker more takes its share from all, and gives it back when it goes; the rest stay.
static void a_new_worker_takes_only_its_share_of_the_keys(void **state)
{
    (void)state;
    uint32_t before[KEYS], with[KEYS], after[KEYS], moved = 0, of_first = 0;
    tr_addr pool = pool_with(
        TR_POOL(.behavior = &job, .workers = 9, .strategy = TR_POOL_HASH, .key = "user"), 9);
    map_keys(pool, before);
    TR_GIVE(pool, client, "pool.resize", TR_V(10));
    map_keys(pool, with);
    TR_GIVE(pool, client, "pool.resize", TR_V(9));
    map_keys(pool, after);
    for (int key = 0; key < KEYS; key++) {
        assert_true(with[key] == before[key] || with[key] == 9);
        moved += with[key] == 9;
        of_first += before[key] == 0;
    }
    assert_share(moved, 10);
    assert_share(of_first, 9);
    assert_memory_equal(before, after, sizeof before);
}

static void the_key_is_the_field_or_the_name(void **state)
{
    (void)state;
    tr_addr by_field = pool_with(
        TR_POOL(.behavior = &job, .workers = 16, .strategy = TR_POOL_HASH, .key = "user"), 16);
    uint32_t ann = goes_to(by_field, "a", TR_MAP("user", "ann", "n", 1));
    assert_int_equal(ann, goes_to(by_field, "b", TR_MAP("n", 2, "user", "ann")));
    assert_int_not_equal(ann, goes_to(by_field, "a", TR_MAP("user", "bob")));
    uint32_t none = goes_to(by_field, "a", TR_V(1));
    assert_int_equal(none, goes_to(by_field, "b", TR_MAP("user", TR_NULL)));

    tr_addr by_name =
        pool_with(TR_POOL(.behavior = &job, .workers = 16, .strategy = TR_POOL_HASH), 16);
    uint32_t a = goes_to(by_name, "a", TR_MAP("user", "ann"));
    assert_int_equal(a, goes_to(by_name, "a", TR_MAP("user", "bob")));
    assert_int_not_equal(a, goes_to(by_name, "b", TR_MAP("user", "ann")));
}

static void a_key_does_not_go_to_another_worker_for_room(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 2, .strategy = TR_POOL_HASH), 2);
    uint32_t of = goes_to(pool, "job", TR_V(1));
    tr_kit_room(workers[of], 0);
    send(pool, 2);
    assert_int_equal(1, tr_kit_dead_letters());
    expect(of, 1);
    TR_EXPECT_NOTHING(workers[1 - of]);
}

// ---- To many ----

static void a_message_goes_to_all(void **state)
{
    (void)state;
    tr_addr pool = pool_with(
        TR_POOL(.behavior = &job, .workers = 3, .strategy = TR_POOL_BROADCAST, .hold = true), 3);
    tr_kit_room(workers[1], 0);
    send(pool, 1);
    expect(0, 1);
    expect(2, 1);
    TR_EXPECT_NOTHING(TR_NOBODY);
    assert_int_equal(1, tr_kit_dead_letters()); // for who has missed it
}

static void a_message_goes_to_so_many_in_turn(void **state)
{
    (void)state;
    tr_addr pool = pool_with(
        TR_POOL(.behavior = &job, .workers = 3, .strategy = TR_POOL_BROADCAST, .fanout = 2), 3);
    send(pool, 1);
    send(pool, 2);
    expect(0, 1);
    expect(1, 1);
    expect(2, 2);
    expect(0, 2);
    tr_kit_room(workers[1], 0);
    send(pool, 3);
    expect(2, 3); // in place of the one without room
    expect(0, 3);
    TR_EXPECT_NOTHING(TR_NOBODY);
}

static void answer(uint32_t worker, int number)
{
    TR_EXPECT(workers[worker], "ask", TR_NULL);
    TR_ANSWER(workers[worker], TR_V(number));
}

static void answers_are_collected_in_order(void **state)
{
    (void)state;
    tr_addr pool =
        pool_with(TR_POOL(.behavior = &job, .workers = 3, .strategy = TR_POOL_BROADCAST), 3);
    TR_GIVE_ASK(pool, client, "ask", TR_NULL);
    answer(2, 30);
    answer(0, 10);
    TR_EXPECT_NOTHING(client);
    answer(1, 20);
    TR_EXPECT(client, "answer", TR_MAP("answers", TR_LIST(10, 20, 30), "missing", 0));
}

static void what_has_come_in_time_is_the_answer(void **state)
{
    (void)state;
    static const uint64_t times[] = {100, 4500}; // given, and nine tenths of 5 s
    for (int i = 0; i < 2; i++) {
        tr_addr pool =
            pool_with(TR_POOL(.behavior = &job, .workers = 4, .gather_ms = i == 0 ? 100 : 0,
                              .strategy = TR_POOL_BROADCAST),
                      4);
        tr_kit_room(workers[3], 0);
        TR_GIVE_ASK(pool, client, "ask", TR_NULL);
        answer(1, 20);
        TR_EXPECT(workers[2], "ask", TR_NULL);
        TR_ANSWER_ERROR(workers[2], TR_EBADMSG);
        TR_ADVANCE(TR_MS(times[i] - 1));
        TR_EXPECT_NOTHING(client);
        TR_ADVANCE(TR_MS(2));
        TR_EXPECT(client, "answer", TR_MAP("answers", TR_LIST(20), "missing", 3));
        answer(0, 10); // too late
        TR_EXPECT_NOTHING(client);
    }
}

static void with_nobody_to_ask_all_are_missing(void **state)
{
    (void)state;
    tr_addr pool = pool_with(
        TR_POOL(.behavior = &job, .workers = 2, .fanout = 1, .strategy = TR_POOL_BROADCAST), 2);
    tr_kit_room(workers[0], 0);
    tr_kit_room(workers[1], 0);
    TR_GIVE_ASK(pool, client, "ask", TR_NULL);
    TR_EXPECT(client, "answer", TR_MAP("answers", TR_EMPTY_LIST, "missing", 1));
}

// ---- Replacing ----

static void fail_worker(uint32_t i)
{
    tr_kit_end(workers[i], (tr_reason){.kind = TR_REASON_ERROR, .code = TR_EBADMSG});
}

static void expect_replaced(uint32_t i, uint64_t after_ms)
{
    TR_ADVANCE(TR_MS(after_ms) - 1);
    TR_EXPECT_NOTHING(TR_NOBODY);
    TR_ADVANCE(1);
    workers[i] = TR_EXPECT_SPAWN(&job, TR_SHARED, TR_NULL);
}

static void a_worker_that_ends_is_replaced_later_each_time(void **state)
{
    (void)state;
    tr_addr pool = pool_with(
        TR_POOL(.behavior = &job, .workers = 2, .backoff_ms = 100, .restart_window_ms = 1000), 2);
    fail_worker(0);
    send(pool, 1);
    send(pool, 2);
    expect(1, 1);
    expect(1, 2);
    expect_replaced(0, 100);
    send(pool, 3);
    expect(0, 3);
    fail_worker(0);
    expect_replaced(0, 200);
    expect_stats(pool, 0, "restarts", 2);
    TR_ADVANCE(TR_MS(1000)); // it has lived for long
    fail_worker(0);
    expect_replaced(0, 100);
}

static void what_waits_goes_to_the_new_worker(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 1, .hold = true), 1);
    fail_worker(0);
    send(pool, 1);
    expect_replaced(0, 10);
    expect(0, 1);
}

static void one_that_cannot_be_spawned_is_tried_again(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 1), 1);
    fail_worker(0);
    tr_kit_fail_spawn(1, TR_ENOMEM);
    TR_ADVANCE(TR_MS(10));
    TR_EXPECT_NOTHING(TR_NOBODY);
    expect_replaced(0, 20);
    expect_stats(pool, 0, "restarts", 2);
}

static void too_many_replacements_end_the_pool(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 2, .restart_max = 2), 2);
    fail_worker(0);
    expect_replaced(0, 10);
    fail_worker(0);
    expect_replaced(0, 20);
    fail_worker(0);
    assert_true(tr_kit_alive(pool)); // until the other one is down
    assert_true(tr_kit_stop_asked(workers[1]));
    tr_kit_end(workers[1], (tr_reason){.kind = TR_REASON_SHUTDOWN});
    TR_EXPECT_EXIT(pool, TR_ERESTARTS);
}

static void replacements_are_forgotten_after_the_window(void **state)
{
    (void)state;
    tr_addr pool = pool_with(
        TR_POOL(.behavior = &job, .workers = 1, .restart_max = 1, .restart_window_ms = 100), 1);
    for (int i = 0; i < 5; i++) {
        fail_worker(0);
        expect_replaced(0, 10);
        TR_ADVANCE(TR_MS(100));
    }
    assert_true(tr_kit_alive(pool));
}

// ---- Resizing ----

static void a_pool_grows(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 1), 1);
    TR_GIVE_ASK(pool, client, "pool.resize", TR_V(10));
    TR_EXPECT(client, "answer", TR_V(10));
    for (uint32_t i = 1; i < 10; i++)
        workers[i] = TR_EXPECT_SPAWN(&job, TR_SHARED, TR_NULL);
    for (int i = 0; i < 10; i++)
        send(pool, i);
    for (uint32_t i = 0; i < 10; i++)
        assert_non_null(TR_TAKE(workers[i]));
}

static void a_pool_shrinks_when_work_is_done(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 3), 3);
    fail_worker(1);
    tr_kit_room(workers[2], 0);
    TR_GIVE_ASK(pool, client, "pool.resize", TR_V(1));
    TR_EXPECT(client, "answer", TR_V(1));
    assert_false(tr_kit_stop_asked(workers[2])); // before it has room for the ping
    tr_kit_room(workers[2], UINT32_MAX);
    TR_EXPECT(workers[2], "troupe.ping", TR_NULL);
    assert_true(tr_kit_stop_asked(workers[2]));
    tr_kit_end(workers[2], (tr_reason){.kind = TR_REASON_SHUTDOWN});
    TR_ADVANCE(TR_S(1)); // neither is replaced
    send(pool, 1);
    send(pool, 2);
    expect(0, 1);
    expect(0, 2);
    TR_EXPECT_NOTHING(TR_NOBODY);
}

static void sizes_are_checked(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 1), 1);
    const tr_val sizes[] = {TR_V(0), TR_V(TR_POOL_MAX + 1), TR_V(-1), TR_V("1")};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        TR_GIVE_ASK(pool, client, "pool.resize", sizes[i]);
        TR_EXPECT(client, "error", TR_V(TR_EBADMSG));
    }
    tr_kit_fail_spawn(2, TR_ENOMEM);
    TR_GIVE_ASK(pool, client, "pool.resize", TR_V(3));
    TR_EXPECT(client, "error", TR_V(TR_ENOMEM));
    TR_TAKE_SPAWN();
    uint64_t handed[WORKERS_MAX];
    assert_int_equal(2, stats(pool, "handed", handed)); // as far as it came
}

// ---- The end ----

static void workers_are_stopped_with_the_pool(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 2), 2);
    send(pool, 1);
    TR_STOP(pool);
    for (uint32_t i = 0; i < 2; i++) {
        if (i == 0)
            expect(0, 1);
        TR_EXPECT(workers[i], "troupe.ping", TR_NULL); // so that what was before it is handled
        assert_true(tr_kit_stop_asked(workers[i]));
        assert_true(tr_kit_alive(pool));
        tr_kit_end(workers[i], (tr_reason){.kind = TR_REASON_SHUTDOWN});
    }
    TR_EXPECT_EXIT(pool, TR_SHUTDOWN);
}

static void a_pool_that_ends_hands_on_what_it_holds_and_no_more(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 1, .hold = true), 1);
    tr_kit_room(workers[0], 0);
    send(pool, 1);
    TR_STOP(pool);
    assert_false(tr_kit_stop_asked(workers[0]));
    tr_kit_room(workers[0], UINT32_MAX);
    expect(0, 1);
    TR_EXPECT(workers[0], "troupe.ping", TR_NULL);
    assert_true(tr_kit_stop_asked(workers[0]));
    TR_GIVE_ASK(pool, client, "ask", TR_V(2));
    TR_EXPECT(client, "error", TR_V(TR_SHUTDOWN));
}

static void a_pool_that_gives_up_declines_what_it_holds(void **state)
{
    (void)state;
    tr_addr pool =
        pool_with(TR_POOL(.behavior = &job, .workers = 1, .hold = true, .restart_max = 1), 1);
    fail_worker(0);
    TR_GIVE_ASK(pool, client, "ask", TR_V(1));
    tr_kit_fail_spawn(1, TR_ENOMEM);
    TR_ADVANCE(TR_MS(10));
    TR_EXPECT(client, "error", TR_V(TR_EDOWN));
    TR_EXPECT_EXIT(pool, TR_ERESTARTS);
}

static void a_pool_without_workers_ends_at_once(void **state)
{
    (void)state;
    tr_addr pool = pool_with(TR_POOL(.behavior = &job, .workers = 1), 1);
    fail_worker(0);
    TR_STOP(pool);
    TR_EXPECT_EXIT(pool, TR_SHUTDOWN);
}

static void one_that_cannot_start_its_workers_ends(void **state)
{
    (void)state;
    spec = TR_POOL(.behavior = &job, .workers = 2);
    TR_START(&owner, NULL);
    const tr_kit_spawn *spawn = TR_TAKE_SPAWN();
    tr_kit_fail_spawn(2, TR_ENOMEM);
    tr_addr pool = TR_START(spawn->behavior, &spawn->opts);
    TR_EXPECT_EXIT(pool, TR_ENOMEM);
    TR_TAKE_SPAWN();
    tr_kit_warning();
}

// ---- The spec ----

static void workers_are_spawned_as_the_spec_says(void **state)
{
    (void)state;
    static const tr_placement placements[] = {TR_SPREAD, TR_HERE};
    for (int i = 0; i < 2; i++) {
        char key[] = "key";
        spec = TR_POOL(.behavior = &job, .workers = 1, .here = i == 1,
                       .opts = TR_SPAWN(.args = TR_V("args"), .mail_max = 7, .placement_key = key,
                                        .context = TR_V("context"), .program = key));
        TR_START(&owner, NULL);
        const tr_kit_spawn *spawn = TR_TAKE_SPAWN();
        key[0] = 'x'; // it was copied
        TR_START(spawn->behavior, &spawn->opts);
        spawn = TR_TAKE_SPAWN();
        assert_int_equal(7, spawn->opts.mail_max);
        assert_int_equal(placements[i], spawn->opts.placement);
        assert_string_equal("key", spawn->opts.placement_key);
        tr_str text;
        assert_int_equal(0, tr_as_str(spawn->opts.args, &text));
        assert_true(tr_str_eq(text, "args"));
        assert_int_equal(0, tr_as_str(spawn->opts.context, &text));
        assert_true(tr_str_eq(text, "context"));
        assert_string_equal("key", spawn->opts.program);
    }
    pool_with(TR_POOL(.behavior = &job), 4); // four when it says nothing
    TR_EXPECT_NOTHING(TR_NOBODY);
}

static void specs_are_checked(void **state)
{
    (void)state;
    const tr_pool_spec *const specs[] = {
        NULL,
        TR_POOL(.workers = 1),
        TR_POOL(.behavior = &job, .workers = TR_POOL_MAX + 1),
        TR_POOL(.behavior = &job, .strategy = (tr_pool_strategy)77),
        TR_POOL(.behavior = &job, .opts = TR_SPAWN(.name = "all")),
        TR_POOL(.behavior = &job, .opts = TR_SPAWN(.link = true)),
        &(const tr_pool_spec){.behavior = &job},
    };
    const tr_spawn_opts *const opts[] = {TR_SPAWN(.isolation = TR_PROCESS),
                                         TR_SPAWN(.args = TR_V(1))};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        spec = specs[i];
        TR_START(&owner, NULL);
        assert_int_equal(TR_EINVAL, start_rc);
    }
    spec = TR_POOL(.behavior = &job);
    for (size_t i = 0; i < 2; i++) {
        pool_opts = opts[i];
        TR_START(&owner, NULL);
        assert_int_equal(TR_EINVAL, start_rc);
    }
    pool_opts = NULL;
    TR_EXPECT_NOTHING(TR_NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TR_TEST(workers_take_turns),
        TR_TEST(a_worker_sees_the_sender_and_answers_the_asker),
        TR_TEST(one_without_room_is_passed_over),
        TR_TEST(what_nobody_has_room_for_is_declined),
        TR_TEST(what_nobody_has_room_for_can_be_held),
        TR_TEST(an_ask_is_load_until_it_is_answered),
        TR_TEST(a_message_is_load_until_it_is_handled),
        TR_TEST(the_end_of_the_asked_is_passed_on),
        TR_TEST(asks_that_wait_for_an_answer_go_with_the_pool),
        TR_TEST(a_new_worker_takes_only_its_share_of_the_keys),
        TR_TEST(the_key_is_the_field_or_the_name),
        TR_TEST(a_key_does_not_go_to_another_worker_for_room),
        TR_TEST(a_message_goes_to_all),
        TR_TEST(a_message_goes_to_so_many_in_turn),
        TR_TEST(answers_are_collected_in_order),
        TR_TEST(what_has_come_in_time_is_the_answer),
        TR_TEST(with_nobody_to_ask_all_are_missing),
        TR_TEST(a_worker_that_ends_is_replaced_later_each_time),
        TR_TEST(what_waits_goes_to_the_new_worker),
        TR_TEST(one_that_cannot_be_spawned_is_tried_again),
        TR_TEST(too_many_replacements_end_the_pool),
        TR_TEST(replacements_are_forgotten_after_the_window),
        TR_TEST(a_pool_grows),
        TR_TEST(a_pool_shrinks_when_work_is_done),
        TR_TEST(sizes_are_checked),
        TR_TEST(workers_are_stopped_with_the_pool),
        TR_TEST(a_pool_that_ends_hands_on_what_it_holds_and_no_more),
        TR_TEST(a_pool_that_gives_up_declines_what_it_holds),
        TR_TEST(a_pool_without_workers_ends_at_once),
        TR_TEST(one_that_cannot_start_its_workers_ends),
        TR_TEST(workers_are_spawned_as_the_spec_says),
        TR_TEST(specs_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
