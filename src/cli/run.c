// troupe run: a program that is a shared object, as a service.
//
// The node's first actor is the runner. It starts the program's, or a supervisor for it, opens the
// node to others, and ends with it. A process that the program spawns is this command once more: it
// finds the shared object by TROUPE_APP.
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define APP_ENV           "TROUPE_APP"
#define URLS_MAX          16u
#define RESTART_WINDOW_MS 60000u
#define RESTART_DELAY_MS  100u // at first; twice as long each time

typedef struct urls {
    const char *all[URLS_MAX];
    size_t count;
} urls;

typedef struct program {
    const tr_app *app;
    const tr_behavior *behavior; // its main one
    const char *behavior_name, *name, *secret_file;
    urls listens, dials;
    uint64_t restarts, loops;
    bool reload;
    tr_val *args;
    size_t arg_count;
    tr_addr top; // the program's actor, or its supervisor
} program;

static program it; // of this process

// ---- The shared object ----

// returns: an exit status to leave with; -1: go on
static int app_load(const char *path)
{
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return cli_failed("%s", dlerror());
    it.app = dlsym(object, "tr_app_exported");
    if (it.app == NULL || it.app->count == 0)
        return cli_failed("%s exports no behaviours: TR_APP_EXPORT does", path);
    return -1;
}

// "./tally.so" is called tally.
static char *app_name(const char *path)
{
    static char name[64];
    const char *slash = strrchr(path, '/');
    snprintf(name, sizeof name, "%s", slash == NULL ? path : slash + 1);
    char *dot = strrchr(name, '.');
    if (dot != NULL && dot != name)
        *dot = '\0';
    return name;
}

int cmd_run_child(int argc, char **argv)
{
    const char *path = getenv(APP_ENV);
    if (path == NULL)
        return cli_failed("this is not a program's process: " APP_ENV " is not set");
    int status = app_load(path);
    return status < 0 ? tr_main(argc, argv, it.app) : status;
}

// ---- Options ----

static const char *const HELP =
    "usage: troupe run [OPTION...] PROGRAM [ARGUMENT...]\n"
    "\n"
    "Runs a program that is a shared object with TR_APP_EXPORT in it: its first behaviour, with "
    "the\n"
    "arguments as a list of text, until that has ended. It is a service: SIGTERM and Ctrl-C stop "
    "it\n"
    "in order, a second one at once, and systemd is told when it is ready.\n"
    "\n"
    "  -b, --behavior NAME  this one of its behaviours\n"
    "  -n, --name NAME      what its actor can be found by, as with troupe ask\n"
    "  -l, --listen URL     others may join here: ipc:///path, or tcp://host:port. May be said\n"
    "                       again; what the port is stands on standard error\n"
    "      --dial URL       join the node that listens there. May be said again\n"
    "      --secret FILE    the secret of links over TCP is in this file; else in TROUPE_SECRET\n"
    "  -r, --restart COUNT  start it again when it fails, up to so many times in a minute\n"
    "      --reload         SIGHUP asks it to \"reload\", instead of ending it\n"
    "      --loops COUNT    how many loops share its actors; else as many as there are processors\n"
    "\n"
    "Exits with 0 when it has ended well or was stopped, 128 + a signal that has killed a process\n"
    "that it was linked to, 1 when it has failed otherwise, 2 if the command was not understood; "
    "or "
    "with\n"
    "what the program says.\n";

