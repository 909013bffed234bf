// Both ends of a connection belong to the first actor, so that a play can tell what either does
// next. It ends as soon as both are closed.
#include "conform/socket_suite.h"

#include <troupe/test.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KIB 1024u
#define MIB (1024u * KIB)

// ---- Addresses ----

char socket_host[256];

static char directory[] = "/tmp/troupe-sockets-XXXXXX";
static char address[TR_ADDRESS_MAX]; // of the running play

static bool is_local(void)
{
    return address[0] == 'u';
}

// A play wherever sockets may be.
static void perform_everywhere(const struct play *play, const char *words)
{
    static const char *const tcp[] = {"tcp://127.0.0.1:0", "tcp://[::1]:0", "tcp://localhost:0"};
    snprintf(address, sizeof address, "unix:%s/socket", directory);
    perform(play, words);
    for (size_t i = 0; i < sizeof tcp / sizeof *tcp; i++) {
        snprintf(address, sizeof address, "%s", tcp[i]);
        perform(play, words);
    }
}

// ---- The two sides ----

struct side {
    const char *name;
    tr_stream stream;
    size_t got, put, total; // bytes, and how many are to be put
    size_t piece;           // of so many bytes
    bool wrong;             // bytes are not those that were written
    bool waited, full;      // was told TR_WAIT, TR_EFULL
    bool ended, finished;   // heard of those
    bool echoes;            // writes what it reads
    bool closed;
    int status;
    tr_callback done; // when all is put
};

static struct {
    tr_server server;
    char at[TR_ADDRESS_MAX]; // the server, with its true port
    struct side client, served;
    void (*accepted)(tr_actor *self);
    void (*closed)(tr_actor *self, struct side *side);
    void (*got)(tr_actor *self, struct side *side);
    tr_listen_opts listen;
    tr_connect_opts connect;
    unsigned count; // for a play's own use
} m;

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static void failed(tr_actor *self, const char *what, int rc)
{
    note("%s=%s", what, tr_errname(rc));
    tr_exit(self, TR_NORMAL);
}

static void side_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    struct side *side = arg;
    const unsigned char *bytes = tr_buf_data(chunk);
    for (size_t i = 0; i < tr_buf_size(chunk); i++)
        side->wrong |= bytes[i] != byte_at(side->got + i);
    side->got += tr_buf_size(chunk);
    if (side->echoes) {
        tr_buf *back = tr_buf_ref(chunk);
        if (tr_stream_write(self, stream, &back) < 0)
            tr_buf_unref(&back);
    }
    if (m.got != NULL)
        m.got(self, side);
}

// Put what is missing, until there is no room.
static void side_put(tr_actor *self, struct side *side)
{
    while (side->put < side->total) {
        size_t rest = side->total - side->put, size = rest < side->piece ? rest : side->piece;
        tr_buf *chunk = NULL;
        if (tr_buf_new(size, &chunk) < 0)
            return;
        for (size_t i = 0; i < size; i++)
            ((unsigned char *)tr_buf_data(chunk))[i] = byte_at(side->put + i);
        int rc = tr_stream_write(self, side->stream, &chunk);
        tr_buf_unref(&chunk);
        side->waited |= rc == TR_WAIT;
        side->full |= rc == TR_EFULL;
        if (rc < 0)
            return;
        side->put += size;
    }
    if (side->done != NULL)
        side->done(self, side);
}

static void side_drain(tr_actor *self, tr_stream stream, void *arg)
{
    (void)stream;
    side_put(self, arg);
}

static void side_end(tr_actor *self, tr_stream stream, void *arg)
{
    struct side *side = arg;
    (void)self, (void)stream;
    side->ended = true;
}

static void side_finish(tr_actor *self, tr_stream stream, void *arg)
{
    struct side *side = arg;
    (void)self, (void)stream;
    side->finished = true;
}

