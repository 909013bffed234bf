// Each test has a directory of its own, finds it empty, and leaves no descriptor open.
#include "conform/file_suite.h"

#include <stdio.h>
#include <string.h>

#include "conform/turns.h"

static const struct file_harness *harness;
static unsigned descriptors; // before the test

static int teardown(void **state)
{
    (void)state;
    turns_end();
    bool even = harness->descriptors() == descriptors;
    harness->closed();
    return even ? 0 : -1;
}

// A path in the test's directory.
static const char *at(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", harness->directory, name);
    return path;
}

// ---- What a call has brought ----

static struct ended {
    int count, status;
    tr_file_result result; // what it points at is copied
    char text[256 * 1024]; // of data or path; of entries with a space behind each, in any order
} ended;

static void on_ended(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    size_t size = 0;
    assert_ptr_equal(self, loop->current);
    assert_ptr_equal(&ended, arg);
    ended.count++;
    ended.status = status;
    ended.result = *result;
    ended.text[0] = '\0';
    if (result->data != NULL) {
        size = tr_buf_size(result->data);
        assert_true(size < sizeof ended.text);
        memcpy(ended.text, tr_buf_data(result->data), size);
        ended.text[size] = '\0';
    }
    if (result->path != NULL)
        snprintf(ended.text, sizeof ended.text, "%s", result->path);
    for (size_t i = 0; i < result->count; i++)
        size += (size_t)snprintf(ended.text + size, sizeof ended.text - size, "%s ",
                                 result->entries[i].name);
}
#define ENDED on_ended, &ended

// The call is taken, and ends so, once.
#define ENDS(expected, call)                                                                       \
    do {                                                                                           \
        ended.count = 0;                                                                           \
        IN_TURN(a)                                                                                 \
        {                                                                                          \
            assert_int_equal(0, call);                                                             \
            assert_int_equal(0, ended.count);                                                      \
        }                                                                                          \
        UNTIL(ended.count > 0);                                                                    \
        assert_int_equal(1, ended.count);                                                          \
        assert_int_equal(expected, ended.status);                                                  \
    } while (0)

static tr_buf *buf_of(const char *text)
{
    tr_buf *buf = NULL;
    assert_int_equal(0, tr_buf_copy(text, strlen(text), &buf));
    return buf;
}

static void put(const char *name, const char *text)
{
    tr_buf *chunk = buf_of(text);
    ENDS(0, tr_file_write_all(a, at(name), &chunk, NULL, ENDED));
    assert_null(chunk);
    assert_int_equal(strlen(text), ended.result.bytes);
}

static void assert_has(const char *name, const char *text)
{
    ENDS(0, tr_file_read_all(a, at(name), NULL, ENDED));
    assert_string_equal(text, ended.text);
    assert_int_equal(strlen(text), ended.result.bytes);
}

static tr_file open_file(const char *name, unsigned flags)
{
    ENDS(0, tr_file_open(a, at(name), TR_FILE(.flags = flags), ENDED));
    return ended.result.file;
}

static void close_file(tr_file file)
{
    ENDS(0, tr_file_close(a, file, ENDED));
}

// Remove all that the last test has left.
static void clean_up(void)
{
    ENDS(0, tr_file_list(a, harness->directory, NULL, ENDED));
    static char names[sizeof ended.text];
    memcpy(names, ended.text, sizeof names);
    for (char *name = names, *end; (end = strchr(name, ' ')) != NULL; name = end + 1) {
        *end = '\0';
        ENDS(0, tr_file_lstat(a, at(name), NULL, ENDED));
        if (ended.result.info.type == TR_FILE_DIRECTORY)
            ENDS(0, tr_file_rmdir(a, at(name), NULL, ENDED));
        else
            ENDS(0, tr_file_unlink(a, at(name), NULL, ENDED));
    }
}

static int setup(void **state)
{
    (void)state;
    tr_world *world = harness->open();
    descriptors = harness->descriptors();
    turns_begin(world);
    clean_up();
    return 0;
}

// ---- Calls ----

static void a_file_is_opened_written_read_and_closed(void **state)
{
    (void)state;
    tr_file f = open_file("f", TR_OPEN_READ | TR_OPEN_WRITE | TR_OPEN_CREATE);
    tr_buf *chunk = buf_of("hello world");
    ENDS(0, tr_file_write(a, f, &chunk, NULL, ENDED));
    assert_int_equal(11, ended.result.bytes);
    chunk = buf_of("W");
    ENDS(0, tr_file_write(a, f, &chunk, TR_FILE(.offset = 6), ENDED));
    ENDS(0, tr_file_sync(a, f, NULL, ENDED));
    ENDS(0, tr_file_fstat(a, f, NULL, ENDED));
    assert_int_equal(11, ended.result.info.bytes);
    assert_int_equal(TR_FILE_REGULAR, ended.result.info.type);
    ENDS(0, tr_file_truncate(a, f, TR_FILE(.max = 9), ENDED));
    char text[16] = "";
    for (size_t got = 0; got < 3;) { // one call may bring less
        ENDS(0, tr_file_read(a, f, TR_FILE(.offset = 6 + got, .max = 8), ENDED));
        assert_true(ended.result.bytes > 0);
        memcpy(text + got, ended.text, (size_t)ended.result.bytes);
        got += (size_t)ended.result.bytes;
    }
    assert_string_equal("Wor", text);
    ENDS(0, tr_file_read(a, f, TR_FILE(.offset = 9), ENDED));
    assert_int_equal(0, ended.result.bytes);
    close_file(f);
    IN_TURN(a)
    {
        assert_int_equal(TR_ENOENT, tr_file_read(a, f, NULL, ENDED));
        assert_int_equal(TR_ENOENT, tr_file_close(a, f, NULL, NULL));
    }
}

