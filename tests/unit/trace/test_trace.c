// Goal:   what a node does stands in its file, for whoever reads it, and nothing else does.
// Method: real nodes in this process with a directory of their own, read by the public calls.
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <troupe.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/node.h"
#include "trace/file.h"

static char dir[64];

static int removed(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/troupe-trace-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    return setenv("TROUPE_TRACE_DIR", dir, 1) + unsetenv("TROUPE_TRACE");
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(dir, removed, 8, FTW_DEPTH | FTW_PHYS);
}

static int count_one(const char *path, void *arg)
{
    (void)path;
    ++*(size_t *)arg;
    return 0;
}

static size_t files(void)
{
    size_t n = 0;
    assert_int_equal(tr_trace_each(count_one, &n), 0);
    return n;
}

// ---- What is traced: one that counts down with another one ----

static struct {
    uint32_t rounds;
    bool want, bodies, fails;
    uint32_t lease_ms, pause_ms;
    tr_trace *trace; // its own, if it wants messages
} play;

static int echo_receive(tr_actor *self, const tr_msg *msg)
{
    return play.fails ? TR_EIO : tr_reply(self, msg, tr_msg_body(msg));
}
static const tr_behavior echo = {.name = "echo", .receive = echo_receive};

static void first_begin(tr_actor *self, void *arg)
{
    (void)arg;
    tr_addr to;
    assert_int_equal(tr_whereis(self, "echo", &to), 0);
    assert_int_equal(tr_send(self, to, "ball", TR_MAP("left", play.rounds)), 0);
}

static void first_next(tr_actor *self, void *arg)
{
    (void)arg;
    assert_int_equal(tr_immediate(self, first_begin, NULL), 0);
}

// In the next iteration, which has looked at who wants messages when it began.
static void first_soon(tr_actor *self, void *arg)
{
    (void)arg;
    assert_int_equal(tr_immediate(self, first_next, NULL), 0);
}

static int first_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_spawn(self, &echo, TR_SPAWN(.name = "echo"), NULL);
    if (rc == 0 && play.want) {
        rc = tr_trace_open_pid(getpid(), &play.trace);
        if (rc == 0)
            rc = tr_trace_want(play.trace, play.bodies, play.lease_ms);
    }
    return rc < 0 ? rc : tr_timer_start(self, TR_MS(play.pause_ms), first_soon, NULL, NULL);
}

static int first_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t left;
    assert_int_equal(tr_get_uint(tr_msg_body(msg), "left", &left), 0);
    return left <= 1 ? tr_exit(self, TR_NORMAL) : tr_reply(self, msg, TR_MAP("left", left - 1));
}
static const tr_behavior first = {.name = "first", .start = first_start, .receive = first_receive};

// Run it, and leave the node open.
static tr_node *run(void)
{
    tr_node *node;
    assert_int_equal(tr_node_open(TR_NODE(.name = "played", .loops = 1), &node), 0);
    assert_int_equal(tr_node_spawn(node, &first, NULL, NULL), 0);
    int rc = tr_node_run(node);
    assert_int_equal(rc, 0);
    return node;
}

static tr_trace *opened(void)
{
    tr_trace *trace;
    assert_int_equal(tr_trace_open_pid(0, &trace), 0);
    return trace;
}

// The next one of this kind; false: there is none.
static bool next(tr_trace *trace, tr_trace_kind kind, tr_trace_event *ret_event)
{
    int rc;
    while ((rc = tr_trace_next(trace, ret_event)) > 0)
        if (ret_event->kind == kind)
            return true;
    assert_int_equal(rc, 0);
    return false;
}

static void play_is(uint32_t rounds, bool want)
{
    memset(&play, 0, sizeof play);
    play.rounds = rounds;
    play.want = want;
    play.lease_ms = 60000;
}

