// Sources, collectors, tees and merges without memory; see support/sweep.h. What fails says
// TR_ENOMEM, once to everybody who hears, and nothing is lost. (Transforms:
// conform/transform_suite.)
#include <troupe.h>

#include "support/cmocka.h"
#include "support/lone_node.h"
#include "support/sweep.h"

static int left; // ends that are to be heard
static int unexpected;

static int check(int status)
{
    unexpected += status != 0 && status != TR_ENOMEM && status != TR_EPIPE;
    return status;
}

static void heard(tr_actor *self, int status)
{
    check(status);
    if (--left == 0)
        tr_exit(self, TR_NORMAL);
}

static void on_done(tr_actor *self, int status, void *arg)
{
    (void)arg;
    heard(self, status);
}

static void on_collected(tr_actor *self, int status, tr_buf *all, void *arg)
{
    (void)arg;
    unexpected += status == 0 && tr_buf_size(all) != 12;
    heard(self, status);
}

static int source_new(tr_actor *self, tr_stream *ret_stream)
{
    tr_buf *chunk = NULL;
    int rc = tr_buf_copy("ab\n", 3, &chunk);
    if (rc == 0)
        rc = tr_source(self, (tr_buf *[]){chunk, chunk}, 2, NULL, ret_stream);
    tr_buf_unref(&chunk);
    return rc;
}

// Two sources become one, which becomes two, which are collected.
static int start(tr_actor *self, const tr_val *args)
{
    tr_branch in[2] = {{0}}, out[2] = {{0}};
    tr_stream both[2], source;
    (void)args;
    left = 5;
    int rc = tr_merge(self, NULL, in, 2, &both[0]);
    if (rc == 0)
        rc = tr_tee(self, NULL, out, 2, &both[1]);
    if (rc == 0)
        rc = tr_pipeline(self, both, 2, NULL, on_done, NULL);
    for (int i = 0; rc == 0 && i < 2; i++) {
        rc = source_new(self, &source);
        if (rc == 0)
            rc = tr_pipeline(self, (tr_stream[]){source, in[i].stream}, 2, NULL, on_done, NULL);
        if (rc == 0)
            rc = tr_collect(self, out[i].stream, NULL, on_collected, NULL);
    }
    return check(rc);
}

static const tr_behavior first = {.name = "first", .start = start};

static void it_fails_cleanly(void **state)
{
    struct sweep sweep = {.whole = true};
    (void)state;
    while (sweep_next(&sweep)) {
        unexpected = 0;
        sweep_begin(&sweep);
        int rc = lone_node_run(&first, 10000);
        sweep_end(&sweep);
        assert_true((rc == TR_ENOMEM && sweep.nth > 0) || (rc == 0 && left == 0));
        assert_int_equal(0, unexpected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_fails_cleanly)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
