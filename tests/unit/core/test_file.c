// Files with a disk and a memory that fail: what holds whenever they do.
#include "core/file_call.h"
#include "stage.h"
#include "support/counted_memory.h"

static tr_actor *a;
static int ended, status;

static int64_t ask(const tr__file_call *call)
{
    return stage.loop->world->ops->file(stage.loop->world, call);
}

static void put(const char *path, const char *text)
{
    tr_file_info info;
    tr_iov iov = {(void *)(uintptr_t)text, strlen(text)};
    int fd = (int)ask(&(tr__file_call){.op = TR__FILE_OPEN,
                                       .path = path,
                                       .flags = TR_OPEN_WRITE | TR_OPEN_CREATE | TR_OPEN_TRUNCATE,
                                       .info = &info});
    assert_int_equal(
        iov.len, ask(&(tr__file_call){.op = TR__FILE_WRITE, .fd = fd, .iov = &iov, .count = 1}));
    assert_int_equal(0, ask(&(tr__file_call){.op = TR__FILE_CLOSE, .fd = fd}));
}

// What is in a file; "" also for one that is not there.
static const char *get(const char *path)
{
    static char text[256];
    tr_file_info info;
    tr_iov iov = {text, sizeof text - 1};
    int fd = (int)ask(&(tr__file_call){.op = TR__FILE_OPEN, .path = path, .info = &info});
    int64_t n = ask(&(tr__file_call){.op = TR__FILE_READ, .fd = fd, .iov = &iov, .count = 1});
    ask(&(tr__file_call){.op = TR__FILE_CLOSE, .fd = fd});
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static void count_entry(void *owner, const char *name, tr_file_type type)
{
    (void)name, (void)type;
    (*(int *)owner)++;
}

static int files(void)
{
    int count = 0;
    ask(&(tr__file_call){.op = TR__FILE_LIST, .path = "/", .entry = count_entry, .owner = &count});
    return count;
}

static int setup(void **state)
{
    int rc = stage_setup(state);
    tr__sim_set_whole(stage.sim, true);
    a = stage_actor("a");
    return rc;
}
#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, stage_teardown)

// ---- What is tried ----

static void on_ended(tr_actor *self, int how, const tr_file_result *result, void *arg)
{
    (void)self, (void)result, (void)arg;
    ended++;
    status = how;
}

static void on_joined(tr_actor *self, int how, void *arg)
{
    (void)self, (void)arg;
    ended++;
    status = how;
}

static int with_chunk(int (*call)(tr_actor *self, const char *path, tr_buf **chunk,
                                  const tr_file_opts *opts, tr_file_done cb, void *arg))
{
    tr_buf *chunk = NULL;
    int rc = tr_buf_copy("new text", 8, &chunk);
    if (rc == 0)
        rc = call(a, "/to", &chunk, TR_FILE(.mode = 0600), on_ended, NULL);
    tr_buf_unref(&chunk);
    return rc;
}

static int try_write_all(void)
{
    return with_chunk(tr_file_write_all);
}

static int try_replace(void)
{
    return with_chunk(tr_file_replace);
}

static int try_copy(void)
{
    return tr_file_copy(a, "/from", "/to", TR_FILE(.flags = TR_FILE_SYNC), on_ended, NULL);
}

static int try_read_all(void)
{
    return tr_file_read_all(a, "/from", NULL, on_ended, NULL);
}

static int try_list(void)
{
    return tr_file_list(a, "/", NULL, on_ended, NULL);
}

static int try_mkdir(void)
{
    return tr_file_mkdir(a, "/d/e", TR_FILE(.flags = TR_FILE_PARENTS), on_ended, NULL);
}

static int join(const char *encoding)
{
    tr_stream ends[2];
    int rc = tr_file_reader(a, "/from", TR_FILE_READ(.high = 5, .encoding = encoding), &ends[0]);
    if (rc < 0)
        return rc;
    rc = tr_file_writer(a, "/to", TR_FILE_WRITE(.flags = TR_FILE_SYNC), &ends[1]);
    if (rc == 0)
        rc = tr_pipeline(a, ends, 2, NULL, on_joined, NULL);
    if (rc < 0)
        tr_stream_destroy(a, ends[0], 0); // the writer, too, ends with its actor
    return rc;
}

static int try_pipeline(void)
{
    return join("utf8");
}

static int try_moves(void)
{
    return join(NULL);
}

static const struct {
    int (*run)(void);
    bool writes; // "new text" to /to
} tries[] = {{try_write_all, true}, {try_replace, true},   {try_copy, true},  {try_pipeline, true},
             {try_moves, true},     {try_read_all, false}, {try_list, false}, {try_mkdir, false}};
#define TRIES (sizeof tries / sizeof *tries)

// Let one of them come to its end. Returns how.
static int run(int (*try)(void))
{
    int rc = 0;
    ended = 0;
    tr__sim_set_file_moves(stage.sim, try == try_moves);
    IN_TURN(a)
    rc = try();
    for (int i = 0; i < 1000 && rc == 0 && ended == 0; i++) {
        tr__sim_run_for(stage.sim, TR_US(10));
        stage_run();
    }
    assert_int_equal(rc == 0, ended);
    return rc < 0 ? rc : status;
}

// ---- Tests ----

// Goal:   a disk that fails is told, once, and nothing stays open. A file that is replaced is as it
//         was, or new, and nothing temporary is left; one that is said to be whole is.
// Method: the n-th call fails, for each n until none does.
static void the_nth_call_of_anything_may_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < TRIES; i++) {
        int how = TR_EIO;
        for (unsigned nth = 1; how != 0; nth++) {
            assert_true(nth < 40);
            put("/from", "new text");
            put("/to", "old");
            int before = files();
            tr__sim_set_file_error(stage.sim, TR_EIO, nth);
            how = run(tries[i].run);
            tr__sim_set_file_error(stage.sim, TR_EIO, 1000000);
            assert_true(how == 0 || how == TR_EIO);
            assert_int_equal(0, tr__sim_files_open(stage.sim));
            const char *to = get("/to");
            if (how == 0 && tries[i].writes)
                assert_string_equal("new text", to);
            if (tries[i].run == try_replace)
                assert_true(strcmp("old", to) == 0 || strcmp("new text", to) == 0);
            if (tries[i].run != try_mkdir)
                assert_int_equal(before, files());
        }
    }
}