static void actors_stand_in_the_file_and_it_goes_at_an_orderly_end(void **state)
{
    (void)state;
    play_is(3, false);
    tr_node *node = run();
    tr_trace *trace = opened();
    tr_trace_process process;
    tr_trace_event e;
    tr_trace_look(trace, &process);
    assert_int_equal(process.pid, getpid());
    assert_true(process.alive);
    assert_string_equal(process.name, "played");
    assert_true(process.node == tr_node_id(node));
    assert_true(next(trace, TR_TRACE_START, &e));
    assert_string_equal(e.actor_name, "first/0");
    uint64_t before = e.time;
    assert_true(next(trace, TR_TRACE_START, &e));
    assert_string_equal(e.name, "echo");
    assert_string_equal(e.from_name, "first/0");
    assert_true(e.time >= before);
    assert_true(next(trace, TR_TRACE_END, &e));
    assert_string_equal(e.actor_name, "first/0");
    assert_int_equal(e.reason.kind, TR_REASON_NORMAL);
    assert_true(next(trace, TR_TRACE_END, &e));
    assert_string_equal(e.actor_name, "echo");
    assert_int_equal(e.reason.kind, TR_REASON_SHUTDOWN);
    assert_false(next(trace, TR_TRACE_MESSAGE, &e));
    tr_trace_close(&trace);
    assert_int_equal(files(), 1);
    tr_node_close(&node);
    assert_int_equal(files(), 0);
}

static void messages_are_there_while_they_are_wanted(void **state)
{
    (void)state;
    play_is(2, true);
    play.bodies = true;
    tr_node *node = run();
    tr_trace_event e;
    static const char *const to[] = {"echo", "first/0", "echo", "first/0"};
    uint32_t parent = 0;
    uint64_t id = 0, over = 0;
    for (int i = 0; i < 4; i++) {
        char *json, want[32];
        tr_val body;
        assert_true(next(play.trace, TR_TRACE_MESSAGE, &e));
        assert_string_equal(e.name, "ball");
        assert_string_equal(e.actor_name, to[i]);
        assert_true(e.flags == (TR_TRACE_STAMPED | TR_TRACE_HAS_BODY));
        assert_int_equal(e.parent, parent); // each has caused the next one
        assert_true(i == 0 || e.trace == id);
        assert_true(e.trace != 0 && e.run > 0 && e.sent + e.wait + e.run <= e.time + 1000);
        assert_true(i == 0 || (e.sent + 1000 > over && e.sent < over + 1000)); // of that turn
        over = e.time;
        snprintf(want, sizeof want, "{\"left\":%d}", 2 - i / 2);
        assert_int_equal(tr_val_unpack(e.body, e.body_size, &body), 0);
        assert_int_equal(tr_json_print(body, &json), 0);
        assert_string_equal(json, want);
        tr_free(json);
        parent = e.span;
        id = e.trace;
    }
    assert_false(next(play.trace, TR_TRACE_MESSAGE, &e));
    tr_trace_close(&play.trace);
    tr_node_close(&node);
}

static void who_attaches_is_written_down(void **state)
{
    (void)state;
    play_is(2, true);
    tr_node *node = run();
    tr_trace *trace = opened();
    tr_trace_event e;
    assert_true(next(trace, TR_TRACE_ATTACH, &e));
    assert_int_equal(e.number, getpid());
    tr_trace_close(&trace);
    tr_trace_close(&play.trace);
    tr_node_close(&node);
}

static void a_lease_that_is_not_renewed_ends(void **state)
{
    (void)state;
    play_is(2, true);
    play.lease_ms = 1;
    play.pause_ms = 20; // the first message comes when it is over
    tr_node *node = run();
    tr_trace_event e;
    if (next(play.trace, TR_TRACE_ATTACH, &e)) // it may have been over before anybody looked
        assert_true(next(play.trace, TR_TRACE_DETACH, &e));
    tr_trace *trace = opened();
    assert_false(next(trace, TR_TRACE_MESSAGE, &e));
    tr_trace_close(&trace);
    tr_trace_close(&play.trace);
    tr_node_close(&node);
}

