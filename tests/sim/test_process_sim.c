// Processes of actors, in a simulated machine: what holds for TR_PROCESS and tr_fork whatever the
// schedule. Every test runs over all seeds, each twice: the same seed is the same run.
//
// A test is a play for the first actor; its children all know the same few words (child_receive).
// Actors take notes, which are compared at the end of a run.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/node.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/seeds.h"
#include "support/sim_node.h"

#define SEEDS seeds_of(200)

static struct sim_nodes nodes;

static char heard[1024];

static void note(const char *word)
{
    size_t size = strlen(heard);
    snprintf(heard + size, sizeof heard - size, "%s%s", size == 0 ? "" : " ", word);
}

static void note_down(const tr_down *down)
{
    char why[64], word[80];
    snprintf(word, sizeof word, "down=%s", tr_reason_text(down->reason, why, sizeof why));
    note(word);
}

// ---- The children ----

static const tr_behavior child;

static int number_of(const tr_msg *msg)
{
    int64_t number = -1;
    tr_as_int(tr_msg_body(msg), &number);
    return (int)number;
}

static int child_flood(tr_actor *self, const tr_msg *msg)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < number_of(msg); i++)
        rc = tr_send(self, tr_msg_from(msg), "number", TR_V(i));
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

// Spawn another one, here or in a process of its own, and say where it is.
static int child_spawn(tr_actor *self, const tr_msg *msg, tr_isolation isolation)
{
    tr_addr addr = TR_NOBODY;
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = isolation), &addr);
    return rc < 0 ? rc : tr_reply(self, msg, TR_V(addr));
}

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "echo"))
        return tr_reply(self, msg, tr_msg_body(msg));
    if (tr_msg_is(msg, "exit"))
        return tr_exit(self, number_of(msg));
    if (tr_msg_is(msg, "crash"))
        return sim_nodes_kill(&nodes, self, number_of(msg)), 0;
    if (tr_msg_is(msg, "flood"))
        return child_flood(self, msg);
    if (tr_msg_is(msg, "neighbour"))
        return child_spawn(self, msg, TR_SHARED);
    if (tr_msg_is(msg, "grandchild"))
        return child_spawn(self, msg, TR_PROCESS);
    return TR_EUNKNOWN;
}

static const tr_behavior child = {.name = "child", .receive = child_receive};

// ---- A program that knows nothing of troupe ----

// Leaves with code 3 when argv says so, and is stuck for ever otherwise.
struct foreign {
    tr_world *world;
    bool leaves;
};

static int foreign_open(tr_world *world, tr_endpoint *link, const char *const *argv,
                        const char *const *env, void *arg, void **ret_state)
{
    (void)link, (void)env, (void)arg;
    static struct foreign all[2];
    struct foreign *f = &all[argv[1] != NULL];
    *f = (struct foreign){world, argv[1] != NULL};
    *ret_state = f;
    return 0;
}

static void foreign_step(void *state)
{
    struct foreign *f = state;
    f->world->ops->poll(f->world, TR__NEVER);
}

static uint64_t foreign_due(void *state)
{
    return ((struct foreign *)state)->leaves ? 0 : TR__NEVER;
}

static bool foreign_done(void *state, int *ret_code)
{
    *ret_code = 3;
    return ((struct foreign *)state)->leaves;
}

static void foreign_close(void *state)
{
    (void)state;
}

static const tr_sim_program foreign = {
    .path = "foreign",
    .open = foreign_open,
    .step = foreign_step,
    .due = foreign_due,
    .done = foreign_done,
    .close = foreign_close,
};

// ---- The first actor ----

struct play {
    int (*start)(tr_actor *self);
    int (*receive)(tr_actor *self, const tr_msg *msg); // NULL: exits when somebody is down
};
static const struct play *play;
static tr_addr kid;
static int next; // what an actor has counted up to

static int first_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return play->start(self);
}

static int first_receive(tr_actor *self, const tr_msg *msg)
{
    if (play->receive != NULL)
        return play->receive(self, msg);
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    note_down(tr_msg_down(msg));
    return tr_exit(self, TR_NORMAL);
}

static const tr_behavior first = {.name = "first", .start = first_start, .receive = first_receive};

static int spawn_kid(tr_actor *self, const tr_spawn_opts *opts)
{
    int rc = tr_spawn(self, &child, opts, &kid);
    return rc < 0 ? rc : tr_monitor(self, kid, NULL);
}

// Spawn it, and tell it one thing.
static int spawn_and_tell(tr_actor *self, const char *name, int number)
{
    int rc = spawn_kid(self, TR_SPAWN(.isolation = TR_PROCESS));
    return rc < 0 ? rc : tr_send(self, kid, name, TR_V(number));
}

// ---- Running ----

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