static void a_file_with_a_call_under_way_is_not_closed(void **state)
{
    (void)state;
    put("f", "text");
    tr_file f = open_file("f", 0);
    ended.count = 0;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_file_read(a, f, NULL, ENDED));
        assert_int_equal(-EBUSY, tr_file_close(a, f, ENDED));
    }
    UNTIL(ended.count == 1);
    close_file(f);
}

static void files_belong_to_their_actor_and_are_closed_with_it(void **state)
{
    (void)state;
    put("f", "text");
    tr_file f = open_file("f", 0);
    tr_actor *b = actor_new();
    IN_TURN(b)
    assert_int_equal(TR_ENOENT, tr_file_read(b, f, NULL, ENDED));
    unsigned before = harness->descriptors();
    IN_TURN(a)
    {
        assert_int_equal(0, tr_file_read(a, f, NULL, ENDED)); // under way when it ends
        assert_int_equal(0, tr_file_open(a, at("f"), NULL, ENDED));
        tr_exit(a, TR_NORMAL);
    }
    ended.count = 0;
    UNTIL(harness->descriptors() == before - 1);
    assert_int_equal(0, ended.count);
    a = b;
}

static void whole_files_are_written_and_read(void **state)
{
    (void)state;
    put("f", "one");
    assert_has("f", "one");
    put("f", "2");
    assert_has("f", "2");
    tr_buf *chunk = buf_of("34");
    ENDS(0, tr_file_write_all(a, at("f"), &chunk, TR_FILE(.flags = TR_OPEN_APPEND | TR_FILE_SYNC),
                              ENDED));
    assert_has("f", "234");
    chunk = buf_of("x");
    ENDS(TR_EEXIST,
         tr_file_write_all(a, at("f"), &chunk, TR_FILE(.flags = TR_OPEN_EXCLUSIVE), ENDED));
    put("empty", "");
    assert_has("empty", "");
    ENDS(0, tr_file_read_all(a, at("f"), TR_FILE(.max = 3), ENDED));
    ENDS(TR_ETOOBIG, tr_file_read_all(a, at("f"), TR_FILE(.max = 2), ENDED));
    ENDS(TR_ENOENT, tr_file_read_all(a, at("none"), NULL, ENDED));
    ENDS(-EISDIR, tr_file_read_all(a, harness->directory, NULL, ENDED));
}

static void a_replaced_file_keeps_its_permissions(void **state)
{
    (void)state;
    put("f", "old");
    ENDS(0, tr_file_chmod(a, at("f"), TR_FILE(.mode = 0640), ENDED));
    tr_buf *chunk = buf_of("new");
    ENDS(0, tr_file_replace(a, at("f"), &chunk, NULL, ENDED));
    assert_has("f", "new");
    ENDS(0, tr_file_stat(a, at("f"), NULL, ENDED));
    assert_int_equal(0640, ended.result.info.mode);
    chunk = buf_of("n");
    ENDS(TR_ENOENT, tr_file_replace(a, at("none/f"), &chunk, NULL, ENDED));
    ENDS(0, tr_file_list(a, harness->directory, NULL, ENDED));
    assert_string_equal("f ", ended.text); // nothing temporary
}

static void a_file_is_copied_with_its_permissions(void **state)
{
    (void)state;
    put("f", "some text");
    put("g", "that was there before, and was longer");
    ENDS(0, tr_file_chmod(a, at("f"), TR_FILE(.mode = 0700), ENDED));
    ENDS(0, tr_file_copy(a, at("f"), at("g"), TR_FILE(.flags = TR_FILE_SYNC), ENDED));
    assert_int_equal(9, ended.result.bytes);
    assert_has("g", "some text");
    ENDS(0, tr_file_stat(a, at("g"), NULL, ENDED));
    assert_int_equal(0700, ended.result.info.mode);
    ENDS(TR_EEXIST, tr_file_copy(a, at("f"), at("g"), TR_FILE(.flags = TR_OPEN_EXCLUSIVE), ENDED));
    ENDS(TR_EINVAL, tr_file_copy(a, at("f"), at("f"), NULL, ENDED));
    assert_has("f", "some text");
    ENDS(TR_ENOENT, tr_file_copy(a, at("none"), at("h"), NULL, ENDED));
}

static void directories_are_made_listed_and_removed(void **state)
{
    (void)state;
    ENDS(TR_ENOENT, tr_file_mkdir(a, at("d/e"), NULL, ENDED));
    ENDS(0, tr_file_mkdir(a, at("d/e"), TR_FILE(.flags = TR_FILE_PARENTS), ENDED));
    ENDS(0, tr_file_mkdir(a, at("d/e"), TR_FILE(.flags = TR_FILE_PARENTS), ENDED));
    ENDS(TR_EEXIST, tr_file_mkdir(a, at("d/e"), NULL, ENDED));
    put("f", "");
    ENDS(TR_EEXIST, tr_file_mkdir(a, at("f"), TR_FILE(.flags = TR_FILE_PARENTS), ENDED));
    ENDS(0, tr_file_list(a, at("d"), NULL, ENDED));
    assert_string_equal("e ", ended.text);
    ENDS(-ENOTDIR, tr_file_list(a, at("f"), NULL, ENDED));
    ENDS(-ENOTEMPTY, tr_file_rmdir(a, at("d"), NULL, ENDED));
    ENDS(0, tr_file_rmdir(a, at("d/e"), NULL, ENDED));
    ENDS(0, tr_file_list(a, at("d"), NULL, ENDED));
    assert_int_equal(0, ended.result.count);
    ENDS(0, tr_file_mkdtemp(a, at("tmp-"), NULL, ENDED));
    char made[512];
    memcpy(made, ended.text, sizeof made);
    assert_memory_equal(made, at("tmp-"), strlen(at("tmp-")));
    ENDS(0, tr_file_stat(a, made, NULL, ENDED));
    assert_int_equal(TR_FILE_DIRECTORY, ended.result.info.type);
    assert_int_equal(0700, ended.result.info.mode);
}