static void four_may_want_messages_at_a_time(void **state)
{
    (void)state;
    tr_trace *traces[5];
    play_is(2, false);
    tr_node *node = run();
    for (int i = 0; i < 5; i++) {
        traces[i] = opened();
        assert_int_equal(tr_trace_want(traces[i], false, 1000), i < 4 ? 0 : TR_EFULL);
    }
    tr_trace_close(&traces[2]);
    assert_int_equal(tr_trace_want(traces[4], false, 1000), 0);
    for (int i = 0; i < 5; i++)
        tr_trace_close(&traces[i]);
    tr_node_close(&node);
}

static void what_was_overwritten_is_told_as_a_gap(void **state)
{
    (void)state;
    enum { rounds = TR__TRACE_MESSAGES };
    play_is(rounds, true);
    tr_node *node = run();
    tr_trace_event e;
    uint64_t lost = 0, read = 0;
    while (tr_trace_next(play.trace, &e) > 0) {
        lost += e.kind == TR_TRACE_GAP ? e.number : 0;
        read += e.kind == TR_TRACE_MESSAGE;
    }
    assert_int_equal(read + lost, 2 * rounds);
    assert_true(read >= rounds - 1); // the writer might be at one of them
    tr_trace_close(&play.trace);
    tr_node_close(&node);
}

// Sends itself a message, and ends with it.
static int single_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_send(self, tr_self(self), "begin", TR_NULL);
}

static int single_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior single = {
    .name = "single", .start = single_start, .receive = single_receive};

static int pair_start(tr_actor *self, const tr_val *args)
{
    tr_addr other;
    int rc = tr_spawn(self, &single, TR_SPAWN(.isolation = TR_THREAD), &other);
    if (rc == 0)
        rc = tr_monitor(self, other, NULL);
    return rc < 0 ? rc : single_start(self, args);
}

static int pair_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_is(msg, "begin") ? 0 : tr_exit(self, TR_NORMAL);
}
static const tr_behavior pair = {.name = "pair", .start = pair_start, .receive = pair_receive};

static void each_loop_begins_traces_of_its_own(void **state)
{
    (void)state;
    tr_node *node;
    tr_trace_event e;
    setenv("TROUPE_TRACE", "msg", 1);
    assert_int_equal(tr_node_open(TR_NODE(.loops = 1), &node), 0);
    assert_int_equal(tr_node_spawn(node, &pair, NULL, NULL), 0);
    assert_int_equal(tr_node_run(node), 0);
    tr_trace *trace = opened();
    uint64_t traces[2] = {0};
    while (next(trace, TR_TRACE_MESSAGE, &e))
        if (strcmp(e.name, "begin") == 0)
            traces[e.loop != 0] = e.trace;
    assert_true(traces[0] != 0 && traces[1] != 0);
    assert_true(traces[0] != traces[1]);
    tr_trace_close(&trace);
    tr_node_close(&node);
}

// ---- What is sent and dropped in one turn ----

static int sink_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t n;
    bool last = tr_as_int(tr_msg_body(msg), &n) == 0 && n == 4;
    return last ? tr_reply(self, msg, TR_NULL) : 0;
}
static const tr_behavior sink = {.name = "sink", .receive = sink_receive};

static int crowd_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc =
        tr_spawn(self, &sink,
                 TR_SPAWN(.mail_max = 2, .mail_policy = TR_MAIL_DROP_OLDEST, .name = "sink"), NULL);
    return rc < 0 ? rc : tr_send(self, tr_self(self), "go", TR_NULL);
}

// Small ones push out large ones and the other way round.
static int crowd_receive(tr_actor *self, const tr_msg *msg)
{
    static const char text[150] = "";
    tr_addr to;
    if (!tr_msg_is(msg, "go"))
        return tr_exit(self, TR_NORMAL);
    assert_int_equal(tr_whereis(self, "sink", &to), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(tr_send(self, to, "item", TR_V(-1)), 0);
        assert_int_equal(tr_send(self, to, "large", tr_val_bin((tr_bytes){text, (size_t)(50 + i)})),
                         0);
    }
    assert_int_equal(tr_send(self, to, "item", TR_V(3)), 0);
    return tr_send(self, to, "item", TR_V(4));
}
static const tr_behavior crowd = {.name = "crowd", .start = crowd_start, .receive = crowd_receive};

