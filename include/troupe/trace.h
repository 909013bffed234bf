/* The trace: what a process has done, for people and programs beside it.
 *
 * Each node keeps its last records in a file that is mapped into its memory, in a private
 * directory: $TROUPE_TRACE_DIR, else $XDG_RUNTIME_DIR/troupe, else $RUNTIME_DIRECTORY, else
 * /tmp/troupe-UID. Actors that start and end, children, links, dead letters and slow turns are
 * always written; messages while somebody wants them, which he says in the file (tr_trace_want), or
 * from the beginning with TROUPE_TRACE=msg in the environment (=body: with what is in them; =off:
 * nothing is written at all). The file outlives the process when that is killed: then its parent
 * warns with its last records ("child.trace"), and the newest few are kept. After an orderly end it
 * is removed, unless TROUPE_TRACE says so with a second word: body,keep.
 *
 * This header reads such files. It needs no help from the process that writes, which may be stuck
 * or gone. The command `troupe` is made of it. */
#ifndef TROUPE_TRACE_H
#define TROUPE_TRACE_H

#include <troupe/msg.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tr_trace_kind {
    TR_TRACE_GAP,     /* number records were overwritten before they were read */
    TR_TRACE_MESSAGE, /* it was handled: actor, from, wait, run, depth, code */
    TR_TRACE_SENT,    /* it has left over a link: actor is who has sent it, from whom it is for */
    TR_TRACE_DROP,    /* a dead letter: code says why */
    TR_TRACE_START,   /* an actor: name is its behaviour's, from its parent */
    TR_TRACE_END,     /* an actor: reason, code */
    TR_TRACE_CHILD,   /* a process was started: number is its pid, from its first actor */
    TR_TRACE_REAPED,  /* and has ended: reason, code */
    TR_TRACE_UP,      /* a link to the node of from */
    TR_TRACE_DOWN,
    TR_TRACE_SLOW,   /* a turn of number ns; name is what it was for */
    TR_TRACE_NAME,   /* the actor can be found by this name */
    TR_TRACE_ATTACH, /* a process, number is its pid, reads the messages from now on */
    TR_TRACE_DETACH, /* nobody does any more */
    TR_TRACE_BODY,   /* never told: inside */
    TR_TRACE_KINDS
} tr_trace_kind;

/* Flags of a message. */
enum {
    TR_TRACE_ASK = 1,      /* it wants an answer */
    TR_TRACE_ANSWER = 2,   /* it is one */
    TR_TRACE_STAMPED = 4,  /* sent, wait, trace, span and parent are known */
    TR_TRACE_REMOTE = 8,   /* its parent is a span of the node of from */
    TR_TRACE_FAILED = 16,  /* code is its handler's error */
    TR_TRACE_HAS_BODY = 32 /* body is what was in it */
};

/* One record. Times are nanoseconds since 1970. */
typedef struct tr_trace_event {
    tr_trace_kind kind;
    unsigned flags;
    int64_t pid;
    uint32_t loop;
    uint64_t time;  /* when it happened; of a message: when it had been handled */
    uint64_t sent;  /* messages; of one that stays on its loop perhaps only when the turn that has
                     * sent it was over, before which it does not leave */
    uint64_t wait;  /* ns from there to its turn */
    uint64_t run;   /* ns of its turn */
    uint32_t depth; /* messages that waited behind it */
    uint64_t bytes; /* of its body */
    tr_addr actor;  /* whose it is */
    tr_addr from;
    char name[64];       /* of the message, the beginning; "" if there is none */
    char actor_name[64]; /* "worker/3": its behaviour, or registered name, and its place; "" */
    char from_name[64];  /* likewise; of another node only its id */
    uint64_t trace;      /* the second half of the trace's id; 0: none */
    uint32_t span, parent;
    int code;
    tr_reason reason; /* of ends */
    uint64_t number;
    const uint8_t
        *body; /* msgpack, checked; NULL: none, or it was too large. Good until the next */
    size_t body_size;
} tr_trace_event;

/* A process as its file says. */
typedef struct tr_trace_process {
    int64_t pid, parent;
    uint64_t node;    /* 0: a child that has not heard from its parent */
    uint64_t started; /* ns since 1970 */
    bool alive;
    uint32_t loops;
    char name[64];
    char exe[256];
} tr_trace_process;