static void names_are_given_and_taken(void **state)
{
    (void)state;
    put("f", "text");
    ENDS(0, tr_file_rename(a, at("f"), at("g"), NULL, ENDED));
    ENDS(TR_ENOENT, tr_file_access(a, at("f"), NULL, ENDED));
    ENDS(0, tr_file_access(a, at("g"), TR_FILE(.mode = 6), ENDED));
    ENDS(0, tr_file_symlink(a, at("g"), at("link"), NULL, ENDED));
    ENDS(0, tr_file_readlink(a, at("link"), NULL, ENDED));
    assert_string_equal(at("g"), ended.text);
    ENDS(0, tr_file_realpath(a, at("link"), NULL, ENDED));
    assert_string_equal(at("g"), ended.text);
    ENDS(TR_EINVAL, tr_file_readlink(a, at("g"), NULL, ENDED));
    ENDS(0, tr_file_stat(a, at("link"), NULL, ENDED));
    assert_int_equal(TR_FILE_REGULAR, ended.result.info.type);
    ENDS(0, tr_file_lstat(a, at("link"), NULL, ENDED));
    assert_int_equal(TR_FILE_SYMLINK, ended.result.info.type);
    assert_has("link", "text");
    ENDS(0, tr_file_unlink(a, at("g"), NULL, ENDED));
    ENDS(TR_ENOENT, tr_file_read_all(a, at("link"), NULL, ENDED));
    ENDS(TR_ENOENT, tr_file_unlink(a, at("g"), NULL, ENDED));
    ENDS(-EISDIR, tr_file_unlink(a, harness->directory, NULL, ENDED));
}

static void a_cancelled_call_says_so_once(void **state)
{
    (void)state;
    put("f", "text");
    tr_cancel *cancel = NULL;
    ended.count = 0;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_cancel_new(a, &cancel));
        assert_int_equal(0, tr_file_open(a, at("f"), TR_FILE(.cancel = cancel), ENDED));
        assert_int_equal(0, tr_file_read_all(a, at("f"), TR_FILE(.cancel = cancel), ENDED));
        tr_cancel_now(cancel);
        assert_int_equal(TR_ECANCELED, tr_file_stat(a, at("f"), TR_FILE(.cancel = cancel), ENDED));
        tr_cancel_free(&cancel);
    }
    UNTIL(ended.count == 2);
    assert_int_equal(TR_ECANCELED, ended.status);
    ENDS(0, tr_file_access(a, at("f"), NULL, ENDED)); // behind them
    UNTIL(harness->descriptors() <= descriptors + 4);
}

static void what_makes_no_sense_is_an_error(void **state)
{
    (void)state;
    static char path[4096 + 1];
    tr_buf *chunk = buf_of("x");
    tr_stream s;
    memset(path, 'p', sizeof path - 1);
    IN_TURN(a)
    {
        assert_int_equal(TR_EINVAL, tr_file_open(a, NULL, NULL, ENDED));
        assert_int_equal(TR_EINVAL, tr_file_open(a, "f", NULL, NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_file_open(a, "f", TR_FILE(.flags = 1u << 30), ENDED));
        assert_int_equal(TR_EINVAL, tr_file_stat(a, "f", TR_FILE(.flags = TR_FILE_SYNC), ENDED));
        assert_int_equal(TR_EINVAL, tr_file_rename(a, "f", NULL, NULL, ENDED));
        assert_int_equal(TR_EINVAL, tr_file_copy(a, "f", NULL, NULL, ENDED));
        assert_int_equal(TR_EINVAL, tr_file_symlink(a, "f", NULL, NULL, ENDED));
        assert_int_equal(TR_EINVAL, tr_file_write_all(a, "f", NULL, NULL, ENDED));
        assert_int_equal(TR_EINVAL, tr_file_replace(a, NULL, &chunk, NULL, ENDED));
        assert_int_equal(TR_ENAMETOOLONG, tr_file_open(a, path, NULL, ENDED));
        assert_int_equal(TR_ENAMETOOLONG, tr_file_replace(a, path, &chunk, NULL, ENDED));
        assert_int_equal(TR_ENAMETOOLONG, tr_file_mkdtemp(a, path, NULL, ENDED));
        assert_int_equal(TR_EINVAL, tr_file_reader(a, NULL, NULL, &s));
        assert_int_equal(TR_EINVAL, tr_file_reader(a, "f", NULL, NULL));
        assert_int_equal(TR_EINVAL, tr_file_reader(a, "f", TR_FILE_READ(.start = 2, .end = 1), &s));
        assert_int_equal(TR_EINVAL, tr_file_reader(a, "f", TR_FILE_READ(.encoding = "x"), &s));
        assert_int_equal(TR_EINVAL, tr_file_writer(a, "f", TR_FILE_WRITE(.flags = 1u << 30), &s));
        assert_int_equal(TR_ENAMETOOLONG, tr_file_writer(a, path, NULL, &s));
        assert_int_equal(TR_ENOENT, tr_file_read(a, (tr_file){0}, NULL, ENDED));
    }
    assert_int_equal(TR_EINVAL, tr_file_stat(a, "f", NULL, ENDED)); // not its turn
    tr_buf_unref(&chunk);
}

// ---- Streams ----

static struct heard {
    char text[256 * 1024];
    size_t size, chunks, largest;
    int ends, finishes, closes, status;
    void (*look)(tr_actor *self, tr_stream stream); // at each chunk. NULL: nothing
    bool characters;                                // each chunk ends with one
} heard;

static void on_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    size_t size = tr_buf_size(chunk);
    const char *bytes = tr_buf_data(chunk);
    (void)arg;
    assert_true(heard.size + size < sizeof heard.text);
    memcpy(heard.text + heard.size, bytes, size);
    heard.size += size;
    heard.text[heard.size] = '\0';
    heard.chunks++;
    heard.largest = size > heard.largest ? size : heard.largest;
    if (heard.characters) // the suite's text has no other characters that end so
        assert_true(memchr("ab\xa4\xac\x80", bytes[size - 1], 5) != NULL);
    if (heard.look != NULL)
        heard.look(self, stream);
}

