/* Programs: start any, speak with it, hear of its end, and stop it with all that it has started.
 *
 * A program is started from a file and its arguments: no shell looks at them, unless you ask for
 * one with tr_exec. What cannot be started is an error of the call. Its standard descriptors are
 * streams (troupe/stream.h) where you want them: with back-pressure, to be put into pipelines.
 *
 * A program belongs to the actor that has opened it. It runs -> is stopping -> is dead, and that is
 * told once: after its process has been reaped and its output has come to its end. When the actor
 * ends it is stopped, when the node ends that waits for it, and when this process dies, be it by
 * SIGKILL, the system ends it.
 *
 * It leads a process group of its own, which is what it has started as well, as far as that has not
 * left the group. Stopping reaches the group, by a ladder: its input is ended, if it is to be asked
 * (ask_ms); then it is sent SIGTERM; then, after term_ms, SIGKILL. */
#ifndef TROUPE_PROCESS_H
#define TROUPE_PROCESS_H

#include <troupe/cancel.h>
#include <troupe/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* By value; {0} is no program. Once its end has been told, calls on it say TR_ENOENT. */
typedef struct tr_process {
    uint64_t id;
} tr_process;

/* ---- How a program is started ---- */

typedef struct tr_process_user {
    uint32_t uid, gid;
    const uint32_t *groups; /* its supplementary groups, in place of this process's. NULL: none */
    size_t group_count;
} tr_process_user;

typedef struct tr_process_limit {
    int resource;        /* RLIMIT_NOFILE and its like, of <sys/resource.h> */
    uint64_t soft, hard; /* UINT64_MAX: no limit */
} tr_process_limit;

/* All is borrowed until the call ends. */
typedef struct tr_process_opts {
    size_t size; /* set by TR_PROGRAM */

    const char *argv0;      /* what it is told to be called; NULL: the file, as given */
    const char *cwd;        /* its directory; NULL: this process's */
    const char *const *env; /* "NAME=value", NULL-terminated, added to this process's environment,
                             * in place of those of the same name. NULL: none */
    bool env_only;          /* that is all of its environment */

    /* Its standard descriptors. TR_STDIO_FD: a descriptor of this process, from `fds`;
     * TR_STDIO_OUTPUT, for 2: where 1 goes. */
    tr_stdio stdio[3];
    int fds[3];

    /* It has a session of its own, and lives on when its actor, its node, and this process have
     * ended. Until its actor ends it is heard of, and can be stopped. */
    bool detached;
    bool same_group; /* it stays in this process's group: stopping reaches it alone, and a
                      * terminal's keys reach both. Not with `detached` */

    const tr_process_user *user; /* who it is to be; NULL: as this process */
    const tr_process_limit *limits;
    size_t limit_count;
    int nice;             /* is added to this process's; 0: the same */
    const uint32_t *cpus; /* on which processors it may run. NULL: as this process */
    size_t cpu_count;
    const char *cgroup; /* a directory of cgroup v2 that it is to be in; NULL: this process's */

    uint32_t timeout_ms; /* it is stopped after so long, with TR_ETIMEDOUT; 0: never */
    tr_cancel *cancel;   /* it is stopped, with TR_ECANCELED. NULL: none */
    uint32_t ask_ms;     /* its input is ended, and it is waited for so long; 0: neither */
    int stop_signal;     /* 0: SIGTERM */
    uint32_t term_ms;    /* from that to SIGKILL; 0: 2000 */
    uint32_t stdio_ms;   /* how long after its end its pipes may still be held by others, who have
                          * inherited them, before that is told without them; 0: 2000 */

    const int *more_fds; /* descriptors of this process that it has as 3, 4, ...: a pipe's or a
                          * socket pair's end, a listener, a file. -1: none there */
    size_t more_count;   /* at most 1024 */
} tr_process_opts;
#define TR_PROGRAM(...) (&(const tr_process_opts){.size = sizeof(tr_process_opts), __VA_ARGS__})

/* A list of arguments: TR_ARGS("-l", "/tmp"). */
#define TR_ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* How a program has ended. */
typedef struct tr_process_end {
    int status; /* 0: it left with code 0. TR_EFAILED: with another one, or by a signal. Or why
                 * it was stopped, if it did not leave before that with code 0: TR_ETIMEDOUT,
                 * TR_ECANCELED, TR_SHUTDOWN (tr_process_stop), TR_ETOOBIG (tr_exec) */
    tr_reason reason; /* TR_REASON_EXITED, with its code; or TR_REASON_KILLED, with the signal */
    bool held;        /* others still had its output, and that was given up */
    tr_usage usage;
} tr_process_end;

/* The end of a program. Called once. borrows: end, until it returns */
typedef void (*tr_process_ended)(tr_actor *self, tr_process process, const tr_process_end *end,
                                 void *arg);

/* Start a program. A file without a slash is looked for along PATH, its own where env sets one.
 * args are the arguments after its name, NULL-terminated; NULL: none. Files are not opened by name,
 * and no descriptors above 2 are inherited but more_fds.
 *
 * What it costs does not depend on the memory of this process.
 * borrows: file, args, opts (NULL: all defaults), until the call ends; arg, until cb has returned
 *          or the actor has ended
 * gives:   *ret_process; may be NULL
 * errors:  TR_EINVAL (also: an option; an entry of env without a name), TR_ENOENT (no such file, or
 *          cwd, or cgroup), TR_EACCES, -ENOTDIR, -ENOEXEC (not a program; a script needs its #!),
 *          -E2BIG, TR_EAGAIN (too many processes), -EMFILE, -ENFILE, -EPERM (user, limits, nice),
 *          -EBADF (fds, more_fds), TR_ENOMEM, other system errors; TR_ECANCELED (opts->cancel has been),
 *          TR_SHUTDOWN (the node is ending), TR_ENOSYS (in the kit; in a simulation, some options)
 */