// Returns the hash of the run.
static uint64_t run(uint64_t seed, const struct play *of, void (*prepare)(void))
{
    play = of;
    next = 0;
    heard[0] = '\0';
    counted_memory_start(0);
    sim_nodes_open(&nodes, seed, TR_APP(&first, &child));
    assert_int_equal(0, tr__sim_program_add(nodes.sim, &foreign));
    if (prepare != NULL)
        prepare();
    assert_true(sim_nodes_run(&nodes, 60));
    assert_int_equal(0, nodes.code);
    uint64_t hash = tr__sim_hash(nodes.sim);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
    return hash;
}

static void perform_prepared(const struct play *of, const char *words, void (*prepare)(void))
{
    tr_log_set(warn_nobody, NULL);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint64_t hash = run(seed, of, prepare);
        assert_string_equal(words, heard);
        assert_int_equal(hash, run(seed, of, prepare));
    }
}

static void perform(const struct play *of, const char *words)
{
    perform_prepared(of, words, NULL);
}

// ---- Messages ----

#define NUMBERS 50

static int start_numbers(tr_actor *self)
{
    int rc = spawn_kid(self, TR_SPAWN(.isolation = TR_PROCESS));
    for (int i = 0; rc == 0 && i < NUMBERS; i++)
        rc = tr_send(self, kid, "echo", TR_V(i)); // before the child is there
    return rc < 0 ? rc : tr_send(self, kid, "exit", TR_V(0));
}

static int receive_numbers(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL) {
        note(next == NUMBERS ? "all" : "lost");
        note_down(tr_msg_down(msg));
        return tr_exit(self, TR_NORMAL);
    }
    if (number_of(msg) != next++ || !tr_addr_eq(kid, tr_msg_from(msg)))
        note("disorder");
    return 0;
}

static void messages_go_both_ways_in_order(void **state)
{
    (void)state;
    perform(&(struct play){start_numbers, receive_numbers}, "all down=normal");
}

static int start_flood(tr_actor *self)
{
    return spawn_and_tell(self, "flood", NUMBERS);
}

static void what_a_child_sent_comes_before_its_end(void **state)
{
    (void)state;
    perform(&(struct play){start_flood, receive_numbers}, "all down=normal");
}

#define ATTACHED 50000 // bytes

static int start_attached(tr_actor *self)
{
    tr_buf *buf = NULL;
    tr_msg *msg = NULL;
    int rc = spawn_kid(self, TR_SPAWN(.isolation = TR_PROCESS));
    if (rc == 0)
        rc = tr_buf_new(ATTACHED, &buf);
    if (rc == 0)
        rc = tr_msg_new("echo",
                        tr_val_bin((tr_bytes){memset(tr_buf_data(buf), 'x', ATTACHED), ATTACHED}),
                        &msg);
    if (rc == 0)
        rc = tr_msg_attach(msg, &buf);
    if (rc == 0)
        rc = tr_send_msg(self, kid, &msg);
    tr_buf_unref(&buf);
    tr_msg_free(&msg);
    return rc;
}

static int receive_attached(tr_actor *self, const tr_msg *msg)
{
    tr_bytes bytes = {0};
    if (tr_msg_down(msg) != NULL)
        return tr_exit(self, TR_NORMAL);
    bool same = tr_as_bin(tr_msg_body(msg), &bytes) == 0 && bytes.len == ATTACHED;
    for (size_t i = 0; same && i < bytes.len; i++)
        same = ((const char *)bytes.ptr)[i] == 'x';
    note(same ? "same" : "different");
    return tr_send(self, kid, "exit", TR_V(0));
}

static void large_messages_arrive_whole(void **state)
{
    (void)state;
    perform(&(struct play){start_attached, receive_attached}, "same");
}

// ---- Ends ----

static int start_exit_normal(tr_actor *self)
{
    return spawn_and_tell(self, "exit", TR_NORMAL);
}

static int start_exit_shutdown(tr_actor *self)
{
    return spawn_and_tell(self, "exit", TR_SHUTDOWN);
}

static int start_exit_error(tr_actor *self)
{
    return spawn_and_tell(self, "exit", TR_EBADMSG);
}

static int start_crash(tr_actor *self)
{
    return spawn_and_tell(self, "crash", SIGSEGV);
}

static int start_stop(tr_actor *self)
{
    int rc = spawn_and_tell(self, "echo", 0);
    return rc < 0 ? rc : tr_stop(self, kid);
}

static int fork_foreign(tr_actor *self, const char *argument)
{
    int rc = tr_fork(self, "foreign",
                     TR_SPAWN(.argv = (const char *const[]){argument, NULL}, .stop_ms = 100), &kid);
    return rc < 0 ? rc : tr_monitor(self, kid, NULL);
}

