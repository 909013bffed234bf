// Timers: a heap ordered by (due time, order of arming) over the world's clock in nanoseconds.
//
// The world only learns the next due time. A phase fires what was due and armed before it began:
// the heap's order number tells, so a callback that arms a timer of 0 cannot keep the phase going,
// which libuv 1.44's timers do.
//
// Most timers of a loop are of few delays, and of one delay they are due in the order in which they
// were started: such timers stand in a line, and only the first one of each line is in the heap. So
// a million timeouts cost as much as one does, but the order is that of a single heap. A timer that
// would not stand at its line's end, as an interval that fires, is in the heap by itself.
//
// Timers of actors lie in chunks that never move and are found by an id with a generation, which
// goes stale, so that clearing one that has fired is harmless.
#include "base/assert.h"
#include "base/memory.h"
#include "core/core.h"

#define LINES  256u
#define PROBES 4u // lines that a delay may have
#define CHUNK  64u

// Timers in the order of their (due, order). The first one's are those of the line in the heap.
typedef struct line {
    tr__timer timer;
    tr__list timers;
    uint64_t delay; // of all that are in it
} line;

typedef struct actor_timer {
    union {
        tr__timer alone;    // in the heap by itself
        tr__list link;      // in its line
        uint32_t next_free; // index + 1
    };
    uint64_t due, order;
    line *line;      // NULL: in none
    tr_actor *actor; // NULL: a free one
    tr_callback cb;
    void *arg;
    tr__owned owned;
    uint64_t delay; // or the period
    uint32_t index, generation;
    bool repeats;
} actor_timer;

// Those that are free are taken chunk by chunk: so timers that are started together lie together.
typedef struct chunk {
    uint32_t free; // index + 1, of all
    uint32_t next; // chunk that has a free one, + 1
    actor_timer timers[CHUNK];
} chunk;

struct tr__timer_store {
    line lines[LINES];
    chunk **chunks;
    uint32_t count;
    uint32_t free; // the first chunk that has a free one, + 1
};

int tr__timer_arm(tr_loop *loop, tr__timer *timer, uint64_t due)
{
    if (timer->node.index == 0)
        return tr__heap_add(&loop->timers, due, &timer->node);
    tr__heap_move(&loop->timers, due, &timer->node);
    return 0;
}

void tr__timer_disarm(tr_loop *loop, tr__timer *timer)
{
    tr__heap_remove(&loop->timers, &timer->node);
}

// ---- Lines ----

static actor_timer *line_first(const line *l)
{
    tr_assert(!tr__list_empty(&l->timers));
    return tr__container(l->timers.next, actor_timer, link);
}

// The line for a delay: the one that has timers of it, or an empty one; NULL: there is none.
static line *line_of(tr__timer_store *store, uint64_t delay)
{
    line *empty = NULL;
    uint64_t hash = delay * 0x9e3779b97f4a7c15u >> 32;
    for (uint64_t i = hash; i < hash + PROBES; i++) {
        line *l = &store->lines[i % LINES];
        if (tr__list_empty(&l->timers))
            empty = empty == NULL ? l : empty;
        else if (l->delay == delay)
            return l;
    }
    return empty;
}

static int line_append(tr_loop *loop, line *l, actor_timer *t)
{
    t->order = loop->timers.order;
    if (tr__list_empty(&l->timers)) {
        int rc = tr__timer_arm(loop, &l->timer, t->due);
        if (rc < 0)
            return rc;
        l->delay = t->delay;
    } else {
        tr_assert(tr__container(l->timers.prev, actor_timer, link)->due <= t->due);
        loop->timers.order++;
    }
    t->line = l;
    tr__list_append(&l->timers, &t->link);
    return 0;
}

static void line_remove(tr_loop *loop, actor_timer *t)
{
    line *l = t->line;
    bool first = l->timers.next == &t->link;
    t->line = NULL;
    tr__list_remove(&t->link);
    if (tr__list_empty(&l->timers))
        tr__timer_disarm(loop, &l->timer);
    else if (first)
        tr__heap_move_to(&loop->timers, line_first(l)->due, line_first(l)->order, &l->timer.node);
}

// ---- Where timers lie ----

static actor_timer *store_at(const tr__timer_store *store, uint32_t index)
{
    return &store->chunks[index / CHUNK]->timers[index % CHUNK];
}

// One whose generations are used up is not given out again.
static void store_put(tr__timer_store *store, actor_timer *t)
{
    chunk *c = store->chunks[t->index / CHUNK];
    t->actor = NULL;
    if (++t->generation == 0)
        return;
    if (c->free == 0) {
        c->next = store->free;
        store->free = t->index / CHUNK + 1;
    }
    t->next_free = c->free;
    c->free = t->index + 1;
}

