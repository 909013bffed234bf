// The order of an event loop: what runs now, what runs right after, and what runs in which phase.
// Prints Start, End, Promise, Timeout, Immediate, every time.
#include <stdio.h>
#include <troupe.h>

static int on_promise(tr_actor *self, int status, tr_val value, void *arg)
{
    (void)self, (void)value, (void)arg;
    puts("Promise");
    return status;
}

static void on_timeout(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    puts("Timeout");
}

static void on_immediate(tr_actor *self, void *arg)
{
    (void)arg;
    puts("Immediate");
    tr_exit(self, TR_NORMAL);
}

static int program_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    puts("Start");
    int rc = tr_timer_start(self, 0, on_timeout, NULL, NULL);
    if (rc == 0)
        rc = tr_immediate(self, on_immediate, NULL);
    tr_promise *promise = NULL;
    if (rc == 0)
        rc = tr_promise_new(self, &promise);
    if (rc == 0)
        rc = tr_promise_then(promise, on_promise, NULL, NULL);
    if (rc == 0)
        rc = tr_promise_resolve(promise, TR_NULL);
    tr_promise_unref(&promise);
    puts("End");
    return rc;
}
static const tr_behavior program = {.name = "program", .start = program_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&program));
}
