// Warnings: made into one line here, and given to the one sink.
//
// A line is a line whatever is in it: names and paths that a peer has chosen must not be able to
// forge another one, so control characters are replaced. It is cut at LOG_TEXT_MAX, needs no
// memory, and the default sink puts it out by one write, so that the lines of a node and of its
// children, which share stderr, do not mix.
//
// A journal that reads stderr wants to be told how grave a line is, in front of it, and says that
// it reads in JOURNAL_STREAM: the device and inode of what stderr was then. A child may have
// another.
//
// The sink is set before the library is used and only read afterwards, hence needs no lock.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <troupe/node.h>
#include <unistd.h>

#define LOG_TEXT_MAX 512 // with its NUL

static _Thread_local tr_log_level log_level = TR_LOG_WARNING; // of the line that is told

static bool log_is_to_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat info;
    char ours[64];
    if (stream == NULL || fstat(STDERR_FILENO, &info) < 0)
        return false;
    snprintf(ours, sizeof ours, "%llu:%llu", (unsigned long long)info.st_dev,
             (unsigned long long)info.st_ino);
    return strcmp(stream, ours) == 0;
}

static void log_to_stderr(const char *id, const char *text, void *arg)
{
    (void)arg;
    char line[LOG_TEXT_MAX + 128], level[8] = "";
    if (log_is_to_journal())
        snprintf(level, sizeof level, "<%d>", (int)log_level);
    int size = snprintf(line, sizeof line - 1, "%stroupe: %s: %s", level, id, text);
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

tr_log_level tr_log_level_get(void)
{
    return log_level;
}

__attribute__((format(printf, 3, 0))) static void log_line(tr_log_level level, const char *id,
                                                           const char *format, va_list args)
{
    char text[LOG_TEXT_MAX];
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    log_level = level;
    log_sink(id, text, log_arg);
    log_level = TR_LOG_WARNING;
}

void tr__warn(const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(TR_LOG_WARNING, id, format, args);
    va_end(args);
}

void tr__error(const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(TR_LOG_ERROR, id, format, args);
    va_end(args);
}

void tr_log(const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(TR_LOG_WARNING, id, format, args);
    va_end(args);
}

void tr_log_at(tr_log_level level, const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(level, id, format, args);
    va_end(args);
}
