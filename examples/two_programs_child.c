// The child of two_programs_parent: a program of its own. Started by hand it has no parent to talk
// to, and says so.
#include <stdio.h>
#include <troupe.h>

static int child_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    if (!tr_addr_eq(tr_parent(self), TR_NOBODY))
        return 0;
    fputs("start two_programs_parent instead: it starts this program\n", stderr);
    return tr_exit(self, TR_NORMAL);
}

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    printf("Child got: %s\n", tr_msg_json(msg));
    return tr_send(self, tr_msg_from(msg), "message", TR_MAP("response", "Hello back!"));
}
static const tr_behavior child = {.name = "child", .start = child_start, .receive = child_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&child));
}
