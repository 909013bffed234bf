// tr_exec: a program whose output is collected.
//
// Each stream flows into a collection with a limit. What comes above it is what at_limit says: the
// stream is paused, or read on and counted, or the program is stopped. One that is paused will not
// come to its end: it is closed when the program is dead.
//
// It belongs to its actor, as its program and its streams do; each of them may be closed first.
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/opts.h"
#include "core/process.h"

#define BYTES_MIN 256u

typedef struct collection {
    struct exec *exec;
    tr_stream stream; // {0}: there is none
    char *bytes;
    size_t size, capacity;
    uint64_t total;
    bool cut;
} collection;

typedef struct exec {
    tr__owned owned;
    tr_actor *actor;
    tr_process process;
    tr_exec_opts opts;
    tr_executed cb;
    void *arg;
    int error; // that collecting came to
    collection out, err;
} exec;

static void exec_free(exec *e)
{
    tr__list_remove(&e->owned.link);
    tr__free(e->out.bytes);
    tr__free(e->err.bytes);
    tr__free(e);
}

static void exec_close_owned(tr__owned *owned)
{
    exec_free(tr__container(owned, exec, owned));
}

// ---- Collecting ----

// With room for a NUL behind it.
static int collection_reserve(collection *c, size_t size)
{
    if (size < c->capacity)
        return 0;
    size_t capacity = c->capacity < BYTES_MIN ? BYTES_MIN : c->capacity * 2;
    if (capacity <= size)
        capacity = size + 1;
    char *bytes = tr__resize(c->bytes, capacity);
    if (bytes == NULL)
        return TR_ENOMEM;
    c->bytes = bytes;
    c->capacity = capacity;
    return 0;
}

static void collection_hold(collection *c)
{
    exec *e = c->exec;
    int fd = c == &e->out ? 1 : 2;
    tr_stream_pause(e->actor, c->stream);
    if (e->opts.full != NULL)
        e->opts.full(e->actor, e->process, fd, e->arg);
    else
        tr__warn("exec.full", "fd=%d bytes=%zu: the program waits until it is stopped", fd,
                 c->size);
}

static void collection_full(collection *c)
{
    exec *e = c->exec;
    bool first = !c->cut;
    c->cut = true;
    if (first && e->opts.at_limit == TR_EXEC_STOP)
        tr__process_stop(e->actor, e->process, TR_ETOOBIG);
    else if (e->opts.at_limit == TR_EXEC_HOLD)
        collection_hold(c);
}

static void collection_take(collection *c, const char *bytes, size_t size)
{
    size_t room = c->exec->opts.bytes_max - c->size, part = size < room ? size : room;
    c->total += size;
    if (part > 0 && collection_reserve(c, c->size + part) < 0) {
        c->exec->error = TR_ENOMEM;
        tr__process_stop(c->exec->actor, c->exec->process, TR_ENOMEM);
        return;
    }
    if (part > 0)
        memcpy(c->bytes + c->size, bytes, part);
    c->size += part;
    if (part < size)
        collection_full(c);
}

static void collection_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)self, (void)stream;
    collection *c = arg;
    if (c->exec->error == 0)
        collection_take(c, tr_buf_data(chunk), tr_buf_size(chunk));
}

static void collection_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)status;
    ((collection *)arg)->stream = (tr_stream){0};
}

static int collection_open(exec *e, collection *c, int fd)
{
    static const tr_stream_events events = {.data = collection_data, .closed = collection_closed};
    c->exec = e;
    int rc = tr_process_stream(e->actor, e->process, fd, &c->stream);
    if (rc == 0)
        rc = tr_stream_on(e->actor, c->stream, &events, c);
    return rc == TR_ENOENT ? 0 : rc; // it is no pipe
}

static tr_str collection_text(collection *c)
{
    if (c->bytes == NULL)
        return (tr_str){"", 0};
    c->bytes[c->size] = '\0';
    return (tr_str){c->bytes, c->size};
}

// ---- The program ----

static void collection_died(collection *c)
{
    if (c->cut && c->exec->opts.at_limit == TR_EXEC_HOLD)
        tr_stream_destroy(c->exec->actor, c->stream, 0);
}