static void what_is_sent_and_dropped_in_one_turn_takes_nothing_along(void **state)
{
    (void)state;
    tr_node *node;
    tr_trace_event e;
    uint64_t began = 0, over = 0;
    int items = 0;
    setenv("TROUPE_TRACE", "msg", 1);
    assert_int_equal(tr_node_open(TR_NODE(.loops = 1), &node), 0);
    assert_int_equal(tr_node_spawn(node, &crowd, NULL, NULL), 0);
    assert_int_equal(tr_node_run(node), 0);
    tr_trace *trace = opened();
    while (next(trace, TR_TRACE_MESSAGE, &e)) {
        assert_true((e.flags & TR_TRACE_STAMPED) != 0);
        if (strcmp(e.name, "go") == 0)
            over = e.time, began = e.time - e.run;
        assert_string_not_equal(e.name, "large");
        if (strcmp(e.name, "item") != 0 || strcmp(e.actor_name, "sink") != 0)
            continue;
        assert_true(over != 0 && e.sent > began && e.sent < over + 1000);
        items++;
        assert_true(e.sent + e.wait + e.run <= e.time + 1000);
    }
    assert_int_equal(items, 2);
    tr_trace_close(&trace);
    tr_node_close(&node);
}

// ---- A turn while it runs ----

static void runs_is(const char *message)
{
    tr_trace *trace = opened();
    tr_trace_loop loop;
    assert_int_equal(tr_trace_look_loop(trace, 0, &loop), 0);
    assert_string_equal(loop.running_actor, "watched/0");
    assert_string_equal(loop.running_message, message);
    assert_true(loop.running_ns > 0);
    tr_trace_close(&trace);
}

static void watched_later(tr_actor *self, void *arg)
{
    (void)arg;
    runs_is("(immediate)");
    assert_int_equal(tr__loop_here->tap->tick, 0); // it has not begun before the poll
    assert_int_equal(tr_exit(self, TR_NORMAL), 0);
}

static int watched_receive(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    runs_is("a look at oneself");
    const tr__record sent = {.kind = TR_TRACE_SENT, .ticks = tr__loop_here->tap->start};
    tr__record_put(tr__loop_here->tap, &sent);
    runs_is("a look at oneself");
    return tr_immediate(self, watched_later, NULL);
}

static int watched_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    runs_is("(start)");
    return tr_send(self, tr_self(self), "a look at oneself", TR_V(7));
}
static const tr_behavior watched = {
    .name = "watched", .start = watched_start, .receive = watched_receive};

static void what_runs_is_seen_while_it_does_and_goes_behind_what_it_sends_elsewhere(void **state)
{
    (void)state;
    tr_node *node;
    tr_trace_event e;
    tr_trace_loop loop;
    setenv("TROUPE_TRACE", "msg", 1);
    assert_int_equal(tr_node_open(TR_NODE(.loops = 1), &node), 0);
    assert_int_equal(tr_node_spawn(node, &watched, NULL, NULL), 0);
    assert_int_equal(tr_node_run(node), 0);
    tr_trace *trace = opened();
    assert_true(next(trace, TR_TRACE_SENT, &e));
    assert_true(next(trace, TR_TRACE_MESSAGE, &e));
    assert_string_equal(e.name, "a look at oneself");
    assert_string_equal(e.actor_name, "watched/0");
    assert_string_equal(e.from_name, "watched/0");
    assert_true(e.bytes == 1 && e.span != 0 && e.run > 0);
    assert_false(next(trace, TR_TRACE_MESSAGE, &e));
    assert_int_equal(tr_trace_look_loop(trace, 0, &loop), 0);
    assert_int_equal(loop.running_ns, 0);
    tr_trace_close(&trace);
    tr_node_close(&node);
}

