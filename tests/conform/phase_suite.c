// Each test gives a node a script, lets it run to its end and compares what was said, and in which
// order. A callback only says and counts: cmocka must not jump out of it. Nothing is promised about
// time but that it goes on, so a test of times compares with what it has read from the clock.
#include "conform/phase_suite.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <troupe.h>

#include "core/node.h"
#include "support/cmocka.h"
#include "support/random.h"

#define TIMES 1000 // what must never happen is given so many chances

static const struct phase_harness *harness;
static tr_node *node;
static int rounds; // for the scripts that count

// ---- What was said ----

static char said[64 * 1024];
static size_t said_size;

static void say(const char *word)
{
    const char *space = said_size == 0 ? "" : " ";
    said_size += (size_t)snprintf(said + said_size, sizeof said - said_size, "%s%s", space, word);
}

static void on_say(tr_actor *self, void *arg)
{
    (void)self;
    say(arg);
}
#define SAY(word) on_say, (void *)(word) // a callback and its argument

static void assert_said_times(const char *words, int times)
{
    size_t size = strlen(words);
    assert_int_equal(said_size, (size_t)times * (size + 1) - 1);
    for (size_t at = 0; at < said_size; at += size + 1)
        assert_memory_equal(words, said + at, size);
}

// ---- Actors that follow a script ----

struct script {
    void (*start)(tr_actor *self);                      // NULL: nothing
    void (*receive)(tr_actor *self, const tr_msg *msg); // NULL: says the name
    const char *stop;                                   // what it says at its stop; NULL: nothing
};

static const struct script *script_of(tr_actor *self)
{
    return *(const struct script **)tr_state(self);
}

static int player_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    if (script_of(self)->start != NULL)
        script_of(self)->start(self);
    return 0;
}

static int player_receive(tr_actor *self, const tr_msg *msg)
{
    if (script_of(self)->receive != NULL)
        script_of(self)->receive(self, msg);
    else
        say(tr_msg_name(msg));
    return 0;
}

static void player_stop(tr_actor *self, tr_reason reason)
{
    (void)reason;
    if (script_of(self)->stop != NULL)
        say(script_of(self)->stop);
}

static const tr_behavior player = {
    .name = "player",
    .state_size = sizeof(const struct script *),
    .start = player_start,
    .receive = player_receive,
    .stop = player_stop,
};

// parent NULL: a root
static tr_addr play(tr_actor *parent, const struct script *script)
{
    tr_addr addr = TR_NOBODY;
    if (parent == NULL)
        tr_node_spawn(node, &player, NULL, &addr);
    else
        tr_spawn(parent, &player, NULL, &addr);
    *(const struct script **)tr_state(tr__actor_find(tr__node_loop(node, 0), addr.actor)) = script;
    return addr;
}

static void on_exit(tr_actor *self, void *arg)
{
    (void)arg;
    tr_exit(self, TR_NORMAL);
}

// Send itself a message.
static void poke(tr_actor *self, const char *name)
{
    tr_send(self, tr_self(self), name, TR_NULL);
}

static void pass(tr_actor *self, uint64_t ns)
{
    harness->pass(self->loop->world, ns);
}

// ---- Running ----

static void open_node(void)
{
    tr_world *world = harness->open();
    assert_int_equal(0, tr__node_new(0, "test", 1, &world, &node));
    said_size = 0;
    said[0] = '\0';
    rounds = 0;
}

static void close_node(void)
{
    tr__node_free(&node);
    if (harness->closed != NULL)
        harness->closed();
}

static void run(void)
{
    for (int steps = 0; tr__node_step(node); steps++)
        assert_true(steps < 100 * TIMES);
}

// One script, on a node of its own.
static void perform(const struct script *script)
{
    open_node();
    play(NULL, script);
    run();
    close_node();
}

// ---- The order of the phases ----

static int on_settled(tr_actor *self, int status, tr_val value, void *arg)
{
    (void)self, (void)value;
    say(arg);
    return status;
}

