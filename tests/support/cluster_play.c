#include "support/cluster_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct cluster_play play;

unsigned long long play_program(const char *path)
{
    struct stat file;
    return stat(path, &file) < 0 ? 0 : (unsigned long long)file.st_ino;
}

// ---- Workers ----

struct served {
    uint32_t open;
    bool draining;
    tr_cluster_server server;
    tr_cluster_worker me;
    unsigned long long program; // its inode: which version of the file it is
};

static void served_answer(tr_actor *self, tr_stream stream)
{
    const struct served *s = tr_state(self);
    char line[64];
    int size = snprintf(line, sizeof line, "%lld %u %llu%s\n", (long long)getpid(), s->me.slot,
                        s->program, s->draining ? " !" : "");
    tr_stream_write_bytes(self, stream, line, (size_t)size);
    if (s->draining)
        tr_stream_end(self, stream);
}

static void served_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    const char *bytes = tr_buf_data(chunk);
    (void)arg;
    for (size_t i = 0; i < tr_buf_size(chunk); i++) {
        if (bytes[i] == '\n')
            served_answer(self, stream);
    }
}

static void served_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    struct served *s = tr_state(self);
    (void)stream, (void)status, (void)arg;
    if (--s->open == 0 && s->draining)
        tr_exit(self, TR_SHUTDOWN);
}

static void served_new(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events events = {.data = served_data, .closed = served_closed};
    struct served *s = tr_state(self);
    (void)arg;
    s->open++;
    tr_stream_on(self, stream, &events, NULL);
}

static int served_start(tr_actor *self, const tr_val *args)
{
    struct served *s = tr_state(self);
    (void)args;
    tr_cluster_self(self, &s->me);
    s->program = play_program("/proc/self/exe");
    tr_trap_exit(self, true);
    return tr_cluster_listen(self, "tcp://127.0.0.1:0", NULL, served_new, NULL, &s->server);
}

static void spin(void)
{
    for (volatile uint64_t n = 0;; n++)
        continue;
}

static int served_receive(tr_actor *self, const tr_msg *msg)
{
    struct served *s = tr_state(self);
    if (tr_cluster_take(self, msg))
        return 0;
    if (tr_msg_is(msg, "spin"))
        spin();
    if (tr_msg_is(msg, "crash"))
        abort();
    if (tr_msg_exit(msg) == NULL)
        return TR_EUNKNOWN;
    s->draining = true;
    tr_cluster_close(self, s->server);
    return s->open == 0 ? tr_exit(self, TR_SHUTDOWN) : 0;
}

const tr_behavior play_worker = {.name = "play_worker",
                                 .state_size = sizeof(struct served),
                                 .start = served_start,
                                 .receive = served_receive};

// ---- Users ----

struct user {
    tr_stream stream;
    uint32_t left; // lines, over this connection
    bool served;   // counted among those that are
    bool waits;    // for an answer
    uint64_t asked;
    unsigned slot; // that has answered last
    bool last;     // that was the last one there
    char line[64]; // so far
    size_t have;
};

static bool over; // nobody connects any more
static uint32_t served_now;
static char address[TR_ADDRESS_MAX];

static void user_connect(tr_actor *self, void *arg);

// ---- How long answers take ----

enum { TIMES_MAX = 65536 };

static struct times {
    uint64_t us[TIMES_MAX];
    size_t count;
} times[2]; // before a worker hangs, and since then
static bool hung;

static void note_time(uint64_t ns)
{
    struct times *t = &times[hung];
    if (t->count < TIMES_MAX)
        t->us[t->count++] = ns / 1000;
}

