// Starting programs: from a tr_program to a process that has passed its exec, or an error.
//
// Not uv_spawn: libuv 1.44 forks, which stops the loop for as long as it takes to copy the parent's
// page tables (123 ms at 3 GiB). Not posix_spawn, which cannot set all that a program may be given.
// What both are made of is a child that borrows this process's memory until its exec, with this
// thread waiting: what it costs does not depend on that memory, and the child just writes down why
// it fails.
//
// So between clone and exec the child runs in our memory, beside our other threads. It makes system
// calls and nothing else: the library's functions take locks, set user ids for all threads, or are
// a sanitizer's. All it needs is made before. No signal may come in between, for its handler would
// run here: all are blocked, and set to their defaults before the mask is emptied.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "uv/inside.h"

#define STACK_BYTES  16384
#define SIGNALS      64
#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

// What the child needs, and what it leaves.
struct start {
    const tr_program *program;
    const tr_process_opts *how;
    const int *theirs, *more;
    char **env;
    char **files; // to be tried, one after the other
    cpu_set_t cpus;
    int cgroup; // descriptor; -1: none
    pid_t parent;
    int error; // the child's
};

// ---- Its environment ----

static bool env_replaces(const char *const *added, const char *inherited)
{
    size_t name = strcspn(inherited, "=");
    for (; *added != NULL; added++)
        if (strncmp(*added, inherited, name) == 0 && (*added)[name] == '=')
            return true;
    return false;
}

static size_t env_count(char *const *env)
{
    size_t n = 0;
    while (env[n] != NULL)
        n++;
    return n;
}

// gives: *ret_env, whose strings stay where they are
static int env_join(const char *const *added, bool only, char ***ret_env)
{
    char **extra = (char **)(uintptr_t)added;
    size_t n = env_count(extra);
    char **env = tr__alloc((n + (only ? 0 : env_count(environ)) + 1) * sizeof *env);
    if (env == NULL)
        return TR_ENOMEM;
    memcpy(env, extra, n * sizeof *env);
    for (char **inherited = environ; !only && *inherited != NULL; inherited++)
        if (!env_replaces(added, *inherited))
            env[n++] = *inherited;
    env[n] = NULL;
    *ret_env = env;
    return 0;
}

static const char *env_path(char *const *env)
{
    for (; *env != NULL; env++)
        if (strncmp(*env, "PATH=", 5) == 0)
            return *env + 5;
    return PATH_DEFAULT;
}

// ---- Its file ----

// One entry after the other, up to the NULL behind the last one: all in one piece of memory.
// gives: *ret_files
static int files_list(const char *file, const char *path, char ***ret_files)
{
    size_t count = 1, size = strlen(file) + 2;
    for (const char *at = path; *at != '\0'; at++)
        count += *at == ':';
    size_t table = (count + 1) * sizeof(char *), bytes = strlen(path) + count * size;
    char **files = tr__alloc(table + bytes);
    if (files == NULL)
        return TR_ENOMEM;
    char *to = (char *)files + table;
    for (size_t i = 0; i < count; i++) {
        int len = (int)strcspn(path, ":");
        files[i] = to;
        // An empty entry is the working directory.
        to += snprintf(to, bytes, "%.*s%s%s", len, path, len > 0 ? "/" : "", file) + 1;
        path += len + (path[len] == ':');
    }
    files[count] = NULL;
    *ret_files = files;
    return 0;
}

static int files_find(const tr_program *program, char *const *env, char ***ret_files)
{
    const char *file = program->path == NULL ? "/proc/self/exe" : program->path;
    bool search = program->how != NULL && strchr(file, '/') == NULL && file[0] != '\0';
    return files_list(file, search ? env_path(env) : "", ret_files);
}

// ---- In the child ----

#if defined __clang__
#define IN_CHILD __attribute__((disable_sanitizer_instrumentation, no_stack_protector))
#else
#define IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))
#endif

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            return errno;                                                                          \
    } while (0)

IN_CHILD static void child_default_signals(void)
{
    const uint64_t action[4] = {0}; // the kernel's own struct: SIG_DFL, whatever the order in it
    for (int signal = 1; signal <= SIGNALS; signal++)
        syscall(SYS_rt_sigaction, signal, action, NULL, SIGNALS / 8);
}

IN_CHILD static int child_set_place(const struct start *start)
{
    const tr_process_opts *how = start->how;
    if (how->detached)
        TRY(syscall(SYS_setsid));
    else if (!how->same_group)
        TRY(syscall(SYS_setpgid, 0, 0));
    if (start->cgroup >= 0)
        TRY(syscall(SYS_write, start->cgroup, "0", 1));
    if (how->cpu_count > 0)
        TRY(syscall(SYS_sched_setaffinity, 0, sizeof start->cpus, &start->cpus));
    if (how->nice != 0) {
        long now = 20 - syscall(SYS_getpriority, PRIO_PROCESS, 0); // as the kernel counts
        TRY(syscall(SYS_setpriority, PRIO_PROCESS, 0, now + how->nice));
    }
    for (size_t i = 0; i < how->limit_count; i++) {
        const uint64_t limit[2] = {how->limits[i].soft, how->limits[i].hard};
        TRY(syscall(SYS_prlimit64, 0, how->limits[i].resource, limit, NULL));
    }
    if (how->cwd != NULL)
        TRY(syscall(SYS_chdir, how->cwd));
    return 0;
}

