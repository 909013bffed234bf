// Files as streams: readers, writers, and what the kernel moves from one to the other.
//
// A stream's file is opened, read, written and closed by tasks on the pool, one at a time. What a
// task needs it holds itself, so a stream may end under it; what comes back for a stream that is
// gone is dropped. What lies in memory could be read without waiting (RWF_NOWAIT), but from the
// pool it comes as fast or faster: the next piece is read while the last one is looked at or
// written.
//
// Between a reader and a writer, or a socket, that stand side by side in a pipeline the kernel
// moves the bytes, a piece at a time, so that it can be stopped and its totals tell how far it is.
// Whatever goes wrong with that, the bytes go the ordinary way from there on, where it is found out
// who is to blame.
#include <troupe/encoding.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/opts.h"
#include "core/file.h"
#include "core/socket.h"
#include "core/stream.h"

#define MOVE_BYTES  (8u << 20)
#define WRITE_COUNT TR__IOV_MAX

// What readers and writers share.
typedef struct end {
    tr__file_task *opening; // until it is asked to; NULL: it is open
    tr__file *file;
    uint64_t at;
    tr_actor *actor;
    tr_endpoint *door; // what is not ready is waited for; NULL: nothing is
    tr__file_task *waits;
} end;

typedef struct reader {
    end end;
    uint64_t stop;
    size_t high;
    bool decodes; // what is read, before it is pushed
    tr_decoder decoder;
    tr__file *socket; // the next stream's, while the kernel moves. NULL: none
} reader;

typedef struct writer {
    end end;
    bool sync;
} writer;

static const tr_stream_ops reader_ops, writer_ops;

// ---- Opening ----

// gives: what a stream that is to be made begins with
static int end_new(tr_actor *self, const char *path, unsigned flags, uint32_t mode, uint64_t at,
                   end *ret_end)
{
    tr__file_task *t = NULL;
    end e = {.at = at, .actor = self};
    int rc = tr__file_task_new(self, path, NULL, 0, &t);
    if (rc == 0 && (rc = tr__file_new(self, &e.file)) < 0)
        tr__file_task_free(&t);
    if (rc < 0)
        return rc;
    tr__file_task_on(t, e.file);
    t->call.flags = flags;
    t->call.mode = mode;
    t->run = tr__file_run_open;
    e.opening = t;
    *ret_end = e;
    return 0;
}

// The stream is being closed, and waits for its file and nothing else; or it is gone.
static bool end_is_left(const tr__file_task *t)
{
    return t->file->stream.id != 0;
}

static bool opening_done(tr_actor *self, tr__file_task *t, int status)
{
    if (!end_is_left(t))
        tr_stream_done(self, t->stream, status);
    return false;
}

// Both kinds begin with their end.
static int end_construct(tr_actor *self, tr_stream stream, void *state)
{
    end *e = state;
    if (e->opening == NULL)
        return 0;
    e->opening->stream = stream;
    e->opening->done = opening_done;
    int rc = tr__file_task_start(self, &e->opening, NULL);
    return rc < 0 ? rc : TR_LATER;
}

static int end_leave(tr_actor *self, tr_stream stream, end *e)
{
    tr__endpoint_drop(&e->door);
    tr__file_task_free(&e->waits);
    tr__file_task_free(&e->opening);
    return tr__file_leave(self, stream, &e->file);
}

static int end_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    (void)error;
    return end_leave(self, stream, state);
}

// Start a task on the file. moves: *task, always
static int end_start(tr_actor *self, tr_stream stream, const end *e,
                     bool (*done)(tr_actor *self, tr__file_task *task, int status),
                     tr__file_task **task)
{
    tr__file_task *t = *task;
    tr__file_task_on(t, e->file);
    t->call.offset = e->file->seeks ? e->at : TR__FILE_HERE;
    t->stream = stream;
    t->done = done;
    int rc = tr__file_task_start(self, task, NULL);
    tr__file_task_free(task);
    return rc;
}