enum { DIAL = 256, SECRET, RELOAD, LOOPS };
static const struct option OPTIONS[] = {
    {"behavior", required_argument, NULL, 'b'},
    {"name", required_argument, NULL, 'n'},
    {"listen", required_argument, NULL, 'l'},
    {"dial", required_argument, NULL, DIAL},
    {"secret", required_argument, NULL, SECRET},
    {"restart", required_argument, NULL, 'r'},
    {"reload", no_argument, NULL, RELOAD},
    {"loops", required_argument, NULL, LOOPS},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool urls_add(urls *to, const char *url)
{
    if (to->count == URLS_MAX)
        return false;
    to->all[to->count++] = url;
    return true;
}

static bool option(int which)
{
    switch (which) {
    case 'b':
        it.behavior_name = optarg;
        return true;
    case 'n':
        it.name = optarg;
        return optarg[0] != '\0' && strlen(optarg) <= TR_NAME_MAX;
    case 'l':
        return urls_add(&it.listens, optarg);
    case DIAL:
        return urls_add(&it.dials, optarg);
    case SECRET:
        it.secret_file = optarg;
        return true;
    case 'r':
        return cli_number(optarg, 1, &it.restarts) && it.restarts <= 1000000;
    case LOOPS:
        return cli_number(optarg, 1, &it.loops) && it.loops >= 1 && it.loops <= 1024;
    default:
        return it.reload = true;
    }
}

static int behavior_find(const char *path)
{
    it.behavior = it.app->behaviors[0];
    if (it.behavior_name == NULL)
        return -1;
    for (size_t i = 0; i < it.app->count; i++) {
        it.behavior = it.app->behaviors[i];
        if (strcmp(it.behavior->name, it.behavior_name) == 0)
            return -1;
    }
    return cli_failed("%s has no behaviour %s", path, it.behavior_name);
}

static int arguments_take(int count, char **args)
{
    it.args = calloc((size_t)count + 1, sizeof *it.args);
    if (it.args == NULL)
        return cli_failed("no memory");
    for (int i = 0; i < count; i++)
        it.args[i] = tr_val_str(args[i]);
    it.arg_count = (size_t)count;
    return -1;
}

// Its path is absolute, since processes of the program may have another directory.
static int program_take(const char *path)
{
    char *whole = realpath(path, NULL);
    if (whole == NULL)
        return cli_failed("%s: %s", path, strerror(errno));
    setenv(APP_ENV, whole, 1);
    int status = app_load(whole);
    free(whole);
    return status < 0 ? behavior_find(path) : status;
}

// returns: an exit status to leave with; -1: go on
static int options(int argc, char **argv)
{
    for (int c; (c = getopt_long(argc, argv, "+b:n:l:r:h", OPTIONS, NULL)) != -1;) {
        if (c == '?')
            return CLI_USAGE;
        if (c == 'h') {
            fputs(HELP, stdout);
            return CLI_OK;
        }
        if (!option(c))
            return cli_usage("%s is no good value, or one too many", optarg);
    }
    if (optind == argc)
        return cli_usage("which program?");
    int status = arguments_take(argc - optind - 1, argv + optind + 1);
    return status < 0 ? program_take(argv[optind]) : status;
}

// ---- The runner ----

static int program_supervise(tr_actor *self, tr_spawn_opts *opts)
{
    return tr_supervise(self,
                        TR_SUPERVISOR(.restart_max = (uint32_t)it.restarts,
                                      .restart_window_ms = RESTART_WINDOW_MS,
                                      .backoff_min_ms = RESTART_DELAY_MS, .observer = tr_self(self),
                                      TR_CHILDREN({.id = it.behavior->name,
                                                   .behavior = it.behavior,
                                                   .opts = opts,
                                                   .restart = TR_TRANSIENT})),
                        TR_SPAWN(.link = true), &it.top);
}

static int program_start(tr_actor *self)
{
    tr_spawn_opts opts = {.size = sizeof opts,
                          .args = tr_val_list(it.args, it.arg_count),
                          .name = it.name,
                          .link = it.restarts == 0};
    return it.restarts > 0 ? program_supervise(self, &opts)
                           : tr_spawn(self, it.behavior, &opts, &it.top);
}

// What is wrong with a url has been said.
static int open_to_others(tr_actor *self)
{
    tr_node *node = tr_node_of(self);
    int rc = 0;
    for (size_t i = 0; i < it.listens.count && rc == 0; i++)
        rc = tr_node_listen(node, it.listens.all[i]);
    for (size_t i = 0; i < it.dials.count && rc == 0; i++)
        rc = tr_node_dial(node, it.dials.all[i], NULL);
    if (rc < 0) {
        tr_status_set(self, cli_failed("%s", tr_node_errmsg(node)));
        return tr_exit(self, TR_NORMAL);
    }
    return 0;
}

static void on_started(tr_actor *self, const tr_answer *answer, void *arg)
{
    const tr_addr *service = arg;
    if (answer->status == 0)
        tr_send(self, *service, "ready", TR_NULL);
}

// The service sees to signals now: who reads where it listens may send one. Of a program that has ended
// meanwhile its down tells.
static void on_guarded(tr_actor *self, const tr_answer *answer, void *service)
{
    char url[TR_URL_MAX];
    for (size_t i = 0; answer->status == 0 && i < it.listens.count; i++)
        if (tr_node_url(tr_node_of(self), i, url) == 0)
            fprintf(stderr, "troupe: listening at %s\n", url);
    if (answer->status == 0)
        tr_ping(self, it.top, NULL, NULL, on_started, service);
}

static int runner_start(tr_actor *self, const tr_val *args)
{
    static tr_addr service;
    (void)args;
    int rc = program_start(self);
    if (rc == 0)
        rc = tr_monitor(self, it.top, NULL);
    if (rc == 0)
        rc =
            tr_service_start(self, TR_SERVICE(.target = it.top, .no_reload = !it.reload), &service);
    if (rc == 0)
        rc = open_to_others(self);
    return rc < 0 ? rc : tr_ping(self, service, NULL, NULL, on_guarded, &service);
}

// One that has failed ends this actor by its link, unless it is started again.
static bool ended_well(tr_val event)
{
    tr_str what, reason;
    char normal[64], asked[64];
    tr_reason_text((tr_reason){.kind = TR_REASON_NORMAL}, normal, sizeof normal);
    tr_reason_text((tr_reason){.kind = TR_REASON_SHUTDOWN}, asked, sizeof asked);
    return TR_READ(event, "event", &what, "reason", &reason) == 0 && tr_str_eq(what, "end") &&
           (tr_str_eq(reason, normal) || tr_str_eq(reason, asked));
}

static int runner_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL || (tr_msg_is(msg, "supervisor") && ended_well(tr_msg_body(msg))))
        return tr_exit(self, TR_NORMAL);
    return tr_msg_is(msg, "supervisor") ? 0 : TR_EUNKNOWN;
}
static const tr_behavior runner = {
    .name = "runner", .start = runner_start, .receive = runner_receive};

// ---- The node ----

// The node has the program's name, and so do the processes that it spawns.
static int node_run(char *name)
{
    tr_node *node = NULL;
    program_invocation_name = name;
    int rc = tr_node_open(TR_NODE(.app = it.app, .loops = (uint32_t)it.loops), &node);
    if (rc < 0)
        return cli_failed("%s", tr_strerror(rc));
    bool has_secret;
    int status = cli_secret(node, it.secret_file, &has_secret);
    if (status == CLI_OK) {
        rc = tr_node_spawn(node, &runner, NULL, NULL);
        if (rc == 0)
            tr_node_run(node);
        status = rc < 0 ? cli_failed("%s", tr_strerror(rc)) : tr_node_status(node);
    }
    tr_node_close(&node);
    return status;
}

int cmd_run(int argc, char **argv)
{
    int status = options(argc, argv);
    if (status < 0)
        status = node_run(app_name(argv[optind]));
    free(it.args);
    return status;
}
