// The assembly: the one file that puts a node together out of the core, the remote part and the
// real world, for programs whose main is tr_main and for those that embed a node.
//
// A child process is told by TROUPE_LINK=3:PID in its environment that its parent PID is at the
// other end of descriptor 3. The variable is taken out at once, so that grandchildren which are no
// business of ours do not see it. TROUPE_PULSE, perhaps beside it, says that descriptor 4 is its
// pulse.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/opts.h"
#include "filter/transport.h"
#include "remote/remote.h"
#include "trace/file.h"
#include "uv/uv.h"

#ifdef TROUPE_NNG
#include "nng/transport.h"
#endif

#define LINK_ENV "TROUPE_LINK"
#define LINK_FD  3

#define WATCHDOG_ENV "TROUPE_WATCHDOG_MS"
#define TRACE_ENV    "TROUPE_TRACE"

#define LOOPS_MAX 1024u // of the loops that are shared; the rest is for threads of their own

// Whose child this process was started as; 0: nobody's.
static pid_t child_of(void)
{
    const char *text = getenv(LINK_ENV);
    int fd = 0, used = 0;
    long pid = 0;
    if (text == NULL || sscanf(text, "%d:%ld%n", &fd, &pid, &used) != 2)
        return 0;
    return fd == LINK_FD && text[used] == '\0' && pid > 0 ? (pid_t)pid : 0;
}