// Say it in a microtask, by way of a promise.
static void promise_to_say(tr_actor *self, const char *word)
{
    tr_promise *promise = NULL;
    tr_promise_new(self, &promise);
    tr_promise_then(promise, on_settled, (void *)word, NULL);
    tr_promise_resolve(promise, TR_NULL);
    tr_promise_unref(&promise);
}

static void say_what_nodes_example_says(tr_actor *self)
{
    say("start");
    tr_immediate(self, SAY("immediate"));
    tr_immediate(self, on_exit, NULL);
    tr_timer_start(self, 0, SAY("timeout"), NULL);
    promise_to_say(self, "promise");
    tr_next_tick(self, SAY("tick"));
    say("end");
}

static void the_order_is_nodes(void **state)
{
    (void)state;
    perform(&(struct script){.start = say_what_nodes_example_says});
    assert_string_equal("start end tick promise timeout immediate", said);
}

static tr_promise *promised; // another actor's

static void promise_pending(tr_actor *self)
{
    tr_promise_new(self, &promised);
    tr_promise_then(promised, on_settled, (void *)"pending", NULL);
    tr_send(self, tr_parent(self), "ready", TR_NULL);
}

static void say_start(tr_actor *self)
{
    (void)self;
    say("start");
}

static void on_arm_all_phases(tr_actor *self, void *arg)
{
    static const struct script says_start = {.start = say_start};
    (void)arg;
    tr_immediate(self, SAY("immediate"));
    tr_immediate(self, on_exit, NULL);
    tr_on_writable(self, tr_self(self), SAY("writable"));
    poke(self, "message");
    tr_promise_resolve(promised, TR_NULL);
    tr_promise_unref(&promised);
    tr_timer_start(self, 0, SAY("timeout"), NULL);
    play(self, &says_start);
}

static void receive_ready(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "ready"))
        tr_immediate(self, on_arm_all_phases, NULL);
    else
        say(tr_msg_name(msg));
}

static void play_promises(tr_actor *self)
{
    static const struct script promises = {.start = promise_pending};
    play(self, &promises);
}

static void an_iteration_has_its_phases_in_order(void **state)
{
    (void)state;
    perform(&(struct script){.start = play_promises, .receive = receive_ready, .stop = "stop"});
    assert_string_equal("start timeout pending message writable immediate stop", said);
}

static void arm_immediate_and_timeout(tr_actor *self)
{
    tr_immediate(self, SAY("immediate"));
    tr_immediate(self, on_exit, NULL);
    tr_timer_start(self, 0, SAY("timeout"), NULL);
}

static void in_start_a_timeout_of_0_beats_an_immediate(void **state)
{
    (void)state;
    for (int i = 0; i < TIMES; i++) {
        perform(&(struct script){.start = arm_immediate_and_timeout});
        assert_string_equal("timeout immediate", said);
    }
}

static void arm_poll_phase_callback(tr_actor *self);

static void on_timeout_again(tr_actor *self, void *arg)
{
    (void)arg;
    say("timeout");
    if (++rounds == TIMES)
        tr_exit(self, TR_NORMAL);
    else
        arm_poll_phase_callback(self);
}

static void on_poll_phase(tr_actor *self, void *arg)
{
    (void)arg;
    tr_timer_start(self, 0, on_timeout_again, NULL, NULL);
    tr_immediate(self, SAY("immediate"));
}

static void arm_poll_phase_in_message(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    on_poll_phase(self, NULL);
}

// By turns a message and a notice of room.
static void arm_poll_phase_callback(tr_actor *self)
{
    if (rounds % 2 == 0)
        poke(self, "message");
    else
        tr_on_writable(self, tr_self(self), on_poll_phase, NULL);
}

static void in_the_poll_phase_an_immediate_beats_a_timeout_of_0(void **state)
{
    (void)state;
    perform(
        &(struct script){.start = arm_poll_phase_callback, .receive = arm_poll_phase_in_message});
    assert_said_times("immediate timeout", TIMES);
}

