// A parent and a child in two programs. The child's path may be given; otherwise it is the program
// beside this one. The parent ends when the child has answered, or when it hears that it ended.
#include <stdio.h>
#include <string.h>
#include <troupe.h>

static char child_path[4096];

static int parent_start(tr_actor *self, const tr_val *args)
{
    tr_val path;
    tr_str text;
    if (tr_at(*args, 0, &path) == 0 && tr_as_str(path, &text) == 0)
        snprintf(child_path, sizeof child_path, "%.*s", TR_STR_ARG(text));
    tr_addr kid;
    int rc = tr_fork(self, child_path, NULL, &kid);
    if (rc < 0) {
        fprintf(stderr, "cannot start %s: %s\n", child_path, tr_strerror(rc));
        return rc;
    }
    rc = tr_monitor(self, kid, NULL);
    return rc < 0 ? rc : tr_send(self, kid, "message", TR_MAP("hello", "world"));
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    char text[80];
    const tr_down *down = tr_msg_down(msg);
    if (down != NULL)
        printf("Child ended: %s\n", tr_reason_text(down->reason, text, sizeof text));
    else
        printf("Parent got: %s\n", tr_msg_json(msg));
    return down != NULL ? tr_exit(self, TR_NORMAL) : tr_stop(self, tr_msg_from(msg));
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

int main(int argc, char **argv)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    int dir = slash == NULL ? 0 : (int)(slash + 1 - argv[0]);
    snprintf(child_path, sizeof child_path, "%.*stwo_programs_child", dir, dir > 0 ? argv[0] : "");
    return tr_main(argc, argv, TR_APP(&parent));
}
