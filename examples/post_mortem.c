// A worker in a process of its own dies in its third job, as if the system had killed it. Its
// parent asks the trace what it did last; so that this knows of messages run it with
// TROUPE_TRACE=body in the environment. What the library itself warns of on stderr ("child.trace")
// says the same, and which job it was in.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <troupe.h>

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    int64_t job = 0;
    tr_as_int(tr_msg_body(msg), &job);
    if (job == 3)
        raise(SIGKILL);
    return 0;
}
static const tr_behavior worker = {.name = "worker", .receive = worker_receive};

static int boss_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr to;
    uint64_t monitor;
    int rc = tr_spawn(self, &worker, TR_SPAWN(.isolation = TR_PROCESS), &to);
    if (rc == 0)
        rc = tr_monitor(self, to, &monitor);
    for (int job = 1; rc == 0 && job <= 3; job++)
        rc = tr_send(self, to, "job", TR_V(job));
    return rc;
}

// Of each line only who, what and whom: times are another each time.
static void print_names(const char *text)
{
    for (const char *from; (from = strstr(text, "worker/0")) != NULL;) {
        const char *to = strstr(from, "  wait");
        if (to == NULL)
            return;
        printf("%.*s\n", (int)(to - from), from);
        text = to;
    }
}

static int boss_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    char *text, reason[64];
    if (down == NULL)
        return TR_EUNKNOWN;
    printf("The worker was %s\n", tr_reason_text(down->reason, reason, sizeof reason));
    if (tr_trace_last(down->addr, 2, &text) == 0) {
        print_names(text);
        tr_free(text);
    }
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior boss = {.name = "boss", .start = boss_start, .receive = boss_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&boss, &worker));
}