static void those_that_live_are_in_a_table(void **state)
{
    (void)state;
    tr_trace_actor actors[4];
    tr_trace_loop loop;
    uint64_t more = 1;
    play_is(5, true);
    tr_node *node;
    assert_int_equal(tr_node_open(TR_NODE(.loops = 1), &node), 0);
    assert_int_equal(tr_node_spawn(node, &first, NULL, NULL), 0);
    while (play.trace == NULL)
        assert_true(tr__node_step(node));
    while (tr_trace_actors(play.trace, actors, 4, &more) < 2)
        assert_true(tr__node_step(node));
    assert_int_equal(more, 0);
    assert_string_equal(actors[0].name, "first/0");
    assert_string_equal(actors[1].name, "echo");
    assert_true(tr_addr_eq(actors[1].parent, actors[0].addr));
    assert_int_equal(tr_node_run(node), 0);
    assert_int_equal(tr_trace_actors(play.trace, actors, 4, &more), 0);
    assert_int_equal(tr_trace_look_loop(play.trace, 0, &loop), 0);
    assert_true(loop.iterations > 1 && loop.turns >= 10);
    assert_int_equal(tr_trace_look_loop(play.trace, 1, &loop), TR_ENOENT);
    tr_trace_close(&play.trace);
    tr_node_close(&node);
}

static void a_dead_letter_and_a_failed_handler_say_why(void **state)
{
    (void)state;
    play_is(1, true);
    play.fails = true;
    tr_node *node;
    assert_int_equal(tr_node_open(TR_NODE(.loops = 1), &node), 0);
    tr_addr addr;
    assert_int_equal(tr_node_spawn(node, &first, NULL, &addr), 0);
    tr_trace_event e;
    do
        assert_true(tr__node_step(node));
    while (play.trace == NULL || !next(play.trace, TR_TRACE_MESSAGE, &e));
    assert_int_equal(e.code, TR_EIO);
    assert_true((e.flags & TR_TRACE_FAILED) != 0);
    assert_true(next(play.trace, TR_TRACE_END, &e));
    assert_int_equal(e.reason.kind, TR_REASON_ERROR);
    char line[200];
    assert_true(tr_trace_line(&e, line, sizeof line) > 0);
    assert_non_null(strstr(line, "echo ends: error"));
    tr_node_stop(node);
    tr_node_run(node);
    tr_trace_close(&play.trace);
    tr_node_close(&node);
}

static void more_names_than_there_is_room_for_are_question_marks(void **state)
{
    (void)state;
    play_is(1, true);
    tr_node *node;
    assert_int_equal(tr_node_open(TR_NODE(.loops = 1), &node), 0);
    tr_loop *loop = tr__node_loop(node, 0);
    for (unsigned i = 0; i < 2 * TR__TRACE_STRINGS; i++) {
        char name[100];
        int len = snprintf(name, sizeof name,
                           "%u is a name that is longer than what there is room for, "
                           "so it is cut",
                           i);
        TR__TELL(loop, .kind = TR_TRACE_SLOW, .name = name, .name_len = (size_t)len);
    }
    tr_trace *trace = opened();
    tr_trace_event e;
    unsigned known = 0;
    while (next(trace, TR_TRACE_SLOW, &e))
        known += e.name[0] != '\0';
    assert_int_equal(known, 0); // the last 256 came when it was full
    TR__TELL(loop, .kind = TR_TRACE_SLOW,
             .name = "0 is a name that is longer than what there is room "
                     "for, so it is cut",
             .name_len = 80);
    assert_true(next(trace, TR_TRACE_SLOW, &e));
    assert_string_equal(e.name, "0 is a name that is longer than what there is room for, so i");
    tr_trace_close(&trace);
    tr_node_close(&node);
}

// ---- Where nothing can be written ----

static void without_a_directory_there_is_a_node_and_no_trace(void **state)
{
    (void)state;
    char path[100];
    tr_trace *trace;
    static const char *const bad[] = {"file", "shared", "file/below"};
    snprintf(path, sizeof path, "%s/file", dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(path, sizeof path, "%s/shared", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0777), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tr_node *node;
        snprintf(path, sizeof path, "%s/%s", dir, bad[i]);
        setenv("TROUPE_TRACE_DIR", path, 1);
        assert_int_equal(tr_node_open(NULL, &node), 0);
        assert_true(tr_trace_open_pid(getpid(), &trace) < 0);
        tr_node_close(&node);
    }
}