static void on_end(tr_actor *self, tr_stream stream, void *arg)
{
    (void)self, (void)stream, (void)arg;
    heard.ends++;
}

static void on_finish(tr_actor *self, tr_stream stream, void *arg)
{
    (void)self, (void)stream, (void)arg;
    heard.finishes++;
}

static void on_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)arg;
    heard.closes++;
    heard.status = status;
}

static const tr_stream_events flow = {.data = on_data, .end = on_end, .closed = on_closed};
static const tr_stream_events sink = {.finish = on_finish, .closed = on_closed};

static int joined, joined_status;

static void on_joined(tr_actor *self, int status, void *arg)
{
    (void)self, (void)arg;
    joined++;
    joined_status = status;
}

static void reads(const char *name, const tr_file_read_opts *opts)
{
    tr_stream s;
    heard.size = heard.chunks = heard.largest = 0;
    heard.text[0] = '\0';
    heard.ends = heard.closes = 0;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_file_reader(a, at(name), opts, &s));
        assert_int_equal(0, tr_stream_on(a, s, &flow, NULL));
    }
    UNTIL(heard.closes == 1);
    assert_int_equal(heard.status == 0, heard.ends);
}

static tr_stream writer_of(const char *name, const tr_file_write_opts *opts)
{
    tr_stream s;
    assert_int_equal(0, tr_file_writer(a, at(name), opts, &s));
    heard.closes = heard.finishes = 0;
    assert_int_equal(0, tr_stream_on(a, s, &sink, NULL));
    return s;
}

// Write a text in pieces of this size, to the end.
static void writes(const char *name, const tr_file_write_opts *opts, const char *text, size_t piece)
{
    IN_TURN(a)
    {
        tr_stream s = writer_of(name, opts);
        for (size_t size = strlen(text), i = 0; i < size; i += piece)
            assert_true(
                tr_stream_write_bytes(a, s, text + i, piece < size - i ? piece : size - i) >= 0);
        assert_int_equal(0, tr_stream_end(a, s));
    }
    UNTIL(heard.closes == 1);
    assert_int_equal(heard.status == 0, heard.finishes);
}

static void every_range_is_read_in_chunks_of_every_size(void **state)
{
    (void)state;
    static const char text[] = "0123456789";
    put("f", text);
    for (size_t high = 1; high < 6; high++) {
        for (size_t start = 0; start <= 11; start++) {
            for (size_t end = start; end <= 12; end++) {
                size_t stop = end == 0 || end > 10 ? 10 : end, begin = start > 10 ? 10 : start;
                reads("f", TR_FILE_READ(.start = start, .end = end, .high = high));
                assert_int_equal(0, heard.status);
                assert_int_equal(stop - begin, heard.size);
                assert_memory_equal(text + begin, heard.text, heard.size);
                assert_true(heard.largest <= high);
            }
        }
    }
}

static void text_is_never_cut_inside_a_character(void **state)
{
    (void)state;
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"
                               "b\xf0\x9f\x98\x80\xe2\x82\xac";
    put("f", text);
    heard.characters = true;
    for (size_t high = 1; high <= sizeof text; high++) {
        reads("f", TR_FILE_READ(.high = high, .encoding = "utf8"));
        assert_int_equal(0, heard.status);
        assert_string_equal(text, heard.text);
    }
    heard.characters = false;
}

// What the decoder makes of it, wherever it is cut, is tested with that.
static void what_is_no_character_is_replaced(void **state)
{
    (void)state;
    put("f", "ab\xe2\x82");
    for (size_t high = 1; high < 6; high++) {
        reads("f", TR_FILE_READ(.high = high, .encoding = "utf8"));
        assert_int_equal(0, heard.status);
        assert_string_equal("ab\xef\xbf\xbd", heard.text);
    }
}

static void what_is_written_in_any_pieces_arrives_whole(void **state)
{
    (void)state;
    static const char text[] = "the quick brown fox jumps over the lazy dog";
    for (size_t piece = 1; piece < sizeof text; piece++) {
        writes("f", NULL, text, piece);
        assert_int_equal(0, heard.status);
        assert_has("f", text);
    }
}