static int by_time(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

size_t play_times(bool since, uint64_t *ret_median, uint64_t *ret_p99, uint64_t *ret_most)
{
    struct times *t = &times[since];
    if (t->count == 0)
        return 0;
    qsort(t->us, t->count, sizeof *t->us, by_time);
    *ret_median = t->us[t->count / 2];
    *ret_p99 = t->us[t->count * 99 / 100];
    *ret_most = t->us[t->count - 1];
    return t->count;
}

// ---- What they do ----

// Returns the slot that it is from.
static unsigned note_answer(const char *line)
{
    long long pid = 0;
    unsigned slot = 0;
    play.answered++;
    if (sscanf(line, "%lld %u %llu", &pid, &slot, &play.program) != 3 || slot >= PLAY_SLOTS)
        abort();
    play.by_slot[slot]++;
    for (uint32_t i = 0; i < play.pid_count; i++) {
        if (play.pids[i] == pid)
            return slot;
    }
    if (play.pid_count < PLAY_PIDS)
        play.pids[play.pid_count++] = pid;
    return slot;
}

static void user_say(tr_actor *self, struct user *u)
{
    u->waits = true;
    u->have = 0;
    u->asked = tr_now(self);
    tr_stream_write_bytes(self, u->stream, "hello\n", 6);
}

// Between its first answer and its own end a connection is open at the worker's side.
static void user_count(struct user *u, bool served)
{
    served_now += (uint32_t)served - (uint32_t)u->served;
    u->served = served;
    play.served_most = served_now > play.served_most ? served_now : play.served_most;
}

static void user_goes_on(tr_actor *self, void *arg)
{
    struct user *u = arg;
    if (play.served_most < play.users && !over)
        tr_timer_start(self, TR_MS(20), user_goes_on, u, NULL);
    else
        user_say(self, u);
}

static void user_heard(tr_actor *self, struct user *u)
{
    u->line[u->have - 1] = '\0';
    u->waits = false;
    u->slot = note_answer(u->line);
    if (u->slot != 0)
        note_time(tr_now(self) - u->asked);
    user_count(u, true);
    u->last = strchr(u->line, '!') != NULL || --u->left == 0 || over;
    if (u->last)
        user_count(u, false);
    if (u->last)
        tr_stream_end(self, u->stream);
    else if (play.together)
        user_goes_on(self, u);
    else
        user_say(self, u);
}

static void user_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    struct user *u = tr_state(self);
    const char *bytes = tr_buf_data(chunk);
    (void)stream, (void)arg;
    for (size_t i = 0; i < tr_buf_size(chunk) && u->have < sizeof u->line; i++) {
        u->line[u->have++] = bytes[i];
        if (bytes[i] == '\n' && u->waits)
            user_heard(self, u);
    }
}

static void user_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    struct user *u = tr_state(self);
    (void)stream, (void)status, (void)arg;
    play.failed += u->waits;
    play.failed_elsewhere += u->waits && u->slot != 0;
    user_count(u, false);
    if (over)
        tr_exit(self, TR_NORMAL);
    else
        tr_timer_start(self, TR_MS(play.pause_ms), user_connect, NULL, NULL);
}

static void user_connect(tr_actor *self, void *arg)
{
    static const tr_stream_events events = {.data = user_data, .closed = user_closed};
    struct user *u = tr_state(self);
    (void)arg;
    *u = (struct user){.left = play.lines};
    play.connections++;
    if (tr_connect(self, address, NULL, &u->stream) < 0)
        abort();
    tr_stream_on(self, u->stream, &events, NULL);
    user_say(self, u);
}

static int user_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    user_connect(self, NULL);
    return 0;
}
static const tr_behavior user = {
    .name = "user", .state_size = sizeof(struct user), .start = user_start};

// ---- The boss ----

static struct {
    tr_addr cluster;
    bool began, rolling;
    int64_t pids[PLAY_SLOTS]; // that are ready, by slot; 0: none
    uint32_t ready, turn;
    uint32_t users;
} boss;

static void boss_kill(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    for (uint32_t i = 0;
         i < PLAY_SLOTS && !over && (play.kills_max == 0 || play.kills < play.kills_max); i++) {
        int64_t pid = boss.pids[boss.turn++ % PLAY_SLOTS];
        if (pid == 0)
            continue;
        play.kills++;
        play.kill(pid);
        return;
    }
}

static void boss_roll(tr_actor *self, void *arg);

static void boss_rolled(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    boss.rolling = false;
    if (answer->status == 0)
        play.rolls++;
    else
        play.roll_errors++;
    if (boss.users == 0)
        tr_stop(self, boss.cluster);
    else if (!over)
        tr_timer_start(self, TR_MS(play.roll_ms), boss_roll, NULL, NULL);
}

static void boss_roll(tr_actor *self, void *arg)
{
    (void)arg;
    if (over)
        return;
    boss.rolling = true;
    if (tr_ask(self, boss.cluster, "cluster.roll", TR_NULL, TR_ASK(.timeout_ms = 3600000), NULL,
               boss_rolled, NULL) < 0)
        abort();
}

