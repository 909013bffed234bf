// Cancelling: tokens, and the calls that carry them.
//
// A call puts its carrier into the token's list, as it puts itself into what its actor owns. To
// cancel marks the token, at once, with all tokens that depend on it; the carriers hear of it in
// the next pending phase, outside of any turn. A call that ends in between looks at the mark
// (tr__cancel_comes) and says TR_ECANCELED itself. So no call ends inside tr_cancel_now, and none
// as if nothing had been.
//
// A token that is freed when its carriers have not heard yet stays until they have.
#include "base/memory.h"
#include "core/core.h"

// One of the tokens that another depends on.
struct source {
    tr__carrier carrier;
    tr_cancel *dependent;
};

struct tr_cancel {
    tr__owned owned;
    tr_actor *actor;
    tr__list carriers;
    tr__later later; // they are to hear
    tr__timer timer; // tr_cancel_after
    bool set;
    bool telling; // one of them, now
    bool freed;   // by its owner, but they are still to hear
    uint32_t count;
    struct source sources[];
};

// A callback of the user's: the token's own.
typedef struct then {
    tr__carrier carrier;
    tr_actor *actor;
    tr_callback cb;
    void *arg;
} then;

bool tr__cancel_comes(const tr__carrier *carrier)
{
    return carrier->cancel != NULL && carrier->cancel->set;
}

int tr__cancel_join(tr_cancel *cancel, const tr_actor *actor, tr__carrier *carrier,
                    void (*cancelled)(tr__carrier *carrier))
{
    *carrier = (tr__carrier){.cancelled = cancelled};
    tr__list_init(&carrier->link);
    if (cancel == NULL)
        return 0;
    if (cancel->actor != actor || cancel->set)
        return cancel->actor != actor ? TR_EINVAL : TR_ECANCELED;
    carrier->cancel = cancel;
    tr__list_append(&cancel->carriers, &carrier->link);
    return 0;
}

void tr__cancel_leave(tr__carrier *carrier)
{
    tr__list_remove(&carrier->link);
}

static tr__carrier *carrier_at(tr__list *node)
{
    return tr__container(node, tr__carrier, link);
}

// ---- Telling ----

static void then_cancelled(tr__carrier *carrier)
{
    static const tr__what what = {"(cancelled)"};
    then *t = tr__container(carrier, then, carrier), told = *t;
    tr__free(t);
    if (told.actor->state == TR__RUNNING)
        tr__turn(told.actor, &what, told.cb, told.arg);
}

static void source_cancelled(tr__carrier *carrier)
{
    tr_assert(tr__container(carrier, struct source, carrier)->dependent->set);
}

static void cancel_mark(tr_cancel *cancel)
{
    if (cancel->set)
        return;
    cancel->set = true;
    tr__later_run(cancel->actor->loop, &cancel->later);
}

// Tokens that depend on this one are appended behind it, and those that depend on them.
static void cancel_set(tr_cancel *cancel)
{
    const tr__list *end = &cancel->actor->loop->later;
    if (cancel->set)
        return;
    cancel_mark(cancel);
    for (tr__list *at = &cancel->later.link; at != end; at = at->next) {
        const tr__list *carriers = &tr__container(at, tr_cancel, later.link)->carriers;
        for (tr__list *n = carriers->next; n != carriers; n = n->next) {
            if (carrier_at(n)->cancelled == source_cancelled)
                cancel_mark(tr__container(carrier_at(n), struct source, carrier)->dependent);
        }
    }
}

static void cancel_free(tr_cancel *cancel)
{
    for (tr__list *n; (n = tr__list_pop(&cancel->carriers)) != NULL;) {
        carrier_at(n)->cancel = NULL;
        if (carrier_at(n)->cancelled == then_cancelled)
            tr__free(tr__container(carrier_at(n), then, carrier));
    }
    for (uint32_t i = 0; i < cancel->count; i++)
        tr__cancel_leave(&cancel->sources[i].carrier);
    tr__timer_disarm(cancel->actor->loop, &cancel->timer);
    tr__list_remove(&cancel->later.link);
    tr__list_remove(&cancel->owned.link);
    tr__free(cancel);
}