static void side_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    struct side *side = arg;
    side->closed = true;
    side->status = status;
    if (tr_stream_end(self, stream) != TR_ENOENT)
        note("%s is closed and not gone", side->name);
    if (m.closed != NULL)
        m.closed(self, side);
    else if (m.client.closed && m.served.closed)
        tr_exit(self, TR_NORMAL);
}

static const tr_stream_events side_events = {
    .data = side_data,
    .end = side_end,
    .drain = side_drain,
    .finish = side_finish,
    .closed = side_closed,
};

// Hears and reads. One that only writes is not asked to read, so it does not hear of the end.
static const tr_stream_events writer_events = {.drain = side_drain, .closed = side_closed};

static void note_side(const struct side *side)
{
    note("%s:%s%s%s%s=%s", side->name, side->wrong ? "wrong," : "", side->ended ? "end," : "",
         side->finished ? "finish," : "", "closed",
         side->status == 0             ? "0"
         : side->status == -ECONNRESET ? "reset"
                                       : tr_errname(side->status));
}

static void on_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    (void)arg;
    m.served.stream = stream;
    tr_stream_on(self, stream, &side_events, &m.served);
    if (m.accepted != NULL)
        m.accepted(self);
}

// The server listens and the client is on its way. Everything else of m has been set before.
static int meet(tr_actor *self)
{
    m.client.name = "client";
    m.served.name = "served";
    m.listen.size = sizeof m.listen;
    m.connect.size = sizeof m.connect;
    int rc = tr_listen(self, address, &m.listen, on_accepted, NULL, &m.server);
    if (rc == 0)
        rc = tr_server_address(self, m.server, m.at);
    if (rc == 0)
        rc = tr_connect(self, m.at, &m.connect, &m.client.stream);
    if (rc == 0)
        rc = tr_stream_on(self, m.client.stream, &side_events, &m.client);
    if (rc < 0)
        failed(self, "meet", rc);
    return rc;
}

static void anew(void)
{
    memset(&m, 0, sizeof m);
    m.client.piece = m.served.piece = 64 * KIB;
}

static void end_side(tr_actor *self, void *side)
{
    tr_stream_end(self, ((struct side *)side)->stream);
}

// ---- Bytes ----

static void note_both(tr_actor *self, struct side *side)
{
    (void)side;
    if (!m.client.closed || !m.served.closed)
        return;
    note_side(&m.client);
    note_side(&m.served);
    note("%s", m.client.got == m.client.total ? "all" : "some");
    tr_exit(self, TR_NORMAL);
}

static int start_echo(tr_actor *self)
{
    anew();
    m.served.echoes = true;
    m.client.total = play_many(4 * MIB);
    m.client.piece = 1009;
    m.client.done = end_side;
    m.closed = note_both;
    if (meet(self) == 0)
        side_put(self, &m.client); // it is not connected yet
    return 0;
}

// Goal:   bytes come back whole and in order, and both ends close as they should.
// Method: pieces of an odd size to one that writes back what it reads, and ends when it has all.
static void test_echo(void **state)
{
    (void)state;
    static const struct play play = {.start = start_echo};
    perform_everywhere(&play, "client:end,finish,closed=0 served:end,finish,closed=0 all");
}

static void talk_both(tr_actor *self)
{
    m.served.total = m.client.total;
    m.served.done = end_side;
    side_put(self, &m.served);
}

static int start_both(tr_actor *self)
{
    anew();
    m.client.total = play_many(4 * MIB);
    m.client.done = end_side;
    m.client.piece = 30000;
    m.accepted = talk_both;
    m.listen.half_open = m.connect.half_open = true;
    m.closed = note_both;
    if (meet(self) == 0)
        side_put(self, &m.client);
    return 0;
}

static void test_both_ways_at_once(void **state)
{
    (void)state;
    static const struct play play = {.start = start_both};
    perform_everywhere(&play, "client:end,finish,closed=0 served:end,finish,closed=0 all");
}

// ---- Ends ----

