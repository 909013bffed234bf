// Goal:   in a simulated machine, too, a child's standard streams are streams of its spawner; and
//         whatever allocation fails, nothing of them is left.
// Method: a child copies its input to its output; over many seeds, and with memory that fails.
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/seeds.h"
#include "support/sim_node.h"
#include "support/sweep.h"

#define SEEDS     seeds_of(200)
#define BYTES     100000u // more than is on the way at one time
#define STEPS_MAX 5000

static struct sim_nodes nodes;
static size_t got;
static bool wrong, down;

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

static void copied(tr_actor *self, int status, void *arg)
{
    (void)arg;
    tr_exit(self, status);
}

static int cat_start(tr_actor *self, const tr_val *args)
{
    tr_stream both[2], errors;
    (void)args;
    int rc = tr_stdin(self, &both[0]);
    if (rc == 0)
        rc = tr_stdout(self, &both[1]);
    if (rc == 0)
        rc = tr_stderr(self, &errors);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, errors, "nobody reads it", 15);
    return rc < 0 ? rc : tr_pipeline(self, both, 2, NULL, copied, NULL);
}
static const tr_behavior cat = {.name = "cat", .start = cat_start};

static void first_look(tr_actor *self)
{
    if (down && got == BYTES)
        tr_exit(self, TR_NORMAL);
}

static void first_got(tr_actor *self, int status, tr_buf *all, void *arg)
{
    (void)arg;
    const unsigned char *bytes = status == 0 ? tr_buf_data(all) : NULL;
    got = status == 0 ? tr_buf_size(all) : 0;
    for (size_t i = 0; i < got; i++)
        wrong |= bytes[i] != byte_at(i);
    first_look(self);
}

static int first_say(tr_actor *self, tr_stream in)
{
    tr_buf *all;
    int rc = tr_buf_new(BYTES, &all);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < BYTES; i++)
        ((unsigned char *)tr_buf_data(all))[i] = byte_at(i);
    rc = tr_stream_write(self, in, &all);
    tr_buf_unref(&all);
    return rc < 0 ? rc : tr_stream_end(self, in);
}

static int first_start(tr_actor *self, const tr_val *args)
{
    tr_addr kid;
    tr_stream in, out;
    (void)args;
    int rc = tr_spawn(
        self, &cat,
        TR_SPAWN(.isolation = TR_PROCESS, .stdio = {TR_STDIO_PIPE, TR_STDIO_PIPE, TR_STDIO_NULL}),
        &kid);
    if (rc == 0)
        rc = tr_monitor(self, kid, NULL);
    if (rc == 0)
        rc = tr_child_stream(self, kid, 0, &in);
    if (rc == 0)
        rc = tr_child_stream(self, kid, 1, &out);
    if (rc == 0)
        rc = tr_collect(self, out, NULL, first_got, NULL);
    return rc < 0 ? rc : first_say(self, in);
}

static int first_receive(tr_actor *self, const tr_msg *msg)
{
    down = tr_msg_down(msg) != NULL && tr_msg_down(msg)->reason.kind == TR_REASON_NORMAL;
    first_look(self);
    return 0;
}

static const tr_behavior first = {.name = "first", .start = first_start, .receive = first_receive};

#define APP TR_APP(&first, &cat)

static void begin(uint64_t seed, const tr_app *app)
{
    got = 0;
    wrong = down = false;
    sim_nodes_open(&nodes, seed, app);
}

static uint64_t run(uint64_t seed)
{
    counted_memory_start(0);
    begin(seed, APP);
    assert_true(sim_nodes_run(&nodes, 60));
    assert_int_equal(0, nodes.code);
    assert_int_equal(BYTES, got);
    assert_false(wrong);
    uint64_t hash = tr__sim_hash(nodes.sim);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
    return hash;
}

static void a_simulated_child_has_them(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        assert_int_equal(run(seed), run(seed));
}

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

// One that waits for what was lost does not end by itself.
static void without_memory_nothing_is_left(void **state)
{
    struct sweep sweep = {0};
    (void)state;
    tr_log_set(warn_nobody, NULL);
    while (sweep_next(&sweep)) {
        begin(1, APP);
        sweep_begin(&sweep);
        nodes.code = sim_nodes_start(&nodes);
        for (int steps = 0; steps < STEPS_MAX && nodes.open > 0 && tr__sim_step(nodes.sim); steps++)
            ;
        assert_true(sweep.nth > 0 || got == BYTES);
        assert_false(wrong);
        sim_nodes_close(&nodes);
        sweep_end(&sweep);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_simulated_child_has_them),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