/* A loop of it. Counters are since its start; they are written once an iteration. */
typedef struct tr_trace_loop {
    uint64_t iterations, turns, idle_ns;
    uint64_t silent_ns; /* since its last iteration began: when it is not asleep it is stuck */
    bool asleep;
    uint64_t actors, dead_letters;
    char last_actor[64]; /* whose the last turn was, or is; "": nobody's */
    uint64_t running_ns; /* while messages are wanted: how long a turn runs already; 0: none */
    char running_actor[64], running_message[33];
} tr_trace_loop;

/* An actor that is there. handled, wait and run are of messages that were traced. */
typedef struct tr_trace_actor {
    tr_addr addr, parent;
    char name[64];
    uint64_t started;
    uint64_t handled, wait_ns, run_ns;
    uint32_t depth; /* behind the last one */
} tr_trace_actor;

typedef struct tr_trace tr_trace;

/* Where this process's traces are, and are looked for.
 * returns: 0, and the path; TR_ENAMETOOLONG
 * thread:  any, as all here: a tr_trace is one thread's at a time */
TR_API int tr_trace_dir(char *ret_path, size_t size);

/* Call cb for each file there, in no order, until it returns something else than 0, which is then
 * returned.
 * borrows: path, until cb returns */
typedef int (*tr_trace_each_cb)(const char *path, void *arg);
TR_API int tr_trace_each(tr_trace_each_cb cb, void *arg);

/* Open the file of a process, also one that has ended; by its path; the last one of a pid, 0: of
 * this process.
 * gives:   *ret_trace
 * errors:  TR_ENOENT, TR_EBADMSG (no trace), TR_EVERSION, -EACCES (not this user's), TR_ENOMEM, a
 *          system error */
TR_API int tr_trace_open(const char *path, tr_trace **ret_trace);
TR_API int tr_trace_open_pid(int64_t pid, tr_trace **ret_trace);
TR_API void tr_trace_close(tr_trace **trace); /* what it wanted is not wanted any more */

TR_API void tr_trace_look(tr_trace *trace, tr_trace_process *ret_process);
/* errors: TR_ENOENT (there is no such loop) */
TR_API int tr_trace_look_loop(tr_trace *trace, uint32_t loop, tr_trace_loop *ret_loop);
/* All actors that are there, up to max; *ret_more: those that the file has no room for.
 * returns: how many */
TR_API size_t tr_trace_actors(tr_trace *trace, tr_trace_actor *ret_actors, size_t max,
                              uint64_t *ret_more);

/* Have the process write messages, and with bodies what is in them, for so long from now: to be
 * said again before that is over. Who dies leaves nothing switched on.
 * errors:  TR_EFULL (four do so already), TR_EDOWN (the process has ended), a system error */
TR_API int tr_trace_want(tr_trace *trace, bool bodies, uint32_t lease_ms);

/* The next record, in the order of time as far as it has been read: what several loops write at the
 * same moment may come in either order. Begins with the oldest one there is; tr_trace_skip: with
 * what comes from now on.
 * returns: 1, and the record, good until the next call; 0: there is none now; TR_EBADMSG */
TR_API int tr_trace_next(tr_trace *trace, tr_trace_event *ret_event);
TR_API void tr_trace_skip(tr_trace *trace);

/* What people call an actor of this process: "worker/3". "" if it is not known.
 * borrows: nothing; the text is good until the next call */
TR_API const char *tr_trace_name(tr_trace *trace, uint64_t actor);

/* A record as a line of text without its end.
 * returns: the bytes that all of it has, as snprintf */
TR_API int tr_trace_line(const tr_trace_event *event, char *ret_text, size_t size);

/* Records as a sequence diagram in the language of mermaid: messages and dead letters as arrows
 * between actors, and ends.
 * borrows: events, in the order of time
 * gives:   *ret_text, to be freed by tr_free
 * errors:  TR_EINVAL, TR_ENOMEM */
TR_API int tr_trace_diagram(const tr_trace_event *events, size_t count, char **ret_text);

/* The last records of a child process that has ended badly, as lines, the oldest first: for who
 * watches it, when it hears of its end. This reads a small file, in the call.
 * lines:  1 to 1000, at most so many
 * gives:  *ret_text, to be freed by tr_free
 * errors: TR_EINVAL, TR_ENOENT (nothing was kept of it), TR_ENOMEM */
TR_API int tr_trace_last(tr_addr child, size_t lines, char **ret_text);

#ifdef __cplusplus
}
#endif
#endif