static void on_first_immediate(tr_actor *self, void *arg)
{
    (void)arg;
    say("first");
    tr_immediate(self, SAY("nested"));
    tr_immediate(self, on_exit, NULL);
    tr_timer_start(self, 0, SAY("timeout"), NULL);
}

static void arm_two_immediates(tr_actor *self)
{
    tr_immediate(self, on_first_immediate, NULL);
    tr_immediate(self, SAY("second"));
}

static void immediates_of_immediates_wait_for_the_next_iteration(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_two_immediates});
    assert_string_equal("first second timeout nested", said);
}

static bool inside, was_inside; // a call that arms

static void on_look_inside(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    was_inside |= inside;
    rounds++;
}

static int on_look_inside_promise(tr_actor *self, int status, tr_val value, void *arg)
{
    (void)value;
    on_look_inside(self, arg);
    return status;
}

// The last one of them all.
static void look_inside_and_end(tr_actor *self)
{
    on_look_inside(self, NULL);
    tr_stop(self, tr_parent(self));
}

static void receive_look_inside(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    on_look_inside(self, NULL);
}

static void arm_to_look_inside(tr_actor *self)
{
    static const struct script looks = {.start = look_inside_and_end};
    tr_promise *promise = NULL;
    inside = true;
    tr_next_tick(self, on_look_inside, NULL);
    tr_microtask(self, on_look_inside, NULL);
    tr_timer_start(self, 0, on_look_inside, NULL, NULL);
    tr_immediate(self, on_look_inside, NULL);
    tr_on_writable(self, tr_self(self), on_look_inside, NULL);
    poke(self, "message");
    tr_monitor(self, TR_NOBODY, NULL); // down at once
    tr_promise_new(self, &promise);
    tr_promise_then(promise, on_look_inside_promise, NULL, NULL);
    tr_promise_resolve(promise, TR_NULL);
    tr_promise_then(promise, on_look_inside_promise, NULL, NULL); // settled already
    tr_promise_unref(&promise);
    play(self, &looks);
    inside = false;
}

static void no_callback_runs_inside_the_call_that_arms_it(void **state)
{
    (void)state;
    was_inside = false;
    perform(&(struct script){.start = arm_to_look_inside, .receive = receive_look_inside});
    assert_false(was_inside);
    assert_int_equal(10, rounds); // all of them came
}

// ---- Timers ----

#define TIMERS 200

// A timer is due between the earliest and the latest: the clock was read before and after.
static struct timing {
    uint64_t earliest, latest;
    bool fired;
} timings[TIMERS];
static int early, disordered;

static bool timing_before(const struct timing *a, const struct timing *b)
{
    return a->latest < b->earliest || (a->latest == b->earliest && a < b);
}

static void on_timing(tr_actor *self, void *arg)
{
    struct timing *timing = arg;
    timing->fired = true;
    early += tr_now(self) < timing->earliest;
    for (const struct timing *t = timings; t < timings + TIMERS; t++)
        disordered += !t->fired && timing_before(t, timing);
    if (++rounds == TIMERS)
        tr_exit(self, TR_NORMAL);
}

static uint64_t timing_delay(size_t i, uint64_t *random)
{
    if (i < 2)
        return TR_MS(2 - i); // the longer one is made first
    return i % 2 == 0 ? TR_US(100) * random_below(random, 30) : random_below(random, TR_MS(3));
}

static void arm_timings(tr_actor *self)
{
    uint64_t random = 1;
    memset(timings, 0, sizeof timings);
    early = disordered = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        uint64_t delay = timing_delay(i, &random);
        timings[i].earliest = tr_now(self) + delay;
        tr_timer_start(self, delay, on_timing, &timings[i], NULL);
        timings[i].latest = tr_now(self) + delay;
    }
}

static void timers_fire_in_the_order_of_due_time_and_creation(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_timings});
    assert_int_equal(TIMERS, rounds);
    assert_int_equal(0, disordered);
}

static void timers_are_never_early(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_timings});
    assert_int_equal(TIMERS, rounds);
    assert_int_equal(0, early);
}

