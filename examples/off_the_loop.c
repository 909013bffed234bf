// What would keep the loop waiting runs on a thread of a pool, what takes too long is cancelled,
// and the program ends when nothing is left to come.
#include <stdio.h>
#include <troupe.h>

// On a thread: it may take as long as it likes.
static int count_primes(void *data)
{
    int *number = data, count = 0;
    for (int n = 2; n < *number; n++) {
        int d = 2;
        while (d * d <= n && n % d != 0)
            d++;
        count += d * d > n;
    }
    *number = count;
    return 0;
}

static int on_waited(tr_actor *self, int status, tr_val value, void *arg)
{
    (void)self, (void)value, (void)arg;
    printf("an hour, for 10 ms: %s\n", tr_strerror(status));
    return 0;
}

// One token ends whatever carries it.
static int wait_an_hour(tr_actor *self)
{
    tr_cancel *limit;
    tr_promise *hour = NULL;
    int rc = tr_cancel_after(self, TR_MS(10), &limit);
    if (rc == 0)
        rc = tr_promise_after(self, TR_S(3600), limit, &hour);
    if (rc == 0)
        rc = tr_promise_then(hour, on_waited, NULL, NULL);
    tr_promise_unref(&hour);
    return rc;
}

static void on_counted(tr_actor *self, int status, void *data, void *arg)
{
    (void)arg;
    printf("primes: %d\n", *(int *)data);
    if (status < 0 || wait_an_hour(self) < 0)
        tr_exit(self, TR_EIO);
}

static void on_beat(tr_actor *self, void *arg)
{
    uint64_t *beats = arg;
    *beats += 1 + tr_interval_missed(self);
}

static int program_start(tr_actor *self, const tr_val *args)
{
    static int number = 100000;
    static uint64_t beats;
    tr_timer heart;
    (void)args;
    int rc = tr_interval_start(self, TR_S(1), on_beat, &beats, &heart);
    if (rc < 0)
        return rc;
    tr_timer_keep(self, heart, false); // or the program would never be idle
    return tr_work(self, count_primes, &number, TR_WORK(.pool = "numbers"), on_counted, NULL);
}
static const tr_behavior program = {.name = "program", .start = program_start};

int main(void)
{
    tr_node *node = NULL;
    int rc = tr_node_open(NULL, &node);
    if (rc == 0)
        rc = tr_node_spawn(node, &program, TR_SPAWN(.until_idle = true), NULL);
    if (rc == 0)
        rc = tr_node_run(node);
    tr_node_close(&node);
    return rc < 0;
}
