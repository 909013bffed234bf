// The pulse of a child: what shows, from outside its loops, that it does not hang.
//
// The child's watchdog writes to a pipe: null while all its loops turn, else what does not return
// (docs/protocol.md). Here the pipe is read, and looked at four times within the limit. A look
// without anything new since the one before is a miss; so a process that could not run itself, as
// one that was stopped together with its children, has missed one of them and not all.
//
// A child that has never said anything may be one that does not know how; one that has closed its
// end does not want to any more, as when it is about to exit. Neither is judged.
#include <stdio.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"
#include "core/socket.h"
#include "data/doc.h"
#include "remote/remote.h"

#define LOOKS       4   // within the limit
#define REPORT_SIZE 512 // what is longer is none

uint32_t tr__pulse_wanted(const char *text)
{
    int fd = 0, used = 0;
    unsigned ms = 0;
    bool good = text != NULL && sscanf(text, "%d:%9u%n", &fd, &ms, &used) == 2 &&
                fd == TR__PULSE_FD && text[used] == '\0';
    return good ? ms : 0;
}

struct tr__pulse {
    tr__child *child;
    tr_endpoint *endpoint; // NULL: it has none any more
    tr__timer timer;       // the next look
    uint32_t hung_ms;
    bool begun;
    uint32_t missed; // looks
    char hung[TR_HUNG_MAX];
    size_t have;
    uint8_t bytes[REPORT_SIZE]; // the beginning of a document
};

static tr_loop *pulse_loop(const tr__pulse *pulse)
{
    return pulse->child->remote->loop;
}

static long long pulse_pid(const tr__pulse *pulse)
{
    const tr__process *process = pulse->child->process;
    return (long long)process->world->ops->process_pid(process);
}

static void pulse_end(tr__pulse *pulse)
{
    tr__endpoint_drop(&pulse->endpoint);
    tr__timer_disarm(pulse_loop(pulse), &pulse->timer);
}

static void pulse_kill(tr__pulse *pulse)
{
    tr__warn("child.hung", "pid=%lld %s", pulse_pid(pulse), pulse->hung);
    pulse_end(pulse);
    tr__child_kill(pulse->child);
}

// Names come from outside: one line of printable text is made of them.
static void text_clean(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

// [ms, actor, behavior, message]
static int pulse_report(tr__pulse *pulse, tr_val report)
{
    tr_val items[4];
    uint64_t ms, actor;
    tr_str behavior, message;
    for (size_t i = 0; i < 4; i++)
        if (tr_at(report, i, &items[i]) < 0)
            return TR_EBADMSG;
    if (tr_as_uint(items[0], &ms) < 0 || tr_as_uint(items[1], &actor) < 0 ||
        tr_as_str(items[2], &behavior) < 0 || tr_as_str(items[3], &message) < 0)
        return TR_EBADMSG;
    if (ms < pulse->hung_ms)
        return 0;
    snprintf(pulse->hung, sizeof pulse->hung, "ms=%llu behavior=%.*s message=%.*s",
             (unsigned long long)ms, (int)behavior.len, behavior.ptr, (int)message.len,
             message.ptr);
    text_clean(pulse->hung);
    return 0;
}

static int pulse_document(tr__pulse *pulse, tr_val doc)
{
    pulse->begun = true;
    pulse->missed = 0;
    return doc.type == TR_TYPE_NULL ? 0 : pulse_report(pulse, doc);
}

// Of a document that is not whole all that is known is that it is no document yet.
static int pulse_parse(tr__pulse *pulse)
{
    size_t at = 0, used;
    int rc = 0;
    while (rc == 0 && at < pulse->have &&
           tr__doc_scan(pulse->bytes + at, pulse->have - at, &used) == 0) {
        tr_val doc;
        tr__doc_view(pulse->bytes + at, &doc);
        rc = pulse_document(pulse, doc);
        at += used;
    }
    pulse->have -= at;
    memmove(pulse->bytes, pulse->bytes + at, pulse->have);
    return rc == 0 && pulse->have == sizeof pulse->bytes ? TR_EBADMSG : rc;
}

// All that has come. It may be over afterwards.
static bool pulse_read(tr__pulse *pulse)
{
    const tr_world_ops *ops = pulse_loop(pulse)->world->ops;
    bool moved = false;
    while (pulse->endpoint != NULL) {
        const tr_iov iov = {pulse->bytes + pulse->have, sizeof pulse->bytes - pulse->have};
        ssize_t n = ops->endpoint_read(pulse->endpoint, &iov, 1);
        if (n == TR_EAGAIN)
            break;
        moved |= n > 0;
        pulse->have += n > 0 ? (size_t)n : 0;
        int rc = n > 0 ? pulse_parse(pulse) : 0;
        if (rc < 0)
            tr__warn("child.pulse", "pid=%lld error=%s", pulse_pid(pulse), tr_errname(rc));
        if (n <= 0 || rc < 0)
            pulse_end(pulse);
        else if (pulse->hung[0] != '\0')
            pulse_kill(pulse);
    }
    return moved;
}

static bool pulse_readable(void *owner)
{
    return pulse_read(owner);
}

static const tr_endpoint_up PULSE_UP = {.readable = pulse_readable};

static int pulse_arm(tr__pulse *pulse)
{
    tr_loop *loop = pulse_loop(pulse);
    uint64_t now = loop->world->ops->now(loop->world);
    return tr__timer_arm(loop, &pulse->timer, now + TR_MS(pulse->hung_ms) / LOOKS);
}

// Before it is judged what it has said so far is read: this loop may have been busy meanwhile.
static void pulse_look(tr__timer *timer)
{
    tr__pulse *pulse = tr__container(timer, tr__pulse, timer);
    pulse_read(pulse);
    if (pulse->endpoint == NULL)
        return;
    pulse->missed += pulse->begun;
    if (pulse->missed > LOOKS) {
        snprintf(pulse->hung, sizeof pulse->hung, "ms=%u no sign of life", pulse->hung_ms);
        pulse_kill(pulse);
        return;
    }
    int rc = pulse_arm(pulse);
    tr_assert(rc == 0); // there is room where it has just been
}

int tr__pulse_new(tr__child *child, tr_endpoint *endpoint, uint32_t hung_ms)
{
    tr__pulse *pulse = tr__zalloc(sizeof *pulse);
    int rc = TR_ENOMEM;
    if (pulse != NULL) {
        *pulse = (tr__pulse){.child = child, .hung_ms = hung_ms, .timer.fire = pulse_look};
        rc = pulse_arm(pulse);
    }
    if (rc < 0) {
        tr__free(pulse);
        tr__endpoint_drop(&endpoint);
        return rc;
    }
    const tr_world_ops *ops = endpoint->world->ops;
    pulse->endpoint = endpoint;
    ops->endpoint_bind(endpoint, &PULSE_UP, pulse);
    ops->endpoint_want(endpoint, TR__READ);
    child->pulse = pulse;
    return 0;
}

void tr__pulse_free(tr__pulse **pulse)
{
    if (*pulse == NULL)
        return;
    pulse_end(*pulse);
    tr__free(*pulse);
    *pulse = NULL;
}

const char *tr__pulse_hung(const tr__pulse *pulse)
{
    return pulse == NULL ? "" : pulse->hung;
}
