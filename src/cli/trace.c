// troupe trace: attach to processes, or read what dead ones or a recording have left.
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define LEASE_MS 2000u // said again at every half of it
#define LOOK_MS  20u   // how often new records are looked for
#define SCAN_MS  200u  // and new processes
#define PART     65536 // records of a process, at a time

static const char *const HELP =
    "usage: troupe trace [OPTION...] [PROCESS | FILE...]\n"
    "\n"
    "Shows each message as it is handled: from whom, to whom, what is in it, how long it has "
    "waited\n"
    "and its handler has run. Also actors that start and end, processes, links, dead letters, "
    "slow\n"
    "turns. PROCESS is a pid or a program's name, and with it come the processes that it starts;\n"
    "without it all are meant. A FILE has a / in its name: what a process has left, or JSON "
    "lines;\n"
    "those of several processes or hosts are put together, also where their clocks differ.\n"
    "\n"
    "  -a, --actor GLOB    only what has to do with such an actor: worker, worker/3, *\n"
    "  -m, --message GLOB  only messages (and the rest) with such a name\n"
    "  -e, --where EXPR    only those of which it is true: 'body.id == 7 && wait > 1000000',\n"
    "                      a path into what -o jsonl prints; ==, !=, <, <=, >, >=, ~ (a glob)\n"
    "  -M, --messages      only messages\n"
    "  -b, --bad           only what went wrong\n"
    "  -s, --slow MS       only messages that have waited or run for so long\n"
    "      --only          not the processes that PROCESS has started\n"
    "      --no-body       not what is in the messages: costs the process less\n"
    "      --history       begin with what is there already\n"
    "  -d, --dead          what is there, of processes that have ended, too; then end\n"
    "  -f, --for SECONDS   end after that; 10 if nothing is said; 0: never\n"
    "  -n, --max COUNT     end after so many lines; 0: never; if nothing is said 1000,\n"
    "                      or with -d and a FILE never\n"
    "  -o, --output FORM   text, jsonl, chrome, mermaid, html\n"
    "  -w, --write FILE    there instead of to standard output\n"
    "      --json          as -o jsonl\n";

typedef enum form { TEXT, JSONL, CHROME, MERMAID, HTML, FORMS } form;
static const char *const FORM_NAMES[FORMS] = {"text", "jsonl", "chrome", "mermaid", "html"};

typedef struct session {
    fleet fleet;
    filter filter;
    events events; // those of this look; or all, where the form needs them
    form form;
    FILE *out;
    clocks clocks;
    const char *file;
    char **targets; // files; or one process, or none
    int target_count;
    bool no_body, history, max_said;
    uint64_t for_ms, max, count;
} session;

// ---- Options ----