static void exec_died(tr_actor *self, void *arg)
{
    exec *e = arg;
    (void)self;
    collection_died(&e->out);
    collection_died(&e->err);
}

static void exec_ended(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    exec *e = arg;
    (void)process;
    tr_exec_result result = {.out = collection_text(&e->out),
                             .err = collection_text(&e->err),
                             .out_total = e->out.total,
                             .err_total = e->err.total,
                             .out_cut = e->out.cut,
                             .err_cut = e->err.cut,
                             .end = *end};
    if (e->error != 0)
        result.end.status = e->error;
    tr__list_remove(&e->owned.link);
    tr__list_init(&e->owned.link);
    e->cb(self, result.end.status, &result, e->arg);
    exec_free(e);
}

static int exec_write_input(const exec *e)
{
    tr_stream input;
    int rc = tr_process_stream(e->actor, e->process, 0, &input);
    if (rc == 0)
        rc = tr_stream_write_bytes(e->actor, input, e->opts.input.ptr, e->opts.input.len);
    return rc < 0 ? rc : tr_stream_end(e->actor, input);
}

static int exec_connect(exec *e)
{
    int rc = collection_open(e, &e->out, 1);
    if (rc == 0)
        rc = collection_open(e, &e->err, 2);
    if (rc == 0 && e->opts.input.len > 0)
        rc = exec_write_input(e);
    return rc;
}

// What was not said of its descriptors.
static void exec_set_stdio(const tr_exec_opts *opts, tr_process_opts *program)
{
    for (int fd = 1; fd < 3; fd++)
        if (program->stdio[fd] == TR_STDIO_INHERIT)
            program->stdio[fd] = TR_STDIO_PIPE;
    if (opts->input.len > 0)
        program->stdio[0] = TR_STDIO_PIPE;
    else if (program->stdio[0] == TR_STDIO_INHERIT)
        program->stdio[0] = TR_STDIO_NULL;
}

static bool exec_is_sound(const tr_exec_opts *opts)
{
    return (unsigned)opts->at_limit <= TR_EXEC_STOP &&
           (opts->input.ptr != NULL || opts->input.len == 0);
}

static int exec_start(exec *e, const char *file, const char *const *args)
{
    tr_process_opts program;
    if (tr__opts_copy(e->opts.program, &program, sizeof program) < 0)
        return TR_EINVAL;
    program.size = sizeof program;
    exec_set_stdio(&e->opts, &program);
    int rc =
        tr__process_open(e->actor, file, args, &program, exec_ended, exec_died, e, &e->process);
    if (rc < 0)
        return rc;
    e->error = exec_connect(e);
    if (e->error != 0) // it runs already: its end is told, with that
        tr_process_stop(e->actor, e->process);
    return 0;
}

int tr_exec_file(tr_actor *self, const char *file, const char *const *args,
                 const tr_exec_opts *opts, tr_executed cb, void *arg, tr_process *ret_process)
{
    tr_exec_opts o;
    if (!tr__actor_here(self) || cb == NULL || tr__opts_copy(opts, &o, sizeof o) < 0 ||
        !exec_is_sound(&o))
        return TR_EINVAL;
    exec *e = tr__zalloc(sizeof *e);
    if (e == NULL)
        return TR_ENOMEM;
    *e = (exec){.actor = self, .opts = o, .cb = cb, .arg = arg, .owned.close = exec_close_owned};
    e->opts.bytes_max = o.bytes_max != 0 ? o.bytes_max : TR_EXEC_BYTES;
    tr__list_init(&e->owned.link);
    int rc = exec_start(e, file, args);
    if (rc < 0) {
        exec_free(e);
        return rc;
    }
    tr__list_append(&self->owned, &e->owned.link);
    if (ret_process != NULL)
        *ret_process = e->process;
    return 0;
}

int tr_exec(tr_actor *self, const char *command, const tr_exec_opts *opts, tr_executed cb,
            void *arg, tr_process *ret_process)
{
    if (command == NULL)
        return TR_EINVAL;
    return tr_exec_file(self, "/bin/sh", TR_ARGS("-c", command), opts, cb, arg, ret_process);
}