// There is room for so many chunks as the next power of two of their number.
static int store_make_room(tr__timer_store *store)
{
    uint32_t count = store->count;
    if ((count & (count - 1)) != 0)
        return 0;
    chunk **chunks = tr__resize(store->chunks, (count == 0 ? 1 : 2 * count) * sizeof *chunks);
    if (chunks == NULL)
        return TR_ENOMEM;
    store->chunks = chunks;
    return 0;
}

static int store_grow(tr__timer_store *store)
{
    chunk *c = store_make_room(store) < 0 ? NULL : tr__zalloc(sizeof *c);
    if (c == NULL)
        return TR_ENOMEM;
    store->chunks[store->count++] = c;
    for (uint32_t i = CHUNK; i-- > 0;) {
        c->timers[i].index = (store->count - 1) * CHUNK + i;
        store_put(store, &c->timers[i]);
    }
    return 0;
}

static int store_take(tr__timer_store *store, actor_timer **ret_timer)
{
    int rc = store->free == 0 ? store_grow(store) : 0;
    if (rc < 0)
        return rc;
    chunk *c = store->chunks[store->free - 1];
    actor_timer *t = store_at(store, c->free - 1);
    c->free = t->next_free;
    if (c->free == 0)
        store->free = c->next;
    *ret_timer = t;
    return 0;
}

static void line_fire(tr__timer *timer);

static int store_of(tr_loop *loop, tr__timer_store **ret_store)
{
    tr__timer_store *store = loop->timer_store;
    if (store == NULL) {
        store = loop->timer_store = tr__zalloc(sizeof *store);
        if (store == NULL)
            return TR_ENOMEM;
        for (uint32_t i = 0; i < LINES; i++) {
            tr__list_init(&store->lines[i].timers);
            store->lines[i].timer.fire = line_fire;
        }
    }
    *ret_store = store;
    return 0;
}

void tr__timers_clear(tr_loop *loop)
{
    tr__timer_store *store = loop->timer_store;
    for (uint32_t i = 0; store != NULL && i < store->count; i++)
        tr__free(store->chunks[i]);
    if (store != NULL)
        tr__free(store->chunks);
    tr__free(store);
    tr__heap_clear(&loop->timers);
}

// ---- Actors' timers ----

static tr_timer timer_handle(const actor_timer *t)
{
    return (tr_timer){(uint64_t)t->index << 32 | t->generation};
}

// NULL: it has fired, or is cleared, or is another's.
static actor_timer *timer_find(const tr_actor *self, tr_timer timer)
{
    const tr__timer_store *store = self->loop->timer_store;
    uint32_t index = (uint32_t)(timer.id >> 32);
    if (store == NULL || index / CHUNK >= store->count)
        return NULL;
    actor_timer *t = store_at(store, index);
    return t->actor == self && t->generation == (uint32_t)timer.id ? t : NULL;
}

static bool timer_armed(const actor_timer *t)
{
    return t->line != NULL || t->alone.node.index != 0;
}

static void alone_fire(tr__timer *timer);

// There is room for one that was armed just now.
static int timer_arm(actor_timer *t)
{
    tr_loop *loop = t->actor->loop;
    line *l = t->repeats ? NULL : line_of(loop->timer_store, t->delay);
    if (l != NULL)
        return line_append(loop, l, t);
    t->alone = (tr__timer){.fire = alone_fire};
    return tr__timer_arm(loop, &t->alone, t->due);
}

static void timer_disarm(actor_timer *t)
{
    tr_loop *loop = t->actor->loop;
    if (t->line != NULL)
        line_remove(loop, t);
    else
        tr__timer_disarm(loop, &t->alone);
    t->alone.node.index = 0;
}

static void timer_free(actor_timer *t)
{
    timer_disarm(t);
    tr__list_remove(&t->owned.link);
    store_put(t->actor->loop->timer_store, t);
}

static void timer_close(tr__owned *owned)
{
    timer_free(tr__container(owned, actor_timer, owned));
}

// It is freed when it has fired, unless its callback starts it again.
static void timer_run(actor_timer *t)
{
    static const tr__what what = {"(timer)"};
    tr_actor *actor = t->actor;
    tr_timer handle = timer_handle(t);
    if (actor->state == TR__RUNNING)
        tr__turn(actor, &what, t->cb, t->arg);
    t = timer_find(actor, handle);
    if (t != NULL && !timer_armed(t))
        timer_free(t);
}

static void line_fire(tr__timer *timer)
{
    line *l = tr__container(timer, line, timer);
    actor_timer *t = line_first(l);
    timer_disarm(t);
    __builtin_prefetch(l->timers.next->next); // of many timers none is in a cache any more
    timer_run(t);
}