static void a_writer_opens_as_it_is_told(void **state)
{
    (void)state;
    writes("f", NULL, "0123456789", 3);
    writes("f", TR_FILE_WRITE(.flags = TR_OPEN_WRITE, .start = 4), "ab", 1);
    assert_has("f", "0123ab6789");
    writes("f", TR_FILE_WRITE(.flags = TR_OPEN_APPEND | TR_FILE_SYNC), "cd", 2);
    assert_int_equal(0, heard.status);
    assert_has("f", "0123ab6789cd");
    writes("f", TR_FILE_WRITE(.flags = TR_OPEN_EXCLUSIVE), "x", 1);
    assert_int_equal(TR_EEXIST, heard.status);
    writes("none/f", NULL, "x", 1);
    assert_int_equal(TR_ENOENT, heard.status);
    writes("none", TR_FILE_WRITE(.flags = TR_OPEN_WRITE), "x", 1);
    assert_int_equal(TR_ENOENT, heard.status);
    writes("f", TR_FILE_WRITE(.flags = TR_FILE_SYNC), "", 1);
    assert_has("f", "");
}

static void what_cannot_be_read_is_an_error_of_the_stream(void **state)
{
    (void)state;
    reads("none", NULL);
    assert_int_equal(TR_ENOENT, heard.status);
    reads(".", NULL);
    assert_int_equal(strcmp(harness->name, "sim") == 0 ? TR_ENOENT : -EISDIR, heard.status);
}

static void destroy_it(tr_actor *self, tr_stream stream)
{
    assert_int_equal(0, tr_stream_destroy(self, stream, TR_EBADMSG));
}

static void a_reader_that_is_destroyed_has_closed_its_file(void **state)
{
    (void)state;
    put("f", "0123456789");
    unsigned before = harness->descriptors();
    heard.look = destroy_it;
    reads("f", TR_FILE_READ(.high = 2));
    heard.look = NULL;
    assert_int_equal(TR_EBADMSG, heard.status);
    assert_true(heard.size <= 2);
    assert_int_equal(before, harness->descriptors());
}

// Goal:   a writer can be destroyed at any time, and is closed when its file is.
// Method: after so many iterations of the loop, from none to more than it needs.
static void a_writer_can_be_destroyed_at_any_time(void **state)
{
    (void)state;
    put("g", "");
    unsigned before = harness->descriptors();
    for (int steps = 0; steps < 12; steps++) {
        tr_stream s = {0};
        IN_TURN(a)
        {
            s = writer_of("f", NULL);
            tr_stream_write_bytes(a, s, "text", 4);
            tr_stream_end(a, s);
        }
        for (int i = 0; i < steps && heard.closes == 0; i++)
            step();
        IN_TURN(a)
        tr_stream_destroy(a, s, 0);
        UNTIL(heard.closes == 1);
        assert_int_equal(before, harness->descriptors());
    }
}

static void streams_under_way_end_with_their_actor(void **state)
{
    (void)state;
    put("f", "0123456789");
    unsigned before = harness->descriptors();
    for (int steps = 0; steps < 12; steps++) {
        tr_actor *b = actor_new();
        IN_TURN(b)
        {
            tr_stream r, w, ends[2];
            assert_int_equal(0, tr_file_reader(b, at("f"), TR_FILE_READ(.high = 1), &r));
            assert_int_equal(0, tr_stream_on(b, r, &flow, NULL));
            assert_int_equal(0, tr_file_reader(b, at("f"), NULL, &ends[0]));
            assert_int_equal(0, tr_file_writer(b, at("g"), NULL, &ends[1]));
            assert_int_equal(0, tr_pipeline(b, ends, 2, NULL, on_joined, NULL));
            assert_int_equal(0, tr_file_writer(b, at("h"), NULL, &w));
            tr_stream_write_bytes(b, w, "text", 4);
        }
        for (int i = 0; i < steps; i++)
            step();
        IN_TURN(b)
        tr_exit(b, TR_NORMAL);
        UNTIL(harness->descriptors() == before);
    }
}

static void cut_it(tr_actor *self, tr_stream stream)
{
    (void)stream;
    if (heard.chunks == 2)
        assert_int_equal(
            0,
            tr_file_open(self, at("f"), TR_FILE(.flags = TR_OPEN_WRITE | TR_OPEN_TRUNCATE), ENDED));
    if (heard.chunks == 2)
        tr_stream_pause(self, stream);
}

static void a_file_that_is_cut_short_while_it_is_read_is_an_error(void **state)
{
    (void)state;
    tr_stream s = {0};
    put("f", "0123456789abcdefghij");
    ended.count = 0;
    heard = (struct heard){.look = cut_it};
    IN_TURN(a)
    {
        assert_int_equal(0, tr_file_reader(a, at("f"), TR_FILE_READ(.high = 4), &s));
        assert_int_equal(0, tr_stream_on(a, s, &flow, NULL));
    }
    UNTIL(ended.count == 1);
    tr_file f = ended.result.file;
    close_file(f);
    heard.look = NULL;
    IN_TURN(a)
    tr_stream_resume(a, s);
    UNTIL(heard.closes == 1);
    assert_int_equal(-ENODATA, heard.status);
    assert_true(heard.size < 20);
}

static void read_and_close_another(tr_actor *self, int status, const tr_file_result *result,
                                   void *arg)
{
    tr_stream s = {0};
    tr_file file = result->file;
    (void)arg;
    assert_int_equal(0, status);
    assert_int_equal(TR_FILE_REGULAR, result->info.type);
    assert_int_equal(10, result->info.bytes);
    if (ended.count++ == 0) {
        assert_int_equal(0, tr_file_close(self, file, NULL, NULL)); // its only call has ended
        return;
    }
    assert_int_equal(0, tr_file_reader_on(self, &file, TR_FILE_READ(.start = 2, .end = 9), &s));
    assert_int_equal(0, file.id);
    assert_int_equal(TR_ENOENT, tr_file_close(self, result->file, NULL, NULL));
    assert_int_equal(0, tr_stream_on(self, s, &flow, NULL));
}

