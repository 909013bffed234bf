// Files as streams: readers, writers, and what the kernel moves from one to the other.
//
// A stream's file is opened, read, written and closed by tasks on the pool, one at a time. What a
// task needs it holds itself, so a stream may end under it; what comes back for a stream that is
// gone is dropped. A reader first asks for what lies in memory, which does not wait and saves the
// way to a thread and back; what does not comes from the pool.
//
// Between a reader and a writer that stand side by side in a pipeline the kernel moves the bytes,
// a piece at a time, so that it can be stopped and its totals tell how far it is. Whatever goes
// wrong with that, the bytes go the ordinary way from there on, where it is found out who is to
// blame.
#include <troupe/encoding.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/opts.h"
#include "core/file.h"
#include "core/stream.h"

#define MOVE_BYTES  (8u << 20)
#define WRITE_COUNT TR__IOV_MAX

typedef struct reader {
    tr__file_task *opening; // until it is asked to
    tr__file *file;
    uint64_t at, end;
    size_t high;
    bool tries;   // reads that do not wait
    bool decodes; // what is read, before it is pushed
    tr_decoder decoder;
} reader;

typedef struct writer {
    tr__file_task *opening;
    tr__file *file;
    uint64_t at;
    bool sync;
} writer;

static const tr_stream_ops reader_ops, writer_ops;

// ---- Opening ----

// A file that is to be opened, and the task that does, for a stream that is to be made.
static int opening_new(tr_actor *self, const char *path, unsigned flags, uint32_t mode,
                       tr__file **ret_file, tr__file_task **ret_task)
{
    tr__file_task *t;
    int rc = tr__file_task_new(self, path, NULL, 0, &t);
    if (rc == 0 && (rc = tr__file_new(self, ret_file)) < 0)
        tr__file_task_free(&t);
    if (rc < 0)
        return rc;
    tr__file_task_on(t, *ret_file);
    t->call.flags = flags;
    t->call.mode = mode;
    t->run = tr__file_run_open;
    *ret_task = t;
    return 0;
}

// It waits for its file to be closed, and for nothing else, or is gone.
static bool stream_is_left(const tr__file_task *t)
{
    return t->file->stream.id != 0;
}

static bool opening_done(tr_actor *self, tr__file_task *t, int status)
{
    if (!stream_is_left(t))
        tr_stream_done(self, t->stream, status);
    return false;
}

// moves: *opening, on success
static int opening_start(tr_actor *self, tr_stream stream, tr__file_task **opening)
{
    (*opening)->stream = stream;
    (*opening)->done = opening_done;
    int rc = tr__file_task_start(self, opening, NULL);
    return rc < 0 ? rc : TR_LATER;
}

// Start a task of a stream on its file. moves: *task, always
static int stream_start(tr_actor *self, tr_stream stream, tr__file *file, uint64_t at,
                        bool (*done)(tr_actor *self, tr__file_task *task, int status),
                        tr__file_task **task)
{
    tr__file_task *t = *task;
    tr__file_task_on(t, file);
    t->call.offset = file->seeks ? at : TR__FILE_HERE;
    t->stream = stream;
    t->done = done;
    int rc = tr__file_task_start(self, task, NULL);
    tr__file_task_free(task);
    return rc;
}

// What is not ready is asked for again, behind the others that want a thread.
static bool stream_asks_again(tr_actor *self, tr__file_task *t, int status)
{
    return status == TR_EAGAIN && tr__file_task_start(self, &t, NULL) == 0;
}

// ---- Reading ----

static int reader_construct(tr_actor *self, tr_stream stream, void *state)
{
    reader *r = state;
    return opening_start(self, stream, &r->opening);
}

// A view of the bytes, or a copy of few of them, which would keep much for little.
static int chunk_cut(tr_buf *chunk, size_t size, tr_buf **ret_chunk)
{
    return size < tr_buf_size(chunk) / 4 ? tr_buf_copy(tr_buf_data(chunk), size, ret_chunk)
                                         : tr_buf_slice(chunk, 0, size, ret_chunk);
}

// All has been read.
static int reader_end(tr_actor *self, tr_stream stream, reader *r)
{
    tr_buf *text = NULL;
    int rc = r->decodes ? tr_decoder_end(&r->decoder, &text) : 0;
    if (rc == 0 && text != NULL)
        rc = tr_stream_push(self, stream, &text);
    tr_buf_unref(&text);
    if (rc >= 0)
        rc = tr_stream_push(self, stream, NULL);
    return rc < 0 ? rc : 0;
}

// n: bytes of the chunk. 0: there are no more
static int reader_got(tr_actor *self, tr_stream stream, reader *r, tr_buf *chunk, size_t n)
{
    tr_buf *view;
    if (n == 0)
        return reader_end(self, stream, r);
    int rc = r->decodes ? tr_decoder_push(&r->decoder, (tr_bytes){tr_buf_data(chunk), n}, &view)
                        : chunk_cut(chunk, n, &view);
    if (rc < 0)
        return rc;
    r->at += n;
    rc = tr_stream_push(self, stream, &view);
    tr_buf_unref(&view);
    return rc < 0 ? rc : 0;
}