IN_CHILD static int child_set_user(const tr_process_user *user)
{
    TRY(syscall(SYS_setgroups, user->group_count, user->groups));
    TRY(syscall(SYS_setresgid, user->gid, user->gid, user->gid));
    TRY(syscall(SYS_setresuid, user->uid, user->uid, user->uid));
    return 0;
}

// Last of all, for another user is not to be told of an earlier one's parent. The signal comes when
// the thread ends that we run on: no loop leaves its thread before its programs have ended.
IN_CHILD static int child_tie(const struct start *start)
{
    TRY(syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
    return syscall(SYS_getppid) == start->parent ? 0 : ESRCH;
}

IN_CHILD static int child_set_descriptors(const struct start *start)
{
    int end = TR__ENDS;
    while (end > TR__STDIO && start->theirs[end - 1] == 0)
        end--;
    for (int fd = 0; fd < end; fd++)
        if (start->theirs[fd] > 0)
            TRY(syscall(SYS_dup3, start->theirs[fd], fd, 0));
    if (start->program->stdio[STDERR_FILENO] == TR_STDIO_OUTPUT)
        TRY(syscall(SYS_dup3, STDOUT_FILENO, STDERR_FILENO, 0));
    for (size_t i = 0; start->how != NULL && i < start->how->more_count; i++, end++) {
        if (start->more[i] >= 0)
            TRY(syscall(SYS_dup3, start->more[i], end, 0));
        else
            syscall(SYS_close, end);
    }
    TRY(syscall(SYS_close_range, end, ~0u, 0));
    return 0;
}

// As execvp: what is not there, or not allowed, is looked for further on.
IN_CHILD static int child_exec(const struct start *start)
{
    bool denied = false;
    for (char **file = start->files; *file != NULL; file++) {
        syscall(SYS_execve, *file, start->program->argv, start->env);
        if (errno == EACCES)
            denied = true;
        else if (errno != ENOENT && errno != ENOTDIR)
            return errno;
    }
    return denied ? EACCES : errno;
}

IN_CHILD static int child_prepare(const struct start *start)
{
    const tr_process_opts *how = start->how;
    int error = how == NULL ? 0 : child_set_place(start);
    if (error == 0)
        error = child_set_descriptors(start);
    if (error == 0 && how != NULL && how->user != NULL)
        error = child_set_user(how->user);
    if (error == 0 && how != NULL && !how->detached)
        error = child_tie(start);
    return error;
}

IN_CHILD static int child_run(void *arg)
{
    static const uint64_t no_signals = 0;
    struct start *start = arg;
    child_default_signals();
    start->error = child_prepare(start);
    if (start->error == 0) {
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, NULL, sizeof no_signals);
        start->error = child_exec(start);
    }
    syscall(SYS_exit_group, 127);
    return 0;
}

// ---- In this process ----

static int cgroup_open(const char *directory)
{
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/cgroup.procs", directory);
    if (size < 0 || (size_t)size >= sizeof path)
        return TR_ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int start_prepare(struct start *start)
{
    static const char *const nothing[] = {NULL};
    const tr_program *program = start->program;
    const tr_process_opts *how = start->how;
    const char *const *env = program->env == NULL ? nothing : program->env;
    int rc = env_join(env, how != NULL && how->env_only, &start->env);
    if (rc == 0)
        rc = files_find(program, start->env, &start->files);
    if (rc < 0 || how == NULL)
        return rc;
    for (size_t i = 0; i < how->cpu_count; i++)
        CPU_SET(how->cpus[i], &start->cpus);
    if (how->cgroup != NULL)
        start->cgroup = cgroup_open(how->cgroup);
    return start->cgroup < -1 ? start->cgroup : 0;
}

// ThreadSanitizer takes each clone for a fork, and would think this process was the child from then
// on: the C library's other name for it passes it by.
extern int __clone(int (*run)(void *arg), void *stack, int flags, void *arg, ...);

// returns: as clone
static pid_t start_clone(struct start *start, int *ret_pidfd)
{
    _Alignas(16) char stack[STACK_BYTES];
    uint64_t all = UINT64_MAX, before; // those of the C library's own, too
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    pid_t pid = __clone(child_run, stack + sizeof stack,
                        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, start, ret_pidfd);
    int error = errno;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    errno = error;
    return pid;
}

static int start_run(struct start *start, pid_t *ret_pid, int *ret_pidfd)
{
    int pidfd;
    pid_t pid = start_clone(start, &pidfd);
    if (pid < 0)
        return -errno;
    if (start->error != 0) {
        close(pidfd);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        return -start->error;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

int tr__uv_start(const tr_program *program, const int theirs[TR__ENDS], const int *more,
                 pid_t *ret_pid, int *ret_pidfd)
{
    struct start start = {.program = program,
                          .how = program->how,
                          .theirs = theirs,
                          .more = more,
                          .cgroup = -1,
                          .parent = getpid()};
    int rc = start_prepare(&start);
    if (rc == 0)
        rc = start_run(&start, ret_pid, ret_pidfd);
    if (start.cgroup >= 0)
        close(start.cgroup);
    tr__free(start.files);
    tr__free(start.env);
    return rc;
}