TR_API int tr_process_open(tr_actor *self, const char *file, const char *const *args,
                           const tr_process_opts *opts, tr_process_ended cb, void *arg,
                           tr_process *ret_process);

/* ---- While it runs ---- */

/* The other end of a pipe (TR_STDIO_PIPE): fd 0: a stream to write to; 1 and 2: streams to read
 * from. Each is given once; take those that you want in the turn of the open. The program waits
 * while nobody reads what it writes, so that its end may have to be waited for as long.
 *
 * The end is told when its output has been read to its end, or closed. What is left of its input is
 * dropped then, without an error of yours: the streams of a program end no actor, as its end tells.
 * gives:  *ret_stream
 * errors: TR_ENOENT (no such program, no pipe, or it has been given), TR_EINVAL, TR_ENOMEM */
TR_API int tr_process_stream(tr_actor *self, tr_process process, int fd, tr_stream *ret_stream);

/* Stop it: the ladder begins. Its end is told as ever. One that is being stopped is a no-op.
 * errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_process_stop(tr_actor *self, tr_process process);

/* Send a signal to the program alone, or to its whole group; 0 only asks. This is no stop: the
 * program may do with it what it likes.
 * errors: TR_ENOENT (also: its process has ended, or nobody is left in the group), TR_EINVAL (no
 *         such signal), -EPERM (it is another user's now) */
TR_API int tr_process_signal(tr_actor *self, tr_process process, int signal);
TR_API int tr_process_signal_group(tr_actor *self, tr_process process, int signal);

typedef enum tr_process_state {
    TR_PROCESS_RUNNING,
    TR_PROCESS_STOPPING, /* the ladder has begun */
    TR_PROCESS_DEAD      /* reaped; what is left is its output, or its group when it was stopped */
} tr_process_state;

typedef struct tr_process_info {
    tr_process_state state;
    int64_t pid; /* which is its group's, too, unless that is this process's */
} tr_process_info;

/* errors: TR_ENOENT, TR_EINVAL */
TR_API int tr_process_look(tr_actor *self, tr_process process, tr_process_info *ret_info);

/* ---- Run it, and have its output ----
 *
 * The output is kept up to a limit, for each of both streams. Nothing is killed for reaching it,
 * unless you want that. */

typedef enum tr_exec_limit {
    TR_EXEC_HOLD, /* nothing more is read: the program waits as soon as its pipe is full, too, until
                   * it is stopped: by `timeout_ms`, `cancel`, tr_process_stop or the actor's end.
                   * `full` tells; without it "exec.full" is warned of */
    TR_EXEC_DROP, /* the program goes on, and what is above the limit is read and dropped */
    TR_EXEC_STOP  /* the program is stopped, and that is TR_ETOOBIG */
} tr_exec_limit;

#define TR_EXEC_BYTES 1048576u /* as Node's */

typedef struct tr_exec_opts {
    size_t size;                    /* set by TR_EXEC */
    const tr_process_opts *program; /* NULL: all defaults. Its stdio counts where it is not
                                     * TR_STDIO_INHERIT: that stands for null, pipe, pipe */
    tr_str input;                   /* what the program reads, and then its end; copied */
    size_t bytes_max;               /* the limit; 0: TR_EXEC_BYTES */
    tr_exec_limit at_limit;
    /* TR_EXEC_HOLD: fd, 1 or 2, has reached the limit, and the program has more to say. NULL: none
     */
    void (*full)(tr_actor *self, tr_process process, int fd, void *arg);
} tr_exec_opts;
#define TR_EXEC(...) (&(const tr_exec_opts){.size = sizeof(tr_exec_opts), __VA_ARGS__})

typedef struct tr_exec_result {
    tr_str out, err;               /* what it has written, up to the limit; a NUL stands behind */
    uint64_t out_total, err_total; /* bytes that were read: more than that where it was dropped */
    bool out_cut, err_cut;         /* there was more than the limit */
    tr_process_end end;
} tr_exec_result;

/* It has ended. error: result->end.status: 0 only where it left with code 0. Called once.
 * borrows: result, until it returns */
typedef void (*tr_executed)(tr_actor *self, int error, const tr_exec_result *result, void *arg);

/* Run a command line in a shell, /bin/sh. Put nothing into it that comes from others: the shell
 * takes its meaning from each character. tr_exec_file has no such traps.
 * borrows: as tr_process_open
 * gives:   *ret_process, to be stopped or looked at; may be NULL
 * errors:  as tr_process_open */
TR_API int tr_exec(tr_actor *self, const char *command, const tr_exec_opts *opts, tr_executed cb,
                   void *arg, tr_process *ret_process);

/* The same for a file and its arguments, without a shell. */
TR_API int tr_exec_file(tr_actor *self, const char *file, const char *const *args,
                        const tr_exec_opts *opts, tr_executed cb, void *arg,
                        tr_process *ret_process);

#ifdef __cplusplus
}
#endif
#endif