static int start_foreign_that_leaves(tr_actor *self)
{
    return fork_foreign(self, "leave");
}

static int receive_end(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return 0;
    note_down(tr_msg_down(msg));
    return tr_exit(self, TR_NORMAL);
}

static void each_reason_of_a_childs_end_is_told(void **state)
{
    (void)state;
    static const struct {
        int (*start)(tr_actor *self);
        const char *words;
    } ends[] = {
        {start_exit_normal, "down=normal"},
        {start_exit_shutdown, "down=shutdown"},
        {start_exit_error, "down=error: not the document that was expected"},
        {start_crash, "down=killed by signal 11"},
        {start_stop, "down=shutdown"},
        {start_foreign_that_leaves, "down=exited with status 3"},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        perform(&(struct play){ends[i].start, receive_end}, ends[i].words);
}

static uint64_t asked_at;

static int start_stuck(tr_actor *self)
{
    int rc = fork_foreign(self, NULL);
    asked_at = tr_now(self);
    return rc < 0 ? rc : tr_stop(self, kid);
}

static int receive_end_of_stuck(tr_actor *self, const tr_msg *msg)
{
    uint64_t took = tr_now(self) - asked_at;
    note(took >= TR_MS(100) && took < TR_MS(110) ? "in time" : "too early or late");
    return receive_end(self, msg);
}

static void a_child_that_is_stuck_is_terminated(void **state)
{
    (void)state;
    perform(&(struct play){start_stuck, receive_end_of_stuck}, "in time down=killed by signal 15");
}

// An owner that leaves three generations behind.
static int start_generations(tr_actor *self)
{
    int rc = spawn_kid(self, TR_SPAWN(.isolation = TR_PROCESS));
    if (rc == 0)
        rc = tr_send(self, kid, "grandchild", TR_NULL);
    return rc < 0 ? rc : fork_foreign(self, NULL); // stuck
}

static int receive_generations(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL)
        return TR_EBADMSG; // nobody ends before their owner
    note(nodes.open == 3 ? "three" : "not three");
    return tr_exit(self, TR_NORMAL);
}

static void an_owners_end_ends_all_its_processes(void **state)
{
    (void)state;
    perform(&(struct play){start_generations, receive_generations}, "three");
}

static int receive_generations_and_crash(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    sim_nodes_kill(&nodes, self, SIGKILL);
    return 0;
}

static void nobody_outlives_a_parent_that_was_killed(void **state)
{
    (void)state;
    perform(&(struct play){start_generations, receive_generations_and_crash}, "");
}

// ---- Spawning that fails ----

static int start_impossible(tr_actor *self)
{
    tr_addr addr = {7, 7};
    note(tr_errname(tr_fork(self, "missing", NULL, &addr)));
    note(tr_errname(tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS), &addr)));
    note(addr.node == 7 && addr.actor == 7 ? "untouched" : "touched");
    note(tr_node_errmsg(tr_node_of(self)));
    return start_exit_normal(self); // the next one can
}

static void fail_next_spawn(void)
{
    tr__sim_set_spawn_error(nodes.sim, TR_EAGAIN, 2);
}

static void what_cannot_start_is_an_error_of_the_call(void **state)
{
    (void)state;
    perform_prepared(&(struct play){start_impossible, receive_end},
                     "TR_ENOENT TR_EAGAIN untouched cannot start node: not now, try again later "
                     "down=normal",
                     fail_next_spawn);
}

// ---- Monitors ----

static uint64_t cancelled;

static int start_monitors(tr_actor *self)
{
    int rc = spawn_and_tell(self, "exit", TR_NORMAL); // one
    if (rc == 0)
        rc = tr_monitor(self, kid, NULL); // two
    if (rc == 0)
        rc = tr_monitor(self, kid, &cancelled);
    tr_demonitor(self, cancelled);
    return rc;
}

static int receive_monitors(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (down == NULL || down->monitor == cancelled || !tr_addr_eq(kid, down->addr))
        note("false");
    note_down(down);
    if (++next == 2)
        return tr_monitor(self, kid, NULL); // it is gone
    return next < 3 ? 0 : tr_exit(self, TR_NORMAL);
}

static void each_monitor_of_a_process_is_told_once(void **state)
{
    (void)state;
    perform(&(struct play){start_monitors, receive_monitors},
            "down=normal down=normal down=no connection: the other side went away");
}

static int start_neighbour(tr_actor *self)
{
    return spawn_and_tell(self, "neighbour", 0);
}

static tr_addr neighbour; // an actor in the child's process

