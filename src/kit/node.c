// The kit's node, and all that the kit takes of the core's inside: a world, a route and the loop's
// step.
//
// Nothing comes from this world and its clock stands still, so a step of the loop does what there
// is to do now and returns; steps follow until nothing is left, and then the test has the word
// again. All addresses but those of actors under test are probes on another node: what is sent,
// monitored or stopped there passes the route, which writes it down, and so does every spawn
// (spawns_all). The core cannot tell this node from another.
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

// ---- The world ----

static uint64_t world_now(tr_world *world)
{
    (void)world;
    return tr__kit.now;
}

// Knuth's generator for 64 bits: the same in every run.
static void world_random(tr_world *world, void *bytes, size_t size)
{
    (void)world;
    for (size_t i = 0; i < size; i++) {
        tr__kit.random = tr__kit.random * 6364136223846793005u + 1442695040888963407u;
        ((unsigned char *)bytes)[i] = (unsigned char)(tr__kit.random >> 56);
    }
}

static void world_poll(tr_world *world, uint64_t due)
{
    (void)world, (void)due;
}

static void world_wake(tr_world *world)
{
    (void)world;
}

static void world_close(tr_world **world)
{
    *world = NULL;
}

static const tr_world_ops WORLD = {
    .name = "kit",
    .now = world_now,
    .random = world_random,
    .poll = world_poll,
    .wake = world_wake,
    .close = world_close,
};

// ---- The route ----

// What a caller is told of a probe that has ended, or of an address that is nobody's.
static int probe_gone(const tr__probe *probe)
{
    bool local =
        probe != NULL && probe->spawn.path == NULL && probe->spawn.opts.isolation != TR_PROCESS;
    return local ? TR_ENOACTOR : TR_EDOWN;
}

static tr__probe *probe_alive(tr_addr addr, int *ret_error)
{
    tr__probe *probe = tr__probe_find(addr);
    if (probe != NULL && !probe->ended)
        return probe;
    *ret_error = probe_gone(probe);
    return NULL;
}

// An ask stays one: it can be answered.
static int letter_open(const tr__letter *letter, tr_msg **ret_msg)
{
    tr_msg *msg = NULL;
    int rc = tr__msg_pack(letter->name, letter->ask == NULL ? 0 : sizeof *letter->ask, letter->body,
                          &msg);
    for (size_t i = 0; rc == 0 && i < letter->buf_count; i++) {
        tr_buf *buf = tr_buf_ref(letter->bufs[i]);
        rc = tr_msg_attach(msg, &buf);
        tr_buf_unref(&buf);
    }
    if (rc < 0) {
        tr_msg_free(&msg);
        return rc;
    }
    msg->from = letter->from;
    msg->is_ask = letter->ask != NULL;
    if (msg->is_ask)
        *(tr__ask_head *)tr__msg_extra(msg) = *letter->ask;
    *ret_msg = msg;
    return 0;
}

static int route_send(tr_loop *loop, const tr__letter *letter)
{
    (void)loop;
    int rc = 0;
    tr__probe *probe = probe_alive(letter->to, &rc);
    if (probe == NULL)
        return rc;
    if (probe->room == 0)
        return TR_EFULL;
    tr_msg *msg;
    rc = letter_open(letter, &msg);
    if (rc < 0)
        return rc;
    tr__queue_push(&probe->mail, msg);
    if (probe->room != UINT32_MAX)
        probe->room--;
    return 0;
}

// To a probe that has asked.
static void route_answer(tr_loop *loop, tr_msg **answer)
{
    (void)loop;
    const tr__answer_head *head = tr__msg_extra(*answer);
    tr__probe *probe = tr__probe_find(head->to);
    tr_msg *msg = NULL;
    int rc = head->status == 0 ? tr_msg_copy(*answer, &msg)
                               : tr_msg_new("error", TR_V(head->status), &msg);
    if (probe != NULL && rc == 0) {
        msg->from = (*answer)->from;
        tr__queue_push(&probe->mail, msg);
    }
    tr_msg_free(answer);
}