// ---- Waiting for what is not ready ----

static void end_go_on(tr_actor *self, void *arg)
{
    end *e = arg;
    tr_stream stream = e->waits->stream;
    int rc = tr__file_task_start(self, &e->waits, NULL);
    if (rc < 0)
        tr_stream_destroy(self, stream, rc);
}

static void end_is_ready(void *owner)
{
    end *e = owner;
    tr__endpoint_drop(&e->door);
    tr__socket_turn(e->actor, end_go_on, e);
}

static bool end_is_readable(void *owner)
{
    end_is_ready(owner);
    return false;
}

static void end_door_closed(void *owner)
{
    (void)owner;
    tr_assert(!"a door is dropped with nobody bound to it");
}

// No thread waits: the loop does. moves: task, on success
static int end_wait(end *e, tr__file_task *t)
{
    static const tr_endpoint_up up = {
        .readable = end_is_readable, .writable = end_is_ready, .closed = end_door_closed};
    tr_world *world = t->world;
    int rc = world->ops->file_door(world, e->file->fd, &e->door);
    if (rc < 0)
        return rc;
    e->waits = t;
    world->ops->endpoint_bind(e->door, &up, e);
    world->ops->endpoint_want(e->door, t->call.op == TR__FILE_READ ? TR__READ : TR__WRITE);
    return 0;
}

// ---- Reading ----

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
    r->end.at += n;
    rc = tr_stream_push(self, stream, &view);
    tr_buf_unref(&view);
    return rc < 0 ? rc : 0;
}

static bool reader_done(tr_actor *self, tr__file_task *t, int status)
{
    reader *r = tr_stream_state(self, t->stream, &reader_ops);
    if (r == NULL || end_is_left(t))
        return false;
    if (status == TR_EAGAIN && (status = end_wait(&r->end, t)) == 0)
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

static int reader_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    reader *r = state;
    tr__file_task *t = NULL;
    size_t size = r->stop - r->end.at < r->high ? (size_t)(r->stop - r->end.at) : r->high;
    (void)want; // a file has as much as one likes
    if (size == 0)
        return reader_end(self, stream, r);
    int rc = tr__file_task_read(self, size, &t);
    if (rc < 0)
        return rc;
    t->run = reader_run;
    return end_start(self, stream, &r->end, reader_done, &t);
}

static int reader_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    reader *r = state;
    tr__file_unref(&r->socket);
    return end_destroy(self, stream, state, error);
}

static const tr_stream_ops reader_ops = {.name = "file_reader",
                                         .state_size = sizeof(reader),
                                         .construct = end_construct,
                                         .read = reader_read,
                                         .destroy = reader_destroy};

// ---- Writing ----

static bool writer_done(tr_actor *self, tr__file_task *t, int status)
{
    writer *w = tr_stream_state(self, t->stream, &writer_ops);
    if (w == NULL || end_is_left(t))
        return false;
    if (status == TR_EAGAIN && (status = end_wait(&w->end, t)) == 0)
        return true;
    w->end.at += t->result.bytes;
    tr_stream_done(self, t->stream, status);
    return false;
}

static int writer_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                        size_t count)
{
    writer *w = state;
    tr__file_task *t = NULL;
    int rc = tr__file_task_write(self, chunks, count, &t);
    if (rc == 0)
        rc = end_start(self, stream, &w->end, writer_done, &t);
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
    tr__file_task *t = NULL;
    int rc = tr__file_task_new(self, NULL, NULL, 0, &t);
    if (rc < 0)
        return rc;
    t->call.op = w->sync ? TR__FILE_SYNC : TR__FILE_CLOSE;
    t->run = writer_run_final;
    rc = end_start(self, stream, &w->end, writer_done, &t);
    return rc < 0 ? rc : TR_LATER;
}

