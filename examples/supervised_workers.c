// Three workers that crash, each in its own way: one beside its supervisor, one on a thread, one in
// a process, where even a wild pointer is nobody else's end. Each works again right afterwards.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <troupe.h>

// ---- A worker: squares numbers ----

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t x;
    if (tr_msg_is(msg, "wild pointer")) {
        signal(SIGSEGV, SIG_DFL);
        return raise(SIGSEGV); // as one would
    }
    int rc = tr_as_int(tr_msg_body(msg), &x);
    return rc < 0 ? rc : tr_reply(self, msg, TR_V(x * x)); // what is no number is its end
}
static const tr_behavior worker = {.name = "worker", .receive = worker_receive};

// ---- The manager: starts them, and hears from their supervisor what happens to them ----

#define WORKERS 3

struct manager {
    tr_addr supervisor;
    tr_addr workers[WORKERS];
    int started, crashed;
};

static int manager_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    struct manager *m = tr_state(self);
    int rc = tr_supervise(self,
                          TR_SUPERVISOR(.restart_max = 10, .restart_window_ms = 1000,
                                        .backoff_min_ms = 1, .observer = tr_self(self),
                                        TR_CHILDREN({.id = "neighbour", .behavior = &worker},
                                                    {.id = "thread",
                                                     .behavior = &worker,
                                                     .opts = TR_SPAWN(.isolation = TR_THREAD)},
                                                    {.id = "process",
                                                     .behavior = &worker,
                                                     .opts = TR_SPAWN(.isolation = TR_PROCESS)})),
                          NULL, &m->supervisor);
    return rc < 0 ? rc : tr_monitor(self, m->supervisor, NULL);
}

static int crash_next(tr_actor *self)
{
    struct manager *m = tr_state(self);
    if (m->crashed == WORKERS)
        return tr_stop(self, m->supervisor);
    tr_addr next = m->workers[m->crashed++];
    return m->crashed < WORKERS ? tr_send(self, next, "square", TR_V("seven"))
                                : tr_send(self, next, "wild pointer", TR_NULL);
}

static void on_square(tr_actor *self, const tr_answer *answer, void *arg)
{
    int64_t square = 0;
    (void)arg;
    tr_as_int(answer->body, &square);
    printf("  and works again: 7 * 7 = %d\n", (int)square);
    if (crash_next(self) < 0)
        tr_exit(self, TR_EDOWN);
}

static int worker_started(tr_actor *self, tr_addr addr)
{
    struct manager *m = tr_state(self);
    if (m->started == WORKERS)
        return tr_ask(self, addr, "square", TR_V(7), NULL, NULL, on_square, NULL);
    m->workers[m->started++] = addr;
    return m->started == WORKERS ? crash_next(self) : 0;
}

static int manager_hears(tr_actor *self, tr_val event)
{
    tr_str what, id, reason = {"", 0};
    tr_addr addr;
    int rc = TR_READ(event, "event", &what, "id", &id, "addr", &addr);
    if (rc < 0)
        return rc;
    if (tr_get_str(event, "reason", &reason) == 0) {
        const char *core = memchr(reason.ptr, ',', reason.len); // ", core" depends on the machine
        int length = core == NULL ? (int)reason.len : (int)(core - reason.ptr);
        printf("%.*s ends: %.*s\n", TR_STR_ARG(id), length, reason.ptr);
        return 0;
    }
    printf("%.*s: %.*s\n", TR_STR_ARG(id), TR_STR_ARG(what));
    return tr_str_eq(what, "start") ? worker_started(self, addr) : 0;
}

static int manager_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "supervisor"))
        return manager_hears(self, tr_msg_body(msg));
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    puts("the supervisor has ended");
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior manager = {.name = "manager",
                                    .state_size = sizeof(struct manager),
                                    .start = manager_start,
                                    .receive = manager_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&manager, &worker));
}