// The next point of the fixed schedule that lies ahead; those before it have been missed.
static void interval_advance(actor_timer *t)
{
    tr_loop *loop = t->actor->loop;
    uint64_t periods = (loop->world->ops->now(loop->world) - t->due) / t->delay;
    loop->missed = periods;
    t->due += (periods + 1) * t->delay;
    int rc = tr__timer_arm(loop, &t->alone, t->due);
    tr_assert(rc == 0); // there is room where it has just been
}

static void alone_fire(tr__timer *timer)
{
    actor_timer *t = tr__container(timer, actor_timer, alone);
    tr_loop *loop = t->actor->loop;
    if (t->repeats && t->actor->state == TR__RUNNING)
        interval_advance(t);
    timer_run(t);
    loop->missed = 0;
}

// A line stays in the heap as long as it is not empty, so that it moves there once for each timer.
void tr__timers_run(tr_loop *loop)
{
    const tr__heap_entry *first = tr__heap_first(&loop->timers);
    if (first == NULL)
        return;
    tr__look_anew(loop);
    uint64_t now = loop->now, order = loop->timers.order;
    while (first != NULL && first->key <= now && first->order < order) {
        tr__timer *timer = tr__container(first->node, tr__timer, node);
        if (timer->fire != line_fire)
            tr__timer_disarm(loop, timer);
        timer->fire(timer);
        first = tr__heap_first(&loop->timers);
    }
}

void tr__timers_each(const tr_loop *loop, void (*visit)(uint64_t due, void *arg), void *arg)
{
    for (size_t i = 0; i < loop->timers.count; i++) {
        const tr__heap_entry *entry = &loop->timers.entries[i];
        tr__timer *timer = tr__container(entry->node, tr__timer, node);
        const tr__list *timers = &tr__container(timer, line, timer)->timers;
        if (timer->fire != line_fire)
            visit(entry->key, arg);
        else
            for (tr__list *n = timers->next; n != timers; n = n->next)
                visit(tr__container(n, actor_timer, link)->due, arg);
    }
}

// ---- The user's ----

static int timer_start(tr_actor *self, uint64_t delay, bool repeats, tr_callback cb, void *arg,
                       tr_timer *ret_timer)
{
    if (!tr__actor_here(self) || cb == NULL || delay > TR__DELAY_MAX || self->state > TR__RUNNING)
        return TR_EINVAL;
    tr__timer_store *store;
    actor_timer *t = NULL;
    int rc = store_of(self->loop, &store);
    if (rc == 0)
        rc = store_take(store, &t);
    if (rc < 0)
        return rc;
    *t = (actor_timer){.owned.close = timer_close,
                       .actor = self,
                       .cb = cb,
                       .arg = arg,
                       .due = tr_now(self) + delay,
                       .delay = delay,
                       .index = t->index,
                       .generation = t->generation,
                       .repeats = repeats};
    rc = timer_arm(t);
    if (rc < 0) {
        store_put(store, t);
        return rc;
    }
    tr__list_append(&self->owned, &t->owned.link);
    if (ret_timer != NULL)
        *ret_timer = timer_handle(t);
    return 0;
}

int tr_timer_start(tr_actor *self, uint64_t delay_ns, tr_callback cb, void *arg,
                   tr_timer *ret_timer)
{
    return timer_start(self, delay_ns, false, cb, arg, ret_timer);
}

int tr_interval_start(tr_actor *self, uint64_t period_ns, tr_callback cb, void *arg,
                      tr_timer *ret_timer)
{
    if (period_ns == 0)
        return TR_EINVAL;
    return timer_start(self, period_ns, true, cb, arg, ret_timer);
}

uint64_t tr_interval_missed(const tr_actor *self)
{
    return tr__actor_here(self) ? self->loop->missed : 0;
}

int tr_timer_refresh(tr_actor *self, tr_timer timer)
{
    actor_timer *t = tr__actor_here(self) ? timer_find(self, timer) : NULL;
    if (t == NULL || self->state > TR__RUNNING)
        return t == NULL ? TR_ENOENT : TR_EINVAL;
    timer_disarm(t);
    t->due = tr_now(self) + t->delay;
    return timer_arm(t);
}

void tr_timer_keep(tr_actor *self, tr_timer timer, bool keep)
{
    actor_timer *t = tr__actor_here(self) ? timer_find(self, timer) : NULL;
    if (t != NULL)
        t->owned.idle = !keep;
}

void tr_timer_clear(tr_actor *self, tr_timer timer)
{
    actor_timer *t = tr__actor_here(self) ? timer_find(self, timer) : NULL;
    if (t != NULL)
        timer_free(t);
}

uint64_t tr_now(const tr_actor *self)
{
    return self == NULL ? 0 : self->loop->world->ops->now(self->loop->world);
}