bool tr_is_child(void)
{
    return child_of() != 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

// The path of this program: asked once, before the file can have been replaced.
static const char *program_path(void)
{
    static char path[4096];
    if (path[0] == '\0' && readlink("/proc/self/exe", path, sizeof path - 1) < 0)
        return NULL;
    return path;
}

// The environment of every child of this process. Filled in once, by whichever node comes first.
static const char *const *child_env(void)
{
    static char link[48];
    static const char *const env[] = {link, NULL};
    snprintf(link, sizeof link, LINK_ENV "=%d:%ld", LINK_FD, (long)getpid());
    return env;
}

// 0: not wanted.
static uint32_t watchdog_env(void)
{
    const char *text = getenv(WATCHDOG_ENV);
    unsigned ms = 0;
    int used = 0;
    if (text == NULL)
        return 0;
    if (sscanf(text, "%9u%n", &ms, &used) == 1 && text[used] == '\0')
        return ms;
    tr__warn("node.environment", WATCHDOG_ENV "=%s is no number of milliseconds", text);
    return 0;
}

uint32_t tr_processors(void)
{
    return tr__uv_processors("/proc/self/cgroup", "/sys/fs/cgroup");
}

static const tr__transport *const TRANSPORTS[] = {&tr__filter_transport,
#ifdef TROUPE_NNG
                                                  &tr__nng_transport,
#endif
                                                  NULL};
_Static_assert(sizeof TRANSPORTS / sizeof TRANSPORTS[0] <= TR__TRANSPORTS + 1, "more are not seen");

static tr__remote_opts remote_opts(const char *program, const tr_app *app)
{
    return (tr__remote_opts){.name = base_name(program),
                             .path = program_path(),
                             .app = app,
                             .program = program,
                             .child_env = child_env(),
                             .transports = TRANSPORTS,
                             .loops = tr_processors()};
}

// Words with commas between them. Returns whether they are good ones.
static bool trace_words(const char *text, tr__trace_opts *opts, bool *ret_off)
{
    static const char *const words[] = {"off", "msg", "body", "keep"};
    bool said[4] = {false};
    for (size_t len; *text != '\0'; text += len + (text[len] == ',')) {
        size_t i = 0;
        len = strcspn(text, ",");
        while (i < 4 && (strlen(words[i]) != len || memcmp(words[i], text, len) != 0))
            i++;
        if (i == 4)
            return false;
        said[i] = true;
    }
    *ret_off = said[0];
    opts->messages = said[1] || said[2];
    opts->bodies = said[2];
    opts->keep = said[3];
    return true;
}

// Whether and how the node is written down, from TROUPE_TRACE.
static void trace_start(tr_node *node)
{
    const char *text = getenv(TRACE_ENV);
    tr__trace_opts opts = {.name = node->name, .child = node->expecting};
    bool off = false;
    if (text != NULL && !trace_words(text, &opts, &off))
        tr__warn("node.environment", TRACE_ENV "=%s has words other than off, msg, body, keep",
                 text);
    if (!off)
        tr__trace_start(node, &opts);
}

// How long turns may take, who looks after that, and who writes down what happens. On an error the
// node is closed.
static int node_set_up(tr_node_opts *opts, uint32_t pulse_ms, tr_node **node)
{
    trace_start(*node);
    if (opts->watchdog_ms == 0)
        opts->watchdog_ms = watchdog_env();
    tr__node_budget(*node, opts);
    int rc = tr__watchdog_start(*node, opts, pulse_ms);
    if (rc < 0)
        tr_node_close(node);
    return rc;
}

// ---- A node inside a program ----

int tr_node_open(const tr_node_opts *opts, tr_node **ret_node)
{
    tr_node_opts given;
    if (ret_node == NULL || tr__opts_copy(opts, &given, sizeof given) < 0 ||
        given.loops > LOOPS_MAX)
        return TR_EINVAL;
    tr__remote_opts o = remote_opts(program_invocation_name, given.app);
    if (given.loops != 0)
        o.loops = given.loops;
    o.flush_ms = given.flush_ms;
    if (given.name != NULL)
        o.name = given.name;
    tr_world *world;
    int rc = tr__uv_open(&world);
    if (rc == 0)
        rc = tr__remote_open(&o, &world, ret_node);
    if (rc == 0)
        rc = node_set_up(&given, 0, ret_node);
    return rc;
}

// Links are the first loop's.
static bool links_are_here(const tr_node *node)
{
    return node != NULL && tr__node_is_here(node);
}

int tr_node_listen(tr_node *node, const char *url)
{
    return !links_are_here(node) || url == NULL ? TR_EINVAL : tr__remote_listen(node, url);
}

int tr_node_links(tr_node *node, const tr_link_opts *opts)
{
    tr_link_opts given;
    if (!links_are_here(node) || tr__opts_copy(opts, &given, sizeof given) < 0 ||
        (given.secret != NULL &&
         (given.secret_size < TR__SECRET_MIN || given.secret_size > TR__SECRET_MAX)))
        return TR_EINVAL;
    return tr__remote_links(node, &given);
}

int tr_node_dial(tr_node *node, const char *url, const tr_dial_opts *opts)
{
    tr_dial_opts given;
    if (!links_are_here(node) || url == NULL || tr__opts_copy(opts, &given, sizeof given) < 0)
        return TR_EINVAL;
    return tr__remote_dial(node, url, &given);
}

int tr_node_undial(tr_node *node, const char *url)
{
    return !links_are_here(node) || url == NULL ? TR_EINVAL : tr__remote_undial(node, url);
}

int tr_node_url(const tr_node *node, size_t n, char url[TR_URL_MAX])
{
    return !links_are_here(node) || url == NULL ? TR_EINVAL : tr__remote_url(node, n, url);
}

int tr_node_run(tr_node *node)
{
    if (node == NULL || tr__loop_here != NULL)
        return TR_EINVAL;
    while (tr__node_step(node))
        continue;
    return node->error;
}

void tr_node_close(tr_node **node)
{
    if (node != NULL)
        tr__node_free(node);
}

// ---- A program that is a node ----

// An error of an actor's own has been told when that ended.
static void main_tell(const tr_node *node)
{
    char why[64];
    if (node->root_ended && node->first_reason.kind > TR_REASON_ERROR)
        tr__error("node.failed", "%s", tr_reason_text(node->first_reason, why, sizeof why));
}

// Run to the end. Returns the process's exit status.
static int main_run(tr_node *node)
{
    tr_node_run(node);
    main_tell(node);
    int status = tr_node_status(node);
    tr_node_close(&node);
    return status;
}

static int main_failed(int rc)
{
    tr__error("node.open", "error=%s (%s)", tr_errname(rc), tr_strerror(rc));
    return EXIT_FAILURE;
}

// What the service's group is sent is the service's to act on: it asks its children in its order.
// Who is in a hurry sends a second signal. The parent's own, which ends one that is stuck, does.
static void child_signalled(int signum, siginfo_t *info, void *context)
{
    static volatile sig_atomic_t before;
    (void)context;
    if (info->si_pid != getppid() && !before) {
        before = 1;
        return;
    }
    signal(signum, SIG_DFL);
    raise(signum); // it comes when this returns
}

static void child_leave_signals(void)
{
    struct sigaction first = {.sa_sigaction = child_signalled, .sa_flags = SA_SIGINFO | SA_RESTART};
    if (getenv(SERVICE_ENV) == NULL)
        return;
    sigemptyset(&first.sa_mask);
    sigaction(SIGINT, &first, NULL);
    sigaction(SIGTERM, &first, NULL);
    signal(SIGHUP, SIG_IGN);
}

// A child must not outlive its parent, not even in an endless loop of its own. The parent may have
// died before the signal was asked for.
static void child_tie_to(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    unsetenv(LINK_ENV);
    prctl(PR_SET_NAME, base_name(program_invocation_name)); // exec of /proc/self/exe named it "exe"
}

// 0: nobody wants to know whether this process hangs.
static uint32_t pulse_env(void)
{
    uint32_t ms = tr__pulse_wanted(getenv(TR__PULSE_ENV));
    unsetenv(TR__PULSE_ENV);
    return ms;
}

static int main_child(pid_t parent, const tr_app *app)
{
    child_tie_to(parent);
    child_leave_signals();
    uint32_t pulse_ms = pulse_env();
    tr__remote_opts opts = remote_opts(program_invocation_name, app);
    tr_world *world = NULL;
    tr_endpoint *endpoint;
    tr_node *node;
    int rc = tr__uv_open(&world);
    if (rc == 0)
        rc = tr__uv_adopt(world, LINK_FD, &endpoint);
    if (rc < 0 && world != NULL)
        world->ops->close(&world);
    if (rc == 0)
        rc = tr__remote_open_child(&opts, &world, endpoint, &node);
    if (rc == 0)
        rc = node_set_up(&(tr_node_opts){0}, pulse_ms, &node);
    if (pulse_ms != 0)
        close(TR__PULSE_FD); // the watchdog has its own, and closes it
    return rc < 0 ? main_failed(rc) : main_run(node);
}

// The first behaviour, with the program's arguments as a list of text.
static int main_spawn_first(tr_node *node, int argc, char **argv, const tr_app *app)
{
    size_t count = argc > 1 ? (size_t)argc - 1 : 0;
    tr_val *args = tr__alloc((count + 1) * sizeof *args);
    if (args == NULL)
        return TR_ENOMEM;
    for (size_t i = 0; i < count; i++)
        args[i] = tr_val_str(argv[i + 1]);
    tr_spawn_opts opts = {.size = sizeof opts, .args = tr_val_list(args, count)};
    int rc = tr_node_spawn(node, app->behaviors[0], &opts, NULL);
    tr__free(args);
    return rc;
}

static int main_first(int argc, char **argv, const tr_app *app)
{
    const char *program = argc > 0 && argv[0] != NULL ? argv[0] : program_invocation_name;
    tr__remote_opts opts = remote_opts(program, app);
    tr_world *world;
    tr_node *node = NULL;
    unsetenv(SERVICE_ENV); // was said to this one's spawner
    int rc = tr__uv_open(&world);
    if (rc == 0)
        rc = tr__remote_open(&opts, &world, &node);
    if (rc == 0)
        rc = node_set_up(&(tr_node_opts){0}, 0, &node);
    if (rc == 0)
        rc = main_spawn_first(node, argc, argv, app);
    if (rc == 0)
        return main_run(node);
    tr_node_close(&node);
    return main_failed(rc);
}

int tr_main(int argc, char **argv, const tr_app *app)
{
    if (app == NULL || app->count == 0 || (argc > 0 && argv == NULL))
        return main_failed(TR_EINVAL);
    pid_t parent = child_of();
    return parent != 0 ? main_child(parent, app) : main_first(argc, argv, app);
}