static void answer_at_end(tr_actor *self, struct side *side)
{
    if (side != &m.served || side->got < m.client.total)
        return;
    m.served.total = 10;
    m.served.done = end_side;
    side_put(self, &m.served);
}

static int start_half(tr_actor *self)
{
    anew();
    m.client.total = 10;
    m.client.done = end_side;
    m.got = answer_at_end;
    m.closed = note_both;
    m.listen.half_open = m.connect.half_open = true;
    if (meet(self) == 0)
        side_put(self, &m.client);
    return 0;
}

// Goal:   one whose side has ended still hears the answer.
static void test_half_open(void **state)
{
    (void)state;
    static const struct play play = {.start = start_half};
    perform_everywhere(&play, "client:end,finish,closed=0 served:end,finish,closed=0 all");
}

static void end_served(tr_actor *self)
{
    tr_stream_end(self, m.served.stream);
}

static int start_ended(tr_actor *self)
{
    anew();
    m.accepted = end_served;
    m.closed = note_both;
    meet(self);
    return 0;
}

static void test_the_peers_end_ends_both(void **state)
{
    (void)state;
    static const struct play play = {.start = start_ended};
    perform_everywhere(&play, "client:end,finish,closed=0 served:end,finish,closed=0 all");
}

static void note_client(tr_actor *self, struct side *side)
{
    if (side != &m.client)
        return;
    note_side(side);
    tr_exit(self, TR_NORMAL);
}

static void destroy_served(tr_actor *self, int status, void *arg)
{
    (void)status, (void)arg;
    tr_stream_destroy(self, m.served.stream, 0);
}

// It has what is not read: nobody listens to served.
static void say_hello(tr_actor *self)
{
    tr_stream_on(self, m.served.stream, &writer_events, &m.served);
    m.served.total = 1;
    side_put(self, &m.served);
}

static void answer_hello(tr_actor *self, struct side *side)
{
    tr_buf *chunk;
    if (side != &m.client || tr_buf_copy("unread", 6, &chunk) < 0)
        return;
    tr_stream_write_then(self, m.client.stream, &chunk, destroy_served, NULL);
    tr_buf_unref(&chunk);
}

static int start_reset(tr_actor *self)
{
    anew();
    m.accepted = say_hello;
    m.got = answer_hello;
    m.closed = note_client;
    meet(self);
    return 0;
}

// Goal:   a peer that closes with bytes unread is told from one that has ended.
static void test_reset(void **state)
{
    (void)state;
    static const struct play play = {.start = start_reset};
    perform_everywhere(&play, "client:closed=reset");
}

static void write_on(tr_actor *self, struct side *side)
{
    (void)side;
    if (m.client.closed) {
        note("%s",
             m.client.status == TR_EPIPE || m.client.status == -ECONNRESET ? "gone" : "not told");
        tr_exit(self, TR_NORMAL);
    }
}

static void pour(tr_actor *self, void *arg)
{
    (void)arg;
    m.client.total += 64 * KIB;
    side_put(self, &m.client);
    if (!m.client.closed)
        tr_immediate(self, pour, NULL);
}

static void leave(tr_actor *self)
{
    tr_stream_destroy(self, m.served.stream, 0);
}

static int start_pour(tr_actor *self)
{
    anew();
    m.accepted = leave;
    m.closed = write_on;
    m.connect.half_open = true;
    if (meet(self) < 0)
        return 0;
    tr_stream_on(self, m.client.stream, &writer_events, &m.client); // does not read
    pour(self, NULL);
    return 0;
}

// Goal:   writing to a peer that has gone is an error of the stream, and no signal.
static void test_writing_to_one_that_is_gone(void **state)
{
    (void)state;
    static const struct play play = {.start = start_pour};
    perform_everywhere(&play, "gone");
}

static void close_server(tr_actor *self, int status, void *arg)
{
    (void)status, (void)arg;
    tr_server_close(self, m.server);
}