static const tr_stream_ops writer_ops = {.name = "file_writer",
                                         .state_size = sizeof(writer),
                                         .write_count = WRITE_COUNT,
                                         .construct = end_construct,
                                         .write = writer_write,
                                         .final = writer_final,
                                         .destroy = end_destroy};

// ---- From one to the other ----

static bool move_done(tr_actor *self, tr__file_task *t, int status)
{
    const tr_stream *to = (const tr_stream *)(void *)t->room;
    reader *r = tr_stream_state(self, t->stream, &reader_ops);
    writer *w = tr_stream_state(self, *to, &writer_ops);
    tr__socket *socket = tr_stream_state(self, *to, &tr__socket_ops);
    uint64_t bytes = t->result.bytes;
    if (r != NULL)
        r->end.at += bytes;
    if (w != NULL)
        w->end.at += bytes;
    bool full = bytes < t->call.size && (bytes > 0 || status == TR_EAGAIN);
    if (full && socket != NULL && socket->endpoint != NULL) {
        tr__socket_await(socket);
        tr__stream_moved_full(self, t->stream, *to, bytes);
    } else {
        tr__stream_moved(self, t->stream, *to, bytes);
    }
    return false;
}

// On a thread.
static int move_run(tr__file_task *t)
{
    int64_t n = t->world->ops->file(t->world, &t->call);
    t->result.bytes = n > 0 ? (uint64_t)n : 0;
    return n < 0 ? (int)n : 0;
}

// Threads have a descriptor of their own for a socket, which may be closed under them.
static tr__file *socket_twin(reader *r, const tr__stream *to)
{
    const tr__socket *socket = (const tr__socket *)(const void *)to->state;
    tr_world *world = to->actor->loop->world;
    if (r->socket == NULL && tr__file_new(to->actor, &r->socket) == 0)
        r->socket->fd = world->ops->endpoint_twin(socket->endpoint);
    return r->socket;
}

// The file that a stream writes to. returns: NULL: not one to be moved into
static tr__file *move_target(reader *r, const tr__stream *to)
{
    const writer *w = (const writer *)(const void *)to->state;
    tr__file *f = to->ops == &writer_ops       ? w->end.file
                  : to->ops == &tr__socket_ops ? socket_twin(r, to)
                                               : NULL;
    return f == NULL || f->fd < 0 || (to->ops == &writer_ops && !f->seeks) ? NULL : f;
}

static bool reader_move(tr__stream *s, tr__stream *to)
{
    reader *r = (reader *)(void *)s->state;
    tr__file *target = move_target(r, to);
    tr__file_task *t = NULL;
    uint64_t left = r->stop - r->end.at;
    if (target == NULL || !r->end.file->seeks || left == 0 ||
        tr__file_task_new(s->actor, NULL, NULL, sizeof(tr_stream), &t) < 0)
        return false;
    *(tr_stream *)(void *)t->room = tr__stream_handle(to);
    t->call.op = to->ops == &writer_ops ? TR__FILE_MOVE : TR__FILE_SEND;
    t->call.to_fd = target->fd;
    t->call.size = left < MOVE_BYTES ? left : MOVE_BYTES;
    if (to->ops == &writer_ops)
        t->call.to_offset = ((const writer *)(const void *)to->state)->end.at;
    t->to = target;
    target->refs++;
    t->run = move_run;
    return end_start(s->actor, tr__stream_handle(s), &r->end, move_done, &t) == 0;
}

// ---- Making ----

#define READER_FLAGS TR_OPEN_NO_FOLLOW
#define WRITER_FLAGS                                                                               \
    (TR_OPEN_READ | TR_OPEN_WRITE | TR_OPEN_CREATE | TR_OPEN_EXCLUSIVE | TR_OPEN_TRUNCATE |        \
     TR_OPEN_APPEND | TR_OPEN_NO_FOLLOW)