static bool reader_done(tr_actor *self, tr__file_task *t, int status)
{
    reader *r = tr_stream_state(self, t->stream, &reader_ops);
    if (r == NULL || stream_is_left(t))
        return false;
    if (stream_asks_again(self, t, status))
        return true;
    if (status == 0)
        status = reader_got(self, t->stream, r, t->chunk, (size_t)t->result.bytes);
    if (status < 0)
        tr_stream_destroy(self, t->stream, status);
    return false;
}

// On a thread: read, and at the end look whether that is where it was.
static int reader_run(tr__file_task *t)
{
    tr_file_info info;
    int rc = tr__file_run_read(t);
    if (rc < 0 || t->result.bytes > 0 || !t->file->seeks || t->call.offset >= t->file->info.bytes)
        return rc;
    rc = (int)t->world->ops->file(
        t->world, &(tr__file_call){.op = TR__FILE_FSTAT, .fd = t->file->fd, .info = &info});
    return rc == 0 && info.bytes < t->file->info.bytes ? -ENODATA : rc;
}

// Returns what was there at once, or TR_EAGAIN.
static int64_t reader_try(reader *r, const tr__file_task *t)
{
    if (!r->tries)
        return TR_EAGAIN;
    tr__file_call call = t->call;
    call.fd = r->file->fd;
    call.offset = r->at;
    call.at_once = true;
    int64_t n = t->world->ops->file(t->world, &call);
    r->tries = n > 0 || n == TR_EAGAIN; // its end and its errors are for the pool to find
    return n > 0 ? n : TR_EAGAIN;
}

static int reader_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    reader *r = state;
    tr__file_task *t;
    size_t size = r->end - r->at < r->high ? (size_t)(r->end - r->at) : r->high;
    (void)want; // a file has as much as one likes
    if (size == 0)
        return reader_end(self, stream, r);
    int rc = tr__file_task_read(self, size, &t);
    if (rc < 0)
        return rc;
    int64_t n = reader_try(r, t);
    if (n > 0) {
        rc = reader_got(self, stream, r, t->chunk, (size_t)n);
        tr__file_task_free(&t);
        return rc;
    }
    t->run = reader_run;
    return stream_start(self, stream, r->file, r->at, reader_done, &t);
}

static int reader_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    reader *r = state;
    (void)error;
    tr__file_task_free(&r->opening);
    return tr__file_leave(self, stream, &r->file);
}

static const tr_stream_ops reader_ops = {.name = "file_reader",
                                         .state_size = sizeof(reader),
                                         .construct = reader_construct,
                                         .read = reader_read,
                                         .destroy = reader_destroy};

// ---- Writing ----

static int writer_construct(tr_actor *self, tr_stream stream, void *state)
{
    writer *w = state;
    return opening_start(self, stream, &w->opening);
}

static bool writer_done(tr_actor *self, tr__file_task *t, int status)
{
    writer *w = tr_stream_state(self, t->stream, &writer_ops);
    if (w == NULL || stream_is_left(t))
        return false;
    if (stream_asks_again(self, t, status))
        return true;
    w->at += t->result.bytes;
    tr_stream_done(self, t->stream, status);
    return false;
}

static int writer_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                        size_t count)
{
    writer *w = state;
    tr__file_task *t;
    int rc = tr__file_task_write(self, chunks, count, &t);
    if (rc == 0)
        rc = stream_start(self, stream, w->file, w->at, writer_done, &t);
    return rc < 0 ? rc : TR_LATER;
}

// On a thread. What the system has held back comes out when it is closed.
static int writer_run_final(tr__file_task *t)
{
    const tr__file_call sync = {.op = TR__FILE_SYNC, .fd = t->file->fd};
    int rc = t->call.op == TR__FILE_SYNC ? (int)t->world->ops->file(t->world, &sync) : 0;
    int closed = tr__file_run_close(t);
    return rc < 0 ? rc : closed;
}

static int writer_final(tr_actor *self, tr_stream stream, void *state)
{
    writer *w = state;
    tr__file_task *t;
    int rc = tr__file_task_new(self, NULL, NULL, 0, &t);
    if (rc < 0)
        return rc;
    t->call.op = w->sync ? TR__FILE_SYNC : TR__FILE_CLOSE;
    t->run = writer_run_final;
    rc = stream_start(self, stream, w->file, 0, writer_done, &t);
    return rc < 0 ? rc : TR_LATER;
}

static int writer_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    writer *w = state;
    (void)error;
    tr__file_task_free(&w->opening);
    return tr__file_leave(self, stream, &w->file);
}

static const tr_stream_ops writer_ops = {.name = "file_writer",
                                         .state_size = sizeof(writer),
                                         .write_count = WRITE_COUNT,
                                         .construct = writer_construct,
                                         .write = writer_write,
                                         .final = writer_final,
                                         .destroy = writer_destroy};

// ---- From one to the other ----

