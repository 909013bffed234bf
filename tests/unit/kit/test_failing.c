// Goal:   what is wrong fails the test, at its line and in words that say what was seen, and leaves
//         nothing behind for the tests after it.
// Method: run prog_failing, whose tests say before they fail where and how; read what it prints.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/ipc.h"

static char output[64 * 1024];

// Run it, with its output in `output`. Returns how it has ended.
static int run_failing(char *arg)
{
    static char name[] = "prog_failing";
    char *argv[] = {name, arg, NULL};
    const char *path = tr_test_path("output");
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    setenv("ASAN_OPTIONS", "detect_leaks=0", 1);         // a node that was left behind is one
    setenv("TSAN_OPTIONS", "report_signal_unsafe=0", 1); // an abort's handler: see src/kit/fail.c
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, path, O_WRONLY | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    assert_int_equal(0, posix_spawn(&pid, ipc_program(name), &actions, NULL, argv, environ));
    posix_spawn_file_actions_destroy(&actions);
    assert_int_equal(pid, waitpid(pid, &status, 0));
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    output[fread(output, 1, sizeof output - 1, in)] = '\0';
    fclose(in);
    return status;
}

// Whether all of the words, which "|" separates, stand in the text.
static void see_words(char *words, const char *text)
{
    for (char *word = words, *next; word != NULL; word = next) {
        next = strchr(word, '|');
        if (next != NULL)
            *next++ = '\0';
        if (strstr(text, word) == NULL)
            fail_msg("not \"%s\" but: %s", word, text);
    }
}

static void each_failure_is_told_where_it_is_and_why(void **state)
{
    (void)state;
    unsigned count = 0;
    int status = run_failing(NULL);
    char *at = strstr(output, "FAILS ");
    while (at != NULL) {
        char *words = at + strlen("FAILS "), *text = strchr(words, '\n');
        assert_non_null(text);
        *text++ = '\0';
        at = strstr(text, "FAILS ");
        char *end = strstr(text, "[ RUN ");
        if (end != NULL)
            *end = '\0';
        see_words(words, text);
        count++;
    }
    assert_true(count > 20);
    assert_int_equal(count, WEXITSTATUS(status)); // and the sound tests between have passed
}

static void a_test_that_does_not_end_is_ended(void **state)
{
    (void)state;
    static char late[] = "late";
    setenv("TROUPE_TEST_DEADLINE", "1", 1);
    int status = run_failing(late);
    unsetenv("TROUPE_TEST_DEADLINE");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(output, "the test's deadline has passed"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(each_failure_is_told_where_it_is_and_why),
        TR_PROCESS_TEST(a_test_that_does_not_end_is_ended),
    };
    return cmocka_run_group_tests_name("kit/failing", tests, NULL, NULL);
}