// Its neighbour, and one that is not there; then the neighbour ends, and then the child.
static int receive_neighbour(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "neighbour")) {
        int rc = tr_as_addr(tr_msg_body(msg), &neighbour);
        if (rc == 0)
            rc = tr_monitor(self, neighbour, NULL);
        if (rc == 0)
            rc = tr_monitor(self, (tr_addr){neighbour.node, 12345}, NULL);
        if (rc == 0)
            rc = tr_monitor(self, neighbour, &cancelled);
        tr_demonitor(self, cancelled);
        return rc < 0 ? rc : tr_send(self, neighbour, "exit", TR_V(TR_EIO));
    }
    note_down(tr_msg_down(msg));
    next++;
    return next == 2 ? tr_send(self, kid, "exit", TR_V(0)) : next == 3 ? tr_exit(self, 0) : 0;
}

static void actors_inside_of_a_child_are_monitored(void **state)
{
    (void)state;
    perform(&(struct play){start_neighbour, receive_neighbour},
            "down=no actor down=error: input or output error down=normal");
}

static int receive_neighbour_then_crash(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "neighbour")) {
        int rc = tr_as_addr(tr_msg_body(msg), &neighbour);
        if (rc == 0)
            rc = tr_monitor(self, neighbour, NULL);
        return rc < 0 ? rc : tr_send(self, kid, "crash", TR_V(SIGKILL));
    }
    note_down(tr_msg_down(msg));
    return ++next == 2 ? tr_exit(self, 0) : 0;
}

static void actors_inside_of_a_child_die_with_it(void **state)
{
    (void)state;
    perform(&(struct play){start_neighbour, receive_neighbour_then_crash},
            "down=killed by signal 9 down=killed by signal 9");
}

// ---- Pressure ----

#define FLOOD 300

static int sent, refused, writable, waiting;

static void on_room(tr_actor *self, void *arg);

static int send_flood(tr_actor *self)
{
    int rc = 0;
    while (sent < FLOOD && (rc = tr_send(self, kid, "echo", TR_V(sent))) == 0)
        sent++;
    if (rc != TR_EFULL)
        return rc;
    refused++;
    waiting++;
    return tr_on_writable(self, kid, on_room, NULL);
}

static void on_room(tr_actor *self, void *arg)
{
    (void)arg;
    writable++;
    waiting--;
    if (send_flood(self) < 0)
        tr_exit(self, TR_EIO);
}

static int start_pressure(tr_actor *self)
{
    sent = refused = writable = waiting = 0;
    int rc = spawn_kid(self, TR_SPAWN(.isolation = TR_PROCESS, .mail_max = 8));
    return rc < 0 ? rc : send_flood(self);
}

static int receive_pressure(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL)
        return receive_end(self, msg);
    if (number_of(msg) != next++)
        note("disorder");
    if (next < FLOOD)
        return 0;
    note(refused > 0 && writable == refused && waiting == 0 ? "once each" : "not once each");
    return tr_send(self, kid, "exit", TR_V(0));
}

static void a_full_child_makes_its_sender_wait_and_loses_nothing(void **state)
{
    (void)state;
    perform(&(struct play){start_pressure, receive_pressure}, "once each down=normal");
}

static void on_room_or_end(tr_actor *self, void *arg)
{
    int rc;
    (void)arg;
    while ((rc = tr_send(self, kid, "echo", TR_NULL)) == 0)
        continue;
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, kid, on_room_or_end, NULL);
    if (rc < 0)
        note(tr_errname(rc));
}

static int start_pressure_on_stuck(tr_actor *self)
{
    int rc = fork_foreign(self, NULL);
    if (rc == 0)
        on_room_or_end(self, NULL);
    return rc < 0 ? rc : tr_stop(self, kid);
}

static void who_waits_for_a_child_that_dies_hears_of_it(void **state)
{
    (void)state;
    perform(&(struct play){start_pressure_on_stuck, NULL}, "TR_EDOWN down=killed by signal 15");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_both_ways_in_order),
        cmocka_unit_test(what_a_child_sent_comes_before_its_end),
        cmocka_unit_test(large_messages_arrive_whole),
        cmocka_unit_test(each_reason_of_a_childs_end_is_told),
        cmocka_unit_test(a_child_that_is_stuck_is_terminated),
        cmocka_unit_test(an_owners_end_ends_all_its_processes),
        cmocka_unit_test(nobody_outlives_a_parent_that_was_killed),
        cmocka_unit_test(what_cannot_start_is_an_error_of_the_call),
        cmocka_unit_test(each_monitor_of_a_process_is_told_once),
        cmocka_unit_test(actors_inside_of_a_child_are_monitored),
        cmocka_unit_test(actors_inside_of_a_child_die_with_it),
        cmocka_unit_test(a_full_child_makes_its_sender_wait_and_loses_nothing),
        cmocka_unit_test(who_waits_for_a_child_that_dies_hears_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