static void on_timer_again(tr_actor *self, void *arg)
{
    (void)arg;
    say("timer");
    poke(self, "message");
    tr_immediate(self, SAY("immediate"));
    if (++rounds == TIMES)
        tr_immediate(self, on_exit, NULL);
    else
        tr_timer_start(self, 0, on_timer_again, NULL, NULL);
}

static void arm_timer_again(tr_actor *self)
{
    tr_timer_start(self, 0, on_timer_again, NULL, NULL);
}

static void a_timer_that_arms_itself_leaves_the_others_their_turn(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_timer_again});
    assert_said_times("timer message immediate", TIMES);
}

static void on_timer_arms_overdue(tr_actor *self, void *arg)
{
    (void)arg;
    say("timer");
    tr_immediate(self, SAY("immediate"));
    tr_timer_start(self, TR_US(100), SAY("nested"), NULL);
    tr_timer_start(self, TR_US(100), on_exit, NULL, NULL);
    pass(self, TR_US(200));
}

static void arm_timer_that_arms_overdue(tr_actor *self)
{
    tr_timer_start(self, 0, on_timer_arms_overdue, NULL, NULL);
}

static void a_timer_of_a_timer_waits_even_if_it_is_overdue(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_timer_that_arms_overdue});
    assert_string_equal("timer immediate nested", said);
}

static tr_timer held; // what the callbacks of a test clear

static void on_clear(tr_actor *self, void *word)
{
    say(word);
    tr_timer_clear(self, held);
}

static void arm_two_and_clear_one(tr_actor *self)
{
    tr_timer_start(self, 0, on_clear, (void *)"first", NULL);
    tr_timer_start(self, 0, SAY("second"), &held);
    tr_timer_start(self, 0, SAY("third"), NULL);
    tr_timer_start(self, 0, on_exit, NULL, NULL);
}

static void a_timer_prevents_one_that_is_due_with_it(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_two_and_clear_one});
    assert_string_equal("first third", said);
}

static void on_clear_fired(tr_actor *self, void *arg)
{
    (void)arg;
    say("fired");
    tr_timer next = {0};
    tr_timer_clear(self, held); // this one
    tr_timer_start(self, 0, SAY("next"), &next);
    tr_timer_clear(self, held);
    tr_timer_clear(self, (tr_timer){next.id + 1});
    tr_timer_start(self, 0, on_exit, NULL, NULL);
}

static void clear_others(tr_actor *self)
{
    tr_timer_clear(self, held);
    tr_timer_clear(self, held);
}

static void arm_and_clear_nothing(tr_actor *self)
{
    static const struct script clears = {.start = clear_others};
    tr_timer gone = {0};
    tr_timer_clear(self, gone);
    tr_timer_start(self, 0, SAY("cleared"), &gone);
    tr_timer_clear(self, gone);
    tr_timer_clear(self, gone);
    tr_timer_start(self, TR_MS(1), on_clear_fired, NULL, &held);
    play(self, &clears);
}

static void clearing_what_is_no_timer_of_ones_own_does_nothing(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_and_clear_nothing});
    assert_string_equal("fired next", said);
}

// ---- Intervals ----

#define PERIOD TR_US(500)

static uint64_t first_due, ended; // the callback before
static int drifted, not_skipped;

static uint64_t next_due(const tr_actor *self)
{
    return tr__heap_first(&self->loop->timers)->key;
}

// Every third one takes longer than a period, and the others nearly as long.
static void on_interval(tr_actor *self, void *arg)
{
    (void)arg;
    early += tr_now(self) < first_due;
    drifted += (next_due(self) - first_due) % PERIOD != 0;
    not_skipped += next_due(self) <= ended;
    pass(self, rounds % 3 == 0 ? PERIOD * 5 / 2 : PERIOD * 3 / 4);
    ended = tr_now(self);
    if (++rounds < 30)
        return;
    tr_timer_clear(self, held);
    tr_timer_start(self, 4 * PERIOD, on_exit, NULL, NULL);
}

