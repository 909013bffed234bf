// troupe ps: processes. troupe tree: their actors, each below the one that has spawned it.
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

#define ACTORS_MAX 65536u

static const struct option OPTIONS[] = {{"dead", no_argument, NULL, 'd'},
                                        {"json", no_argument, NULL, 'j'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

// returns: an exit status to leave with; -1: go on
static int options(int argc, char **argv, const char *help, fleet *f, bool *ret_json)
{
    for (int c; (c = getopt_long(argc, argv, "djh", OPTIONS, NULL)) != -1;) {
        if (c == '?')
            return CLI_USAGE;
        if (c == 'h') {
            fputs(help, stdout);
            return CLI_OK;
        }
        f->dead |= c == 'd';
        *ret_json |= c == 'j';
    }
    if (optind + 1 < argc)
        return cli_usage("one process at a time, or all");
    f->target = argv[optind];
    fleet_scan(f);
    if (f->count == 0 && f->target != NULL)
        return cli_failed("no such process: %s", f->target);
    return -1;
}

static int by_pid(const void *a, const void *b)
{
    const member *x = a, *y = b;
    return (x->process.pid > y->process.pid) - (x->process.pid < y->process.pid);
}

// ---- ps ----

typedef struct figures {
    uint64_t actors, turns, dead_letters, silent_ns;
    bool stuck;
} figures;

// A loop that does not sleep and has not come round for long is stuck.
static figures figures_of(const member *m)
{
    figures f = {0};
    tr_trace_loop loop;
    for (uint32_t i = 0; tr_trace_look_loop(m->trace, i, &loop) == 0; i++) {
        f.actors += loop.actors;
        f.turns += loop.turns;
        f.dead_letters += loop.dead_letters;
        if (!loop.asleep && loop.iterations > 0 && loop.silent_ns > f.silent_ns)
            f.silent_ns = loop.silent_ns;
    }
    f.stuck = m->process.alive && f.silent_ns > 1000000000;
    return f;
}

static const char *state_of(const member *m, const figures *f)
{
    return !m->process.alive ? "ended" : f->stuck ? "stuck" : "runs";
}

static void ps_text(const fleet *f)
{
    printf("%8s %8s  %-20s %5s %7s %12s %6s  %s\n", "PID", "PARENT", "NAME", "LOOPS", "ACTORS",
           "TURNS", "DEAD", "STATE");
    for (size_t i = 0; i < f->count; i++) {
        const tr_trace_process *p = &f->members[i].process;
        figures n = figures_of(&f->members[i]);
        char since[32] = "", name[CLI_SHOWN];
        if (n.stuck)
            cli_span(n.silent_ns, since, sizeof since);
        printf("%8lld %8lld  %-20s %5u %7" PRIu64 " %12" PRIu64 " %6" PRIu64 "  %s%s%s\n",
               (long long)p->pid, (long long)p->parent, cli_shown(p->name, name), p->loops,
               n.actors, n.turns, n.dead_letters, state_of(&f->members[i], &n),
               n.stuck ? " for " : "", since);
    }
}

static void ps_json(const fleet *f)
{
    for (size_t i = 0; i < f->count; i++) {
        const tr_trace_process *p = &f->members[i].process;
        figures n = figures_of(&f->members[i]);
        char *json = NULL;
        if (tr_json_print(TR_MAP("pid", p->pid, "parent", p->parent, "name", p->name, "exe", p->exe,
                                 "node", p->node, "started", p->started, "loops", p->loops,
                                 "actors", n.actors, "turns", n.turns, "dead_letters",
                                 n.dead_letters, "state", state_of(&f->members[i], &n)),
                          &json) == 0)
            puts(json);
        tr_free(json);
    }
}

int cmd_ps(int argc, char **argv)
{
    static const char help[] =
        "usage: troupe ps [--dead] [--json] [PROCESS]\n"
        "\n"
        "Lists processes: how many loops and living actors they have, how many turns those have\n"
        "had, and how many dead letters there were. A loop that does not sleep and has not come\n"
        "round for a second is stuck.\n"
        "\n"
        "  -d, --dead  those that have ended and left something, too\n"
        "  -j, --json  a JSON document a line\n";
    fleet f = {0};
    bool json = false;
    int rc = options(argc, argv, help, &f, &json);
    if (rc < 0) {
        if (f.count > 0)
            qsort(f.members, f.count, sizeof *f.members, by_pid);
        if (json)
            ps_json(&f);
        else
            ps_text(&f);
        rc = CLI_OK;
    }
    fleet_close(&f);
    return rc;
}

// ---- tree ----

typedef struct forest {
    tr_trace_actor *actors;
    const member **homes; // whose they are
    bool *told;
    size_t count;
    uint64_t more;
} forest;

static bool forest_read(const fleet *f, forest *all)
{
    all->actors = calloc(ACTORS_MAX, sizeof *all->actors);
    all->homes = calloc(ACTORS_MAX, sizeof(member *));
    all->told = calloc(ACTORS_MAX, sizeof *all->told);
    if (all->actors == NULL || all->homes == NULL || all->told == NULL)
        return false;
    for (size_t i = 0; i < f->count; i++) {
        uint64_t more = 0;
        size_t n = tr_trace_actors(f->members[i].trace, all->actors + all->count,
                                   ACTORS_MAX - all->count, &more);
        for (size_t j = 0; j < n; j++)
            all->homes[all->count + j] = &f->members[i];
        all->count += n;
        all->more += more;
    }
    return true;
}

static void forest_free(forest *all)
{
    free(all->actors);
    free((void *)all->homes);
    free(all->told);
}

static void tree_one(forest *all, size_t at, int depth, const member *home, bool json);

static void tree_below(forest *all, tr_addr parent, int depth, const member *home, bool json)
{
    for (size_t i = 0; i < all->count; i++)
        if (!all->told[i] && tr_addr_eq(all->actors[i].parent, parent))
            tree_one(all, i, depth, home, json);
}

static void tree_line(const tr_trace_actor *a, int depth, const member *home, const member *outside)
{
    char name[CLI_SHOWN];
    printf("%*s%s", depth * 2, "", cli_shown(a->name, name));
    if (home != outside)
        printf("  (%s, pid %lld)", cli_shown(home->process.name, name),
               (long long)home->process.pid);
    putchar('\n');
}

static void tree_json(const tr_trace_actor *a, int depth, const member *home)
{
    char *json = NULL;
    if (tr_json_print(TR_MAP("name", a->name, "pid", home->process.pid, "depth", depth, "actor",
                             a->addr.actor, "node", a->addr.node, "parent", a->parent.actor,
                             "parent_node", a->parent.node, "started", a->started),
                      &json) == 0)
        puts(json);
    tr_free(json);
}

static void tree_one(forest *all, size_t at, int depth, const member *home, bool json)
{
    const tr_trace_actor *a = &all->actors[at];
    all->told[at] = true;
    if (json)
        tree_json(a, depth, all->homes[at]);
    else
        tree_line(a, depth, all->homes[at], home);
    tree_below(all, a->addr, depth + 1, all->homes[at], json);
}

static bool has_parent(const forest *all, const tr_trace_actor *a)
{
    for (size_t i = 0; i < all->count; i++)
        if (tr_addr_eq(all->actors[i].addr, a->parent))
            return true;
    return false;
}

static void tree_print(forest *all, bool json)
{
    for (size_t i = 0; i < all->count; i++)
        if (!all->told[i] && !has_parent(all, &all->actors[i]))
            tree_one(all, i, 0, NULL, json);
    if (all->more > 0 && !json)
        printf("and %" PRIu64 " more\n", all->more);
}

int cmd_tree(int argc, char **argv)
{
    static const char help[] = "usage: troupe tree [--json] [PROCESS]\n"
                               "\n"
                               "Lists the actors that live, each below the one that has spawned "
                               "it, also over the borders\n"
                               "of processes.\n"
                               "\n"
                               "  -j, --json  a JSON document a line\n";
    fleet f = {0};
    forest all = {0};
    bool json = false;
    int rc = options(argc, argv, help, &f, &json);
    if (rc < 0) {
        rc = CLI_OK;
        if (forest_read(&f, &all))
            tree_print(&all, json);
        else
            rc = cli_failed("no memory");
    }
    forest_free(&all);
    fleet_close(&f);
    return rc;
}
