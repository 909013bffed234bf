// troupe: run programs that are made with it, speak with their actors, look at them.
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

bool cli_colour;
static int wait_fd = -1;

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *words;
} commands[] = {
    {"run", cmd_run, "a program that is a shared object"},
    {"send", cmd_send, "a message to an actor of a node that listens"},
    {"ask", cmd_ask, "the same, and print its answer"},
    {"trace", cmd_trace, "messages as they are handled; what a dead process has left"},
    {"ps", cmd_ps, "processes"},
    {"top", cmd_top, "which of them do what, and how long messages wait"},
    {"tree", cmd_tree, "actors, each below the one that has spawned it"},
};

#define SECRET_MAX 1024
#define COMMANDS   (sizeof commands / sizeof commands[0])

// ---- Common ----

__attribute__((format(printf, 1, 0))) static void complain(const char *format, va_list args)
{
    fputs("troupe: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int cli_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    fputs("Try troupe --help.\n", stderr);
    return CLI_USAGE;
}

int cli_failed(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    return CLI_FAILED;
}

bool cli_wait_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    wait_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return wait_fd >= 0;
}

bool cli_wait(unsigned ms)
{
    struct pollfd fd = {.fd = wait_fd, .events = POLLIN};
    return poll(&fd, 1, (int)ms) <= 0;
}

uint64_t cli_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool cli_number(const char *text, double scale, uint64_t *ret_number)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !(number >= 0 && number < 1e12))
        return false;
    *ret_number = (uint64_t)(number * scale);
    return true;
}

static int secret_read(const char *file, char *ret_secret, size_t *ret_length)
{
    FILE *in = fopen(file, "re");
    if (in == NULL)
        return cli_failed("%s: %s", file, strerror(errno));
    setvbuf(in, NULL, _IONBF, 0); // a buffer of its own would keep some of it
    size_t length = fread(ret_secret, 1, SECRET_MAX, in);
    bool bad = ferror(in) != 0;
    fclose(in);
    if (bad || length == SECRET_MAX)
        return cli_failed("%s: %s", file, bad ? "cannot be read" : "too long for a secret");
    *ret_length = length - (length > 0 && ret_secret[length - 1] == '\n');
    return CLI_OK;
}

static int secret_take(const char *said, char *ret_secret, size_t *ret_length)
{
    if (strlen(said) >= SECRET_MAX)
        return cli_failed("TROUPE_SECRET: too long for a secret");
    *ret_length = strlen(said);
    memcpy(ret_secret, said, *ret_length);
    return CLI_OK;
}

int cli_secret(tr_node *node, const char *file, bool *ret_has)
{
    char secret[SECRET_MAX], *said = getenv("TROUPE_SECRET");
    size_t length = 0;
    int status = file != NULL   ? secret_read(file, secret, &length)
                 : said != NULL ? secret_take(said, secret, &length)
                                : CLI_OK;
    if (said != NULL)
        explicit_bzero(said, strlen(said)); // where /proc/PID/environ shows it
    unsetenv("TROUPE_SECRET");
    if (status == CLI_OK && length > 0 &&
        tr_node_links(node, TR_LINKS(.secret = secret, .secret_size = length)) < 0)
        status = cli_usage("the secret is too short: at least 16 bytes are wanted");
    explicit_bzero(secret, sizeof secret);
    *ret_has = length > 0;
    return status;
}

const char *cli_span(uint64_t ns, char *text, size_t size)
{
    static const struct {
        uint64_t from;
        double one;
        const char *unit;
    } units[] = {{10000000000, 1e9, "s"}, {1000000, 1e6, "ms"}, {1000, 1e3, "us"}, {0, 1, "ns"}};
    size_t i = 0;
    while (ns < units[i].from)
        i++;
    snprintf(text, size, units[i].from == 0 ? "%.0f%s" : "%.1f%s", (double)ns / units[i].one,
             units[i].unit);
    return text;
}

const char *cli_shown(const char *name, char shown[CLI_SHOWN])
{
    size_t n = 0;
    for (const unsigned char *c = (const unsigned char *)name; *c != '\0' && n + 5 < CLI_SHOWN;
         c++) {
        if (*c < ' ' || *c == 0x7f)
            n += (size_t)snprintf(shown + n, CLI_SHOWN - n, "\\x%02x", *c);
        else
            shown[n++] = (char)*c;
    }
    shown[n] = '\0';
    return shown;
}

void cli_json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(out, "\\%c", *c);
        else if (*c < ' ' || *c == '<' || *c == '>' || *c == '&' || *c == 0x7f)
            fprintf(out, "\\u%04x", *c);
        else
            fputc(*c, out);
    }
    fputc('"', out);
}

// ---- Which command ----

static void help(void)
{
    puts(
        "usage: troupe COMMAND [OPTION...] [ARGUMENT...]\n"
        "\n"
        "Runs programs that are made with troupe, speaks with their actors, and looks at what they "
        "do.\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-8s%s\n", commands[i].name, commands[i].words);
    puts("\n"
         "The last four look at processes of the same user, without their help: at one, named by "
         "its\n"
         "pid or its program's name, with those that it has started; or at all.\n"
         "\n"
         "troupe COMMAND --help says more. --version says which version this is.");
}

static bool wants_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) == 1 && (no == NULL || no[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}

static int run(const struct command *command, int argc, char **argv)
{
    int rc = command->run(argc, argv);
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return rc;
    return errno == EPIPE ? rc : cli_failed("cannot write: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (tr_is_child())
        return cmd_run_child(argc, argv);
    cli_colour = wants_colour();
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        help();
        return argc > 1 ? CLI_OK : CLI_USAGE;
    }
    if (strcmp(name, "--version") == 0) {
        puts("troupe " TR_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0)
            return run(&commands[i], argc - 1, argv + 1);
    return cli_usage("there is no command %s", name);
}