static void note_gone(tr_actor *self, struct side *side)
{
    bool told = side->status == 0 || side->status == -ECONNRESET || side->status == TR_EPIPE;
    note("%s %s", side->name, told ? "gone" : tr_errname(side->status));
    tr_exit(self, TR_NORMAL);
}

static int start_waiting(tr_actor *self)
{
    anew();
    m.closed = note_gone;
    if (meet(self) < 0)
        return 0;
    tr_buf *chunk = NULL;
    tr_server_pause(self, m.server);
    if (tr_buf_copy("hello", 5, &chunk) == 0) // when that has left it is connected
        tr_stream_write_then(self, m.client.stream, &chunk, close_server, NULL);
    tr_buf_unref(&chunk);
    return 0;
}

static void test_a_server_that_closes_ends_those_who_wait(void **state)
{
    (void)state;
    static const struct play play = {.start = start_waiting};
    perform_everywhere(&play, "client gone");
}

// ---- Pressure ----

static void read_all(tr_actor *self, void *arg)
{
    (void)arg;
    note("%s %s", m.client.waited ? "wait" : "no wait", m.client.full ? "full" : "not full");
    tr_stream_resume(self, m.served.stream);
}

static void fill(tr_actor *self)
{
    tr_stream_pause(self, m.served.stream);
    side_put(self, &m.client);
    tr_immediate(self, read_all, NULL);
}

static int start_pressure(tr_actor *self)
{
    static const tr_stream_opts small = {
        .size = sizeof small, .write_max = 128 * KIB, .write_low = 1};
    anew();
    m.connect.stream = &small;
    m.client.total = 256 * KIB + play_many(16 * MIB);
    m.client.done = end_side;
    m.accepted = fill;
    m.closed = note_both;
    meet(self);
    return 0;
}

// Goal:   one who does not read makes the other one see TR_WAIT, then TR_EFULL; when it reads, the
//         rest comes, in order.
static void test_pressure(void **state)
{
    (void)state;
    static const struct play play = {.start = start_pressure};
    perform_everywhere(&play,
                       "wait full client:end,finish,closed=0 served:end,finish,closed=0 some");
}

// ---- Connecting ----

static void note_refused(tr_actor *self, struct side *side)
{
    int expected = is_local() ? TR_ENOENT : -ECONNREFUSED;
    note("%s", side->status == expected ? "refused" : tr_errname(side->status));
    note_rc(tr_socket_peer(self, side->stream, m.at));
    tr_exit(self, TR_NORMAL);
}

static int start_refused(tr_actor *self)
{
    anew();
    m.closed = note_refused;
    if (meet(self) == 0)
        tr_server_close(self, m.server);
    note_rc(tr_socket_peer(self, m.client.stream, m.at));
    return 0;
}

static void test_nobody_is_there(void **state)
{
    (void)state;
    static const struct play play = {.start = start_refused};
    perform_everywhere(&play, "TR_EAGAIN refused TR_ENOENT");
}

static void note_late(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)stream, (void)arg;
    if (status < 0 && m.count++ == 0) {
        note("%s", tr_errname(status));
        tr_exit(self, TR_NORMAL);
    }
}

static const tr_stream_events late_events = {.closed = note_late};

// Nobody accepts, and there is room for one: of ten, some get no answer.
static int meet_nobody(tr_actor *self)
{
    m.listen.backlog = 1;
    int rc = meet(self);
    tr_server_pause(self, m.server);
    for (int i = 0; i < 10 && rc == 0; i++) {
        tr_stream stream;
        rc = tr_connect(self, m.at, &m.connect, &stream);
        if (rc == 0)
            rc = tr_stream_on(self, stream, &late_events, NULL);
    }
    return rc;
}

static int start_late(tr_actor *self)
{
    anew();
    m.connect.timeout_ms = 20;
    return meet_nobody(self);
}

static void test_no_answer(void **state)
{
    (void)state;
    static const struct play play = {.start = start_late};
    perform_everywhere(&play, "TR_ETIMEDOUT");
}

