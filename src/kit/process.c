// Tests with real processes: a directory, a deadline, and what must be as it was before.
//
// What a process holds is read from /proc, so that nothing need be told of what a test or the
// library opens. The deadline ends the whole program: its signal comes at any moment, from which
// there is no sound way back.
//
// A node is run on the test's thread. When a cmocka assertion jumps out of one of its handlers it
// is in the midst of a turn, and cannot be closed: the test, which has failed, leaves it behind.
#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kit/kit.h"

#ifndef __has_feature // clang's word for it
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define DEADLINE_S (SANITIZED ? 240 : 60)

static const char pattern[] = "/tmp/troupe-test-XXXXXX";
static char directory[sizeof pattern];
static bool running; // left so by a test that has jumped out of a handler

// What this process held before the test.
static struct {
    size_t descriptors, threads, children;
} held;

bool tr_test_sanitized(void)
{
    return SANITIZED;
}

// ---- What a process holds ----

// Entries but for those whose names begin with a dot.
static struct dirent *directory_next(DIR *dir)
{
    struct dirent *entry;
    do
        entry = readdir(dir);
    while (entry != NULL && entry->d_name[0] == '.');
    return entry;
}

static size_t proc_entries(int64_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%lld/%s", (long long)pid, name);
    DIR *dir = opendir(path);
    size_t n = 0;
    if (dir == NULL)
        return 0;
    while (directory_next(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

size_t tr_test_descriptors(int64_t pid)
{
    size_t n = proc_entries(pid, "fd");
    return pid == getpid() ? n - 1 : n; // without the one that looks
}

size_t tr_test_threads(int64_t pid)
{
    return proc_entries(pid, "task");
}

static size_t task_children(const char *task, int64_t *ret_pids, size_t max)
{
    char path[320];
    snprintf(path, sizeof path, "/proc/self/task/%s/children", task);
    FILE *in = fopen(path, "r");
    size_t n = 0;
    if (in == NULL)
        return 0;
    for (long long pid; fscanf(in, "%lld", &pid) == 1; n++)
        if (n < max)
            ret_pids[n] = pid;
    fclose(in);
    return n;
}

size_t tr_test_children(int64_t *ret_pids, size_t max)
{
    DIR *dir = opendir("/proc/self/task");
    size_t n = 0;
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = directory_next(dir)) != NULL;)
        n += task_children(entry->d_name, n < max ? ret_pids + n : NULL, n < max ? max - n : 0);
    closedir(dir);
    return n;
}

// ---- The directory ----

const char *tr_test_path(const char *name)
{
    static char paths[8][sizeof directory + 64];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

// ---- Around a test ----

static void deadline_passed(int number)
{
    (void)number;
    static const char text[] = "the test's deadline has passed\n";
    signal(SIGABRT, SIG_DFL);
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        abort();
    abort();
}

static unsigned deadline_s(void)
{
    const char *text = getenv("TROUPE_TEST_DEADLINE");
    unsigned long seconds = text == NULL ? 0 : strtoul(text, NULL, 10);
    return seconds > 0 && seconds < 1000000 ? (unsigned)seconds : DEADLINE_S;
}

static void *tell_thread(void *ret_tid)
{
    *(pid_t *)ret_tid = gettid();
    return NULL;
}

// What stays from the first time on: two descriptors of libuv's, a thread of ThreadSanitizer's.
static int node_once(void)
{
    pthread_t thread;
    pid_t tid = 0;
    tr_node *node = NULL;
    int rc = -pthread_create(&thread, NULL, tell_thread, &tid);
    if (rc == 0)
        rc = -pthread_join(thread, NULL);
    while (rc == 0 && tgkill(getpid(), tid, 0) == 0)
        sched_yield(); // one that has been joined is listed a little longer
    if (rc == 0)
        rc = tr_node_open(NULL, &node);
    tr_node_close(&node);
    return rc;
}

int tr_test_setup(void **state)
{
    (void)state;
    memcpy(directory, pattern, sizeof pattern);
    if (mkdtemp(directory) == NULL || node_once() < 0) {
        tr__kit_print("no directory for the test, or no node");
        return -1;
    }
    running = false;
    setenv("TROUPE_TRACE", "off", 0); // but where a test asks for it
    held.descriptors = tr_test_descriptors(getpid());
    held.threads = tr_test_threads(getpid());
    held.children = tr_test_children(NULL, 0);
    tr__kit_test_begin();
    signal(SIGALRM, deadline_passed);
    alarm(deadline_s());
    return 0;
}

// Threads that have been joined may still be on their way out of the list; libnng closes
// descriptors on a thread of its own. On a busy machine a look takes as long as the others' turns.
static size_t left(size_t (*count)(int64_t pid), size_t before)
{
    size_t n = count(getpid());
    for (unsigned looks = 5000; n > before && looks > 0; looks--) {
        sched_yield();
        n = count(getpid());
    }
    return n;
}

static void see_left(const char *what, size_t before, size_t after)
{
    if (before != after)
        tr__kit_fail("%s: %zu before the test, %zu after it", what, before, after);
}

int tr_test_teardown(void **state)
{
    (void)state;
    tr__kit_test_unfork();
    alarm(0);
    nftw(directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    tr__kit_test_end();
    tr__kit_fail_checked();
    if (running) {
        tr__loop_here = NULL;
        tr__kit_print("an assertion has jumped out of a running node, which is left behind: in "
                      "handlers use TR_CHECK");
        return 0;
    }
    see_left("descriptors", held.descriptors, left(tr_test_descriptors, held.descriptors));
    see_left("threads", held.threads, left(tr_test_threads, held.threads));
    see_left("children", held.children, tr_test_children(NULL, 0));
    return 0;
}

// Return what the node did; it is closed, or was never open.
static int node_run(const tr_app *app, const tr_behavior *first, tr_val args)
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

int tr_test_run(const tr_app *app, const tr_behavior *first, tr_val args, const char *file,
                int line)
{
    tr__kit_at(file, line);
    running = true;
    int rc = node_run(app, first, args);
    running = false;
    tr__kit_fail_checked();
    return rc;
}