static bool move_done(tr_actor *self, tr__file_task *t, int status)
{
    const tr_stream *to = (const tr_stream *)(void *)t->room;
    reader *r = tr_stream_state(self, t->stream, &reader_ops);
    writer *w = tr_stream_state(self, *to, &writer_ops);
    uint64_t bytes = status == 0 ? t->result.bytes : 0;
    if (r != NULL)
        r->at += bytes;
    if (w != NULL)
        w->at += bytes;
    tr__stream_moved(self, t->stream, *to, bytes);
    return false;
}

// On a thread. An error means the same as nothing: the ordinary way.
static int move_run(tr__file_task *t)
{
    int64_t n = t->world->ops->file(t->world, &t->call);
    t->result.bytes = n > 0 ? (uint64_t)n : 0;
    return 0;
}

static bool reader_move(tr__stream *s, tr__stream *to)
{
    const reader *r = (const reader *)(const void *)s->state;
    const writer *w = (const writer *)(const void *)to->state;
    tr__file_task *t;
    uint64_t left = r->end - r->at;
    if (to->ops != &writer_ops || !r->file->seeks || !w->file->seeks || left == 0 ||
        tr__file_task_new(s->actor, NULL, NULL, sizeof(tr_stream), &t) < 0)
        return false;
    *(tr_stream *)(void *)t->room = tr__stream_handle(to);
    t->call.op = TR__FILE_MOVE;
    t->call.to_fd = w->file->fd;
    t->call.to_offset = w->at;
    t->call.size = left < MOVE_BYTES ? left : MOVE_BYTES;
    t->to = w->file;
    w->file->refs++;
    t->run = move_run;
    return stream_start(s->actor, tr__stream_handle(s), r->file, r->at, move_done, &t) == 0;
}

// ---- Making ----

#define READER_FLAGS TR_OPEN_NO_FOLLOW
#define WRITER_FLAGS                                                                               \
    (TR_OPEN_READ | TR_OPEN_WRITE | TR_OPEN_CREATE | TR_OPEN_EXCLUSIVE | TR_OPEN_TRUNCATE |        \
     TR_OPEN_APPEND | TR_OPEN_NO_FOLLOW)

int tr_file_reader(tr_actor *self, const char *path, const tr_file_read_opts *opts,
                   tr_stream *ret_stream)
{
    tr_file_read_opts o;
    tr__file *file;
    tr__file_task *opening;
    tr_encoding encoding = TR_UTF8;
    if (tr__opts_copy(opts, &o, sizeof o) < 0 || !tr__actor_here(self) || path == NULL ||
        (o.flags & ~(unsigned)READER_FLAGS) != 0 || o.start > INT64_MAX || o.end > INT64_MAX ||
        (o.end != 0 && o.end < o.start) ||
        (o.encoding != NULL && tr_encoding_named(o.encoding, &encoding) < 0))
        return TR_EINVAL;
    int rc = opening_new(self, path, o.flags | TR_OPEN_READ, 0, &file, &opening);
    if (rc < 0)
        return rc;
    rc = tr_stream_new(self, &reader_ops, TR_STREAM(.read_high = o.high), ret_stream);
    if (rc < 0) {
        tr__file_task_free(&opening);
        tr__file_unref(&file);
        return rc;
    }
    tr__stream *s;
    tr__stream_of(self, *ret_stream, &s);
    s->move = o.encoding == NULL ? reader_move : NULL;
    *(reader *)(void *)s->state = (reader){.opening = opening,
                                           .file = file,
                                           .at = o.start,
                                           .end = o.end != 0 ? o.end : INT64_MAX,
                                           .high = s->read.high,
                                           .tries = true,
                                           .decodes = o.encoding != NULL};
    tr_decoder_init(&((reader *)(void *)s->state)->decoder, encoding);
    return 0;
}

int tr_file_writer(tr_actor *self, const char *path, const tr_file_write_opts *opts,
                   tr_stream *ret_stream)
{
    tr_file_write_opts o;
    tr__file *file;
    tr__file_task *opening;
    if (tr__opts_copy(opts, &o, sizeof o) < 0 || !tr__actor_here(self) || path == NULL ||
        (o.flags & ~(unsigned)(WRITER_FLAGS | TR_FILE_SYNC)) != 0 || o.start > INT64_MAX)
        return TR_EINVAL;
    unsigned flags = o.flags & WRITER_FLAGS;
    if (flags == 0)
        flags = TR_OPEN_CREATE | TR_OPEN_TRUNCATE;
    int rc = opening_new(self, path, flags | TR_OPEN_WRITE, o.mode, &file, &opening);
    if (rc < 0)
        return rc;
    rc = tr_stream_new(self, &writer_ops, TR_STREAM(.write_high = o.high), ret_stream);
    if (rc < 0) {
        tr__file_task_free(&opening);
        tr__file_unref(&file);
        return rc;
    }
    writer *w = tr_stream_state(self, *ret_stream, &writer_ops);
    *w = (writer){
        .opening = opening, .file = file, .at = o.start, .sync = (o.flags & TR_FILE_SYNC) != 0};
    return 0;
}