static int reader_opts(tr_actor *self, const tr_file_read_opts *given, tr_file_read_opts *o,
                       tr_encoding *encoding)
{
    *encoding = TR_UTF8;
    if (tr__opts_copy(given, o, sizeof *o) < 0 || !tr__actor_here(self) ||
        (o->flags & ~(unsigned)READER_FLAGS) != 0 || o->start > INT64_MAX || o->end > INT64_MAX ||
        (o->end != 0 && o->end < o->start) ||
        (o->encoding != NULL && tr_encoding_named(o->encoding, encoding) < 0))
        return TR_EINVAL;
    return 0;
}

// moves: *e, on success
static int reader_new(tr_actor *self, const end *e, const tr_file_read_opts *o,
                      tr_encoding encoding, tr_stream *ret_stream)
{
    tr__stream *s;
    int rc = tr_stream_new(self, &reader_ops, TR_STREAM(.read_high = o->high), ret_stream);
    if (rc == 0)
        rc = tr__stream_of(self, *ret_stream, &s);
    if (rc < 0)
        return rc;
    reader *r = (reader *)(void *)s->state;
    *r = (reader){.end = *e,
                  .stop = o->end != 0 ? o->end : INT64_MAX,
                  .high = s->read.high,
                  .decodes = o->encoding != NULL};
    tr_decoder_init(&r->decoder, encoding);
    s->move = r->decodes ? NULL : reader_move;
    return 0;
}

int tr_file_reader(tr_actor *self, const char *path, const tr_file_read_opts *opts,
                   tr_stream *ret_stream)
{
    tr_file_read_opts o;
    tr_encoding encoding;
    end e;
    int rc = path == NULL ? TR_EINVAL : reader_opts(self, opts, &o, &encoding);
    if (rc == 0)
        rc = end_new(self, path, o.flags | TR_OPEN_READ, 0, o.start, &e);
    if (rc < 0)
        return rc;
    rc = reader_new(self, &e, &o, encoding, ret_stream);
    if (rc < 0)
        end_leave(self, (tr_stream){0}, &e);
    return rc;
}

int tr_file_reader_on(tr_actor *self, tr_file *file, const tr_file_read_opts *opts,
                      tr_stream *ret_stream)
{
    tr_file_read_opts o;
    tr_encoding encoding;
    tr__file *f = NULL;
    int rc =
        file == NULL || ret_stream == NULL ? TR_EINVAL : reader_opts(self, opts, &o, &encoding);
    if (rc == 0)
        rc = tr__file_at_rest(self, *file, &f);
    if (rc == 0)
        rc = reader_new(self, &(end){.file = f, .at = o.start, .actor = self}, &o, encoding,
                        ret_stream);
    if (rc < 0)
        return rc;
    tr__file_take(f);
    *file = (tr_file){0};
    return 0;
}

int tr_file_writer(tr_actor *self, const char *path, const tr_file_write_opts *opts,
                   tr_stream *ret_stream)
{
    tr_file_write_opts o;
    writer like = {.sync = false};
    if (tr__opts_copy(opts, &o, sizeof o) < 0 || !tr__actor_here(self) || path == NULL ||
        (o.flags & ~(unsigned)(WRITER_FLAGS | TR_FILE_SYNC)) != 0 || o.start > INT64_MAX)
        return TR_EINVAL;
    like.sync = (o.flags & TR_FILE_SYNC) != 0;
    o.flags &= WRITER_FLAGS;
    if (o.flags == 0)
        o.flags = TR_OPEN_CREATE | TR_OPEN_TRUNCATE;
    int rc = end_new(self, path, o.flags | TR_OPEN_WRITE, o.mode, o.start, &like.end);
    if (rc < 0)
        return rc;
    rc = tr_stream_new(self, &writer_ops, TR_STREAM(.write_high = o.high), ret_stream);
    if (rc == 0)
        *(writer *)tr_stream_state(self, *ret_stream, &writer_ops) = like;
    else
        end_leave(self, (tr_stream){0}, &like.end);
    return rc;
}
