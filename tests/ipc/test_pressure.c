// A receiver that stops reading makes its sender see TR_EFULL, and nobody's memory grow: a child
// that blocks while its parent floods it, and a parent that blocks while its child does.
//
// The sleeper blocks in a handler, by opening a pipe that has no writer. The flooder sends large
// and small messages for some seconds, as many as are accepted, and looks at the memory of both.
// Then it opens the pipe. What was accepted must arrive, and the sender must hear that there is
// room.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/numbered.h"
#include "support/ipc.h"

#define FLOOD_NS   TR_S(3) // at least, and until sends have been refused FULLS times
#define FULLS      100
#define TICK_NS    TR_MS(1)
#define PER_TICK   64
#define LARGE      65536
#define GROWTH_MAX (32u << 20)

static const tr_behavior flooder, sleeper;

static int path_read(tr_val val, char path[static 256])
{
    tr_str text;
    int rc = tr_as_str(val, &text);
    return rc < 0 ? rc : (snprintf(path, 256, "%.*s", TR_STR_ARG(text)), 0);
}

// ---- What came of it, in the test's own process ----

static struct {
    uint64_t accepted, heard;
    uint64_t fulls;       // sends that were refused
    uint64_t own, others; // bytes that memory has grown at most: the flooder's, the sleeper's
    bool early;           // told that there was room when there was none
} seen;

static int report_take(tr_val report)
{
    return TR_READ(report, "accepted", &seen.accepted, "heard", &seen.heard, "fulls", &seen.fulls,
                   "own", &seen.own, "others", &seen.others, "early", &seen.early);
}

// ---- The sleeper ----

struct sleeper {
    char pipe[256];
    uint64_t heard;
};

// The flooder is the parent, or else the child that it starts.
static int sleeper_start(tr_actor *self, const tr_val *args)
{
    struct sleeper *s = tr_state(self);
    tr_addr flooding = tr_parent(self);
    int rc = path_read(*args, s->pipe);
    if (rc == 0 && tr_addr_eq(flooding, TR_NOBODY))
        rc = tr_spawn(self, &flooder, TR_SPAWN(.isolation = TR_PROCESS, .args = *args), &flooding);
    return rc < 0 ? rc : tr_send(self, flooding, "flood", TR_MAP("pid", (int)getpid()));
}

