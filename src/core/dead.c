// Dead letters: what could not be delivered is counted, on the loop that found out, and told to
// those actors that want to hear of it, wherever on the node they live.
//
// Telling makes no dead letter of its own: a reader that has no room is not told, what the runtime
// itself has said (from nobody) is only counted, and nobody is told of what was sent to it.
#include <troupe/registry.h>

#include "core/node.h"
#include "data/doc.h"

#define BODY_MAX 65536u // bytes of a body that is told

typedef struct dead {
    const tr__letter *letter;
    int why;
} dead;

// ---- Telling ----

static tr_val dead_body(const tr__letter *letter)
{
    size_t size = 0;
    bool fits = tr__doc_size(&letter->body, &size) == 0 && size <= BODY_MAX;
    return fits ? letter->body : TR_NULL;
}

static int dead_msg(const dead *d, tr_val body, tr_msg **ret_msg)
{
    const tr__letter *letter = d->letter;
    tr_str name = {letter->name, letter->name_len};
    return tr_msg_new(
        "dead letter",
        TR_MAP("to", letter->to, "from", letter->from, "name", name, "why", d->why, "body", body),
        ret_msg);
}

static int dead_make(const void *what, tr_msg **ret_msg)
{
    const dead *d = what;
    int rc = dead_msg(d, dead_body(d->letter), ret_msg);
    return rc == TR_ETOODEEP ? dead_msg(d, TR_NULL, ret_msg) : rc; // as deep as one may be
}

static void dead_tell(tr_loop *loop, const tr__letter *letter, int why)
{
    tr__readers_tell(loop, &loop->node->dead, letter->to, dead_make, &(dead){letter, why});
}

static bool dead_count(tr_loop *loop, tr_addr from, tr_addr to, const char *name, size_t name_len,
                       int why)
{
    tr__counter_add(&loop->dead_letters, 1);
    TR__TELL(loop, .kind = TR_TRACE_DROP, .actor = to.node == loop->node->id ? to.actor : 0,
             .other = from, .name = name, .name_len = name_len, .code = why, .number = to.node);
    return from.node != 0 && tr__counter_get(&loop->node->dead.count) > 0;
}

void tr__dead_letter(tr_loop *loop, const tr__letter *letter, int why)
{
    if (dead_count(loop, letter->from, letter->to, letter->name, letter->name_len, why))
        dead_tell(loop, letter, why);
}

void tr__dead_msg(tr_loop *loop, const tr_msg *msg, tr_addr to, int why)
{
    if (!dead_count(loop, msg->from, to, msg->name, msg->name_len, why))
        return;
    tr__letter letter = tr__letter_of(msg, to);
    dead_tell(loop, &letter, why);
}

int tr_dead_letters(tr_actor *self, bool wanted)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING)
        return TR_EINVAL;
    int rc = tr__readers_want(self, &self->loop->node->dead, wanted);
    return rc < 0 ? rc : 0;
}
