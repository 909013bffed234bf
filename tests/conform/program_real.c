// The program of the suite in the real world: a role of the test's own program.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conform/program_suite.h"

static int put(const char *bytes, size_t size, int to)
{
    for (ssize_t n; size > 0; bytes += n, size -= (size_t)n)
        if ((n = write(to, bytes, size)) < 0)
            return 1;
    return 0;
}

static int role_cat(void)
{
    char bytes[4096];
    ssize_t n;
    while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
        if (put(bytes, (size_t)n, STDOUT_FILENO) != 0)
            return 1;
    return n < 0;
}

static int role_say(void)
{
    return put("hello\n", 6, STDOUT_FILENO) + put("oops\n", 5, STDERR_FILENO);
}

static int role_pour(size_t count)
{
    char bytes[4096];
    memset(bytes, 'y', sizeof bytes);
    for (size_t size; count > 0; count -= size) {
        size = count < sizeof bytes ? count : sizeof bytes;
        if (put(bytes, size, STDOUT_FILENO) != 0)
            return 1;
    }
    return 0;
}

static int role_stubborn(void)
{
    signal(SIGTERM, SIG_IGN);
    put("ready\n", 6, STDOUT_FILENO);
    while (pause() < 0)
        continue;
    return 0;
}

int program_play(int argc, char **argv)
{
    const char *role = argv[2];
    int number = argc > 3 ? atoi(argv[3]) : 0;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (strcmp(role, "exit") == 0)
        return number;
    if (strcmp(role, "kill") == 0)
        return raise(number);
    if (strcmp(role, "cat") == 0)
        return role_cat();
    if (strcmp(role, "say") == 0)
        return role_say();
    if (strcmp(role, "pour") == 0)
        return role_pour((size_t)number);
    if (strcmp(role, "stubborn") == 0)
        return role_stubborn();
    return 99;
}
