// Warnings: made into one line here, and given to the one sink.
//
// A line is a line whatever is in it: names and paths that a peer has chosen must not be able to
// forge another one, so control characters are replaced. It is cut at LOG_TEXT_MAX, needs no
// memory, and the default sink puts it out by one write, so that the lines of a node and of its
// children, which share stderr, do not mix.
//
// The sink is set before the library is used and only read afterwards, hence needs no lock.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <troupe/node.h>
#include <unistd.h>

#define LOG_TEXT_MAX 512 // with its NUL

static void log_to_stderr(const char *id, const char *text, void *arg)
{
    (void)arg;
    char line[LOG_TEXT_MAX + 128];
    int size = snprintf(line, sizeof line - 1, "troupe: %s: %s", id, text);
    if (size < 0)
        return;
    size_t end = (size_t)size < sizeof line - 2 ? (size_t)size : sizeof line - 2;
    line[end] = '\n';
    ssize_t written = write(STDERR_FILENO, line, end + 1);
    (void)written; // there is nobody left to tell
}

static tr_log_sink log_sink = log_to_stderr;
static void *log_arg;

void tr_log_set(tr_log_sink sink, void *arg)
{
    log_sink = sink != NULL ? sink : log_to_stderr;
    log_arg = arg;
}

__attribute__((format(printf, 2, 0))) static void log_line(const char *id, const char *format,
                                                           va_list args)
{
    char text[LOG_TEXT_MAX];
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    log_sink(id, text, log_arg);
}

void tr__warn(const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(id, format, args);
    va_end(args);
}

void tr_log(const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(id, format, args);
    va_end(args);
}
