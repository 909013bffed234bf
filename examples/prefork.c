// A pre-forked server: worker processes wait for jobs at one port, and any of them may be killed.
//
// The first actor asks for squares, each over a connection of its own, and now and then has a
// worker kill itself with SIGKILL. Who loses an answer that way asks again: another worker has it
// at once.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe.h>

enum { WORKERS = 3, JOBS = 9 };

// ---- A worker: a line with a number is answered with its square ----

static void on_line(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    char answer[32];
    (void)arg;
    if (tr_buf_size(chunk) >= 3 && memcmp(tr_buf_data(chunk), "die", 3) == 0)
        raise(SIGKILL);
    long n = strtol(tr_buf_data(chunk), NULL, 10);
    int size = snprintf(answer, sizeof answer, "%ld * %ld = %ld\n", n, n, n * n);
    tr_stream_write_bytes(self, stream, answer, (size_t)size);
    tr_stream_end(self, stream);
}

static void ignore_end(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)status, (void)arg;
}

static void on_client(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events events = {.data = on_line, .closed = ignore_end};
    (void)arg;
    tr_stream_on(self, stream, &events, NULL);
}

static int worker_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_cluster_listen(self, "tcp://127.0.0.1:0", NULL, on_client, NULL, NULL);
}

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_cluster_take(self, msg) ? 0 : TR_EUNKNOWN;
}

static const tr_behavior worker = {
    .name = "worker", .start = worker_start, .receive = worker_receive};

// ---- Who asks ----

struct boss {
    char address[TR_ADDRESS_MAX];
    tr_addr cluster;
    unsigned ready, killed, done;
    bool answered;
};

static void boss_next(tr_actor *self);

static void on_answer(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    struct boss *b = tr_state(self);
    (void)stream, (void)arg;
    printf("%.*s", (int)tr_buf_size(chunk), (const char *)tr_buf_data(chunk));
    b->answered = true;
}

// Over without an answer: its worker has died, so it is asked once more.
static void on_over(tr_actor *self, tr_stream stream, int status, void *arg)
{
    struct boss *b = tr_state(self);
    (void)stream, (void)status, (void)arg;
    b->done += b->answered;
    boss_next(self);
}

static int say(tr_actor *self, const char *line, const tr_stream_events *events)
{
    const struct boss *b = tr_state(self);
    tr_stream stream;
    int rc = tr_connect(self, b->address, NULL, &stream);
    if (rc < 0)
        return rc;
    tr_stream_on(self, stream, events, NULL);
    return tr_stream_write_bytes(self, stream, line, strlen(line));
}

static void boss_next(tr_actor *self)
{
    static const tr_stream_events asks = {.data = on_answer, .closed = on_over},
                                  kills = {.closed = ignore_end};
    struct boss *b = tr_state(self);
    char line[16];
    int rc;
    if (b->done == JOBS) {
        printf("%u answers, %u workers killed\n", b->done, b->killed);
        tr_exit(self, TR_NORMAL);
        return;
    }
    snprintf(line, sizeof line, "%u\n", b->done + 1);
    b->answered = false;
    if (b->killed < b->done / WORKERS)
        rc = say(self, "die\n", &kills); // the next job is for when that has been heard of
    else
        rc = say(self, line, &asks);
    if (rc < 0)
        tr_exit(self, rc);
}

static int boss_event(tr_actor *self, tr_val body)
{
    struct boss *b = tr_state(self);
    tr_str event, text;
    int rc = TR_READ(body, "event", &event);
    if (rc < 0)
        return rc;
    if (tr_get_str(body, "address", &text) == 0)
        snprintf(b->address, sizeof b->address, "%.*s", (int)text.len, text.ptr);
    if (tr_str_eq(event, "ready") && ++b->ready == WORKERS)
        boss_next(self);
    if (tr_str_eq(event, "exit") && tr_get_str(body, "reason", &text) == 0) {
        printf("a worker has ended: %.*s\n", (int)text.len, text.ptr);
        b->killed++;
        boss_next(self);
    }
    return 0;
}

static int boss_start(tr_actor *self, const tr_val *args)
{
    struct boss *b = tr_state(self);
    (void)args;
    return tr_cluster_start(
        self, TR_CLUSTER(.behavior = &worker, .workers = WORKERS, .observer = tr_self(self)), NULL,
        &b->cluster);
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_is(msg, "cluster") ? boss_event(self, tr_msg_body(msg)) : TR_EUNKNOWN;
}

static const tr_behavior boss = {.name = "boss",
                                 .state_size = sizeof(struct boss),
                                 .start = boss_start,
                                 .receive = boss_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&boss, &worker));
}
