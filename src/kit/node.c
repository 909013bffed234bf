// The kit's node: opening and closing it, and driving the actors under test.
//
// A step of the loop does what there is to do now and returns, for nothing comes from the kit's
// world (outside.c); steps follow until nothing is left, and then the test has the word again. A
// test that leaves the steps by a jump leaves `stepping` set: the node is not closed then, but
// forgotten, and its memory freed as a whole.
#include <stdio.h>

#include "base/memory.h"
#include "kit/kit.h"

#define STEPS_MAX 100000 // without time passing: more is an endless loop

struct tr__kit tr__kit;

// An actor under test.
typedef struct kit_subject {
    tr__list link;
    tr_addr addr;
    tr__watcher watcher;
    tr_reason reason;
    bool ended;
} kit_subject;

typedef struct kit_warning {
    tr__list link;
    char text[];
} kit_warning;

// ---- Opening and closing ----

// Whatever state it is in, there is nothing but memory.
static void kit_forget(void)
{
    tr__loop_here = NULL;
    tr__kit_memory_close();
    tr__kit = (struct tr__kit){0};
    tr_log_set(NULL, NULL);
}

static void keep_warning(const char *id, const char *text, void *arg)
{
    (void)arg;
    size_t size = strlen(id) + strlen(text) + 3;
    kit_warning *warning = tr__alloc(sizeof *warning + size);
    if (warning == NULL)
        return;
    snprintf(warning->text, size, "%s: %s", id, text);
    tr__list_append(&tr__kit.warnings, &warning->link);
}

static int kit_open(void)
{
    static tr_world kit_world = {&tr__kit_world};
    tr_world *world = &kit_world;
    tr__probe *parent;
    tr__kit_memory_open();
    tr_log_set(keep_warning, NULL);
    tr__kit.failed = false;
    tr__kit.now = TR_S(1);
    tr__list_init(&tr__kit.subjects);
    tr__list_init(&tr__kit.threads);
    tr__list_init(&tr__kit.spawns);
    tr__list_init(&tr__kit.links);
    tr__list_init(&tr__kit.warnings);
    tr__list_init(&tr__kit.warnings_taken);
    int rc = tr__node_new(TR__KIT_OUTSIDE - 1, "kit", 1, &world, &tr__kit.node);
    if (rc < 0)
        return rc;
    tr__kit.node->route = &tr__kit_route;
    tr__kit.loop = tr__node_loop(tr__kit.node, 0);
    tr__kit.loop->remote = &tr__kit; // to be closed
    return tr__probe_new("the parent", &parent);
}

static void kit_close(void)
{
    tr__kit.stepping = true; // actors get their stop
    tr__node_free(&tr__kit.node);
    for (tr__list *at; (at = tr__list_pop(&tr__kit.subjects)) != NULL;)
        tr__free(tr__container(at, kit_subject, link));
    tr__list_splice(&tr__kit.warnings, &tr__kit.warnings_taken);
    for (tr__list *at; (at = tr__list_pop(&tr__kit.warnings)) != NULL;)
        tr__free(tr__container(at, kit_warning, link));
}

int tr_kit_setup(void **state)
{
    (void)state;
    if (tr__kit.loop != NULL) // of a test whose teardown has failed
        kit_forget();
    tr__kit_test_begin();
    if (kit_open() == 0)
        return 0;
    tr__kit_print("no memory for the kit");
    kit_forget();
    return -1;
}

int tr_kit_teardown(void **state)
{
    (void)state;
    tr__kit_test_unfork();
    tr__kit_need();
    size_t leaked = 0;
    if (!tr__kit.stepping) {
        kit_close();
        leaked = tr__kit.failed ? 0 : tr__kit_memory_live();
    }
    kit_forget();
    tr__kit_test_end();
    tr__kit_fail_checked();
    if (leaked > 0)
        tr__kit_fail("the test has left %zu bytes of the library's memory behind", leaked);
    return 0;
}

// ---- Actors under test ----

void tr__kit_need(void)
{
    if (tr__kit.node == NULL)
        tr__kit_fail("the kit is not open: list this test as TR_TEST");
}

void tr__kit_run(void)
{
    if (tr__kit.stepping)
        tr__kit_fail("a handler must not drive the kit");
    unsigned steps = 0;
    tr__kit.stepping = true;
    do {
        tr__kit.woken = false;
        tr__loop_step(tr__kit.loop);
        tr__kit_threads_run();
    } while ((tr__kit.woken || tr__loop_due(tr__kit.loop) <= tr__kit.now) && ++steps < STEPS_MAX);
    tr__kit.stepping = false;
    tr__kit_fail_checked();
    if (steps == STEPS_MAX)
        tr__kit_fail("actors do not come to rest");
}

static void subject_ended(tr__watcher *watcher, tr_reason reason)
{
    kit_subject *subject = tr__container(watcher, kit_subject, watcher);
    subject->ended = true;
    subject->reason = reason;
}

// The latest one is the one that is asked for.
static kit_subject *subject_at(tr_addr addr)
{
    tr__kit_need();
    for (tr__list *at = tr__kit.subjects.prev; at != &tr__kit.subjects; at = at->prev)
        if (tr_addr_eq(tr__container(at, kit_subject, link)->addr, addr))
            return tr__container(at, kit_subject, link);
    tr__kit_fail("this address is not that of an actor under test");
}

static tr_actor *actor_at(tr_addr addr)
{
    tr__kit_need();
    tr_actor *actor =
        addr.node == tr__kit.node->id ? tr__actor_find(tr__kit.loop, addr.actor) : NULL;
    char why[64];
    if (actor == NULL)
        tr__kit_fail("the actor has ended: %s",
                     tr_reason_text(subject_at(addr)->reason, why, sizeof why));
    return actor;
}