static void nothing_is_written_when_the_environment_says_so(void **state)
{
    (void)state;
    tr_node *node;
    setenv("TROUPE_TRACE", "off", 1);
    assert_int_equal(tr_node_open(NULL, &node), 0);
    assert_int_equal(files(), 0);
    tr_node_close(&node);
}

static void what_is_no_trace_is_refused(void **state)
{
    (void)state;
    char path[100], link[100];
    tr_trace *trace = NULL;
    snprintf(path, sizeof path, "%s/1.trace", dir);
    snprintf(link, sizeof link, "%s/2.trace", dir);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    assert_int_equal(tr_trace_open(path, &trace), TR_EBADMSG);
    tr__trace_head head = {.version = TR__TRACE_VERSION + 1};
    memcpy(head.magic, TR__TRACE_MAGIC, sizeof head.magic);
    assert_int_equal(pwrite(fd, &head, sizeof head, 0), sizeof head);
    assert_int_equal(tr_trace_open(path, &trace), TR_EVERSION);
    close(fd);
    assert_int_equal(symlink(path, link), 0);
    assert_true(tr_trace_open(link, &trace) < 0);
    assert_int_equal(tr_trace_open("/dev/null", &trace), geteuid() == 0 ? TR_EBADMSG : -EACCES);
    assert_int_equal(tr_trace_open(dir, &trace), TR_EBADMSG);
    assert_int_equal(tr_trace_open(NULL, &trace), TR_EINVAL);
    assert_int_equal(tr_trace_open_pid(-1, &trace), TR_EINVAL);
    assert_null(trace);
    tr_trace_look(NULL, &(tr_trace_process){0});
    assert_string_equal(tr_trace_name(NULL, 1), "");
    assert_int_equal(tr_trace_actors(NULL, NULL, 1, NULL), 0);
}

// ---- What somebody has made up ----

// A file as of a process that lives: a loop with these messages, and "12345678" as its first
// string.
// gives: a descriptor, which is to be open as long as it lives
static int made_up(const tr__record *records, size_t count, tr_trace **ret_trace)
{
    char path[100];
    uint64_t messages = count;
    tr__trace_head head = {.version = TR__TRACE_VERSION, .loops = 1};
    tr__trace_string string = {.size = 8, .text = "12345678"};
    memcpy(head.magic, TR__TRACE_MAGIC, sizeof head.magic);
    snprintf(path, sizeof path, "%s/1.trace", dir);
    int fd = open(path, O_CREAT | O_RDWR, 0600);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(ftruncate(fd, TR__TRACE_LOOPS_AT + TR__TRACE_LOOP_SIZE), 0);
    assert_true(pwrite(fd, &head, sizeof head, 0) > 0);
    assert_true(pwrite(fd, &string, sizeof string, TR__TRACE_STRINGS_AT + TR__TRACE_CELL) > 0);
    assert_true(pwrite(fd, &messages, sizeof messages,
                       TR__TRACE_LOOPS_AT + offsetof(tr__trace_loop_head, messages)) > 0);
    assert_true(pwrite(fd, records, count * sizeof *records,
                       TR__TRACE_LOOPS_AT + TR__TRACE_MESSAGES_AT) > 0);
    assert_int_equal(tr_trace_open(path, ret_trace), 0);
    return fd;
}

// Of a process 1 that has ended.
static void dead_file(int64_t parent)
{
    char path[100];
    tr__trace_head head = {.version = TR__TRACE_VERSION, .pid = 1, .parent = parent};
    memcpy(head.magic, TR__TRACE_MAGIC, sizeof head.magic);
    snprintf(path, sizeof path, "%s/1.trace", dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, &head, sizeof head), sizeof head);
    close(fd);
}