static int sleep_until_woken(const struct sleeper *s)
{
    int fd = open(s->pipe, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : close(fd);
}

static int sleeper_receive(tr_actor *self, const tr_msg *msg)
{
    struct sleeper *s = tr_state(self);
    if (tr_msg_is(msg, "sleep"))
        return sleep_until_woken(s);
    if (tr_msg_is(msg, "count"))
        return tr_reply(self, msg, TR_V(s->heard));
    if (tr_msg_is(msg, "report"))
        return tr_exit(self, report_take(tr_msg_body(msg)));
    if (!numbered_is(msg, 0, s->heard) && !numbered_is(msg, LARGE, s->heard))
        return TR_EBADMSG;
    s->heard++;
    return 0;
}
static const tr_behavior sleeper = {.name = "sleeper",
                                    .state_size = sizeof(struct sleeper),
                                    .start = sleeper_start,
                                    .receive = sleeper_receive};

// ---- The flooder ----

struct flooder {
    char pipe[256];
    tr_addr sleeper;
    pid_t sleepers_pid;
    size_t idle, others_idle, peak, others_peak; // bytes of memory
    tr_timer tick;
    uint64_t accepted, fulls;
    bool waits, woken, early;
};

static int flooder_start(tr_actor *self, const tr_val *args)
{
    struct flooder *f = tr_state(self);
    int rc = path_read(*args, f->pipe);
    if (rc == 0 && tr_addr_eq(tr_parent(self), TR_NOBODY))
        rc = tr_spawn(self, &sleeper, TR_SPAWN(.isolation = TR_PROCESS, .args = *args), NULL);
    return rc;
}

static void flooder_look(struct flooder *f)
{
    size_t own = ipc_rss(getpid()), others = ipc_rss(f->sleepers_pid);
    f->peak = own > f->peak ? own : f->peak;
    f->others_peak = others > f->others_peak ? others : f->others_peak;
}

static void flooder_has_room(tr_actor *self, void *arg)
{
    struct flooder *f = arg;
    f->early = !f->woken;
    int rc = tr_send(self, f->sleeper, "count", TR_NULL);
    if (rc < 0)
        tr_exit(self, rc);
}

// A large message, and where that is refused a small one. Returns whether one was accepted.
static bool flooder_send(tr_actor *self, struct flooder *f)
{
    int rc = numbered_send(self, f->sleeper, BUFFER, LARGE, f->accepted);
    if (rc == TR_EFULL)
        rc = numbered_send(self, f->sleeper, SMALL, 0, f->accepted);
    if (rc == 0)
        f->accepted++;
    else if (rc == TR_EFULL)
        f->fulls++;
    else
        tr_exit(self, rc);
    return rc == 0;
}

static void flooder_tick(tr_actor *self, void *arg)
{
    struct flooder *f = arg;
    for (int n = 0; n < PER_TICK && flooder_send(self, f); n++)
        continue;
    if (f->fulls > 0 && !f->waits) {
        f->waits = true;
        tr_on_writable(self, f->sleeper, flooder_has_room, f);
    }
    flooder_look(f);
}

static void flooder_wake_sleeper(tr_actor *self, void *arg)
{
    struct flooder *f = arg;
    if (f->fulls <= FULLS) {
        int rc = tr_timer_start(self, FLOOD_NS, flooder_wake_sleeper, f, NULL);
        if (rc < 0)
            tr_exit(self, rc);
        return;
    }
    tr_timer_clear(self, f->tick);
    f->woken = true;
    int fd = open(f->pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC); // fails unless it sleeps
    if (fd < 0)
        tr_exit(self, -errno);
    else
        close(fd);
}

static int flooder_flood(tr_actor *self, const tr_msg *msg)
{
    struct flooder *f = tr_state(self);
    int rc = TR_READ(tr_msg_body(msg), "pid", &f->sleepers_pid);
    f->sleeper = tr_msg_from(msg);
    f->idle = ipc_rss(getpid());
    f->others_idle = ipc_rss(f->sleepers_pid);
    if (rc == 0)
        rc = tr_send(self, f->sleeper, "sleep", TR_NULL);
    if (rc == 0)
        rc = tr_interval_start(self, TICK_NS, flooder_tick, f, &f->tick);
    return rc < 0 ? rc : tr_timer_start(self, FLOOD_NS, flooder_wake_sleeper, f, NULL);
}

static int flooder_report(tr_actor *self, tr_val heard)
{
    struct flooder *f = tr_state(self);
    flooder_look(f);
    tr_val report =
        TR_MAP("accepted", f->accepted, "heard", heard, "fulls", f->fulls, "own", f->peak - f->idle,
               "others", f->others_peak - f->others_idle, "early", f->early);
    if (!tr_addr_eq(tr_parent(self), TR_NOBODY))
        return tr_send(self, tr_parent(self), "report", report);
    return tr_exit(self, report_take(report));
}

static int flooder_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "flood"))
        return flooder_flood(self, msg);
    return flooder_report(self, tr_msg_body(msg));
}
static const tr_behavior flooder = {.name = "flooder",
                                    .state_size = sizeof(struct flooder),
                                    .start = flooder_start,
                                    .receive = flooder_receive};

#define APP TR_APP(&sleeper, &flooder)

// ---- The tests ----

static void see_bounded_memory(const tr_behavior *first)
{
    memset(&seen, 0, sizeof seen);
    const char *pipe = tr_test_path("pipe");
    assert_int_equal(0, mkfifo(pipe, 0600));
    assert_int_equal(0, TR_RUN(APP, first, tr_val_str(pipe)));
    print_message("accepted %llu, refused %llu times, memory grew by %llu KiB and %llu KiB\n",
                  (unsigned long long)seen.accepted, (unsigned long long)seen.fulls,
                  (unsigned long long)seen.own / 1024, (unsigned long long)seen.others / 1024);
    assert_true(seen.fulls > FULLS);
    assert_false(seen.early);
    assert_true(seen.accepted > 1000);
    assert_int_equal(seen.accepted, seen.heard);
    if (tr_test_sanitized())
        return; // they keep freed memory
    assert_in_range(seen.own, 0, GROWTH_MAX);
    assert_in_range(seen.others, 0, GROWTH_MAX);
}

static void a_child_that_stops_reading_makes_its_parent_see_full(void **state)
{
    (void)state;
    see_bounded_memory(&flooder);
}

static void a_parent_that_stops_reading_makes_its_child_see_full(void **state)
{
    (void)state;
    see_bounded_memory(&sleeper);
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(a_child_that_stops_reading_makes_its_parent_see_full),
    TR_PROCESS_TEST(a_parent_that_stops_reading_makes_its_child_see_full),
};
TR_TEST_MAIN("ipc/pressure", APP, tests)