static void arm_interval(tr_actor *self)
{
    early = drifted = not_skipped = 0;
    tr_interval_start(self, PERIOD, on_interval, NULL, &held);
    first_due = next_due(self);
    ended = 0;
}

static void intervals_keep_their_schedule(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_interval});
    assert_int_equal(0, early);
    assert_int_equal(0, drifted);
}

static void intervals_skip_what_they_have_missed(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_interval});
    assert_int_equal(0, not_skipped);
}

static void an_interval_ends_when_its_callback_clears_it(void **state)
{
    (void)state;
    perform(&(struct script){.start = arm_interval});
    assert_int_equal(30, rounds);
}

// ---- Ticks and microtasks ----

// What a callback says, and what its tick and its microtask do.
static const char *const data[][3] = {{"data1", "tick1", "micro1"}, {"data2", "tick2", "micro2"}};

static void on_data(tr_actor *self, void *arg)
{
    const char *const *words = arg;
    say(words[0]);
    tr_microtask(self, SAY(words[2]));
    tr_next_tick(self, SAY(words[1]));
}
#define DATA(i) on_data, (void *)data[i]

static void data_by_timers(tr_actor *self)
{
    tr_timer_start(self, 0, DATA(0), NULL);
    tr_timer_start(self, 0, DATA(1), NULL);
    tr_timer_start(self, 0, on_exit, NULL, NULL);
}

static void data_by_immediates(tr_actor *self)
{
    tr_immediate(self, DATA(0));
    tr_immediate(self, DATA(1));
    tr_immediate(self, on_exit, NULL);
}

static void data_by_room(tr_actor *self)
{
    tr_on_writable(self, tr_self(self), DATA(0));
    tr_on_writable(self, tr_self(self), DATA(1));
    tr_on_writable(self, tr_self(self), on_exit, NULL);
}

static void data_by_messages(tr_actor *self)
{
    poke(self, "0");
    poke(self, "1");
    poke(self, "exit");
}

static void receive_data(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "exit"))
        tr_exit(self, TR_NORMAL);
    else
        on_data(self, (void *)data[tr_msg_name(msg)[0] - '0']);
}

static void start_data(tr_actor *self)
{
    on_data(self, (void *)data[rounds++]);
}

static void data_by_starts(tr_actor *self)
{
    static const struct script starts = {.start = start_data};
    play(self, &starts);
    play(self, &starts);
    tr_timer_start(self, 0, on_exit, NULL, NULL);
}

static void ticks_and_microtasks_follow_every_callback(void **state)
{
    (void)state;
    void (*const ways[])(tr_actor * self) = {data_by_timers, data_by_immediates, data_by_room,
                                             data_by_messages, data_by_starts};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        perform(&(struct script){.start = ways[i], .receive = receive_data});
        assert_string_equal("data1 tick1 micro1 data2 tick2 micro2", said);
    }
}

// A job that may have others run after it.
struct job {
    const char *word;
    const struct job *tick, *microtask;
};

static void on_job(tr_actor *self, void *arg)
{
    const struct job *job = arg;
    say(job->word);
    if (job->microtask != NULL)
        tr_microtask(self, on_job, (void *)job->microtask);
    if (job->tick != NULL)
        tr_next_tick(self, on_job, (void *)job->tick);
}

static void run_jobs(tr_actor *self)
{
    static const struct job m3 = {"micro3", NULL, NULL}, t3 = {"tick3", NULL, &m3},
                            m2 = {"micro2", &t3, NULL}, m1 = {"micro1", NULL, NULL},
                            t2 = {"tick2", NULL, NULL}, t1 = {"tick1", &t2, &m2};
    tr_microtask(self, on_job, (void *)&m1);
    tr_next_tick(self, on_job, (void *)&t1);
    tr_immediate(self, on_exit, NULL);
}

static void all_ticks_then_all_microtasks_until_there_are_none(void **state)
{
    (void)state;
    perform(&(struct script){.start = run_jobs});
    assert_string_equal("tick1 tick2 micro1 micro2 tick3 micro3", said);
}