// A program that starts meanwhile would take away what a parent is about to tell of.
static void a_dead_child_is_left_to_its_parent(void **state)
{
    (void)state;
    char path[100];
    snprintf(path, sizeof path, "%s/1.trace", dir);
    tr_node *node, *another;
    assert_int_equal(tr_node_open(TR_NODE(.loops = 1), &node), 0);
    for (int orphan = 0; orphan < 2; orphan++) {
        dead_file(orphan ? 1 : getpid());
        assert_int_equal(tr_node_open(TR_NODE(.loops = 1), &another), 0);
        assert_int_equal(access(path, F_OK), orphan ? -1 : 0);
        tr_node_close(&another);
    }
    tr_node_close(&node);
    assert_int_equal(files(), 1); // kept
}

static void a_node_that_is_no_string_is_none(void **state)
{
    (void)state;
    const tr__record records[] = {
        {.seq = 1, .kind = TR_TRACE_MESSAGE, .from = 5, .node = 1},
        {.seq = 2, .kind = TR_TRACE_MESSAGE, .from = 5, .node = TR__TRACE_STRINGS + 1}};
    tr_trace *trace;
    tr_trace_event e;
    int fd = made_up(records, 2, &trace);
    assert_true(next(trace, TR_TRACE_MESSAGE, &e));
    assert_memory_equal(&e.from.node, "12345678", 8);
    assert_true(next(trace, TR_TRACE_MESSAGE, &e));
    assert_true(e.from.node == 0);
    tr_trace_close(&trace);
    close(fd);
}

// A fast writer has put another message where the body was, before that was read.
static void a_message_whose_body_is_overwritten_is_told_without(void **state)
{
    (void)state;
    const tr__record records[] = {
        {.seq = 1, .kind = TR_TRACE_MESSAGE, .flags = TR_TRACE_HAS_BODY, .span = 7},
        {.seq = 2, .kind = TR_TRACE_MESSAGE, .depth = UINT16_MAX, .span = 8}};
    tr_trace *trace;
    tr_trace_event e;
    int fd = made_up(records, 2, &trace);
    assert_true(next(trace, TR_TRACE_MESSAGE, &e));
    assert_true(e.span == 7 && e.body == NULL);
    assert_true(next(trace, TR_TRACE_MESSAGE, &e));
    assert_int_equal(e.span, 8);
    tr_trace_close(&trace);
    close(fd);
}

static void a_time_is_kept_to_16_ticks_or_a_part_of_it(void **state)
{
    (void)state;
    static const uint64_t times[] = {
        0, 15, 16, 1000, UINT64_C(1) << 34, UINT64_C(1) << 35, UINT64_C(1) << 46};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        uint64_t back = tr__trace_unpack(tr__trace_pack(times[i]));
        assert_true(back <= times[i] && times[i] - back < 16 + times[i] / 10000);
    }
    assert_true(tr__trace_unpack(tr__trace_pack(UINT64_MAX)) > UINT64_C(1) << 46);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(actors_stand_in_the_file_and_it_goes_at_an_orderly_end),
        CASE(messages_are_there_while_they_are_wanted),
        CASE(who_attaches_is_written_down),
        CASE(a_lease_that_is_not_renewed_ends),
        CASE(four_may_want_messages_at_a_time),
        CASE(what_was_overwritten_is_told_as_a_gap),
        CASE(each_loop_begins_traces_of_its_own),
        CASE(what_is_sent_and_dropped_in_one_turn_takes_nothing_along),
        CASE(what_runs_is_seen_while_it_does_and_goes_behind_what_it_sends_elsewhere),
        CASE(those_that_live_are_in_a_table),
        CASE(a_dead_letter_and_a_failed_handler_say_why),
        CASE(more_names_than_there_is_room_for_are_question_marks),
        CASE(without_a_directory_there_is_a_node_and_no_trace),
        CASE(nothing_is_written_when_the_environment_says_so),
        CASE(what_is_no_trace_is_refused),
        CASE(a_dead_child_is_left_to_its_parent),
        CASE(a_node_that_is_no_string_is_none),
        CASE(a_message_whose_body_is_overwritten_is_told_without),
        CASE(a_time_is_kept_to_16_ticks_or_a_part_of_it),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