// Goal:   what is read of an open file is that file's, whatever has its name, and it is closed then.
// Method: it is gone from the directory before it is read; setup counts descriptors.
static void an_open_file_is_read_as_a_stream(void **state)
{
    (void)state;
    tr_stream s;
    put("f", "0123456789");
    heard = (struct heard){.look = NULL};
    ended.count = 0;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_file_open(a, at("f"), NULL, read_and_close_another, NULL));
        assert_int_equal(0, tr_file_open(a, at("f"), NULL, read_and_close_another, NULL));
    }
    UNTIL(ended.count == 2);
    ENDS(0, tr_file_unlink(a, at("f"), NULL, ENDED));
    UNTIL(heard.closes == 1);
    assert_int_equal(0, heard.status);
    assert_string_equal("2345678", heard.text);
    put("f", "text");
    tr_file f = open_file("f", 0), none = {0};
    ended.count = 0;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_file_read(a, f, NULL, ENDED));
        assert_int_equal(-EBUSY, tr_file_reader_on(a, &f, NULL, &s));
        assert_int_equal(TR_EINVAL, tr_file_reader_on(a, NULL, NULL, &s));
        assert_int_equal(TR_ENOENT, tr_file_reader_on(a, &none, NULL, &s));
        assert_int_equal(TR_EINVAL,
                         tr_file_reader_on(a, &f, TR_FILE_READ(.start = 2, .end = 1), &s));
    }
    UNTIL(ended.count == 1);
    close_file(f);
}

// ---- Pipelines ----

#define LARGE (200 * 1024)

static const char *large(void)
{
    static char text[LARGE + 1];
    for (size_t i = 0; i < LARGE; i++)
        text[i] = (char)('a' + (i * 7 + i / 251) % 26);
    return text;
}

static void join(const tr_file_read_opts *from, const tr_file_write_opts *to, tr_stream ends[2])
{
    joined = 0;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_file_reader(a, at("f"), from, &ends[0]));
        assert_int_equal(0, tr_file_writer(a, at("g"), to, &ends[1]));
        assert_int_equal(0, tr_pipeline(a, ends, 2, NULL, on_joined, NULL));
    }
}

static void a_pipeline_copies_a_file(void **state)
{
    (void)state;
    tr_stream ends[2];
    put("f", large());
    join(NULL, NULL, ends);
    UNTIL(joined == 1);
    assert_int_equal(0, joined_status);
    assert_has("g", large());
    join(TR_FILE_READ(.encoding = "utf8"), NULL, ends); // looked at
    UNTIL(joined == 1);
    assert_has("g", large());
}

static void a_pipeline_copies_a_range_to_another_place(void **state)
{
    (void)state;
    tr_stream ends[2];
    put("f", "0123456789");
    put("g", "..........");
    join(TR_FILE_READ(.start = 2, .end = 5), TR_FILE_WRITE(.flags = TR_OPEN_WRITE, .start = 6),
         ends);
    UNTIL(joined == 1);
    assert_int_equal(0, joined_status);
    assert_has("g", "......234.");
    join(NULL, TR_FILE_WRITE(.flags = TR_OPEN_APPEND), ends);
    UNTIL(joined == 1);
    assert_int_equal(0, joined_status);
    assert_has("g", "......234.0123456789");
}

static tr_stream_info last_info[2];

static void totals_closed(tr_actor *self, tr_stream stream, void *arg)
{
    assert_int_equal(0, tr_stream_info_get(self, stream, arg));
}

static void totals_tell_what_has_gone_through(void **state)
{
    (void)state;
    static const tr_stream_events at_end = {.end = totals_closed};
    static const tr_stream_events at_finish = {.finish = totals_closed};
    tr_stream ends[2];
    put("f", large());
    join(NULL, NULL, ends);
    IN_TURN(a)
    {
        assert_int_equal(0, tr_stream_on(a, ends[0], &at_end, &last_info[0]));
        assert_int_equal(0, tr_stream_on(a, ends[1], &at_finish, &last_info[1]));
    }
    UNTIL(joined == 1);
    assert_int_equal(LARGE, last_info[0].read_total);
    assert_int_equal(LARGE, last_info[1].write_total);
}

// Goal:   a pipeline may be given up at any time, and leaves nothing open.
// Method: after so many iterations either end is destroyed.
static void a_pipeline_can_be_given_up_at_any_time(void **state)
{
    (void)state;
    put("f", large());
    unsigned before = harness->descriptors();
    for (int steps = 0; steps < 24; steps++) {
        tr_stream ends[2];
        join(TR_FILE_READ(.encoding = steps % 4 < 2 ? NULL : "utf8"), NULL, ends);
        for (int i = 0; i < steps / 2 && joined == 0; i++)
            step();
        IN_TURN(a)
        tr_stream_destroy(a, ends[steps % 2], TR_EBADMSG);
        UNTIL(joined == 1);
        assert_true(joined_status == 0 || joined_status == TR_EBADMSG);
        assert_int_equal(before, harness->descriptors());
    }
}

static void the_first_end_that_fails_says_why(void **state)
{
    (void)state;
    tr_stream ends[2];
    join(NULL, NULL, ends); // there is no f
    UNTIL(joined == 1);
    assert_int_equal(TR_ENOENT, joined_status);
    put("f", "text");
    put("g", "is there");
    join(NULL, TR_FILE_WRITE(.flags = TR_OPEN_EXCLUSIVE), ends);
    UNTIL(joined == 1);
    assert_int_equal(TR_EEXIST, joined_status);
}