static void tick_from_microtask(tr_actor *self)
{
    static const struct job tick = {"tick", NULL, NULL}, first = {"micro1", &tick, NULL};
    tr_microtask(self, on_job, (void *)&first);
    tr_microtask(self, SAY("micro2"));
    tr_immediate(self, on_exit, NULL);
}

static void a_tick_of_a_microtask_waits_for_the_microtasks(void **state)
{
    (void)state;
    perform(&(struct script){.start = tick_from_microtask});
    assert_string_equal("micro1 micro2 tick", said);
}

#define JOBS (5 * TR_JOBS_MAX / 2)

// 3 * JOBS of them in all: ticks, each with a microtask, each of which has another tick.
static int numbers[3 * JOBS];
static int since, most; // jobs since the other actor's last immediate; the most there were

static void on_number(tr_actor *self, void *arg)
{
    const int *number = arg;
    disordered += number - numbers != rounds++;
    if (++since > most)
        most = since;
    if (number < numbers + JOBS)
        tr_microtask(self, on_number, (void *)(number + JOBS));
    else if (number < numbers + 2 * JOBS)
        tr_next_tick(self, on_number, (void *)(number + JOBS));
}

static void receive_numbers(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    for (int *number = numbers; number < numbers + JOBS; number++)
        tr_next_tick(self, on_number, number);
}

static void start_numbers(tr_actor *self)
{
    since = most = disordered = 0;
    poke(self, "go");
}

static void on_every_iteration(tr_actor *self, void *arg)
{
    (void)arg;
    since = 0;
    if (rounds == 3 * JOBS)
        tr_exit(self, TR_NORMAL);
    else
        tr_immediate(self, on_every_iteration, NULL);
}

static void look_at_every_iteration(tr_actor *self)
{
    static const struct script many = {.start = start_numbers, .receive = receive_numbers};
    play(self, &many);
    tr_immediate(self, on_every_iteration, NULL);
}

static void more_jobs_than_the_budget_keep_their_order(void **state)
{
    (void)state;
    perform(&(struct script){.start = look_at_every_iteration});
    assert_int_equal(3 * JOBS, rounds);
    assert_int_equal(0, disordered);
}

static void no_more_jobs_than_the_budget_run_after_a_callback(void **state)
{
    (void)state;
    perform(&(struct script){.start = look_at_every_iteration});
    assert_int_equal(TR_JOBS_MAX, most);
}

static bool done; // ends what would be endless

static void on_endless_tick(tr_actor *self, void *arg)
{
    (void)arg;
    if (done)
        tr_exit(self, TR_NORMAL);
    else
        tr_next_tick(self, on_endless_tick, NULL);
}

static void on_endless_microtask(tr_actor *self, void *arg)
{
    (void)arg;
    if (done)
        tr_exit(self, TR_NORMAL);
    else
        tr_microtask(self, on_endless_microtask, NULL);
}

static void receive_endlessly(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "flood"))
        poke(self, "flood");
    else
        tr_reply(self, msg, TR_NULL);
    if (done)
        tr_exit(self, TR_NORMAL);
}

static tr_addr other; // whom an actor sends a message

static void on_send(tr_actor *self, void *arg)
{
    (void)arg;
    tr_send(self, other, "message", TR_NULL);
}

static void send_later(tr_actor *self)
{
    tr_timer_start(self, TR_US(100), on_send, NULL, NULL);
}

static void on_done(tr_actor *self, void *arg)
{
    on_exit(self, arg);
    done = true;
}

static void receive_reply(tr_actor *self, const tr_msg *msg)
{
    say(tr_msg_name(msg));
    tr_timer_start(self, TR_US(100), on_done, NULL, NULL);
}

// Somebody with a timer, who wants an answer, and then has another timer.
static void play_beside(tr_actor *self)
{
    static const struct script wants_reply = {.start = send_later, .receive = receive_reply};
    done = false;
    other = tr_self(self);
    tr_immediate(self, SAY("immediate"));
    tr_timer_start(self, TR_US(10), SAY("timer"), NULL);
    play(self, &wants_reply);
}

