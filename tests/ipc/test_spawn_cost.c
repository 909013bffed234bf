// The cost of a spawn does not grow with the memory of the parent. prog_spawn_cost measures.
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/ipc.h"

#define RATIO_MAX 5.0 // a fork is at 50 and more

// Run a program beside this one and read what it prints.
static void run_and_read(const char *name, char *const argv[], char *ret_text, size_t size)
{
    int ends[2], status;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    assert_int_equal(0, pipe2(ends, 0));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    assert_int_equal(0, posix_spawn(&pid, ipc_program(name), &actions, NULL, argv, environ));
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t got = 0;
    for (ssize_t n; (n = read(ends[0], ret_text + got, size - 1 - got)) > 0;)
        got += (size_t)n;
    ret_text[got] = '\0';
    close(ends[0]);
    assert_int_equal(pid, waitpid(pid, &status, 0));
    assert_int_equal(0, status);
}

static void a_spawn_from_a_large_parent_costs_no_more(void **state)
{
    (void)state;
    char text[256];
    static char name[] = "prog_spawn_cost", mib[] = "512";
    char *argv[] = {name, mib, NULL};
    double ratio = 0;
    run_and_read(name, argv, text, sizeof text);
    print_message("%s", text);
    assert_non_null(strstr(text, "fastest "));
    assert_int_equal(1, sscanf(strstr(text, "fastest "), "fastest %lf", &ratio));
    assert_true(ratio > 0 && ratio < RATIO_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(a_spawn_from_a_large_parent_costs_no_more),
    };
    return cmocka_run_group_tests_name("ipc/spawn_cost", tests, NULL, NULL);
}
