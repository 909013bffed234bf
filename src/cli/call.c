// troupe send, troupe ask: a message from the shell to an actor that has a name, on a node that
// listens.
//
// The command is a node of one actor, which takes one step after the other: the link, who has the
// name, the message, the answer. It tries once: whatever is warned of before the link is there says
// why it is not.
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define BODY_MAX (64u << 20) // bytes of JSON from standard input

typedef struct call {
    const char *url, *name, *message;
    const char *secret_file;
    bool asks;
    uint64_t timeout_ms, until_ms;
    tr_buf *body;
    tr_node *node;
    const char *waits_for; // said when it takes too long
    int status;            // to leave with; -1: it is not known yet
    bool up;
} call;

static call it; // of this process

// ---- Options ----

static const char *const HELP =
    "URL is where the node listens: ipc:///path, of the same user, or tcp://host:port, with the\n"
    "secret that the node has. NAME is what the actor can be found by there, MESSAGE the name of "
    "the\n"
    "message, JSON what is in it: null if it is not said, - for standard input.\n"
    "\n"
    "  -t, --timeout SECONDS  for all of it; 5 if nothing is said\n"
    "      --secret FILE      the secret is in this file; else in TROUPE_SECRET\n"
    "\n"
    "Exits with 0; 1: it failed, as if the actor answers with an error; 2: the command was not\n"
    "understood; 3: there is no link to the node; 4: nobody has that name; 5: it took too long.\n";

enum { SECRET = 256 };
static const struct option OPTIONS[] = {{"timeout", required_argument, NULL, 't'},
                                        {"secret", required_argument, NULL, SECRET},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static void help(void)
{
    printf("usage: troupe %s [OPTION...] URL NAME MESSAGE [JSON]\n\n%s\n\n%s",
           it.asks ? "ask" : "send",
           it.asks
               ? "Asks an actor, and prints its answer as JSON."
               : "Sends a message to an actor. 0 says that it has left for its mailbox, no more.",
           HELP);
}

static bool is_name(const char *text)
{
    return text[0] != '\0' && strlen(text) <= TR_NAME_MAX;
}

static int body_parse(const char *text, size_t size)
{
    int rc = tr_json_parse(text, size, &it.body);
    return rc == 0 ? -1 : cli_usage("the message's JSON: %s", tr_strerror(rc));
}

static int body_read(void)
{
    size_t size = 0, room = 1u << 16;
    char *text = malloc(room);
    for (size_t n = 1; text != NULL && n > 0 && size <= BODY_MAX; size += n) {
        if (size == room) {
            char *larger = realloc(text, room *= 2);
            if (larger == NULL)
                free(text);
            text = larger;
        }
        n = text == NULL ? 0 : fread(text + size, 1, room - size, stdin);
    }
    int rc = text == NULL         ? cli_failed("no memory")
             : ferror(stdin) != 0 ? cli_failed("cannot read: %s", strerror(errno))
             : size > BODY_MAX    ? cli_failed("the message's JSON is larger than 64 MiB")
                                  : body_parse(text, size);
    free(text);
    return rc;
}

// returns: an exit status to leave with; -1: go on
static int arguments(int count, char **args)
{
    if (count < 3 || count > 4)
        return cli_usage("a url, a name, a message and perhaps what is in it are wanted");
    it.url = args[0];
    it.name = args[1];
    it.message = args[2];
    if (!is_name(it.name) || !is_name(it.message))
        return cli_usage("names have 1 to %d bytes", TR_NAME_MAX);
    if (count == 4 && strcmp(args[3], "-") == 0)
        return body_read();
    return body_parse(count == 4 ? args[3] : "null", strlen(count == 4 ? args[3] : "null"));
}

static int options(int argc, char **argv)
{
    for (int c; (c = getopt_long(argc, argv, "+t:h", OPTIONS, NULL)) != -1;) {
        if (c == '?')
            return CLI_USAGE;
        if (c == 'h') {
            help();
            return CLI_OK;
        }
        if (c == SECRET)
            it.secret_file = optarg;
        else if (!cli_number(optarg, 1e3, &it.timeout_ms) || it.timeout_ms == 0 ||
                 it.timeout_ms > INT32_MAX)
            return cli_usage("%s is no good time", optarg);
    }
    return arguments(argc - optind, argv + optind);
}

// ---- Ending ----

__attribute__((format(printf, 2, 3))) static void end(int status, const char *format, ...)
{
    char why[512];
    va_list args;
    if (it.status >= 0)
        return;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    cli_failed("%s", why);
    it.status = status;
    tr_node_stop(it.node);
}

static void end_with(const char *what, int error)
{
    end(error == TR_ETIMEDOUT ? CLI_LATE : CLI_FAILED, "%s: %s (%s)", what, tr_strerror(error),
        tr_errname(error));
}

// Of what there is to warn of, as that a busy machine makes it slow, only what is wrong with the link.
static void warned(const char *id, const char *text, void *arg)
{
    (void)arg;
    bool of_link = strncmp(id, "peer.", 5) == 0 || strcmp(id, "node.unreachable") == 0;
    if (!it.up && of_link)
        end(CLI_UNREACHABLE, "%s: %s: %s", it.url, id, text);
    else if (strcmp(id, "node.unsent") == 0)
        end(CLI_LATE, "%s: %s", it.url, text);
}

static void too_late(tr_actor *self, void *arg)
{
    (void)self, (void)arg;
    end(it.up ? CLI_LATE : CLI_UNREACHABLE, "%s: no %s in %" PRIu64 " ms", it.url, it.waits_for,
        it.timeout_ms);
}

// ---- The message ----

static uint32_t left_ms(void)
{
    uint64_t now = cli_now_ms();
    return now < it.until_ms ? (uint32_t)(it.until_ms - now) : 1;
}

static tr_val body(void)
{
    tr_val value = TR_NULL;
    tr_val_unpack(tr_buf_data(it.body), tr_buf_size(it.body), &value);
    return value;
}

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    char *json = NULL, reason[96];
    (void)arg;
    if (answer->status == TR_EDOWN)
        end(answer->reason.kind == TR_REASON_NOCONNECTION ? CLI_UNREACHABLE : CLI_FAILED,
            "%s has not answered: %s", it.name,
            tr_reason_text(answer->reason, reason, sizeof reason));
    else if (answer->status < 0)
        end_with(it.name, answer->status);
    else if (tr_json_print(answer->body, &json) < 0)
        end_with("the answer", TR_ENOMEM);
    else if (it.status < 0)
        puts(json), it.status = CLI_OK;
    tr_free(json);
    tr_exit(self, TR_NORMAL);
}