static void a_full_disk_is_told_however_little_room_there_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < TRIES && tries[i].writes; i++) {
        bool replaces = tries[i].run == try_replace; // the old one is there meanwhile
        for (uint64_t room = 8; room <= 19; room++) {
            tr__sim_set_file_room(stage.sim, 0);
            put("/from", "new text");
            put("/to", "old");
            tr__sim_set_file_room(stage.sim, room);
            int how = run(tries[i].run);
            bool fits = room >= 8 + 8 + (replaces ? 3 : 0);
            assert_int_equal(fits ? 0 : -ENOSPC, how);
            assert_int_equal(0, tr__sim_files_open(stage.sim));
            if (fits || replaces)
                assert_string_equal(fits ? "new text" : "old", get("/to"));
        }
    }
    tr__sim_set_file_room(stage.sim, 0);
}

// Goal:   without memory a call says so, at once or at its end, and nothing stays open.
// Method: each allocation in turn fails, from the call to its end; the stage counts what is left.
static void memory_may_be_short_for_anything(void **state)
{
    (void)state;
    run(try_list); // the pool has its threads
    for (size_t i = 0; i < TRIES; i++) {
        int how = TR_ENOMEM;
        for (size_t nth = 1; how != 0; nth++) {
            assert_true(nth < 200);
            put("/from", "new text");
            a = stage_actor("b"); // whatever has failed ends with it
            counted_memory_fail(nth, false);
            how = run(tries[i].run);
            counted_memory_fail(SIZE_MAX / 2, false);
            assert_true(how == 0 || how == TR_ENOMEM);
            stage_exit(a, TR_NORMAL);
            for (int rounds = 0; rounds < 4; rounds++) { // home, and to the pool to be closed
                tr__sim_run_for(stage.sim, TR_US(100));
                stage_run();
            }
            assert_int_equal(0, tr__sim_files_open(stage.sim));
        }
    }
    stage.heard[0] = '\0';
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(the_nth_call_of_anything_may_fail),
        FILE_TEST(a_full_disk_is_told_however_little_room_there_is),
        FILE_TEST(memory_may_be_short_for_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