enum { ONLY = 256, NO_BODY, HISTORY, JSON };
static const struct option OPTIONS[] = {
    {"actor", required_argument, NULL, 'a'},
    {"message", required_argument, NULL, 'm'},
    {"where", required_argument, NULL, 'e'},
    {"messages", no_argument, NULL, 'M'},
    {"bad", no_argument, NULL, 'b'},
    {"slow", required_argument, NULL, 's'},
    {"only", no_argument, NULL, ONLY},
    {"no-body", no_argument, NULL, NO_BODY},
    {"history", no_argument, NULL, HISTORY},
    {"dead", no_argument, NULL, 'd'},
    {"for", required_argument, NULL, 'f'},
    {"max", required_argument, NULL, 'n'},
    {"output", required_argument, NULL, 'o'},
    {"write", required_argument, NULL, 'w'},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool form_of(const char *text, form *ret_form)
{
    for (int i = 0; i < FORMS; i++)
        if (strcmp(text, FORM_NAMES[i]) == 0) {
            *ret_form = (form)i;
            return true;
        }
    return false;
}

static bool option(session *s, int which)
{
    switch (which) {
    case 'a':
        s->filter.actor = optarg;
        return true;
    case 'm':
        s->filter.name = optarg;
        return true;
    case 'M':
        return s->filter.messages = true;
    case 'b':
        return s->filter.bad = true;
    case 's':
        return cli_number(optarg, 1e6, &s->filter.slow_ns);
    case ONLY:
        return s->fleet.only = true;
    case NO_BODY:
        return s->no_body = true;
    case HISTORY:
        return s->history = true;
    case 'd':
        return s->fleet.dead = true;
    case 'f':
        return cli_number(optarg, 1e3, &s->for_ms);
    case 'n':
        return s->max_said = cli_number(optarg, 1, &s->max);
    case 'o':
        return form_of(optarg, &s->form);
    case 'w':
        s->file = optarg;
        return true;
    default:
        s->form = JSONL;
        return which == JSON;
    }
}

static bool is_file(const char *target)
{
    return strchr(target, '/') != NULL || strcmp(target, "-") == 0;
}

static int targets(session *s, int count, char **all)
{
    s->targets = all;
    s->target_count = count;
    for (int i = 0; i < count && count > 1; i++)
        if (!is_file(all[i]))
            return cli_usage("one process at a time, or all; or files, as ./%s", all[i]);
    if (s->no_body && where_needs_bodies(s->filter.where))
        return cli_usage("--where looks at what --no-body leaves out");
    return -1;
}

// returns: an exit status to leave with; -1: go on
static int options(session *s, int argc, char **argv)
{
    for (int c; (c = getopt_long(argc, argv, "a:m:e:Mbs:df:n:o:w:h", OPTIONS, NULL)) != -1;) {
        int rc = CLI_OK;
        if (c == 'h') {
            fputs(HELP, stdout);
            return CLI_OK;
        }
        if (c == '?')
            return CLI_USAGE;
        if (c == 'e')
            rc = where_add(&s->filter.where, optarg);
        else if (!option(s, c))
            rc = cli_usage("%s is no good value", optarg == NULL ? argv[optind - 1] : optarg);
        if (rc != CLI_OK)
            return rc;
    }
    return targets(s, argc - optind, argv + optind);
}

// ---- Telling ----

static bool streams(const session *s)
{
    return s->form == TEXT || s->form == JSONL;
}

static bool full(const session *s)
{
    return s->max != 0 && s->count >= s->max;
}

// JSON lines are what was recorded: whoever reads them sets the clocks.
static void put_in_order(session *s)
{
    if (s->form != JSONL)
        clocks_set(&s->clocks, &s->events);
    events_sort(&s->events);
}

static void tell(session *s)
{
    char text[256];
    put_in_order(s);
    for (const char *note; s->form == TEXT && (note = clocks_next(&s->clocks, text, sizeof text));)
        fprintf(s->out, "... %s\n", note);
    for (size_t i = 0; i < s->events.count && !full(s); i++, s->count++) {
        if (s->form == TEXT)
            out_text(s->out, &s->events.all[i]);
        else
            out_jsonl(s->out, &s->events.all[i]);
    }
    events_clear(&s->events);
    fflush(s->out);
}

static void tell_whole(session *s)
{
    put_in_order(s);
    if (s->form == CHROME)
        out_chrome(s->out, &s->events, &s->clocks);
    else if (s->form == MERMAID)
        out_mermaid(s->out, &s->events, &s->clocks);
    else if (s->form == HTML)
        out_html(s->out, &s->events, &s->clocks);
    events_clear(&s->events);
}

static void keep(session *s, const fleet *names, const tr_trace_event *e)
{
    if (filter_takes(&s->filter, e) && events_add(&s->events, names, e) && !streams(s))
        s->count++;
}

// What there is of one process, now; a part of it if it lives, for it may write faster than this
// reads.
static void read_member(session *s, member *m)
{
    tr_trace_event e;
    for (int n = 0; (n < PART || !m->process.alive) && !full(s); n++) {
        if (tr_trace_next(m->trace, &e) <= 0)
            return;
        keep(s, &s->fleet, &e);
    }
}

static void read_all(session *s)
{
    for (size_t i = 0; i < s->fleet.count; i++)
        read_member(s, &s->fleet.members[i]);
    if (streams(s))
        tell(s);
}

// ---- Attaching ----

static bool anyone_lives(session *s)
{
    bool alive = false;
    for (size_t i = 0; i < s->fleet.count; i++) {
        tr_trace_look(s->fleet.members[i].trace, &s->fleet.members[i].process);
        alive |= s->fleet.members[i].process.alive;
    }
    return alive;
}

static int follow(session *s)
{
    uint64_t start = cli_now_ms(), scanned = start, said = start;
    for (size_t i = 0; i < s->fleet.count && !s->history; i++)
        tr_trace_skip(s->fleet.members[i].trace);
    fleet_want(&s->fleet, !s->no_body, LEASE_MS);
    while (!full(s) && cli_wait(LOOK_MS)) {
        uint64_t now = cli_now_ms();
        bool more = now - scanned >= SCAN_MS && fleet_scan(&s->fleet) > 0;
        if (now - scanned >= SCAN_MS)
            scanned = now;
        if (more || now - said >= LEASE_MS / 2) {
            fleet_want(&s->fleet, !s->no_body, LEASE_MS);
            said = now;
        }
        bool alive = anyone_lives(s); // before the last look
        read_all(s);
        if (!alive || ferror(s->out) != 0 || (s->for_ms != 0 && now - start >= s->for_ms))
            break;
    }
    return CLI_OK;
}

// Of what is there already, and ends by itself.
static void all_if_not_said(session *s)
{
    if (!s->max_said)
        s->max = 0;
}

static int attach(session *s)
{
    s->fleet.target = s->targets[0]; // NULL after the last argument: all
    if (s->fleet.dead)
        all_if_not_said(s);
    if (fleet_scan(&s->fleet) == 0)
        return cli_failed("no such process%s%s is there, or its trace is not this user's",
                          s->fleet.target == NULL ? "" : ": ",
                          s->fleet.target == NULL ? "" : s->fleet.target);
    if (!s->fleet.dead)
        return cli_wait_open() ? follow(s) : cli_failed("signals: %s", strerror(errno));
    read_all(s);
    return CLI_OK;
}

// ---- Files ----

static void read_left(const member *m, events *all)
{
    tr_trace_event e;
    for (int n = 0; n < PART || !m->process.alive; n++)
        if (tr_trace_next(m->trace, &e) <= 0 || !events_add(all, NULL, &e))
            return;
}

static int read_file(session *s, const char *path, events *all)
{
    s->fleet.target = path; // a trace that a process has left, or a recording
    if (strcmp(path, "-") != 0 && fleet_scan(&s->fleet) > 0) {
        read_left(&s->fleet.members[s->fleet.count - 1], all);
        return CLI_OK;
    }
    int rc = out_jsonl_read(path, all);
    return rc < 0 ? cli_failed("%s: %s", path, tr_strerror(rc)) : CLI_OK;
}

static int read_files(session *s)
{
    events all = {0};
    int rc = CLI_OK;
    all_if_not_said(s);
    for (int i = 0; i < s->target_count && rc == CLI_OK; i++)
        rc = read_file(s, s->targets[i], &all);
    if (s->target_count > 1)
        events_name(&all);
    for (size_t i = 0; i < all.count && rc == CLI_OK && !full(s); i++)
        keep(s, NULL, &all.all[i]);
    if (streams(s))
        tell(s);
    events_clear(&all);
    return rc;
}

int cmd_trace(int argc, char **argv)
{
    session s = {.for_ms = 10000, .max = 1000, .out = stdout};
    int rc = options(&s, argc, argv);
    if (rc < 0 && s.file != NULL && (s.out = fopen(s.file, "we")) == NULL)
        rc = cli_failed("%s: %s", s.file, strerror(errno));
    if (rc >= 0) {
        where_free(&s.filter.where);
        return rc;
    }
    if (s.file != NULL)
        cli_colour = false;
    rc = s.target_count > 0 && is_file(s.targets[0]) ? read_files(&s) : attach(&s);
    if (rc == CLI_OK && !streams(&s))
        tell_whole(&s);
    fleet_close(&s.fleet);
    clocks_clear(&s.clocks);
    where_free(&s.filter.where);
    if (s.file != NULL && fclose(s.out) != 0)
        rc = cli_failed("%s: %s", s.file, strerror(errno));
    return rc;
}
