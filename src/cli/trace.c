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
    "usage: troupe trace [OPTION...] [PROCESS | FILE]\n"
    "\n"
    "Shows each message as it is handled: from whom, to whom, what is in it, how long it has "
    "waited\n"
    "and its handler has run. Also actors that start and end, processes, links, dead letters, "
    "slow\n"
    "turns. PROCESS is a pid or a program's name, and with it come the processes that it starts;\n"
    "without it all are meant. A FILE has a / in its name: what a process has left, or JSON "
    "lines.\n"
    "\n"
    "  -a, --actor GLOB    only what has to do with such an actor: worker, worker/3, *\n"
    "  -m, --message GLOB  only messages (and the rest) with such a name\n"
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
    const char *file;
    bool no_body, history, max_said;
    uint64_t for_ms, max, count;
} session;

// ---- Options ----

enum { ONLY = 256, NO_BODY, HISTORY, JSON };
static const struct option OPTIONS[] = {
    {"actor", required_argument, NULL, 'a'}, {"message", required_argument, NULL, 'm'},
    {"messages", no_argument, NULL, 'M'},    {"bad", no_argument, NULL, 'b'},
    {"slow", required_argument, NULL, 's'},  {"only", no_argument, NULL, ONLY},
    {"no-body", no_argument, NULL, NO_BODY}, {"history", no_argument, NULL, HISTORY},
    {"dead", no_argument, NULL, 'd'},        {"for", required_argument, NULL, 'f'},
    {"max", required_argument, NULL, 'n'},   {"output", required_argument, NULL, 'o'},
    {"write", required_argument, NULL, 'w'}, {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
};

static bool number_of(const char *text, double scale, uint64_t *ret_number)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= 0 && number < 1e12))
        return false;
    *ret_number = (uint64_t)(number * scale);
    return true;
}

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
        return number_of(optarg, 1e6, &s->filter.slow_ns);
    case ONLY:
        return s->fleet.only = true;
    case NO_BODY:
        return s->no_body = true;
    case HISTORY:
        return s->history = true;
    case 'd':
        return s->fleet.dead = true;
    case 'f':
        return number_of(optarg, 1e3, &s->for_ms);
    case 'n':
        return s->max_said = number_of(optarg, 1, &s->max);
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

// returns: an exit status to leave with; -1: go on
static int options(session *s, int argc, char **argv)
{
    for (int c; (c = getopt_long(argc, argv, "a:m:Mbs:df:n:o:w:h", OPTIONS, NULL)) != -1;) {
        if (c == 'h') {
            fputs(HELP, stdout);
            return CLI_OK;
        }
        if (c == '?')
            return CLI_USAGE;
        if (!option(s, c))
            return cli_usage("%s is no good value", optarg == NULL ? argv[optind - 1] : optarg);
    }
    if (optind + 1 < argc)
        return cli_usage("one process at a time, or all");
    s->fleet.target = argv[optind];
    return -1;
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

static void tell(session *s)
{
    events_sort(&s->events);
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
    events_sort(&s->events);
    if (s->form == CHROME)
        out_chrome(s->out, &s->events);
    else if (s->form == MERMAID)
        out_mermaid(s->out, &s->events);
    else if (s->form == HTML)
        out_html(s->out, &s->events);
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

static bool is_recording(const char *target)
{
    tr_trace *trace;
    if (target == NULL || (strchr(target, '/') == NULL && strcmp(target, "-") != 0))
        return false;
    if (tr_trace_open(target, &trace) < 0)
        return true;
    tr_trace_close(&trace);
    return false;
}

// Of what is there already, and ends by itself.
static void all_if_not_said(session *s)
{
    if (!s->max_said)
        s->max = 0;
}

static int play(session *s)
{
    events all = {0};
    all_if_not_said(s);
    int rc = out_jsonl_read(s->fleet.target, &all);
    if (rc < 0) {
        events_clear(&all);
        return cli_failed("%s: %s", s->fleet.target, tr_strerror(rc));
    }
    for (size_t i = 0; i < all.count && !full(s); i++)
        keep(s, NULL, &all.all[i]);
    if (streams(s))
        tell(s);
    events_clear(&all);
    return CLI_OK;
}

static int attach(session *s)
{
    bool file = s->fleet.target != NULL && strchr(s->fleet.target, '/') != NULL;
    s->fleet.dead |= file;
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

int cmd_trace(int argc, char **argv)
{
    session s = {.for_ms = 10000, .max = 1000, .out = stdout};
    int rc = options(&s, argc, argv);
    if (rc >= 0)
        return rc;
    if (s.file != NULL && (s.out = fopen(s.file, "we")) == NULL)
        return cli_failed("%s: %s", s.file, strerror(errno));
    if (s.file != NULL)
        cli_colour = false;
    rc = is_recording(s.fleet.target) ? play(&s) : attach(&s);
    if (rc == CLI_OK && !streams(&s))
        tell_whole(&s);
    fleet_close(&s.fleet);
    if (s.file != NULL && fclose(s.out) != 0)
        rc = cli_failed("%s: %s", s.file, strerror(errno));
    return rc;
}
