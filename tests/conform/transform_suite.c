// Goal:   the same output for every way to cut the input; no more work than there is room for; one
//         end, one error; nothing left behind.
// Method: a pipeline of a source, the transform and a sink in a node of its own, for each cut of a
//         small input in two, byte by byte, with all high-water marks at 1, with an error in each
//         place at each step, and with each allocation failing.
#include "conform/transform_suite.h"

#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/lone_node.h"
#include "support/sweep.h"

#define STEPS_MAX  100000
#define OUTPUT_MAX 65536
#define NEVER      SIZE_MAX

// One run: what it is given, and what came of it.
static struct run {
    const struct transform_case *of;
    size_t cut;  // the first chunk's size
    size_t part; // that of the others; 0: all the rest
    bool narrow; // all high-water marks are 1, and the sink takes its time
    size_t source_fails, sink_fails, destroy_at; // in that step

    size_t at, reads, writes, finals, dones;
    int status;
    bool crowded; // more has been buffered than one call may push
    tr_stream transform;
    char output[OUTPUT_MAX];
    size_t output_size;
} run;

// ---- The source ----

static size_t next_size(void)
{
    const char *rest = run.of->input + run.at;
    size_t left = run.of->input_size - run.at, size = run.part;
    if (run.of->items_in)
        return (size_t)((const char *)memchr(rest, '|', left) - rest);
    if (run.at < run.cut)
        size = run.cut - run.at;
    return size == 0 || size > left ? left : size;
}

static int source_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    tr_buf *chunk = NULL;
    (void)state, (void)want;
    if (run.reads++ == run.source_fails)
        return TR_EIO;
    if (run.at == run.of->input_size)
        return tr_stream_push(self, stream, NULL) < 0 ? TR_EIO : 0;
    size_t size = next_size();
    int rc = tr_buf_copy(run.of->input + run.at, size, &chunk);
    run.at += size + run.of->items_in;
    if (rc == 0)
        rc = tr_stream_push(self, stream, &chunk);
    tr_buf_unref(&chunk);
    return rc < 0 ? rc : 0;
}

static const tr_stream_ops source_ops = {.name = "source", .read = source_read};

// ---- The sink ----

static void record(const void *bytes, size_t size)
{
    assert_true(size <= OUTPUT_MAX - run.output_size);
    if (size > 0)
        memcpy(run.output + run.output_size, bytes, size);
    run.output_size += size;
}

static void look_for_crowd(tr_actor *self)
{
    tr_stream_info info;
    size_t burst = run.of->burst > 0 ? run.of->burst : 1;
    if (run.narrow && tr_stream_info_get(self, run.transform, &info) == 0)
        run.crowded |= info.read_count > burst || info.write_count > 1;
}

static void sink_done(tr_actor *self, void *stream)
{
    look_for_crowd(self);
    tr_stream_done(self, (tr_stream){(uintptr_t)stream}, 0);
}

static int sink_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                      size_t count)
{
    (void)state, (void)count;
    assert_int_equal(0, run.finals + run.dones);
    record(tr_buf_data(chunks[0]), tr_buf_size(chunks[0]));
    if (run.of->items_out)
        record("|", 1);
    size_t step = run.writes++;
    if (step == run.sink_fails)
        return TR_EPIPE;
    if (step == run.destroy_at)
        tr_stream_destroy(self, run.transform, 0);
    if (!run.narrow)
        return 0;
    int rc = tr_immediate(self, sink_done, (void *)(uintptr_t)stream.id);
    return rc < 0 ? rc : TR_LATER;
}

static int sink_final(tr_actor *self, tr_stream stream, void *state)
{
    (void)self, (void)stream, (void)state;
    run.finals++;
    return 0;
}

static const tr_stream_ops sink_ops = {.name = "sink", .write = sink_write, .final = sink_final};

// ---- Both around a transform ----

static void on_done(tr_actor *self, int status, void *arg)
{
    (void)arg;
    run.dones++;
    run.status = status;
    tr_exit(self, TR_NORMAL);
}

static int driver_start(tr_actor *self, const tr_val *args)
{
    tr_stream_opts opts = {.size = sizeof opts};
    tr_stream all[3];
    (void)args;
    if (run.narrow)
        opts.read_high = opts.write_high = 1;
    opts.mode = run.of->items_in ? TR_READ_ITEMS : TR_BYTES;
    int rc = tr_stream_new(self, &source_ops, &opts, &all[0]);
    opts.mode = (run.of->items_in ? TR_WRITE_ITEMS : 0) | (run.of->items_out ? TR_READ_ITEMS : 0);
    if (rc == 0)
        rc = run.of->make(self, &opts, &all[1]);
    opts.mode = run.of->items_out ? TR_WRITE_ITEMS : TR_BYTES;
    if (rc == 0)
        rc = tr_stream_new(self, &sink_ops, &opts, &all[2]);
    run.transform = all[1];
    return rc == 0 ? tr_pipeline(self, all, 3, NULL, on_done, NULL) : rc;
}

