// Goal:   whatever fails in a pipeline, and whenever, one callback says why, all of its streams are
//         closed, and no descriptor is left.
// Method: pipelines of files, sockets and transforms of our own, in which the source, the transform
//         or the sink fails at its start, in the middle, or at its end. The descriptors of the
//         process are counted before and after each.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/ipc.h"

#define FILE_BYTES  (1u << 20)
#define LARGE_BYTES (256u << 20)     // more than sockets hold: zeros that take no room
#define LIMIT_BYTES (FILE_BYTES / 2) // where a file may not grow any more

// ---- A transform that fails where it is told to ----

struct middle {
    int at; // the chunk that fails; -1: the flush; INT_MAX: nothing
    int error;
};

static int middle_fail(struct middle *m, int at)
{
    return m->at == at ? m->error : 0;
}

static int middle_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    struct middle *m = state;
    int rc = middle_fail(m, 0);
    m->at -= m->at > 0;
    tr_buf *same = tr_buf_ref(chunk);
    if (rc == 0)
        rc = tr_stream_push(self, stream, &same);
    tr_buf_unref(&same);
    return rc < 0 ? rc : 0;
}

static int middle_flush(tr_actor *self, tr_stream stream, void *state)
{
    (void)self, (void)stream;
    return middle_fail(state, -1);
}

static const tr_stream_ops middle_ops = {.name = "middle",
                                         .state_size = sizeof(struct middle),
                                         .transform = middle_transform,
                                         .flush = middle_flush};

// ---- What is tried ----

typedef enum sink_kind { TO_FILE, TO_SOCKET, TO_SOCKET_THAT_CLOSES, TO_NOBODY } sink_kind;

static struct
try {
    const char *what;
    const char *from; // NULL: a file of FILE_BYTES; or of LARGE_BYTES for a peer that leaves
    struct middle middle;
    bool straight; // without the transform: the kernel may copy
    sink_kind to;
    const char *path; // of the sink; NULL: a new file
    bool limited;     // files may not grow beyond LIMIT_BYTES
    int expected, or_else;
}
tries[] = {
    {.what = "nothing fails", .middle = {9999, 0}},
    {.what = "nothing fails, straight", .straight = true},
    {.what = "nothing fails, to a socket", .middle = {9999, 0}, .to = TO_SOCKET},
    {.what = "nothing fails, straight to a socket", .straight = true, .to = TO_SOCKET},
    {.what = "no source", .from = "/nowhere/at/all", .middle = {9999, 0}, .expected = -ENOENT},
    {.what = "a directory", .from = "/", .middle = {9999, 0}, .expected = -EISDIR},
    {.what = "a directory, straight", .from = "/", .straight = true, .expected = -EISDIR},
    {.what = "a source that cannot be read",
     .from = "/proc/self/mem",
     .middle = {9999, 0},
     .expected = -EIO},
    {.what = "the same, straight", .from = "/proc/self/mem", .straight = true, .expected = -EIO},
    {.what = "the same, to a socket",
     .from = "/proc/self/mem",
     .straight = true,
     .to = TO_SOCKET,
     .expected = -EIO},
    {.what = "a transform at its start", .middle = {0, TR_EBADMSG}, .expected = TR_EBADMSG},
    {.what = "a transform in the middle", .middle = {5, TR_EBADMSG}, .expected = TR_EBADMSG},
    {.what = "a transform at its flush", .middle = {-1, TR_EBADMSG}, .expected = TR_EBADMSG},
    {.what = "a transform before a socket",
     .middle = {5, TR_EBADMSG},
     .to = TO_SOCKET,
     .expected = TR_EBADMSG},
    {.what = "no such directory",
     .middle = {9999, 0},
     .path = "/nowhere/at/all",
     .expected = -ENOENT},
    {.what = "no such directory, straight",
     .straight = true,
     .path = "/nowhere/at/all",
     .expected = -ENOENT},
    {.what = "a full device", .middle = {9999, 0}, .path = "/dev/full", .expected = -ENOSPC},
    {.what = "a full device, straight", .straight = true, .path = "/dev/full", .expected = -ENOSPC},
    {.what = "a sink that is full in the middle",
     .middle = {9999, 0},
     .limited = true,
     .expected = -EFBIG},
    {.what = "the same, straight", .straight = true, .limited = true, .expected = -EFBIG},
    {.what = "nobody listens", .middle = {9999, 0}, .to = TO_NOBODY, .expected = -ECONNREFUSED},
    {.what = "a peer that leaves",
     .middle = {9999, 0},
     .to = TO_SOCKET_THAT_CLOSES,
     .expected = TR_EPIPE,
     .or_else = -ECONNRESET},
    {.what = "a peer that leaves, straight",
     .straight = true,
     .to = TO_SOCKET_THAT_CLOSES,
     .expected = TR_EPIPE,
     .or_else = -ECONNRESET},
};