tr_addr tr_kit_start(const tr_behavior *behavior, const tr_spawn_opts *opts, const char *file,
                     int line)
{
    tr__kit_at(file, line);
    tr_addr parent = tr_kit_parent();
    kit_subject *subject = tr__zalloc(sizeof *subject);
    int rc = subject == NULL ? TR_ENOMEM
                             : tr__node_spawn(tr__kit.node, behavior, opts, parent, &subject->addr);
    if (rc < 0)
        tr__kit_fail("the actor cannot be started: %s", tr_strerror(rc));
    subject->watcher.ended = subject_ended;
    tr__list_append(&tr__kit.subjects, &subject->link);
    tr__watch(tr__kit.loop, subject->addr, &subject->watcher);
    tr__kit_run();
    return subject->addr;
}

void tr_kit_give(tr_addr addr, tr_addr from, const char *name, tr_val body, const char *file,
                 int line)
{
    tr__kit_at(file, line);
    tr_msg *msg = NULL;
    int rc = tr_msg_new(name, body, &msg);
    if (rc < 0)
        tr__kit_fail("the message cannot be made: %s", tr_strerror(rc));
    tr_kit_give_msg(addr, from, &msg, file, line);
}

void tr_kit_give_msg(tr_addr addr, tr_addr from, tr_msg **msg, const char *file, int line)
{
    tr__kit_at(file, line);
    tr_actor *actor = actor_at(addr);
    if (msg == NULL || *msg == NULL)
        tr__kit_fail("there is no message to give");
    (*msg)->from = from;
    tr__mail_arrive(tr__kit.loop, addr.actor, actor, msg);
    tr__kit_run();
}

void tr_kit_give_ask(tr_addr addr, tr_addr from, const char *name, tr_val body, const char *file,
                     int line)
{
    tr__kit_at(file, line);
    tr_msg *msg = NULL;
    int rc = tr__msg_pack(name, sizeof(tr__ask_head), body, &msg);
    if (rc < 0)
        tr__kit_fail("the ask cannot be made: %s", tr_strerror(rc));
    msg->is_ask = true;
    *(tr__ask_head *)tr__msg_extra(msg) = (tr__ask_head){1, tr__kit.now + TR_S(5)};
    tr_kit_give_msg(addr, from, &msg, file, line);
}

void tr_kit_stop(tr_addr addr, const char *file, int line)
{
    tr__kit_at(file, line);
    tr__actor_ask_stop(actor_at(addr), TR_NOBODY);
    tr__kit_run();
}

bool tr_kit_alive(tr_addr addr)
{
    return !subject_at(addr)->ended;
}

static const char *reason_text(const kit_subject *subject, char *text, size_t size)
{
    return subject->ended ? tr_reason_text(subject->reason, text, size) : "lives on";
}

void tr_kit_expect_exit(tr_addr addr, int reason, const char *file, int line)
{
    tr__kit_at(file, line);
    const kit_subject *subject = subject_at(addr);
    tr_reason want = tr__reason_of(reason);
    char wanted[64], got[64];
    if (subject->ended && subject->reason.kind == want.kind && subject->reason.code == want.code)
        return;
    tr__kit_fail("the actor should end: %s\n            and did: %s",
                 tr_reason_text(want, wanted, sizeof wanted),
                 reason_text(subject, got, sizeof got));
}

// ---- Time ----

uint64_t tr_kit_now(void)
{
    return tr__kit.now;
}

void tr_kit_advance(uint64_t ns, const char *file, int line)
{
    tr__kit_at(file, line);
    tr__kit_need();
    uint64_t end = ns < TR__NEVER - 1 - tr__kit.now ? tr__kit.now + ns : TR__NEVER - 1;
    for (uint64_t due; (due = tr__loop_due(tr__kit.loop)) <= end;) {
        tr__kit.now = due > tr__kit.now ? due : tr__kit.now;
        tr__kit_run();
    }
    tr__kit.now = end;
}

// The node is the actors' alone, so are its timers.
struct timers {
    uint64_t due; // that is looked for
    size_t count, found;
};

static void count_timer(uint64_t due, void *arg)
{
    struct timers *timers = arg;
    timers->count++;
    timers->found += due == timers->due;
}

static void print_timer(uint64_t due, void *arg)
{
    (void)arg;
    tr__kit_print("a timer is due in %llu ns", (unsigned long long)(due - tr__kit.now));
}

void tr_kit_expect_timer(uint64_t in_ns, const char *file, int line)
{
    tr__kit_at(file, line);
    tr__kit_need();
    bool none = in_ns == UINT64_MAX;
    struct timers timers = {.due = tr__kit.now + in_ns};
    tr__timers_each(tr__kit.loop, count_timer, &timers);
    if (none ? timers.count == 0 : timers.found > 0)
        return;
    tr__timers_each(tr__kit.loop, print_timer, NULL);
    if (none)
        tr__kit_fail("no timer should be armed");
    tr__kit_fail("one should be due in %llu ns", (unsigned long long)in_ns);
}

// ---- Complaints ----

uint64_t tr_kit_dead_letters(void)
{
    return tr_node_dead_letters(tr__kit.node);
}

const char *tr_kit_warning(void)
{
    tr__kit_need();
    tr__list *first = tr__list_pop(&tr__kit.warnings);
    if (first == NULL)
        return NULL;
    tr__list_append(&tr__kit.warnings_taken, first);
    return tr__container(first, kit_warning, link)->text;
}
