// Failing a test: the only file that knows cmocka, and where its traps are closed.
//
// cmocka 1.1.5 fails a test by longjmp, which is right on the test's thread and nowhere else: so a
// TR_CHECK only writes down where it was, on any thread, and the test's thread fails later.
// SIGABRT, which cmocka lets pass to the end of all tests, becomes a failure if this thread has
// raised it: then its handler is a call by abort, which is allowed to leave by a jump. A process
// that was forked off in a test would go on with the other tests as a second runner: it ends with
// its test.
//
// Only the first check that fails is kept: those after it may come from it.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "kit/kit.h"

typedef struct fail_place {
    const char *file;
    int line;
} fail_place;

static struct {
    pid_t runner; // 0: no test runs
    pid_t thread;
    struct sigaction before;
    fail_place at;
} test;

enum { CHECK_NONE, CHECK_WRITTEN, CHECK_THERE };

static struct {
    atomic_int state;
    fail_place at;
    const char *what;
} check;

__attribute__((format(printf, 1, 0))) static void print_line(const char *format, va_list args)
{
    vprint_error(format, args);
    print_error("\n");
}

void tr__kit_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
}

void tr__kit_at(const char *file, int line)
{
    test.at = (fail_place){file, line};
}

void tr__kit_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_line(format, args);
    va_end(args);
    tr__kit.failed = true;
    _fail(test.at.file == NULL ? "troupe/test.h" : test.at.file, test.at.line);
    _exit(EXIT_FAILURE); // it does not come here
}

// ---- Checks, from any thread ----

bool tr_test_check(bool holds, const char *what, const char *file, int line)
{
    int none = CHECK_NONE;
    if (holds)
        return true;
    if (test.runner != getpid()) {
        tr__kit_print("%s:%d: check failed: %s", file, line, what);
        abort();
    }
    if (atomic_compare_exchange_strong(&check.state, &none, CHECK_WRITTEN)) {
        check.at = (fail_place){file, line};
        check.what = what;
        atomic_store_explicit(&check.state, CHECK_THERE, memory_order_release);
    }
    return false;
}

void tr__kit_fail_checked(void)
{
    if (atomic_load_explicit(&check.state, memory_order_acquire) != CHECK_THERE)
        return;
    atomic_store_explicit(&check.state, CHECK_NONE, memory_order_relaxed);
    test.at = check.at;
    tr__kit_fail("check failed: %s", check.what);
}

// ---- Around a test ----

// From this thread's own abort a jump may leave; any other SIGABRT goes its usual way.
static void on_abort(int signal, siginfo_t *info, void *context)
{
    (void)context;
    if (info->si_code == SI_TKILL && info->si_pid == test.runner && gettid() == test.thread)
        tr__kit_fail("aborted, after this line");
    sigaction(signal, &test.before, NULL);
    raise(signal);
}

void tr__kit_test_begin(void)
{
    struct sigaction on = {.sa_sigaction = on_abort, .sa_flags = SA_SIGINFO | SA_NODEFER};
    tr__kit_test_end(); // of one whose teardown has failed
    test.runner = getpid();
    test.thread = gettid();
    test.at = (fail_place){0};
    atomic_store(&check.state, CHECK_NONE);
    sigaction(SIGABRT, &on, &test.before);
}

void tr__kit_test_end(void)
{
    if (test.runner != 0)
        sigaction(SIGABRT, &test.before, NULL);
    test.runner = 0;
}

void tr__kit_test_unfork(void)
{
    if (test.runner == getpid() || test.runner == 0)
        return;
    tr__kit_print("a process that was forked off in a test has come to the test's end");
    _exit(EXIT_FAILURE);
}
