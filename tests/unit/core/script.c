#include "script.h"

static void say(const char *name, const char *what, const char *value)
{
    char word[256];
    snprintf(word, sizeof word, "%s%s%s", name, what, value);
    note(word);
}

static void say_number(const char *name, const char *what, int number)
{
    char word[256];
    snprintf(word, sizeof word, "%s%s%d", name, what, number);
    note(word);
}

script *script_of(tr_actor *a, tr_stream stream)
{
    const tr_stream_ops *all[] = {&script_source, &script_sink, &script_duplex, &script_transform,
                                  &script_opened};
    script *s = NULL;
    for (size_t i = 0; s == NULL && i < sizeof all / sizeof *all; i++)
        s = tr_stream_state(a, stream, all[i]);
    assert_non_null(s);
    return s;
}

// ---- What they do ----

static void push(tr_actor *self, tr_stream stream, const char *text, size_t size)
{
    tr_buf *chunk = NULL;
    assert_int_equal(0, tr_buf_copy(text, size, &chunk));
    if (tr_stream_push(self, stream, &chunk) < 0)
        tr_buf_unref(&chunk);
}

void script_push(tr_actor *a, tr_stream stream, const char *text)
{
    if (text == NULL)
        assert_true(tr_stream_push(a, stream, NULL) >= 0);
    else
        push(a, stream, text, strlen(text));
}

static int source_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    script *s = state;
    (void)want;
    if (s->read_error < 0 && (s->chunks == NULL || s->chunks[s->at] == '\0'))
        return s->read_error;
    if (s->later || s->chunks == NULL)
        return 0;
    const char *text = s->chunks + s->at;
    size_t size = strcspn(text, "|");
    if (size == 0)
        return tr_stream_push(self, stream, NULL) < 0;
    s->at += size + (text[size] == '|');
    push(self, stream, text, size);
    return 0;
}

static int sink_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                      size_t count)
{
    script *s = state;
    char word[256] = "";
    (void)self, (void)stream;
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(word);
        snprintf(word + size, sizeof word - size, "%s%.*s", i == 0 ? "" : "+",
                 (int)tr_buf_size(chunks[i]), (const char *)tr_buf_data(chunks[i]));
    }
    say(s->name, "<", word);
    if (s->write_error < 0 && --s->write_error_in <= 0)
        return s->write_error;
    return s->later ? TR_LATER : 0;
}

static int sink_final(tr_actor *self, tr_stream stream, void *state)
{
    script *s = state;
    (void)self, (void)stream;
    say(s->name, ":final", "");
    return s->final_error;
}

static int transform_byte(tr_actor *self, tr_stream stream, script *s, tr_buf *chunk)
{
    push(self, stream, (const char *)tr_buf_data(chunk) + s->at++, 1);
    if (s->at < tr_buf_size(chunk))
        return TR_MORE;
    s->at = 0;
    return 0;
}

static int transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    script *s = state;
    if (s->by_bytes)
        return transform_byte(self, stream, s, chunk);
    if (s->write_error < 0 && --s->write_error_in <= 0)
        return s->write_error;
    for (int i = 0; i < (s->copies == 0 ? 1 : s->copies); i++)
        push(self, stream, tr_buf_data(chunk), tr_buf_size(chunk));
    if (s->ends_in > 0 && --s->ends_in == 0)
        script_push(self, stream, NULL);
    return s->later ? TR_LATER : 0;
}

static int transform_flush(tr_actor *self, tr_stream stream, void *state)
{
    script *s = state;
    if (s->last != NULL)
        script_push(self, stream, s->last);
    return s->final_error;
}

static int opened_construct(tr_actor *self, tr_stream stream, void *state)
{
    script *s = state;
    (void)self, (void)stream;
    say(s->name, ":construct", "");
    return s->later_opened ? TR_LATER : s->open_error;
}

static int destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    const script *s = state;
    (void)self, (void)stream;
    say_number(s->name, ":destroy=", error);
    return 0;
}

const tr_stream_ops script_source = {
    .name = "source", .state_size = sizeof(script), .read = source_read, .destroy = destroy};
const tr_stream_ops script_sink = {.name = "sink",
                                   .state_size = sizeof(script),
                                   .write_count = 8,
                                   .write = sink_write,
                                   .final = sink_final,
                                   .destroy = destroy};
const tr_stream_ops script_opened = {.name = "opened",
                                     .state_size = sizeof(script),
                                     .construct = opened_construct,
                                     .write = sink_write,
                                     .final = sink_final,
                                     .destroy = destroy};
const tr_stream_ops script_duplex = {.name = "duplex",
                                     .state_size = sizeof(script),
                                     .write_count = 8,
                                     .read = source_read,
                                     .write = sink_write,
                                     .final = sink_final,
                                     .destroy = destroy};
const tr_stream_ops script_transform = {.name = "transform",
                                        .state_size = sizeof(script),
                                        .transform = transform,
                                        .flush = transform_flush,
                                        .destroy = destroy};

// ---- What they tell ----

static void on_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    char text[128];
    (void)self, (void)stream;
    snprintf(text, sizeof text, "%.*s", (int)tr_buf_size(chunk), (const char *)tr_buf_data(chunk));
    say(arg, ":data=", text);
}

#define ON(what)                                                                                   \
    static void on_##what(tr_actor *self, tr_stream stream, void *arg)                             \
    {                                                                                              \
        (void)self, (void)stream;                                                                  \
        say(arg, ":" #what, "");                                                                   \
    }
ON(readable)
ON(end)
ON(drain)
ON(finish)

static void on_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    tr_stream_info info;
    assert_int_equal(TR_ENOENT, tr_stream_info_get(self, stream, &info));
    say_number(arg, ":closed=", status);
}

const tr_stream_events script_flow = {
    .data = on_data, .end = on_end, .drain = on_drain, .finish = on_finish, .closed = on_closed};
const tr_stream_events script_pull = {.readable = on_readable,
                                      .end = on_end,
                                      .drain = on_drain,
                                      .finish = on_finish,
                                      .closed = on_closed};
const tr_stream_events script_end = {
    .end = on_end, .drain = on_drain, .finish = on_finish, .closed = on_closed};

tr_stream script_new(tr_actor *a, const tr_stream_ops *ops, const tr_stream_opts *opts,
                     const script *s, const tr_stream_events *events)
{
    tr_stream stream;
    assert_int_equal(0, tr_stream_new(a, ops, opts, &stream));
    *script_of(a, stream) = *s;
    if (events != NULL)
        assert_int_equal(0, tr_stream_on(a, stream, events, (void *)(uintptr_t)s->name));
    return stream;
}

int script_write_then(tr_actor *a, tr_stream stream, const char *text, const char *word)
{
    tr_buf *chunk = NULL;
    assert_int_equal(0, tr_buf_copy(text, strlen(text), &chunk));
    int rc = tr_stream_write_then(a, stream, &chunk, word == NULL ? NULL : script_note_done,
                                  (void *)(uintptr_t)word);
    assert_true((rc < 0) == (chunk != NULL));
    tr_buf_unref(&chunk);
    return rc;
}

int script_write(tr_actor *a, tr_stream stream, const char *text)
{
    return script_write_then(a, stream, text, NULL);
}

void script_note_done(tr_actor *self, int status, void *word)
{
    (void)self;
    say_number(word, "=", status);
}
