// A parent and a child process in one file: the child is this same program, started once more.
#include <stdio.h>
#include <troupe.h>

static int child_receive(tr_actor *self, const tr_msg *msg)
{
    printf("Child got: %s\n", tr_msg_json(msg));
    return tr_send(self, tr_msg_from(msg), "message", TR_MAP("response", "Hello back!"));
}
static const tr_behavior child = {.name = "child", .receive = child_receive};

static int parent_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr kid;
    int rc = tr_spawn(self, &child, TR_SPAWN(.isolation = TR_PROCESS), &kid);
    return rc < 0 ? rc : tr_send(self, kid, "message", TR_MAP("hello", "world"));
}
static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    printf("Parent got: %s\n", tr_msg_json(msg));
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&parent, &child));
}