static const tr_behavior driver = {.name = "driver", .start = driver_start};

static const struct run plain = {.source_fails = NEVER, .sink_fails = NEVER, .destroy_at = NEVER};

// Returns how the node ended.
static int play_raw(const struct transform_case *of, const struct run *like)
{
    run = *like;
    run.of = of;
    return lone_node_run(&driver, STEPS_MAX);
}

static void play(const struct transform_case *of, const struct run *like)
{
    counted_memory_start(0);
    assert_int_equal(0, play_raw(of, like));
    assert_int_equal(0, counted_memory_stop());
    assert_int_equal(1, run.dones);
    assert_int_equal(run.status == 0, run.finals);
    assert_false(run.crowded);
}

// Whatever ended it, what has come out is how it begins.
static void expect_beginning(void)
{
    assert_true(run.output_size <= run.of->output_size);
    assert_memory_equal(run.of->output, run.output, run.output_size);
}

static void expect_all(void)
{
    if (run.of->error == 0 && run.output_size != run.of->output_size)
        print_error("%s: cut %zu, part %zu: %.*s\n", run.of->name, run.cut, run.part,
                    (int)run.output_size, run.output);
    assert_int_equal(run.of->error, run.status);
    expect_beginning();
    if (run.of->error == 0)
        assert_int_equal(run.of->output_size, run.output_size);
}

// ---- The tests: each is given a case ----

static void every_cut_gives_the_same(void **state)
{
    const struct transform_case *of = *state;
    struct run like = plain;
    for (like.cut = 0; like.cut <= (of->items_in ? 0 : of->input_size); like.cut++) {
        like.narrow = like.cut % 2 == 0;
        play(of, &like);
        expect_all();
    }
}

static void small_parts_give_the_same(void **state)
{
    struct run like = plain;
    for (like.part = 1; like.part <= 3; like.part++) {
        for (int narrow = 0; narrow < 2; narrow++) {
            like.narrow = narrow;
            play(*state, &like);
            expect_all();
        }
    }
}

// Each step of what fails is tried until there is no such step. late: it may come when all is
// through but for the sink.
static void fails_everywhere(const struct transform_case *of, struct run *like, size_t *step,
                             const size_t *taken, int error, bool late)
{
    like->part = 2;
    for (*step = 0;; ++*step) {
        like->narrow = *step % 2 == 0;
        play(of, like);
        expect_beginning();
        if (*taken <= *step)
            break;
        if (run.status == 0)
            assert_true(late || of->sheds);
        if (run.status != error)
            expect_all();
    }
    expect_all();
}

static void a_source_that_fails(void **state)
{
    struct run like = plain;
    fails_everywhere(*state, &like, &like.source_fails, &run.reads, TR_EIO, false);
}

static void a_sink_that_fails(void **state)
{
    struct run like = plain;
    fails_everywhere(*state, &like, &like.sink_fails, &run.writes, TR_EPIPE, false);
}

static void destroyed_in_the_middle(void **state)
{
    struct run like = plain;
    fails_everywhere(*state, &like, &like.destroy_at, &run.writes, TR_ECANCELED, true);
}

static void without_memory(void **state)
{
    const struct transform_case *of = *state;
    struct run like = plain;
    struct sweep sweep = {0};
    like.cut = of->input_size / 2;
    while (sweep_next(&sweep)) {
        sweep_begin(&sweep);
        int rc = play_raw(of, &like);
        sweep_end(&sweep);
        assert_true(rc == 0 || rc == TR_ENOMEM);
        expect_beginning();
        if (rc == 0 && run.status != TR_ENOMEM)
            expect_all();
    }
}

int transform_suite(const struct transform_case *cases, size_t count)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_gives_the_same), cmocka_unit_test(small_parts_give_the_same),
        cmocka_unit_test(a_source_that_fails),      cmocka_unit_test(a_sink_that_fails),
        cmocka_unit_test(destroyed_in_the_middle),  cmocka_unit_test(without_memory),
    };
    enum { TESTS = sizeof tests / sizeof tests[0] };
    struct CMUnitTest of_case[TESTS];
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(of_case, tests, sizeof tests);
        for (size_t j = 0; j < TESTS; j++)
            of_case[j].initial_state = (void *)(uintptr_t)&cases[i];
        failed += cmocka_run_group_tests_name(cases[i].name, of_case, NULL, NULL);
    }
    return failed;
}
