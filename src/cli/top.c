// troupe top: processes and the actors that do most, again and again.
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define ACTORS_MAX 16384u
#define SHOWN      20u
#define LEASE_MS   3000u

typedef struct sample {
    tr_trace_actor actor;
    const member *home;
} sample;

typedef struct row {
    const sample *now;
    uint64_t handled, wait_ns, run_ns;
} row;

typedef struct totals {
    uint64_t turns, idle_ns, actors, dead_letters, lag_ns;
} totals;

typedef struct screen {
    fleet fleet;
    sample *now, *before;
    size_t now_count, before_count;
    totals *loops_before; // by member
    size_t loops_count;
    uint64_t at_ms, before_ms;
    bool json;
} screen;

// ---- Looking ----

static totals totals_of(const member *m)
{
    totals t = {0};
    tr_trace_loop loop;
    for (uint32_t i = 0; tr_trace_look_loop(m->trace, i, &loop) == 0; i++) {
        t.turns += loop.turns;
        t.idle_ns += loop.idle_ns + (loop.asleep ? loop.silent_ns : 0);
        t.actors += loop.actors;
        t.dead_letters += loop.dead_letters;
        if (!loop.asleep && loop.iterations > 0 && loop.silent_ns > t.lag_ns)
            t.lag_ns = loop.silent_ns;
    }
    return t;
}

static void look(screen *s)
{
    static tr_trace_actor actors[ACTORS_MAX];
    sample *old = s->before;
    s->before = s->now;
    s->before_count = s->now_count;
    s->now = old;
    s->now_count = 0;
    s->before_ms = s->at_ms;
    s->at_ms = cli_now_ms();
    for (size_t i = 0; i < s->fleet.count; i++) {
        const member *m = &s->fleet.members[i];
        size_t n = tr_trace_actors(m->trace, actors, ACTORS_MAX - s->now_count, NULL);
        for (size_t j = 0; j < n; j++)
            s->now[s->now_count++] = (sample){actors[j], m};
    }
}

static const sample *sample_before(const screen *s, size_t hint, tr_addr addr)
{
    if (hint < s->before_count && tr_addr_eq(s->before[hint].actor.addr, addr))
        return &s->before[hint];
    for (size_t i = 0; i < s->before_count; i++)
        if (tr_addr_eq(s->before[i].actor.addr, addr))
            return &s->before[i];
    return NULL;
}

static int by_run(const void *a, const void *b)
{
    const row *x = a, *y = b;
    if (x->run_ns != y->run_ns)
        return x->run_ns < y->run_ns ? 1 : -1;
    return (x->handled < y->handled) - (x->handled > y->handled);
}

static size_t rows_make(const screen *s, row *rows)
{
    for (size_t i = 0; i < s->now_count; i++) {
        const tr_trace_actor *a = &s->now[i].actor;
        const sample *b = sample_before(s, i, a->addr);
        rows[i] = (row){.now = &s->now[i], a->handled, a->wait_ns, a->run_ns};
        if (b != NULL) {
            rows[i].handled -= b->actor.handled;
            rows[i].wait_ns -= b->actor.wait_ns;
            rows[i].run_ns -= b->actor.run_ns;
        }
    }
    if (s->now_count > 0)
        qsort(rows, s->now_count, sizeof *rows, by_run);
    return s->now_count;
}

// ---- Showing ----

static double seconds(const screen *s)
{
    return s->at_ms > s->before_ms ? (double)(s->at_ms - s->before_ms) / 1e3 : 1;
}

static void show_process(const screen *s, const member *m, const totals *t, const totals *b)
{
    double turns = (double)(t->turns - b->turns) / seconds(s);
    double idle = (double)(t->idle_ns - b->idle_ns) / 1e9 / seconds(s);
    double busy = (double)m->process.loops - idle;
    char lag[32], name[CLI_SHOWN];
    if (s->json) {
        char *json = NULL;
        if (tr_json_print(TR_MAP("kind", "process", "pid", m->process.pid, "name", m->process.name,
                                 "loops", m->process.loops, "actors", t->actors, "turns_per_s",
                                 turns, "busy_loops", busy < 0 ? 0 : busy, "lag_ns", t->lag_ns,
                                 "dead_letters", t->dead_letters),
                          &json) == 0)
            puts(json);
        tr_free(json);
        return;
    }
    printf("%8lld  %-20s %5u %7" PRIu64 " %11.0f %5.0f%% %9s %6" PRIu64 "\n",
           (long long)m->process.pid, cli_shown(m->process.name, name), m->process.loops, t->actors,
           turns, busy > 0 ? busy * 100 : 0, cli_span(t->lag_ns, lag, sizeof lag), t->dead_letters);
}

// Of all processes. NULL: no memory
static totals *totals_all(const screen *s)
{
    totals *all = calloc(s->fleet.count + 1, sizeof *all);
    for (size_t i = 0; all != NULL && i < s->fleet.count; i++)
        all[i] = totals_of(&s->fleet.members[i]);
    return all;
}

