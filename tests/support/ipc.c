#include "support/ipc.h"

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

// ---- What a process holds ----

static size_t directory_entries(const char *path)
{
    DIR *dir = opendir(path);
    size_t n = 0;
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

size_t ipc_descriptors(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    size_t n = directory_entries(path);
    return pid == getpid() ? n - 1 : n; // without the one that looks
}

size_t ipc_threads(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    return directory_entries(path);
}

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

static size_t task_children(const char *task, pid_t *ret_pids, size_t max)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/self/task/%s/children", task);
    FILE *in = fopen(path, "r");
    size_t n = 0;
    if (in == NULL)
        return 0;
    for (int pid; fscanf(in, "%d", &pid) == 1; n++)
        if (n < max)
            ret_pids[n] = pid;
    fclose(in);
    return n;
}

size_t ipc_children(pid_t *ret_pids, size_t max)
{
    DIR *dir = opendir("/proc/self/task");
    size_t n = 0;
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            n += task_children(entry->d_name, n < max ? ret_pids + n : NULL, n < max ? max - n : 0);
    closedir(dir);
    return n;
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

bool ipc_sanitized(void)
{
    return SANITIZED;
}

uint64_t ipc_scaled(uint64_t count)
{
    const char *text = getenv("TROUPE_TEST_SCALE");
    uint64_t divisor = text != NULL ? strtoull(text, NULL, 10) : SANITIZED ? 20 : 1;
    return divisor < 2 ? count : count / divisor > 0 ? count / divisor : 1;
}

// ---- The directory ----

static char directory[] = "/tmp/troupe-ipc-XXXXXX";

const char *ipc_path(const char *name)
{
    static char paths[8][sizeof directory + 64];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

size_t ipc_files(void)
{
    return directory_entries(directory);
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

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

// ---- Around a test ----

int ipc_run(const tr_app *app, const tr_behavior *first, tr_val args)
{
    tr_node *node = NULL;
    int rc = tr_node_open(TR_NODE(.app = app), &node);
    if (rc == 0)
        rc = tr_node_spawn(node, first, TR_SPAWN(.args = args), NULL);
    if (rc == 0)
        rc = tr_node_run(node);
    tr_node_close(&node);
    return rc;
}

#define DEADLINE_S (SANITIZED ? 240 : 60)

static size_t descriptors, threads, children;

static void deadline_passed(int signal)
{
    (void)signal;
    static const char text[] = "the test's deadline has passed\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        abort();
    abort();
}

int ipc_begin(void **state)
{
    (void)state;
    memcpy(directory + sizeof directory - 7, "XXXXXX", 6);
    if (mkdtemp(directory) == NULL)
        return -1;
    tr_node *node;
    assert_int_equal(0, tr_node_open(NULL, &node)); // libuv keeps two descriptors from the first on
    tr_node_close(&node);
    descriptors = ipc_descriptors(getpid());
    threads = ipc_threads(getpid());
    children = ipc_children(NULL, 0);
    signal(SIGALRM, deadline_passed);
    alarm(DEADLINE_S);
    return 0;
}

int ipc_end(void **state)
{
    (void)state;
    alarm(0);
    nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(descriptors, ipc_descriptors(getpid()));
    assert_int_equal(threads, ipc_threads(getpid()));
    assert_int_equal(children, ipc_children(NULL, 0));
    return 0;
}
