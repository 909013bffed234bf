#include "support/ipc.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// ---- What a process holds ----

size_t ipc_rss(pid_t pid)
{
    char path[64];
    size_t pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *in = fopen(path, "r");
    if (in == NULL)
        return 0;
    if (fscanf(in, "%*u %zu", &pages) != 1)
        pages = 0;
    fclose(in);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

uint64_t ipc_cpu(pid_t pid)
{
    char text[1024];
    unsigned long user, system;
    snprintf(text, sizeof text, "/proc/%d/stat", (int)pid);
    FILE *in = fopen(text, "r");
    if (in == NULL)
        return 0;
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    const char *name_end = strrchr(text, ')'); // the name may have anything in it
    if (name_end == NULL ||
        sscanf(name_end, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) !=
            2)
        return 0;
    return (user + system) * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

bool ipc_ended(int pidfd, int timeout_ms)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    return poll(&end, 1, timeout_ms) == 1;
}

uint64_t ipc_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// ---- Scale ----

uint64_t ipc_scaled(uint64_t count)
{
    const char *text = getenv("TROUPE_TEST_SCALE");
    uint64_t divisor = text != NULL ? strtoull(text, NULL, 10) : tr_test_sanitized() ? 20 : 1;
    return divisor < 2 ? count : count / divisor > 0 ? count / divisor : 1;
}

// ---- The directory ----

size_t ipc_files(void)
{
    DIR *dir = opendir(tr_test_path("."));
    size_t n = 0;
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

void ipc_note(const char *path, uint64_t number)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        abort();
    fprintf(out, "%llu", (unsigned long long)number);
    fclose(out);
}

uint64_t ipc_noted(const char *path)
{
    unsigned long long number = UINT64_MAX;
    FILE *in = fopen(path, "r");
    if (in == NULL)
        return UINT64_MAX;
    if (fscanf(in, "%llu", &number) != 1)
        number = UINT64_MAX;
    fclose(in);
    return number;
}

const char *ipc_program(const char *name)
{
    static char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
    if (n < 0)
        abort();
    path[n] = '\0';
    char *slash = strrchr(path, '/');
    snprintf(slash + 1, sizeof path - (size_t)(slash + 1 - path), "%s", name);
    return path;
}
