// A tally that is kept from the shell: a program that is a shared object.
//
//     troupe run --name tally --listen ipc:///tmp/tally.sock ./tally.so apples pears
//     troupe send ipc:///tmp/tally.sock tally add '{"what": "apples", "count": 3}'
//     troupe ask ipc:///tmp/tally.sock tally total
#include <stdio.h>
#include <troupe.h>

#define KINDS_MAX 8

struct tally {
    size_t kinds;
    char names[KINDS_MAX][32];
    int64_t counts[KINDS_MAX];
};

static int tally_start(tr_actor *self, const tr_val *args)
{
    struct tally *t = tr_state(self);
    tr_val item;
    tr_str name;
    for (; t->kinds < KINDS_MAX && tr_at(*args, t->kinds, &item) == 0; t->kinds++)
        if (tr_as_str(item, &name) == 0)
            snprintf(t->names[t->kinds], sizeof t->names[0], "%.*s", TR_STR_ARG(name));
    return 0;
}

static int tally_add(tr_actor *self, const tr_msg *msg)
{
    struct tally *t = tr_state(self);
    tr_str what;
    int64_t count;
    if (TR_READ(tr_msg_body(msg), "what", &what, "count", &count) < 0)
        return tr_refuse(self, msg, TR_EBADMSG);
    for (size_t i = 0; i < t->kinds; i++)
        if (tr_str_eq(what, t->names[i]))
            return tr_reply(self, msg, TR_V(t->counts[i] += count));
    return tr_refuse(self, msg, TR_ENOENT);
}

static int tally_receive(tr_actor *self, const tr_msg *msg)
{
    const struct tally *t = tr_state(self);
    tr_val items[2 * KINDS_MAX];
    if (tr_msg_is(msg, "add"))
        return tally_add(self, msg);
    if (!tr_msg_is(msg, "total"))
        return TR_EUNKNOWN;
    for (size_t i = 0; i < t->kinds; i++) {
        items[2 * i] = tr_val_str(t->names[i]);
        items[2 * i + 1] = tr_val_int(t->counts[i]);
    }
    return tr_reply(self, msg, tr_val_map(items, t->kinds));
}
static const tr_behavior tally = {.name = "tally",
                                  .state_size = sizeof(struct tally),
                                  .start = tally_start,
                                  .receive = tally_receive};

TR_APP_EXPORT(&tally);
