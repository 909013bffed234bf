// A chat room: its members are a group, found by their names. One lives beside the room, one on
// another loop, one in a process of its own; none of them can tell who is where.
#include <stdio.h>
#include <troupe.h>

// A member publishes what it is to say, and tells the room what it hears: itself, too.
static int member_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_join(self, "lounge");
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "here", TR_NULL);
}

static int member_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "say"))
        return tr_publish(self, "lounge", "said", tr_msg_body(msg));
    if (tr_msg_is(msg, "said"))
        return tr_send(self, tr_parent(self), "heard", tr_msg_body(msg));
    return tr_msg_is(msg, "leave") ? tr_exit(self, TR_NORMAL) : TR_EUNKNOWN;
}
static const tr_behavior member = {
    .name = "member", .start = member_start, .receive = member_receive};

// The room has them speak in turn: the next one when all have heard the one before.
static const struct line {
    const char *who, *text; // text NULL: leaves
} script[] = {
    {"alice", "Hello, everybody"},    {"carol", "Hello from another process"},
    {"bob", "Nice to hear you both"}, {"carol", NULL},
    {"alice", "Where did she go?"},
};

struct room {
    size_t next; // line
    int present, heard;
};

static int room_next(tr_actor *self, struct room *r)
{
    if (r->next == sizeof script / sizeof *script)
        return tr_exit(self, TR_NORMAL);
    const struct line *line = &script[r->next++];
    r->heard = 0;
    if (line->text == NULL)
        return tr_send_name(self, line->who, "leave", TR_NULL);
    return tr_send_name(self, line->who, "say", TR_MAP("who", line->who, "text", line->text));
}

static int room_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_spawn(self, &member, TR_SPAWN(.name = "alice"), NULL);
    if (rc == 0)
        rc = tr_spawn(self, &member, TR_SPAWN(.name = "bob", .placement = TR_LEAST_LOADED), NULL);
    if (rc == 0)
        rc = tr_spawn(self, &member, TR_SPAWN(.name = "carol", .isolation = TR_PROCESS), NULL);
    return rc < 0 ? rc : tr_monitor_name(self, "carol", false, NULL);
}

static int room_heard(tr_actor *self, struct room *r, tr_val said)
{
    tr_str who, text;
    int rc = TR_READ(said, "who", &who, "text", &text);
    if (rc < 0 || ++r->heard < r->present)
        return rc;
    printf("%.*s: %.*s (heard by %d)\n", TR_STR_ARG(who), TR_STR_ARG(text), r->heard);
    return room_next(self, r);
}

static int room_receive(tr_actor *self, const tr_msg *msg)
{
    struct room *r = tr_state(self);
    if (tr_msg_is(msg, "heard"))
        return room_heard(self, r, tr_msg_body(msg));
    if (tr_msg_is(msg, "here"))
        return ++r->present < 3 ? 0 : room_next(self, r);
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    char why[64];
    printf("carol has left: %s\n", tr_reason_text(tr_msg_down(msg)->reason, why, sizeof why));
    r->present--;
    return room_next(self, r);
}
static const tr_behavior room = {.name = "room",
                                 .state_size = sizeof(struct room),
                                 .start = room_start,
                                 .receive = room_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&room, &member));
}