static int start_cancelled(tr_actor *self)
{
    anew();
    int rc = tr_cancel_after(self, TR_MS(5), &m.connect.cancel);
    return rc < 0 ? rc : meet_nobody(self);
}

static int start_cancelled_at_once(tr_actor *self)
{
    tr_cancel *cancel;
    anew();
    m.closed = note_client;
    int rc = tr_cancel_new(self, &cancel);
    m.connect.cancel = cancel;
    if (rc == 0 && meet(self) == 0)
        tr_cancel_now(cancel);
    return rc;
}

static void test_connecting_is_cancelled(void **state)
{
    (void)state;
    static const struct play later = {.start = start_cancelled};
    static const struct play at_once = {.start = start_cancelled_at_once};
    perform_everywhere(&later, "TR_ECANCELED");
    perform_everywhere(&at_once, "client:closed=TR_ECANCELED");
}

static int start_named(tr_actor *self)
{
    char name[TR_ADDRESS_MAX];
    anew();
    m.closed = note_both;
    m.accepted = end_served;
    m.client.name = "client";
    m.served.name = "served";
    int rc = tr_listen(self, "tcp://[::]:0", NULL, on_accepted, NULL, &m.server);
    if (rc == 0)
        rc = tr_server_address(self, m.server, m.at);
    snprintf(name, sizeof name, "tcp://%.60s%s", socket_host, strrchr(m.at, ':'));
    if (rc == 0)
        rc = tr_connect(self, name, NULL, &m.client.stream);
    return rc < 0 ? rc : tr_stream_on(self, m.client.stream, &side_events, &m.client);
}

// Goal:   a name is looked up, and an address where nobody answers is given up for the next one.
static void test_a_name(void **state)
{
    (void)state;
    static const struct play play = {.start = start_named};
    if (socket_host[0] == '\0')
        skip();
    perform(&play, "client:end,finish,closed=0 served:end,finish,closed=0 all");
}

static void note_unknown(tr_actor *self, tr_stream stream, int status, void *arg)
{
    bool unknown = status == TR_ENOENT || status == TR_EAGAIN; // as without a network
    (void)stream, (void)arg;
    note("%s", unknown ? "unknown" : tr_errname(status));
    tr_exit(self, TR_NORMAL);
}

static int start_unknown(tr_actor *self)
{
    static const tr_stream_events events = {.closed = note_unknown};
    tr_stream stream;
    int rc = tr_connect(self, "tcp://nobody.invalid:80", NULL, &stream);
    return rc < 0 ? rc : tr_stream_on(self, stream, &events, NULL);
}

static void test_a_name_that_is_none(void **state)
{
    (void)state;
    static const struct play play = {.start = start_unknown};
    perform(&play, "unknown");
}

static void let_in(tr_actor *self, void *arg)
{
    (void)arg;
    tr_server_resume(self, m.server);
}

static void count_in(tr_actor *self, tr_stream stream, void *arg)
{
    (void)arg;
    tr_stream_end(self, stream);
    if (++m.count < 10)
        return;
    note("all");
    tr_exit(self, TR_NORMAL);
}

static int start_full(tr_actor *self)
{
    anew();
    int rc = tr_listen(self, address, TR_LISTEN(.backlog = 1), count_in, NULL, &m.server);
    if (rc == 0)
        rc = tr_server_address(self, m.server, m.at);
    tr_server_pause(self, m.server);
    for (int i = 0; i < 10 && rc == 0; i++) {
        tr_stream stream;
        rc = tr_connect(self, m.at, NULL, &stream);
        if (rc == 0)
            rc = tr_stream_on(self, stream, &late_events, NULL);
    }
    if (rc == 0)
        rc = tr_timer_start(self, TR_MS(10), let_in, NULL, NULL);
    return rc;
}

// Goal:   those for whom there is no room in the backlog of a path get in when there is.
static void test_a_full_backlog_is_waited_for(void **state)
{
    (void)state;
    static const struct play play = {.start = start_full};
    snprintf(address, sizeof address, "unix:%s/socket", directory);
    perform(&play, "all");
}

