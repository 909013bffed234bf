// Where traces are: a directory of this user's own, and in it a file for each node, PID.trace,
// which its writer holds a lock on for as long as it lives: so nobody has to guess by the pid.
//
// A file whose process has ended badly is kept under a name that says when, kept-TIME-PID.trace,
// and the oldest of those go when there are more than KEPT_MAX. It is its parent that does so; who
// has none is found by the next first process of a program that starts here.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/file.h"

#define KEPT_MAX 16
#define NODES    16 // of one process

#define KEPT "kept-"

// ---- The directory ----

int tr_trace_dir(char *ret_path, size_t size)
{
    const char *dir = getenv("TROUPE_TRACE_DIR"), *run = getenv("XDG_RUNTIME_DIR");
    const char *service = getenv("RUNTIME_DIRECTORY"); // of systemd's
    int n;
    if (dir != NULL && dir[0] == '/')
        n = snprintf(ret_path, size, "%s", dir);
    else if (run != NULL && run[0] == '/')
        n = snprintf(ret_path, size, "%s/troupe", run);
    else if (service != NULL && service[0] == '/')
        n = snprintf(ret_path, size, "%.*s", (int)strcspn(service, ":"), service);
    else
        n = snprintf(ret_path, size, "/tmp/troupe-%ld", (long)geteuid());
    return n < 0 || (size_t)n >= size ? TR_ENAMETOOLONG : 0;
}

static bool is_own_dir(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int dir_make(char *ret_path, size_t size)
{
    int rc = tr_trace_dir(ret_path, size);
    if (rc < 0)
        return rc;
    if (mkdir(ret_path, 0700) < 0 && errno != EEXIST)
        return -errno;
    return is_own_dir(ret_path) ? 0 : -EACCES;
}

int tr__trace_path(int64_t pid, unsigned n, char *ret_path, size_t size)
{
    char dir[TR__TRACE_PATH];
    char more[16] = "";
    int rc = tr_trace_dir(dir, sizeof dir);
    if (rc < 0)
        return rc;
    if (n > 0)
        snprintf(more, sizeof more, "-%u", n);
    int len = snprintf(ret_path, size, "%s/%lld%s" TR__TRACE_SUFFIX, dir, (long long)pid, more);
    return len < 0 || (size_t)len >= size ? TR_ENAMETOOLONG : 0;
}

static bool is_trace(const char *name)
{
    size_t len = strlen(name), suffix = sizeof TR__TRACE_SUFFIX - 1;
    return name[0] != '.' && len > suffix && strcmp(name + len - suffix, TR__TRACE_SUFFIX) == 0;
}

int tr_trace_each(tr_trace_each_cb cb, void *arg)
{
    char dir[TR__TRACE_PATH], path[TR__TRACE_PATH + 256];
    int rc = cb == NULL ? TR_EINVAL : tr_trace_dir(dir, sizeof dir);
    DIR *all = rc < 0 || !is_own_dir(dir) ? NULL : opendir(dir);
    if (all == NULL)
        return rc;
    for (struct dirent *entry; rc == 0 && (entry = readdir(all)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (is_trace(entry->d_name))
            rc = cb(path, arg);
    }
    closedir(all);
    return rc;
}

// ---- Files ----

bool tr__trace_alive(int fd)
{
    if (flock(fd, LOCK_SH | LOCK_NB) < 0)
        return errno == EWOULDBLOCK;
    flock(fd, LOCK_UN);
    return false;
}

static int open_own(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
        return fd;
    close(fd);
    return -EACCES;
}

static bool is_dead(const char *path)
{
    int fd = open_own(path);
    if (fd < 0)
        return false;
    bool dead = !tr__trace_alive(fd);
    close(fd);
    return dead;
}

static bool file_fits(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= size);
}

// Its name: the first one of this process that no node of it has. One that has been left by a dead
// process with the same pid is replaced.
static int file_name(const char *temporary, int64_t pid, char *ret_path, size_t size)
{
    for (unsigned n = 0; n < NODES; n++) {
        int rc = tr__trace_path(pid, n, ret_path, size);
        if (rc < 0)
            return rc;
        if (access(ret_path, F_OK) == 0 && is_dead(ret_path))
            tr__trace_keep(ret_path, pid);
        if (link(temporary, ret_path) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

static int file_begin(int fd, const tr__trace_head *head)
{
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fchmod(fd, 0600) < 0)
        return -errno;
    if (!file_fits(TR__TRACE_LOOPS_AT + TR__TRACE_LOOP_SIZE))
        return -EFBIG;
    if (ftruncate(fd, TR__TRACE_LOOPS_AT) < 0)
        return -errno;
    int rc = -posix_fallocate(fd, 0, TR__TRACE_LOOPS_AT / 4);
    return rc < 0 ? rc : pwrite(fd, head, sizeof *head, 0) != sizeof *head ? -EIO : 0;
}

int tr__trace_create(const tr__trace_head *head, char *ret_path, size_t size)
{
    char dir[TR__TRACE_PATH], temporary[TR__TRACE_PATH + 64];
    int rc = dir_make(dir, sizeof dir);
    if (rc < 0)
        return rc;
    snprintf(temporary, sizeof temporary, "%s/.new-XXXXXX", dir);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    rc = file_begin(fd, head);
    if (rc == 0)
        rc = file_name(temporary, head->pid, ret_path, size);
    unlink(temporary);
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

// ---- What has ended ----

typedef struct kept {
    unsigned count;
    char oldest[TR__TRACE_PATH + 256];
} kept;

static int kept_count(const char *path, void *arg)
{
    kept *k = arg;
    const char *name = strrchr(path, '/') + 1;
    if (strncmp(name, KEPT, sizeof KEPT - 1) != 0)
        return 0;
    if (k->count++ == 0 || strcmp(path, k->oldest) < 0)
        snprintf(k->oldest, sizeof k->oldest, "%s", path);
    return 0;
}

void tr__trace_keep(const char *path, int64_t pid)
{
    char to[TR__TRACE_PATH + 64], dir[TR__TRACE_PATH];
    tr__trace_clock now;
    tr__trace_clock_now(false, &now);
    if (tr_trace_dir(dir, sizeof dir) < 0)
        return;
    snprintf(to, sizeof to, "%s/" KEPT "%012llu-%lld" TR__TRACE_SUFFIX, dir,
             (unsigned long long)(now.real / 1000000), (long long)pid);
    if (rename(path, to) < 0)
        return;
    for (kept k = {0}; tr_trace_each(kept_count, &k) == 0 && k.count > KEPT_MAX; k = (kept){0})
        if (unlink(k.oldest) < 0)
            return;
}

// Its parent writes a trace: it is to tell of this one, and may not have come to that yet.
static bool is_looked_after(const char *path)
{
    tr__trace_head head;
    char parent[TR__TRACE_PATH];
    int fd = open_own(path);
    bool known = fd >= 0 && pread(fd, &head, sizeof head, 0) == sizeof head &&
                 tr__trace_path(head.parent, 0, parent, sizeof parent) == 0;
    if (fd >= 0)
        close(fd);
    return known && access(parent, F_OK) == 0 && !is_dead(parent);
}

static int sweep_one(const char *path, void *arg)
{
    const char *name = strrchr(path, '/') + 1;
    long long pid;
    (void)arg;
    if (sscanf(name, "%lld", &pid) == 1 && is_dead(path) && !is_looked_after(path))
        tr__trace_keep(path, pid);
    return 0;
}

void tr__trace_sweep(void)
{
    tr_trace_each(sweep_one, NULL);
}