static void totals_keep(screen *s, totals *all)
{
    free(s->loops_before);
    s->loops_before = all;
    s->loops_count = all == NULL ? 0 : s->fleet.count;
}

static void show_processes(screen *s)
{
    totals *all = totals_all(s);
    if (all == NULL)
        return;
    if (!s->json)
        printf("%8s  %-20s %5s %7s %11s %6s %9s %6s\n", "PID", "NAME", "LOOPS", "ACTORS", "TURNS/S",
               "BUSY", "LAG", "DEAD");
    for (size_t i = 0; i < s->fleet.count; i++)
        show_process(s, &s->fleet.members[i], &all[i],
                     i < s->loops_count ? &s->loops_before[i] : &all[i]);
    totals_keep(s, all);
}

static void show_actor(const screen *s, const row *r)
{
    const tr_trace_actor *a = &r->now->actor;
    uint64_t n = r->handled > 0 ? r->handled : 1;
    char wait[32], run[32], name[CLI_SHOWN];
    if (s->json) {
        char *json = NULL;
        if (tr_json_print(TR_MAP("kind", "actor", "pid", r->now->home->process.pid, "name", a->name,
                                 "messages_per_s", (double)r->handled / seconds(s), "wait_ns",
                                 r->wait_ns / n, "run_ns", r->run_ns / n, "depth", a->depth),
                          &json) == 0)
            puts(json);
        tr_free(json);
        return;
    }
    printf("%8lld  %-24s %11.0f %9s %9s %7" PRIu32 "\n", (long long)r->now->home->process.pid,
           cli_shown(a->name, name), (double)r->handled / seconds(s),
           cli_span(r->wait_ns / n, wait, sizeof wait), cli_span(r->run_ns / n, run, sizeof run),
           a->depth);
}

static void show(screen *s)
{
    row *rows = calloc(s->now_count + 1, sizeof *rows);
    if (rows == NULL)
        return;
    if (cli_colour)
        fputs("\033[H\033[2J", stdout);
    show_processes(s);
    if (!s->json)
        printf("\n%8s  %-24s %11s %9s %9s %7s\n", "PID", "ACTOR", "MESSAGES/S", "WAIT", "RUN",
               "WAITING");
    size_t count = rows_make(s, rows);
    for (size_t i = 0; i < count && (s->json || i < SHOWN); i++)
        show_actor(s, &rows[i]);
    free(rows);
    fflush(stdout);
}

// ---- Again and again ----

static const char HELP[] =
    "usage: troupe top [-n COUNT] [-i SECONDS] [--json] [PROCESS]\n"
    "\n"
    "Shows processes, and the actors that have run most since the last look: how many messages a\n"
    "second they handle, how long one waits for its turn and runs on average, and how many waited\n"
    "behind the last one. For this the processes write their messages down while it runs.\n"
    "\n"
    "  -n, --count COUNT       so many looks; without a terminal 1\n"
    "  -i, --interval SECONDS  between two; 1\n"
    "  -j, --json              a JSON document a line\n";

static const struct option OPTIONS[] = {{"count", required_argument, NULL, 'n'},
                                        {"interval", required_argument, NULL, 'i'},
                                        {"json", no_argument, NULL, 'j'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static int run(screen *s, unsigned long count, unsigned interval_ms)
{
    s->now = calloc(ACTORS_MAX, sizeof *s->now);
    s->before = calloc(ACTORS_MAX, sizeof *s->before);
    if (s->now == NULL || s->before == NULL || !cli_wait_open())
        return cli_failed("no memory");
    fleet_want(&s->fleet, false, LEASE_MS + interval_ms);
    look(s);
    totals_keep(s, totals_all(s));
    for (unsigned long i = 0; (count == 0 || i < count) && cli_wait(interval_ms); i++) {
        fleet_scan(&s->fleet);
        fleet_want(&s->fleet, false, LEASE_MS + interval_ms);
        look(s);
        show(s);
        if (ferror(stdout) != 0)
            break;
    }
    return CLI_OK;
}

int cmd_top(int argc, char **argv)
{
    screen s = {0};
    unsigned long count = isatty(STDOUT_FILENO) == 1 ? 0 : 1;
    double interval = 1;
    for (int c; (c = getopt_long(argc, argv, "n:i:jh", OPTIONS, NULL)) != -1;) {
        if (c == 'h') {
            fputs(HELP, stdout);
            return CLI_OK;
        }
        if (c == '?')
            return CLI_USAGE;
        if (c == 'n')
            count = strtoul(optarg, NULL, 10);
        else if (c == 'i')
            interval = strtod(optarg, NULL);
        else
            s.json = true;
    }
    if (!(interval >= 0.05 && interval <= 3600) || optind + 1 < argc)
        return cli_usage("top takes one process, and an interval of 0.05 to 3600 seconds");
    s.fleet.target = argv[optind];
    if (fleet_scan(&s.fleet) == 0)
        return cli_failed("no such process is there");
    int rc = run(&s, count, (unsigned)(interval * 1000));
    free(s.now);
    free(s.before);
    free(s.loops_before);
    fleet_close(&s.fleet);
    return rc;
}