static void cancel_tell(tr__later *later)
{
    tr_cancel *cancel = tr__container(later, tr_cancel, later);
    tr__list *n;
    cancel->telling = true;
    // An actor that ends is told nothing; what it has stays listed, to be parted from the token.
    while (cancel->actor->state == TR__RUNNING && (n = tr__list_pop(&cancel->carriers)) != NULL)
        carrier_at(n)->cancelled(carrier_at(n));
    cancel->telling = false;
    if (cancel->freed)
        cancel_free(cancel);
}

static void cancel_close(tr__owned *owned)
{
    cancel_free(tr__container(owned, tr_cancel, owned));
}

static void cancel_fire(tr__timer *timer)
{
    cancel_set(tr__container(timer, tr_cancel, timer));
}

// ---- The user's ----

static bool cancel_here(const tr_cancel *cancel)
{
    return cancel != NULL && tr__actor_here(cancel->actor);
}

static int cancel_make(tr_actor *self, size_t count, tr_cancel **ret_cancel)
{
    if (!tr__actor_here(self) || self->state > TR__RUNNING || ret_cancel == NULL)
        return TR_EINVAL;
    tr_cancel *cancel = tr__zalloc(sizeof *cancel + count * sizeof cancel->sources[0]);
    if (cancel == NULL)
        return TR_ENOMEM;
    cancel->actor = self;
    cancel->owned.close = cancel_close;
    cancel->owned.idle = true;
    cancel->later.run = cancel_tell;
    cancel->timer.fire = cancel_fire;
    tr__list_init(&cancel->carriers);
    tr__list_init(&cancel->later.link);
    tr__list_append(&self->owned, &cancel->owned.link);
    *ret_cancel = cancel;
    return 0;
}

int tr_cancel_new(tr_actor *self, tr_cancel **ret_cancel)
{
    return cancel_make(self, 0, ret_cancel);
}

int tr_cancel_after(tr_actor *self, uint64_t ns, tr_cancel **ret_cancel)
{
    tr_cancel *cancel;
    if (ns > TR__DELAY_MAX || ret_cancel == NULL)
        return TR_EINVAL;
    int rc = cancel_make(self, 0, &cancel);
    if (rc == 0) {
        rc = tr__timer_arm(self->loop, &cancel->timer, tr_now(self) + ns);
        if (rc < 0)
            cancel_free(cancel);
    }
    if (rc == 0)
        *ret_cancel = cancel;
    return rc;
}

int tr_cancel_any(tr_actor *self, tr_cancel *const *cancels, size_t count, tr_cancel **ret_cancel)
{
    tr_cancel *cancel;
    if ((cancels == NULL && count > 0) || count > UINT32_MAX)
        return TR_EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (cancels[i] == NULL || cancels[i]->actor != self)
            return TR_EINVAL;
    }
    int rc = cancel_make(self, count, &cancel);
    if (rc < 0)
        return rc;
    for (cancel->count = 0; cancel->count < count; cancel->count++) {
        struct source *source = &cancel->sources[cancel->count];
        source->dependent = cancel;
        tr_cancel *of = cancels[cancel->count];
        cancel->set |= tr__cancel_join(of, self, &source->carrier, source_cancelled) < 0;
    }
    *ret_cancel = cancel;
    return 0;
}

void tr_cancel_free(tr_cancel **cancel)
{
    if (cancel == NULL || !cancel_here(*cancel))
        return;
    tr_cancel *gone = *cancel;
    *cancel = NULL;
    gone->freed = true;
    if (!gone->telling && tr__list_empty(&gone->later.link))
        cancel_free(gone);
}

int tr_cancel_now(tr_cancel *cancel)
{
    if (!cancel_here(cancel))
        return TR_EINVAL;
    cancel_set(cancel);
    return 0;
}

bool tr_cancelled(const tr_cancel *cancel)
{
    return cancel != NULL && cancel->set;
}

int tr_cancel_then(tr_cancel *cancel, tr_callback cb, void *arg)
{
    if (!cancel_here(cancel) || cb == NULL)
        return TR_EINVAL;
    then *t = tr__alloc(sizeof *t);
    if (t == NULL)
        return TR_ENOMEM;
    *t = (then){.actor = cancel->actor, .cb = cb, .arg = arg};
    int rc = tr__cancel_join(cancel, cancel->actor, &t->carrier, then_cancelled);
    if (rc < 0)
        tr__free(t);
    return rc;
}