static void say(tr_actor *self, void *arg)
{
    const tr_addr *to = arg;
    it.waits_for = it.asks ? "answer" : "room for the message";
    int rc = it.asks ? tr_ask(self, *to, it.message, body(), TR_ASK(.timeout_ms = left_ms()), NULL,
                              on_answer, NULL)
                     : tr_send(self, *to, it.message, body());
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, *to, say, arg);
    else if (rc == 0 && !it.asks)
        it.status = CLI_OK, tr_exit(self, TR_NORMAL);
    if (rc < 0)
        end_with(it.name, rc);
}

static void on_name(tr_actor *self, const tr_answer *answer, void *arg)
{
    static tr_addr to;
    (void)arg;
    if (answer->status == TR_ENOENT)
        end(CLI_NOBODY, "%s: nobody is called %s there", it.url, it.name);
    else if (answer->status < 0)
        end_with(it.url, answer->status);
    else if (tr_as_addr(answer->body, &to) < 0)
        end_with(it.url, TR_EBADMSG);
    else
        say(self, &to);
}

static int caller_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t node;
    if (TR_READ(tr_msg_body(msg), "node", &node) < 0)
        return TR_EUNKNOWN;
    if (tr_msg_is(msg, "node down"))
        end(CLI_UNREACHABLE, "%s: the link is lost", it.url);
    if (it.up)
        return 0;
    it.up = true;
    it.waits_for = "answer";
    return tr_whereis_at(self, node, it.name, TR_ASK(.timeout_ms = left_ms()), NULL, on_name, NULL);
}

static int caller_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    it.waits_for = "link";
    int rc = tr_node_watch(self, true);
    if (rc == 0)
        rc = tr_timer_start(self, TR_MS(it.timeout_ms), too_late, NULL, NULL);
    return rc;
}
static const tr_behavior caller = {
    .name = "troupe", .start = caller_start, .receive = caller_receive};

// ---- The node ----

static int dial(void)
{
    bool has_secret;
    int status = cli_secret(it.node, it.secret_file, &has_secret);
    if (status != CLI_OK)
        return status;
    if (!has_secret && strncmp(it.url, "tcp:", 4) == 0)
        return cli_usage("%s: over TCP a secret is wanted: see --secret", it.url);
    int rc = tr_node_dial(it.node, it.url, NULL);
    return rc == 0 ? CLI_OK : cli_usage("%s", tr_node_errmsg(it.node));
}

static int talk(void)
{
    it.until_ms = cli_now_ms() + it.timeout_ms;
    tr_log_set(warned, NULL);
    int rc = tr_node_open(TR_NODE(.name = "troupe", .loops = 1), &it.node);
    if (rc == 0)
        rc = tr_node_spawn(it.node, &caller, NULL, NULL);
    if (rc < 0)
        return cli_failed("%s", tr_strerror(rc));
    int status = dial();
    if (status != CLI_OK)
        return status;
    rc = tr_node_run(it.node);
    if (it.status < 0 && rc < 0)
        end_with(it.url, rc);
    return it.status < 0 ? CLI_FAILED : it.status;
}

static int command(int argc, char **argv, bool asks)
{
    it = (call){.asks = asks, .timeout_ms = 5000, .status = -1};
    int status = options(argc, argv);
    if (status < 0)
        status = talk();
    tr_node_close(&it.node);
    tr_buf_unref(&it.body);
    return status;
}

int cmd_send(int argc, char **argv)
{
    return command(argc, argv, false);
}

int cmd_ask(int argc, char **argv)
{
    return command(argc, argv, true);
}