static void endless_ticks(tr_actor *self)
{
    play_beside(self);
    tr_next_tick(self, on_endless_tick, NULL);
}

static void endless_microtasks(tr_actor *self)
{
    play_beside(self);
    tr_microtask(self, on_endless_microtask, NULL);
}

static void endless_messages(tr_actor *self)
{
    play_beside(self);
    poke(self, "flood");
}

static void endless_recursion_starves_nobody(void **state)
{
    (void)state;
    void (*const ways[])(tr_actor * self) = {endless_ticks, endless_microtasks, endless_messages};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        perform(&(struct script){.start = ways[i], .receive = receive_endlessly});
        assert_non_null(strstr(said, "immediate"));
        assert_non_null(strstr(said, "timer"));
        assert_non_null(strstr(said, "message"));
    }
}

// ---- The end ----

static void on_exit_in_timer(tr_actor *self, void *arg)
{
    say("exit");
    on_send(self, arg);
    on_exit(self, arg);
}

static void exit_in_timer(tr_actor *self)
{
    tr_timer_start(self, 0, on_exit_in_timer, NULL, NULL);
}

static void receive_and_arm(tr_actor *self, const tr_msg *msg)
{
    say(tr_msg_name(msg));
    tr_immediate(self, SAY("immediate"));
    tr_timer_start(self, 0, SAY("timeout"), NULL);
    tr_timer_start(self, 0, on_exit, NULL, NULL);
}

static void stop_comes_in_the_close_phase(void **state)
{
    (void)state;
    open_node();
    play(NULL, &(struct script){.start = exit_in_timer, .stop = "stop"});
    other = play(NULL, &(struct script){.receive = receive_and_arm});
    run();
    close_node();
    assert_string_equal("exit message immediate stop timeout", said);
}

static void on_say_exit(tr_actor *self, void *arg)
{
    say("exit");
    on_exit(self, arg);
}

static void receive_and_exit(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "exit"))
        on_say_exit(self, NULL);
    else
        say("late");
}

// What is armed here would come after each of the ways below.
static void arm_late(tr_actor *self)
{
    tr_next_tick(self, SAY("late"));
    tr_microtask(self, SAY("late"));
    promise_to_say(self, "late");
    tr_timer_start(self, 0, SAY("late"), NULL);
    tr_interval_start(self, 1, SAY("late"), NULL);
    poke(self, "late");
    tr_on_writable(self, tr_self(self), SAY("late"));
    tr_immediate(self, SAY("late"));
}

static void on_arm_and_exit(tr_actor *self, void *arg)
{
    arm_late(self);
    on_say_exit(self, arg);
}

static void exit_by_start(tr_actor *self)
{
    on_arm_and_exit(self, NULL);
}

static void exit_by_tick(tr_actor *self)
{
    tr_next_tick(self, on_say_exit, NULL);
    arm_late(self);
}

static void exit_by_microtask(tr_actor *self)
{
    tr_microtask(self, on_arm_and_exit, NULL);
    tr_microtask(self, SAY("late"));
}

static void exit_by_timer(tr_actor *self)
{
    tr_timer_start(self, 0, on_arm_and_exit, NULL, NULL);
    tr_timer_start(self, 0, SAY("late"), NULL);
}

static void exit_by_immediate(tr_actor *self)
{
    tr_immediate(self, on_arm_and_exit, NULL);
    tr_immediate(self, SAY("late"));
}

static void exit_by_message(tr_actor *self)
{
    poke(self, "exit");
    poke(self, "late");
    tr_immediate(self, SAY("late"));
}

static void exit_by_room(tr_actor *self)
{
    tr_on_writable(self, tr_self(self), on_arm_and_exit, NULL);
    tr_on_writable(self, tr_self(self), SAY("late"));
}

static void an_exit_drops_all_that_the_actor_has_armed(void **state)
{
    (void)state;
    void (*const ways[])(tr_actor * self) = {exit_by_start,    exit_by_tick,    exit_by_microtask,
                                             exit_by_timer,    exit_by_message, exit_by_room,
                                             exit_by_immediate};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        perform(&(struct script){.start = ways[i], .receive = receive_and_exit, .stop = "stop"});
        assert_string_equal("exit stop", said);
    }
}

