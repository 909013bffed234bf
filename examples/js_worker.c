// A worker in Node.js (examples/js/worker.js, whose path is the argument), supervised like any
// other child: killed, it is started again, and works again.
#include <stdio.h>
#include <troupe.h>

static char path[4096];

struct manager {
    tr_addr worker;
    int started;
};

// The first worker crashes now, the second one's answer is the last.
static void on_square(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct manager *m = tr_state(self);
    int64_t square = 0;
    int rc = answer->status < 0 ? answer->status : tr_as_int(answer->body, &square);
    (void)arg;
    printf("7 * 7 = %d\n", (int)square);
    if (rc < 0 || m->started > 1)
        tr_exit(self, rc);
    else
        tr_send(self, m->worker, "crash", TR_NULL);
}

static int manager_start(tr_actor *self, const tr_val *args)
{
    tr_val first;
    tr_str text;
    int rc = tr_at(*args, 0, &first);
    if (rc == 0)
        rc = tr_as_str(first, &text);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof path, "%.*s", TR_STR_ARG(text));
    return tr_supervise(
        self,
        TR_SUPERVISOR(.observer = tr_self(self), TR_CHILDREN({.id = "squares", .path = path})),
        NULL, NULL);
}

static int worker_started(tr_actor *self, tr_addr worker)
{
    struct manager *m = tr_state(self);
    m->worker = worker;
    m->started++;
    return tr_ask(self, worker, "square", TR_V(7), TR_ASK(.timeout_ms = 60000), NULL, on_square,
                  NULL);
}

static int manager_receive(tr_actor *self, const tr_msg *msg)
{
    tr_str event, reason;
    tr_addr worker;
    if (!tr_msg_is(msg, "supervisor"))
        return TR_EUNKNOWN;
    int rc = TR_READ(tr_msg_body(msg), "event", &event, "addr", &worker);
    if (rc < 0)
        return rc;
    if (tr_get_str(tr_msg_body(msg), "reason", &reason) == 0)
        printf("the worker ends: %.*s\n", TR_STR_ARG(reason));
    return tr_str_eq(event, "start") ? worker_started(self, worker) : 0;
}
static const tr_behavior manager = {.name = "manager",
                                    .state_size = sizeof(struct manager),
                                    .start = manager_start,
                                    .receive = manager_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&manager));
}
