// A shared object for troupe run: its actor does what it is asked from the shell. "echo" and "args"
// are answered with what they say; "late" never, "waiting" with how many such there were; "fail" ends it with an error, "leave" without one;
// "nodes" says how many have joined; "child" which process a helper of its has.
#include <troupe.h>

struct stage {
    tr_addr helper;
    tr_buf *args;
    int64_t nodes, waiting;
};

static int helper_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_reply(self, msg, TR_V(tr_pid(self)));
}
static const tr_behavior helper = {.name = "helper", .receive = helper_receive};

static int stage_start(tr_actor *self, const tr_val *args)
{
    struct stage *s = tr_state(self);
    int rc = tr_val_pack(*args, &s->args);
    return rc < 0 ? rc : tr_node_watch(self, true);
}

static void stage_stop(tr_actor *self, tr_reason reason)
{
    struct stage *s = tr_state(self);
    (void)reason;
    tr_buf_unref(&s->args);
}

static int stage_child(tr_actor *self, const tr_msg *msg)
{
    struct stage *s = tr_state(self);
    int rc = s->helper.node != 0
                 ? 0
                 : tr_spawn(self, &helper, TR_SPAWN(.isolation = TR_PROCESS), &s->helper);
    return rc < 0 ? rc : tr_forward(self, msg, s->helper);
}

static int stage_args(tr_actor *self, const tr_msg *msg)
{
    const struct stage *s = tr_state(self);
    tr_val args;
    int rc = tr_val_unpack(tr_buf_data(s->args), tr_buf_size(s->args), &args);
    return rc < 0 ? rc : tr_reply(self, msg, args);
}

static int stage_receive(tr_actor *self, const tr_msg *msg)
{
    struct stage *s = tr_state(self);
    tr_asker asker;
    if (tr_msg_is(msg, "waiting"))
        return tr_reply(self, msg, TR_V(s->waiting));
    if (tr_msg_is(msg, "echo"))
        return tr_reply(self, msg, tr_msg_body(msg));
    if (tr_msg_is(msg, "args"))
        return stage_args(self, msg);
    if (tr_msg_is(msg, "late"))
        return s->waiting++, tr_reply_later(self, msg, &asker);
    if (tr_msg_is(msg, "fail"))
        return TR_EIO;
    if (tr_msg_is(msg, "leave"))
        return tr_exit(self, TR_NORMAL);
    if (tr_msg_is(msg, "nodes"))
        return tr_reply(self, msg, TR_V(s->nodes));
    if (tr_msg_is(msg, "child"))
        return stage_child(self, msg);
    s->nodes += tr_msg_is(msg, "node up");
    return tr_msg_is(msg, "node up") || tr_msg_is(msg, "node down") ? 0 : TR_EUNKNOWN;
}
static const tr_behavior stage = {.name = "stage",
                                  .state_size = sizeof(struct stage),
                                  .start = stage_start,
                                  .receive = stage_receive,
                                  .stop = stage_stop};

TR_APP_EXPORT(&stage, &helper);