// ---- Into a socket ----

static struct {
    tr_server server;
    tr_stream from, to, served;
    size_t leaves_after; // the peer, so many bytes; 0: it reads to the end
    bool accepted;
} wire;

static void on_served_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    on_data(self, stream, chunk, arg);
    if (wire.leaves_after > 0 && heard.size >= wire.leaves_after)
        tr_stream_destroy(self, stream, 0);
}

static void on_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events events = {
        .data = on_served_data, .end = on_end, .closed = on_closed};
    (void)arg;
    wire.served = stream;
    wire.accepted = true;
    assert_int_equal(0, tr_stream_on(self, stream, &events, NULL));
    if (wire.leaves_after > 0)
        tr_server_close(self, wire.server);
}

static void on_sender_closed(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg; // what the peer does after the pipeline is none of its
}

// A pipeline from f into a socket, and its peer, which takes what comes.
static void send(const tr_file_read_opts *from, size_t leaves_after)
{
    char address[300], true_address[TR_ADDRESS_MAX];
    snprintf(address, sizeof address, "unix:%s", at("socket"));
    heard = (struct heard){.look = NULL};
    wire.accepted = false;
    wire.leaves_after = leaves_after;
    joined = 0;
    IN_TURN(a)
    {
        assert_int_equal(0, tr_listen(a, address, NULL, on_accepted, NULL, &wire.server));
        assert_int_equal(0, tr_server_address(a, wire.server, true_address));
        assert_int_equal(0, tr_connect(a, true_address, NULL, &wire.to));
        assert_int_equal(0, tr_finished(a, wire.to, on_sender_closed, NULL));
        assert_int_equal(0, tr_file_reader(a, at("f"), from, &wire.from));
        assert_int_equal(
            0, tr_pipeline(a, (tr_stream[]){wire.from, wire.to}, 2, NULL, on_joined, NULL));
    }
}

static void sent(void)
{
    UNTIL(joined == 1 && (heard.closes == 1 || !wire.accepted));
    IN_TURN(a)
    tr_server_close(a, wire.server);
    step();
}

static void every_range_of_a_file_is_sent(void **state)
{
    (void)state;
    static const char text[] = "0123456789";
    put("f", text);
    for (size_t start = 0; start < 10; start++) {
        for (size_t end = start + 1; end <= 10; end++) {
            send(TR_FILE_READ(.start = start, .end = end, .high = 3), 0);
            sent();
            assert_int_equal(0, joined_status);
            assert_int_equal(0, heard.status);
            assert_int_equal(1, heard.ends);
            assert_int_equal(end - start, heard.size);
            assert_memory_equal(text + start, heard.text, heard.size);
        }
    }
}

// Goal:   a socket that is full holds up what the kernel copies into it; and the totals agree.
static void a_large_file_is_sent_as_the_peer_takes_it(void **state)
{
    (void)state;
    tr_stream_info info;
    put("f", large());
    send(NULL, 0);
    UNTIL(wire.accepted && heard.size > 0);
    IN_TURN(a)
    tr_stream_pause(a, wire.served);
    size_t held = heard.size;
    for (int i = 0; i < 200; i++)
        step();
    assert_int_equal(held, heard.size);
    IN_TURN(a)
    {
        if (tr_stream_info_get(a, wire.from, &info) == 0) // it may all be in the socket
            assert_true(info.read_total >= held);
        tr_stream_resume(a, wire.served);
    }
    sent();
    assert_int_equal(0, joined_status);
    assert_int_equal(LARGE, heard.size);
    assert_string_equal(large(), heard.text);
}

// Goal:   a peer that goes is the pipeline's error, wherever it is.
static void a_peer_that_goes_ends_the_sending(void **state)
{
    (void)state;
    put("f", large());
    unsigned before = harness->descriptors();
    for (size_t after = 1; after < LARGE; after += LARGE / 6) {
        send(NULL, after);
        sent();
        assert_true(joined_status == TR_EPIPE || joined_status == -ECONNRESET ||
                    joined_status == 0); // all of it was in the socket
        assert_true(heard.size >= after);
        UNTIL(harness->descriptors() == before);
    }
}

// Goal:   sending may be given up at any time, and leaves nothing open.
// Method: after so many iterations either end is destroyed.
static void sending_can_be_given_up_at_any_time(void **state)
{
    (void)state;
    put("f", large());
    unsigned before = harness->descriptors();
    for (int steps = 0; steps < 24; steps++) {
        send(NULL, 0);
        for (int i = 0; i < steps / 2 && joined == 0; i++)
            step();
        IN_TURN(a)
        tr_stream_destroy(a, steps % 2 == 0 ? wire.from : wire.to, TR_EBADMSG);
        sent();
        assert_true(joined_status == 0 || joined_status == TR_EBADMSG);
        UNTIL(harness->descriptors() == before);
    }
}

// ---- Each call failing ----

// Goal:   a call about files that fails, whichever, is the error of the pipeline, or nothing that
//         its bytes show; either way nothing is left open.
static void each_call_of_a_pipeline_fails(bool socket)
{
    static const char text[] = "0123456789";
    unsigned before = harness->descriptors();
    bool failed = true;
    tr_stream ends[2];
    for (unsigned nth = 1; failed; nth++) {
        put("f", text);
        put("g", "");
        failed = false;
        harness->fail_nth(-EIO, nth);
        if (socket)
            send(TR_FILE_READ(.high = 4), 0);
        else
            join(TR_FILE_READ(.high = 4), NULL, ends);
        if (socket)
            sent();
        else
            UNTIL(joined == 1);
        failed = harness->has_failed();
        assert_true(joined_status == 0 || (failed && joined_status == -EIO));
        if (joined_status == 0 && socket)
            assert_string_equal(text, heard.text);
        else if (joined_status == 0)
            assert_has("g", text);
        UNTIL(harness->descriptors() == before);
        assert_true(nth < 1000);
    }
}