static void boss_resize(tr_actor *self, void *arg)
{
    (void)arg;
    if (tr_send(self, boss.cluster, "cluster.resize", TR_V(play.resize_to)) < 0)
        abort();
}

static void boss_hang(tr_actor *self, void *arg)
{
    (void)arg;
    hung = true;
    if (tr_send(self, boss.cluster, "cluster.tell", TR_MAP("slot", 0, "name", "spin")) < 0)
        abort();
}

static void boss_settled(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    play.served_most = 0;
}

static void boss_over(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    over = true;
}

static void boss_look(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    over = over || (play.enough != 0 && play.connections >= play.enough) ||
           (play.restarts_enough != 0 && play.restarts >= play.restarts_enough);
}

static void boss_begin(tr_actor *self)
{
    boss.began = true;
    for (boss.users = 0; boss.users < play.users; boss.users++) {
        tr_addr addr;
        if (tr_spawn(self, &user, NULL, &addr) < 0 || tr_monitor(self, addr, NULL) < 0)
            abort();
    }
    if (play.kill_ms != 0)
        tr_interval_start(self, TR_MS(play.kill_ms), boss_kill, NULL, NULL);
    if (play.roll_ms != 0)
        tr_timer_start(self, TR_MS(play.roll_ms), boss_roll, NULL, NULL);
    if (play.resize_after_ms != 0)
        tr_timer_start(self, TR_MS(play.resize_after_ms), boss_resize, NULL, NULL);
    if (play.hang_after_ms != 0)
        tr_timer_start(self, TR_MS(play.hang_after_ms), boss_hang, NULL, NULL);
    if (play.settled_ms != 0)
        tr_timer_start(self, TR_MS(play.settled_ms), boss_settled, NULL, NULL);
    if (play.run_ms != 0)
        tr_timer_start(self, TR_MS(play.run_ms), boss_over, NULL, NULL);
    tr_interval_start(self, TR_MS(10), boss_look, NULL, NULL);
    if (play.began != NULL)
        play.began(self, boss.cluster);
}

static int boss_event(tr_actor *self, tr_val body)
{
    tr_str event, text;
    uint64_t slot = 0;
    int64_t pid = 0;
    if (tr_get_str(body, "event", &event) < 0)
        return TR_EBADMSG;
    tr_get_uint(body, "slot", &slot);
    tr_get_int(body, "pid", &pid);
    if (slot >= PLAY_SLOTS)
        return TR_EBADMSG;
    play.restarts += tr_str_eq(event, "restart");
    play.give_ups += tr_str_eq(event, "give up");
    if (tr_get_str(body, "hung", &text) == 0)
        snprintf(play.hung, sizeof play.hung, "%.*s", (int)text.len, text.ptr);
    if (tr_str_eq(event, "ready"))
        boss.pids[slot] = pid;
    if ((tr_str_eq(event, "exit") || tr_str_eq(event, "drain")) && boss.pids[slot] == pid)
        boss.pids[slot] = 0;
    if (tr_str_eq(event, "listening") && tr_get_str(body, "address", &text) == 0)
        snprintf(address, sizeof address, "%.*s", (int)text.len, text.ptr);
    if (!boss.began && tr_str_eq(event, "ready") && ++boss.ready == play.spec->workers)
        boss_begin(self);
    return 0;
}

static int boss_start(tr_actor *self, const tr_val *args)
{
    tr_cluster_spec spec = *play.spec;
    (void)args;
    memset(&boss, 0, sizeof boss);
    served_now = 0;
    times[0].count = times[1].count = 0;
    over = hung = false;
    spec.observer = tr_self(self);
    int rc = tr_cluster_start(self, &spec, NULL, &boss.cluster);
    return rc < 0 ? rc : tr_monitor(self, boss.cluster, NULL);
}

static int boss_down(tr_actor *self, const tr_down *down)
{
    if (tr_addr_eq(down->addr, boss.cluster)) {
        play.end = down->reason;
        return tr_exit(self, TR_NORMAL);
    }
    if (--boss.users == 0 && !boss.rolling)
        tr_stop(self, boss.cluster);
    return 0;
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL)
        return boss_down(self, tr_msg_down(msg));
    return tr_msg_is(msg, "cluster") ? boss_event(self, tr_msg_body(msg)) : TR_EUNKNOWN;
}
const tr_behavior play_boss = {.name = "play_boss", .start = boss_start, .receive = boss_receive};