static void exit_leaving_a_child(tr_actor *self)
{
    static const struct script child = {.stop = "child"};
    play(self, &child);
    tr_immediate(self, on_exit, NULL);
}

static void monitor_other(tr_actor *self)
{
    tr_monitor(self, other, NULL);
}

static void receive_and_exit_later(tr_actor *self, const tr_msg *msg)
{
    say(tr_msg_name(msg));
    tr_timer_start(self, 0, on_exit, NULL, NULL);
}

static void a_node_ends_with_its_last_root(void **state)
{
    (void)state;
    open_node();
    other = play(NULL, &(struct script){.start = exit_leaving_a_child, .stop = "first"});
    play(NULL, &(struct script){
                   .start = monitor_other, .receive = receive_and_exit_later, .stop = "last"});
    run();
    assert_string_equal("first down child last", said);
    assert_false(tr__node_step(node));
    assert_int_equal(TR_SHUTDOWN, tr_node_spawn(node, &player, NULL, NULL));
    close_node();
}

static void *stop_the_node(void *arg)
{
    (void)arg;
    tr_node_stop(node);
    return NULL;
}

static pthread_t stopper;

static void be_stopped(tr_actor *self)
{
    (void)self;
    pthread_create(&stopper, NULL, stop_the_node, NULL);
}

static void another_thread_stops_a_node_that_waits(void **state)
{
    (void)state;
    if (!harness->threads)
        skip();
    for (int i = 0; i < TIMES / 10; i++) {
        open_node();
        play(NULL, &(struct script){.start = be_stopped, .stop = "stop"});
        run();
        pthread_join(stopper, NULL);
        assert_string_equal("stop", said);
        close_node();
    }
}

int phase_suite(const struct phase_harness *of)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_nodes),
        cmocka_unit_test(an_iteration_has_its_phases_in_order),
        cmocka_unit_test(in_start_a_timeout_of_0_beats_an_immediate),
        cmocka_unit_test(in_the_poll_phase_an_immediate_beats_a_timeout_of_0),
        cmocka_unit_test(immediates_of_immediates_wait_for_the_next_iteration),
        cmocka_unit_test(no_callback_runs_inside_the_call_that_arms_it),
        cmocka_unit_test(timers_fire_in_the_order_of_due_time_and_creation),
        cmocka_unit_test(timers_are_never_early),
        cmocka_unit_test(a_timer_that_arms_itself_leaves_the_others_their_turn),
        cmocka_unit_test(a_timer_of_a_timer_waits_even_if_it_is_overdue),
        cmocka_unit_test(a_timer_prevents_one_that_is_due_with_it),
        cmocka_unit_test(clearing_what_is_no_timer_of_ones_own_does_nothing),
        cmocka_unit_test(intervals_keep_their_schedule),
        cmocka_unit_test(intervals_skip_what_they_have_missed),
        cmocka_unit_test(an_interval_ends_when_its_callback_clears_it),
        cmocka_unit_test(ticks_and_microtasks_follow_every_callback),
        cmocka_unit_test(all_ticks_then_all_microtasks_until_there_are_none),
        cmocka_unit_test(a_tick_of_a_microtask_waits_for_the_microtasks),
        cmocka_unit_test(more_jobs_than_the_budget_keep_their_order),
        cmocka_unit_test(no_more_jobs_than_the_budget_run_after_a_callback),
        cmocka_unit_test(endless_recursion_starves_nobody),
        cmocka_unit_test(stop_comes_in_the_close_phase),
        cmocka_unit_test(an_exit_drops_all_that_the_actor_has_armed),
        cmocka_unit_test(a_node_ends_with_its_last_root),
        cmocka_unit_test(another_thread_stops_a_node_that_waits),
    };
    harness = of;
    return cmocka_run_group_tests_name(of->name, tests, NULL, NULL);
}
