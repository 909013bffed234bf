#include "base/assert.h"

#include <signal.h>
#include <stdbool.h>

#include "support/stderr.h"

static sigjmp_buf back;

static void on_abort(int signal)
{
    (void)signal;
    siglongjmp(back, 1);
}

static void a_true_assertion_does_nothing(void **state)
{
    (void)state;
    int evaluated = 0;
    tr_assert(++evaluated);
    assert_int_equal(evaluated, 1);
}

// Goal:   a false assertion says what and where, and aborts.
// Method: leave abort's signal by a jump.
static void a_false_assertion_says_so_and_aborts(void **state)
{
    (void)state;
    char text[256];
    struct sigaction action = {.sa_handler = on_abort}, before;
    sigaction(SIGABRT, &action, &before);
    stderr_begin();
    volatile bool aborted = false;
    if (sigsetjmp(back, 1) == 0)
        tr_assert(text == NULL);
    else
        aborted = true;
    stderr_end(text, sizeof text);
    sigaction(SIGABRT, &before, NULL);
    assert_true(aborted);
    assert_non_null(strstr(text, "troupe: assertion failed: text == "));
    assert_non_null(strstr(text, "test_assert.c:"));
    assert_int_equal(text[strlen(text) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_true_assertion_does_nothing),
        cmocka_unit_test(a_false_assertion_says_so_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