static int route_spawn(tr_actor *self, const tr_behavior *behavior, const char *path,
                       const tr_spawn_opts *opts, tr_addr *ret_addr)
{
    tr__probe *probe;
    if (tr__kit.spawn_fails_in > 0 && --tr__kit.spawn_fails_in == 0)
        return tr__kit.spawn_error;
    int rc = tr__probe_new(behavior != NULL ? behavior->name : path, &probe);
    if (rc == 0)
        rc = tr__probe_spawned(probe, tr_self(self), behavior, path, opts);
    if (rc == 0 && ret_addr != NULL)
        *ret_addr = probe->addr;
    return rc;
}

static int route_watch(tr_loop *loop, tr_addr addr, tr__watcher *watcher)
{
    (void)loop;
    int rc = 0;
    if (addr.node == TR__KIT_OUTSIDE && addr.actor == 0) {
        tr__list_append(&tr__kit.links, &watcher->link);
        return 0;
    }
    tr__probe *probe = probe_alive(addr, &rc);
    if (probe != NULL)
        tr__list_append(&probe->watchers, &watcher->link);
    return rc;
}

static int route_stop(tr_loop *loop, tr_addr addr)
{
    (void)loop;
    int rc = 0;
    tr__probe *probe = probe_alive(addr, &rc);
    if (probe != NULL)
        probe->stop_asked = true;
    return rc;
}

static tr__list *route_waiters(tr_loop *loop, tr_addr to)
{
    (void)loop;
    tr__probe *probe = tr__probe_find(to);
    return probe != NULL && !probe->ended && probe->room == 0 ? &probe->waiters : NULL;
}

static void route_flush(tr_loop *loop)
{
    (void)loop;
}

static bool route_end(tr_loop *loop)
{
    (void)loop;
    return true;
}

static void route_close(tr_loop *loop)
{
    (void)loop;
    tr__probes_clear();
}

static const tr__route ROUTE = {
    .spawns_all = true,
    .send = route_send,
    .answer = route_answer,
    .spawn = route_spawn,
    .watch = route_watch,
    .stop = route_stop,
    .waiters = route_waiters,
    .flush = route_flush,
    .end = route_end,
    .close = route_close,
};

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
    static tr_world kit_world = {&WORLD};
    tr_world *world = &kit_world;
    tr__probe *parent;
    tr__kit_memory_open();
    tr_log_set(keep_warning, NULL);
    tr__kit.failed = false;
    tr__kit.now = TR_S(1);
    tr__list_init(&tr__kit.subjects);
    tr__list_init(&tr__kit.spawns);
    tr__list_init(&tr__kit.links);
    tr__list_init(&tr__kit.warnings);
    tr__list_init(&tr__kit.warnings_taken);
    int rc = tr__node_new(TR__KIT_OUTSIDE - 1, "kit", 1, &world, &tr__kit.node);
    if (rc < 0)
        return rc;
    tr__kit.node->route = &ROUTE;
    tr__kit.loop = tr__node_loop(tr__kit.node, 0);
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
    do
        tr__loop_step(tr__kit.loop);
    while (tr__loop_due(tr__kit.loop) <= tr__kit.now && ++steps < STEPS_MAX);
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
    tr__mail_arrive(tr__kit.loop, actor, msg);
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
void tr_kit_expect_timer(uint64_t in_ns, const char *file, int line)
{
    tr__kit_at(file, line);
    tr__kit_need();
    const tr__heap *timers = &tr__kit.loop->timers;
    for (size_t i = 0; i < timers->count && in_ns != UINT64_MAX; i++)
        if (timers->entries[i].key == tr__kit.now + in_ns)
            return;
    if (in_ns == UINT64_MAX && timers->count == 0)
        return;
    for (size_t i = 0; i < timers->count; i++)
        tr__kit_print("a timer is due in %llu ns",
                      (unsigned long long)(timers->entries[i].key - tr__kit.now));
    if (in_ns == UINT64_MAX)
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
