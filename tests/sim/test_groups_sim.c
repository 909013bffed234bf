// Groups over a tree of simulated processes, whatever the schedule. Every test runs over all seeds,
// each twice: the same seed is the same run.
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/node.h"
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/seeds.h"
#include "support/sim_node.h"

#define SEEDS seeds_of(200)

static struct sim_nodes nodes;
static char heard[256];

static void note(const char *word)
{
    size_t size = strlen(heard);
    snprintf(heard + size, sizeof heard - size, "%s%s", size == 0 ? "" : " ", word);
}

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static uint64_t run(uint64_t seed, const tr_app *app)
{
    heard[0] = '\0';
    counted_memory_start(0);
    sim_nodes_open(&nodes, seed, app);
    assert_true(sim_nodes_run(&nodes, 60));
    assert_int_equal(0, nodes.code);
    uint64_t hash = tr__sim_hash(nodes.sim);
    sim_nodes_close(&nodes);
    assert_int_equal(0, counted_memory_stop());
    return hash;
}

static void perform(const tr_app *app, const char *words)
{
    tr_log_set(warn_nobody, NULL);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        uint64_t hash = run(seed, app);
        assert_string_equal(words, heard);
        assert_int_equal(hash, run(seed, app));
    }
}

// ---- Everybody hears everybody ----

// A tree of five: the first, two branches, a leaf on each. All join, and say so up the tree; then
// the first publishes "go", upon which all publish numbers. Whoever has heard all of them says so
// up the tree.
enum { ALL = 5, NUMBERS = 20 };

static const tr_behavior part;

struct part {
    int children, here, done;
    unsigned got;
    struct {
        tr_addr from;
        int next;
    } heard[ALL];
};

static int part_start(tr_actor *self, const tr_val *args)
{
    struct part *p = tr_state(self);
    int64_t level = 0; // of the first
    tr_as_int(*args, &level);
    p->children = level == 0 ? 2 : level == 1 ? 1 : 0;
    int rc = tr_join(self, "all");
    for (int i = 0; rc == 0 && i < p->children; i++)
        rc =
            tr_spawn(self, &part, TR_SPAWN(.isolation = TR_PROCESS, .args = TR_V(level + 1)), NULL);
    if (rc == 0 && p->children == 0)
        rc = tr_send(self, tr_parent(self), "here", TR_NULL);
    return rc;
}

static int part_here(tr_actor *self, struct part *p)
{
    if (++p->here < p->children)
        return 0;
    return tr_parent(self).node == 0 ? tr_publish(self, "all", "go", TR_NULL)
                                     : tr_send(self, tr_parent(self), "here", TR_NULL);
}

static int part_go(tr_actor *self)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < NUMBERS; i++)
        rc = tr_publish(self, "all", "number", TR_V(i));
    return rc;
}

static int part_look(tr_actor *self, struct part *p)
{
    if (p->got < ALL * NUMBERS || p->done < p->children)
        return 0;
    if (tr_parent(self).node != 0)
        return tr_send(self, tr_parent(self), "done", TR_NULL);
    note("all");
    return tr_exit(self, TR_NORMAL);
}

static int part_number(tr_actor *self, struct part *p, const tr_msg *msg)
{
    int64_t number = -1;
    int i = 0;
    tr_as_int(tr_msg_body(msg), &number);
    while (i < ALL && p->heard[i].next > 0 && !tr_addr_eq(p->heard[i].from, tr_msg_from(msg)))
        i++;
    if (i == ALL || number != p->heard[i].next++)
        note("disorder");
    p->heard[i].from = tr_msg_from(msg);
    p->got++;
    return part_look(self, p);
}

static int part_receive(tr_actor *self, const tr_msg *msg)
{
    struct part *p = tr_state(self);
    if (tr_msg_is(msg, "here"))
        return part_here(self, p);
    if (tr_msg_is(msg, "go"))
        return part_go(self);
    if (tr_msg_is(msg, "number"))
        return part_number(self, p, msg);
    p->done++;
    return part_look(self, p);
}
static const tr_behavior part = {.name = "part",
                                 .state_size = sizeof(struct part),
                                 .start = part_start,
                                 .receive = part_receive};

static void everybody_hears_everybody_in_order_and_once(void **state)
{
    (void)state;
    perform(TR_APP(&part), "all");
}

// ---- A member's process is killed ----

enum { KIDS = 3 };

static int kid_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_join(self, "kids");
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "here", TR_NULL);
}

static int kid_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t number = -1;
    tr_as_int(tr_msg_body(msg), &number);
    if (tr_msg_is(msg, "crash"))
        return sim_nodes_kill(&nodes, self, SIGKILL), 0;
    return tr_send(self, tr_parent(self), "heard", TR_V(number));
}
static const tr_behavior kid = {.name = "kid", .start = kid_start, .receive = kid_receive};

struct house {
    tr_addr kids[KIDS];
    int here, heard;
};

static int house_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    struct house *h = tr_state(self);
    int rc = 0;
    for (int i = 0; rc == 0 && i < KIDS; i++) {
        rc = tr_spawn(self, &kid, TR_SPAWN(.isolation = TR_PROCESS, .name = i == 0 ? "it" : NULL),
                      &h->kids[i]);
        if (rc == 0)
            rc = tr_monitor(self, h->kids[i], NULL);
    }
    return rc;
}

// The one that is killed has left its groups, and its name is free.
static int house_down(tr_actor *self, struct house *h, const tr_down *down)
{
    tr_addr addr;
    if (!tr_addr_eq(down->addr, h->kids[0]) || down->reason.kind != TR_REASON_KILLED)
        note("false");
    note(tr_whereis(self, "it", &addr) == TR_ENOENT ? "free" : "taken");
    return tr_publish(self, "kids", "after", TR_V(2));
}

static int house_receive(tr_actor *self, const tr_msg *msg)
{
    struct house *h = tr_state(self);
    int64_t number = 0;
    if (tr_msg_down(msg) != NULL)
        return house_down(self, h, tr_msg_down(msg));
    tr_as_int(tr_msg_body(msg), &number);
    if (tr_msg_is(msg, "here"))
        return ++h->here < KIDS ? 0 : tr_publish(self, "kids", "before", TR_V(1));
    h->heard++;
    if (h->heard == KIDS && number == 1) {
        note("three");
        return tr_send_name(self, "it", "crash", TR_NULL);
    }
    if (h->heard < KIDS + KIDS - 1)
        return 0;
    note("two");
    note(tr_node_dead_letters(tr_node_of(self)) == 0 ? "none lost" : "lost");
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior house = {.name = "house",
                                  .state_size = sizeof(struct house),
                                  .start = house_start,
                                  .receive = house_receive};

static void a_process_that_is_killed_leaves_its_groups(void **state)
{
    (void)state;
    perform(TR_APP(&house, &kid), "three free two none lost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_hears_everybody_in_order_and_once),
        cmocka_unit_test(a_process_that_is_killed_leaves_its_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