static int start_wrong(tr_actor *self)
{
    static const char *const wrong[] = {"",
                                        "127.0.0.1:80",
                                        "tcp://127.0.0.1",
                                        "tcp://:80",
                                        "tcp://[::1]",
                                        "tcp://::1:80",
                                        "tcp://127.0.0.1:x",
                                        "tcp://127.0.0.1:65536",
                                        "unix:",
                                        "udp://127.0.0.1:1"};
    tr_stream stream;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int rc = tr_connect(self, wrong[i], NULL, &stream);
        if (rc != TR_EINVAL)
            note("%s=%s", wrong[i], tr_errname(rc));
        rc = tr_listen(self, wrong[i], NULL, on_accepted, NULL, NULL);
        if (rc != TR_EINVAL)
            note("%s=%s", wrong[i], tr_errname(rc));
    }
    note_rc(tr_listen(self, "tcp://example.org:80", NULL, on_accepted, NULL, NULL));
    note_rc(tr_listen(self, "tcp://1.2.3:80", NULL, on_accepted, NULL, NULL));
    note_rc(tr_listen(self, address, TR_LISTEN(.backlog = 1u << 20), on_accepted, NULL, NULL));
    note_rc(tr_listen(self, address, NULL, NULL, NULL, NULL));
    note_rc(tr_connect(self, NULL, NULL, &stream));
    note_rc(tr_connect(self, address, NULL, NULL));
    return tr_exit(self, TR_NORMAL);
}

static void test_what_is_no_address(void **state)
{
    (void)state;
    static const struct play play = {.start = start_wrong};
    perform_everywhere(&play, "TR_EINVAL TR_EINVAL TR_EINVAL TR_EINVAL TR_EINVAL TR_EINVAL");
}

// ---- Servers ----

#define CLIENTS 100u

struct crowd {
    tr_stream stream;
    bool heard;
};
static struct crowd crowd[CLIENTS];

static void crowd_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    struct crowd *c = arg;
    (void)chunk;
    c->heard = true;
    tr_stream_end(self, stream);
}

static void crowd_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    struct crowd *c = arg;
    (void)stream;
    if (status != 0 || !c->heard)
        failed(self, "crowd", status);
    if (++m.count < CLIENTS)
        return;
    note("all at most %s", m.client.got <= 7 ? "7" : "too many");
    tr_exit(self, TR_NORMAL);
}

static const tr_stream_events crowd_events = {.data = crowd_data, .closed = crowd_closed};

static void crowd_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    uint32_t open = 0;
    (void)arg;
    tr_stream_on(self, stream, &side_events, &m.served);
    tr_stream_write_bytes(self, stream, "hello", 5);
    tr_server_connections(self, m.server, &open);
    if (open > m.client.got)
        m.client.got = open;
}

static void crowd_side_closed(tr_actor *self, struct side *side)
{
    (void)self, (void)side;
}

static int start_crowd(tr_actor *self)
{
    anew();
    memset(crowd, 0, sizeof crowd);
    m.closed = crowd_side_closed;
    int rc =
        tr_listen(self, address, TR_LISTEN(.connections_max = 7), crowd_accepted, NULL, &m.server);
    if (rc == 0)
        rc = tr_server_address(self, m.server, m.at);
    for (unsigned i = 0; i < CLIENTS && rc == 0; i++) {
        rc = tr_connect(self, m.at, NULL, &crowd[i].stream);
        if (rc == 0)
            rc = tr_stream_on(self, crowd[i].stream, &crowd_events, &crowd[i]);
    }
    return rc;
}

// Goal:   all of a crowd are served, and never more at a time than the server wants.
static void test_a_crowd(void **state)
{
    (void)state;
    static const struct play play = {.start = start_crowd};
    perform_everywhere(&play, "all at most 7");
}