static void a_call_that_fails_is_the_pipelines_error(void **state)
{
    (void)state;
    if (harness->fail_nth == NULL) // a real disk does not fail when it is asked to
        skip();
    each_call_of_a_pipeline_fails(false);
    each_call_of_a_pipeline_fails(true);
}

// ---- Watching ----

static struct seen {
    unsigned events;
    char names[1024];
} seen;

static void on_seen(tr_actor *self, int status, unsigned events, const char *name, void *arg)
{
    size_t size = strlen(seen.names);
    (void)arg;
    assert_ptr_equal(self, loop->current);
    assert_int_equal(0, status);
    seen.events |= events;
    snprintf(seen.names + size, sizeof seen.names - size, "%s ", name == NULL ? "?" : name);
}

static void a_directory_is_watched(void **state)
{
    (void)state;
    tr_file_watch watch = {0};
    seen = (struct seen){0};
    IN_TURN(a)
    assert_int_equal(0, tr_file_watch_start(a, harness->directory, on_seen, NULL, &watch));
    put("f", "text");
    UNTIL((seen.events & TR_FILE_MOVED) != 0 && (seen.events & TR_FILE_CHANGED) != 0);
    assert_memory_equal("f ", seen.names, 2);
    IN_TURN(a)
    tr_file_watch_stop(a, watch);
    seen = (struct seen){0};
    put("g", "text");
    assert_int_equal(0, seen.events);
    IN_TURN(a)
    tr_file_watch_stop(a, watch);
}

static void a_file_is_watched(void **state)
{
    (void)state;
    tr_file_watch watch = {0};
    seen = (struct seen){0};
    put("f", "text");
    IN_TURN(a)
    {
        assert_int_equal(TR_ENOENT, tr_file_watch_start(a, at("none"), on_seen, NULL, &watch));
        assert_int_equal(0, tr_file_watch_start(a, at("f"), on_seen, NULL, &watch));
    }
    writes("f", TR_FILE_WRITE(.flags = TR_OPEN_APPEND), "more", 4);
    UNTIL((seen.events & TR_FILE_CHANGED) != 0); // and it goes with its actor
}

static void stop_watching(tr_actor *self, int status, unsigned events, const char *name, void *arg)
{
    tr_file_watch *watch = arg;
    (void)status, (void)events, (void)name;
    tr_file_watch_stop(self, *watch);
    watch->id = 0;
}

static void a_watch_may_be_stopped_by_what_it_tells(void **state)
{
    (void)state;
    tr_file_watch watch = {0};
    IN_TURN(a)
    assert_int_equal(0, tr_file_watch_start(a, harness->directory, stop_watching, &watch, &watch));
    put("f", "text");
    UNTIL(watch.id == 0);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int file_suite(const struct file_harness *with)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(a_file_is_opened_written_read_and_closed),
        FILE_TEST(a_file_with_a_call_under_way_is_not_closed),
        FILE_TEST(files_belong_to_their_actor_and_are_closed_with_it),
        FILE_TEST(whole_files_are_written_and_read),
        FILE_TEST(a_replaced_file_keeps_its_permissions),
        FILE_TEST(a_file_is_copied_with_its_permissions),
        FILE_TEST(directories_are_made_listed_and_removed),
        FILE_TEST(names_are_given_and_taken),
        FILE_TEST(a_cancelled_call_says_so_once),
        FILE_TEST(what_makes_no_sense_is_an_error),
        FILE_TEST(every_range_is_read_in_chunks_of_every_size),
        FILE_TEST(text_is_never_cut_inside_a_character),
        FILE_TEST(what_is_no_character_is_replaced),
        FILE_TEST(what_is_written_in_any_pieces_arrives_whole),
        FILE_TEST(a_writer_opens_as_it_is_told),
        FILE_TEST(what_cannot_be_read_is_an_error_of_the_stream),
        FILE_TEST(a_reader_that_is_destroyed_has_closed_its_file),
        FILE_TEST(a_writer_can_be_destroyed_at_any_time),
        FILE_TEST(streams_under_way_end_with_their_actor),
        FILE_TEST(a_file_that_is_cut_short_while_it_is_read_is_an_error),
        FILE_TEST(an_open_file_is_read_as_a_stream),
        FILE_TEST(a_pipeline_copies_a_file),
        FILE_TEST(a_pipeline_copies_a_range_to_another_place),
        FILE_TEST(totals_tell_what_has_gone_through),
        FILE_TEST(a_pipeline_can_be_given_up_at_any_time),
        FILE_TEST(the_first_end_that_fails_says_why),
        FILE_TEST(every_range_of_a_file_is_sent),
        FILE_TEST(a_large_file_is_sent_as_the_peer_takes_it),
        FILE_TEST(a_peer_that_goes_ends_the_sending),
        FILE_TEST(sending_can_be_given_up_at_any_time),
        FILE_TEST(a_call_that_fails_is_the_pipelines_error),
        FILE_TEST(a_directory_is_watched),
        FILE_TEST(a_file_is_watched),
        FILE_TEST(a_watch_may_be_stopped_by_what_it_tells),
    };
    harness = with;
    return cmocka_run_group_tests_name(with->name, tests, NULL, NULL);
}