static const struct try *now;
static int told, status;
static tr_server server;
static tr_stream peer; // at the other end of the sink's socket

// ---- The actor ----

static size_t descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void peer_closed(tr_actor *self, tr_stream stream, int why, void *arg)
{
    (void)stream, (void)why, (void)arg;
    if (told > 0)
        tr_exit(self, TR_NORMAL);
}

static void peer_has(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)chunk, (void)arg;
    if (now->to == TO_SOCKET_THAT_CLOSES)
        tr_stream_destroy(self, stream, 0);
}

static void accepted(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events events = {.data = peer_has, .closed = peer_closed};
    (void)arg;
    peer = stream;
    tr_server_close(self, server);
    tr_stream_on(self, stream, &events, NULL);
}

// The pipeline's word. Where there is a peer it hears of the end, or has; then that was all.
static void done(tr_actor *self, int how, void *arg)
{
    tr_stream_info info;
    (void)arg;
    told++;
    status = how;
    if (tr_stream_info_get(self, peer, &info) < 0)
        tr_exit(self, TR_NORMAL);
}

static int open_socket(tr_actor *self, tr_stream *ret_sink)
{
    char address[TR_ADDRESS_MAX];
    int rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, accepted, NULL, &server);
    if (rc == 0)
        rc = tr_server_address(self, server, address);
    if (rc == 0 && now->to == TO_NOBODY)
        tr_server_close(self, server);
    return rc < 0 ? rc : tr_connect(self, address, NULL, ret_sink);
}

static int open_sink(tr_actor *self, tr_stream *ret_sink)
{
    if (now->to != TO_FILE)
        return open_socket(self, ret_sink);
    return tr_file_writer(self, now->path != NULL ? now->path : tr_test_path("to"), NULL, ret_sink);
}

static const char *source_path(void)
{
    if (now->from != NULL)
        return now->from;
    return tr_test_path(now->to == TO_SOCKET_THAT_CLOSES ? "large" : "from");
}

static int actor_start(tr_actor *self, const tr_val *args)
{
    tr_stream streams[3];
    size_t count = 0;
    (void)args;
    int rc = tr_file_reader(self, source_path(), NULL, &streams[count++]);
    if (rc == 0 && !now->straight) {
        rc = tr_stream_new(self, &middle_ops, NULL, &streams[count++]);
        if (rc == 0)
            *(struct middle *)tr_stream_state(self, streams[1], &middle_ops) = now->middle;
    }
    if (rc == 0)
        rc = open_sink(self, &streams[count++]);
    return rc < 0 ? rc : tr_pipeline(self, streams, count, NULL, done, NULL);
}
static const tr_behavior actor = {.name = "actor", .start = actor_start};

// ---- The test ----

static void make_sources(void)
{
    char bytes[4096] = "bytes";
    FILE *file = fopen(tr_test_path("from"), "w");
    assert_non_null(file);
    for (size_t n = 0; n < FILE_BYTES; n += sizeof bytes)
        assert_int_equal(1, fwrite(bytes, sizeof bytes, 1, file));
    assert_int_equal(0, fclose(file));
    file = fopen(tr_test_path("large"), "w");
    assert_non_null(file);
    assert_int_equal(0, ftruncate(fileno(file), LARGE_BYTES));
    assert_int_equal(0, fclose(file));
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = bytes;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &limit));
}

static void run_try(const struct try *t)
{
    now = t;
    told = 0;
    status = 1;
    peer = (tr_stream){0};
    if (t->limited)
        limit_files(LIMIT_BYTES);
    int rc = TR_RUN(TR_APP(&actor), &actor, TR_NULL);
    if (t->limited)
        limit_files(RLIM_INFINITY);
    if (rc != 0 || told != 1 ||
        (status != t->expected && (t->or_else == 0 || status != t->or_else)))
        fail_msg("%s: run %d, told %d times, %s", t->what, rc, told, tr_strerror(status));
}

static void one_callback_tells_why_and_nothing_is_left_open(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    make_sources();
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        size_t before = descriptors();
        run_try(&tries[i]);
        assert_int_equal(before, descriptors());
    }
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(one_callback_tells_why_and_nothing_is_left_open),
};
TR_TEST_MAIN("ipc/pipeline_errors", TR_APP(&actor), tests)