static void compare_addresses(tr_actor *self)
{
    char mine[TR_ADDRESS_MAX] = "?", peer[TR_ADDRESS_MAX] = "!";
    tr_peer_cred cred = {0};
    note_rc(tr_socket_address(self, m.served.stream, mine));
    note("%s", strcmp(mine, m.at) == 0 ? "there" : mine);
    note_rc(tr_socket_address(self, m.client.stream, mine));
    note_rc(tr_socket_peer(self, m.served.stream, peer));
    note("%s", strcmp(mine, peer) == 0 ? "agreed" : peer);
    int rc = tr_socket_peer_cred(self, m.served.stream, &cred);
    note("%s", rc == (is_local() ? 0 : TR_ENOSYS) && cred.same_user == is_local() ? "known" : "?");
    note_rc(tr_socket_tune(self, m.served.stream, true, 60));
    note_rc(tr_listen(self, m.at, NULL, on_accepted, NULL, NULL));
    tr_server_close(self, m.server);
    tr_server_close(self, m.server);
    note_rc(tr_server_address(self, m.server, mine));
    note_rc(tr_server_pause(self, (tr_server){0}));
    tr_exit(self, TR_NORMAL);
}

static void compare_later(tr_actor *self, struct side *side)
{
    (void)side;
    compare_addresses(self);
}

static void greet_client(tr_actor *self)
{
    m.served.total = 1;
    side_put(self, &m.served);
}

static int start_known(tr_actor *self)
{
    anew();
    m.accepted = greet_client;
    m.got = compare_later; // the client knows that it is connected
    meet(self);
    return 0;
}

static void test_who_is_where(void **state)
{
    (void)state;
    static const struct play play = {.start = start_known};
    perform_everywhere(&play, "0 there 0 0 agreed known 0 TR_EADDRINUSE TR_ENOENT TR_ENOENT");
}

// ---- The actor's end ----

// Goal:   an actor may end at any moment of all this, and its node as well, and nothing is left.
static void test_everything_is_cut_short(void **state)
{
    (void)state;
    static const struct play plays[] = {{.start = start_echo},
                                        {.start = start_pressure},
                                        {.start = start_crowd},
                                        {.start = start_late}};
    if (theatre->cut == NULL)
        skip();
    snprintf(address, sizeof address, "unix:%s/socket", directory);
    for (size_t i = 0; i < sizeof plays / sizeof *plays; i++)
        perform_cut(&plays[i]);
    snprintf(address, sizeof address, "tcp://127.0.0.1:0");
    for (size_t i = 0; i < sizeof plays / sizeof *plays && !tr_test_sanitized(); i++)
        perform_cut(&plays[i]); // a sanitizer has seen it all, slowly
}

static int suite(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(test_echo),
        PLAY_TEST(test_both_ways_at_once),
        PLAY_TEST(test_half_open),
        PLAY_TEST(test_the_peers_end_ends_both),
        PLAY_TEST(test_reset),
        PLAY_TEST(test_writing_to_one_that_is_gone),
        PLAY_TEST(test_a_server_that_closes_ends_those_who_wait),
        PLAY_TEST(test_pressure),
        PLAY_TEST(test_nobody_is_there),
        PLAY_TEST(test_no_answer),
        PLAY_TEST(test_connecting_is_cancelled),
        PLAY_TEST(test_a_name),
        PLAY_TEST(test_a_name_that_is_none),
        PLAY_TEST(test_a_full_backlog_is_waited_for),
        PLAY_TEST(test_what_is_no_address),
        PLAY_TEST(test_a_crowd),
        PLAY_TEST(test_who_is_where),
        PLAY_TEST(test_everything_is_cut_short),
    };
    if (mkdtemp(directory) == NULL)
        return 1;
    int failed = cmocka_run_group_tests_name(theatre->name, tests, NULL, NULL);
    return failed + (rmdir(directory) != 0); // not empty: a server has left its file
}

int socket_main(int argc, char **argv, const struct theatre *at)
{
    return play_main(argc, argv, at, TR_APP(&first), suite);
}
