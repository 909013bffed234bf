// Tests with real processes, as users write them: what a run returns, what fails in a child, and
// the directory. What is left behind is test_failing.c's.
#include <signal.h>
#include <stdio.h>
#include <troupe.h>
#include <troupe/test.h>
#include <unistd.h>

#include "support/cmocka.h"

static tr_reason reason;

// ---- A child that finds something wrong, in either way ----

static int child_start(tr_actor *self, const tr_val *args)
{
    int64_t way = 0;
    tr_as_int(*args, &way);
    if (way == 1)
        TR_CHECK(self == NULL);
    else
        assert_null(self);
    return 0;
}
static const tr_behavior child = {.name = "child", .start = child_start};

static int parent_start(tr_actor *self, const tr_val *args)
{
    tr_addr kid;
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS, .args = *args), &kid);
    return rc < 0 ? rc : tr_monitor(self, kid, NULL);
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    TR_CHECK(tr_msg_down(msg) != NULL);
    reason = tr_msg_down(msg)->reason;
    return tr_exit(self, TR_EIO);
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

static void see_child(int way, tr_reason_kind kind, int code)
{
    assert_int_equal(TR_EIO, TR_RUN(TR_APP(&child), &parent, TR_V(way)));
    assert_int_equal(kind, reason.kind);
    assert_int_equal(code, reason.code);
}

static void a_check_that_fails_in_a_child_aborts_it(void **state)
{
    (void)state;
    see_child(1, TR_REASON_KILLED, SIGABRT);
}

static void an_assertion_that_fails_in_a_child_ends_it(void **state)
{
    (void)state;
    see_child(2, TR_REASON_EXITED, 255);
}

// ---- The directory ----

static char before[128];

static void make_file(const char *path)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fclose(out);
}

static void a_test_has_a_directory(void **state)
{
    (void)state;
    snprintf(before, sizeof before, "%s", tr_test_path("file"));
    assert_int_equal(-1, access(before, F_OK));
    make_file(before);
    assert_int_equal(0, access(before, F_OK));
}

static void which_goes_with_it(void **state)
{
    (void)state;
    assert_string_not_equal(before, tr_test_path("file"));
    assert_int_equal(-1, access(before, F_OK));
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(a_check_that_fails_in_a_child_aborts_it),
    TR_PROCESS_TEST(an_assertion_that_fails_in_a_child_ends_it),
    TR_PROCESS_TEST(a_test_has_a_directory),
    TR_PROCESS_TEST(which_goes_with_it),
};
TR_TEST_MAIN("ipc/kit_process", TR_APP(&child), tests)
