#include "stage.h"

#include "support/counted_memory.h"

struct stage stage;

void note(const char *word)
{
    size_t size = strlen(stage.heard);
    snprintf(stage.heard + size, sizeof stage.heard - size, "%s%s", size == 0 ? "" : " ", word);
}

void on_note(tr_actor *self, void *word)
{
    (void)self;
    note(word);
}

static void note_of(tr_actor *self, const char *what, const char *why)
{
    char word[256];
    snprintf(word, sizeof word, "%s:%s%s%s", player_of(self)->name, what, why == NULL ? "" : "=",
             why == NULL ? "" : why);
    note(word);
}

// ---- Actors ----

static int player_receive(tr_actor *self, const tr_msg *msg)
{
    char why[64];
    const tr_down *down = tr_msg_down(msg);
    if (down != NULL)
        note_of(self, "down", tr_reason_text(down->reason, why, sizeof why));
    else
        note_of(self, tr_msg_name(msg),
                tr_msg_body(msg).type == TR_TYPE_NULL ? NULL : tr_msg_json(msg));
    struct player *p = player_of(self);
    return p->receive == NULL ? 0 : p->receive(self, msg);
}

static void player_stop(tr_actor *self, tr_reason reason)
{
    char why[64];
    note_of(self, "stop", tr_reason_text(reason, why, sizeof why));
    if (player_of(self)->stop != NULL)
        player_of(self)->stop(self);
}

const tr_behavior player = {
    .name = "player",
    .state_size = sizeof(struct player),
    .receive = player_receive,
    .stop = player_stop,
};

struct player *player_of(tr_actor *actor)
{
    return tr_state(actor);
}

static tr_actor *actor_at(tr_addr addr, const char *name)
{
    tr_actor *actor = tr__actor_find(stage.loop, addr.actor);
    assert_non_null(actor);
    snprintf(player_of(actor)->name, sizeof player_of(actor)->name, "%s", name);
    stage_step();
    return actor;
}

tr_actor *stage_actor_with(const char *name, const tr_spawn_opts *opts)
{
    tr_addr addr;
    assert_int_equal(0, tr_node_spawn(stage.node, &player, opts, &addr));
    return actor_at(addr, name);
}

tr_actor *stage_actor(const char *name)
{
    return stage_actor_with(name, NULL);
}

tr_actor *stage_child(tr_actor *parent, const char *name)
{
    tr_addr addr;
    IN_TURN(parent)
    assert_int_equal(0, tr_spawn(parent, &player, NULL, &addr));
    return actor_at(addr, name);
}

bool stage_has(tr_addr addr)
{
    return addr.node == stage.node->id && tr__actor_find(stage.loop, addr.actor) != NULL;
}

// ---- Running ----

void stage_step(void)
{
    tr__loop_step(stage.loop);
}

void stage_run(void)
{
    do
        stage_step();
    while (tr__loop_due(stage.loop) == 0);
}

void stage_hold(tr_actor *actor)
{
    tr__list_remove(&actor->run);
}

void stage_exit(tr_actor *actor, int reason)
{
    IN_TURN(actor)
    assert_int_equal(0, tr_exit(actor, reason));
    stage_step();
}

bool turn_enter(tr_actor *actor)
{
    tr__loop_here = stage.loop;
    static const tr__what what = {"(test)"};
    tr__look_anew(stage.loop);
    tr__turn_begin(actor, &what);
    return true;
}

bool turn_leave(tr_actor *actor)
{
    tr__turn_end(actor);
    tr__loop_here = NULL;
    return false;
}

// ---- Setting up ----

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

int stage_setup(void **state)
{
    (void)state;
    tr_world *world = NULL;
    stage = (struct stage){0};
    tr_log_set(warn_nobody, NULL);
    counted_memory_start(0);
    assert_int_equal(0, tr__sim_open(1, &stage.sim));
    assert_int_equal(0, tr__sim_world(stage.sim, &world));
    assert_int_equal(0, tr__node_new(0, "test", 1, &world, &stage.node));
    stage.loop = tr__node_loop(stage.node, 0);
    return 0;
}

int stage_teardown(void **state)
{
    (void)state;
    tr__node_free(&stage.node);
    tr__sim_close(&stage.sim);
    return counted_memory_stop() != 0;
}
