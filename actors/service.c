// The service: a process's manners as an actor, written on the public API alone.
//
// Its spec reaches it as its arguments (spec.h). Stopping goes one step after the other: drain, the
// target's end, the owner's end, which is this actor's, too. What the service manager is told
// follows from the phase, so that what it could not take is told later as it is then.
//
// Not linked to its owner: an error of that would be logged for both.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "spec.h"

enum {
    STOP_MS = 25000, // Kubernetes and Docker kill after 30 and 10 s, systemd after 90
    RELOAD_MS = 60000,
    TELL_AGAIN_MS = 100,
    STATUS_MAX = 256,
};

enum phase { STARTING, READY, RELOADING, STOPPING };

struct service {
    tr_service_opts opts; // with their defaults
    tr_buf *doc;          // that they point into
    tr_addr owner;
    uint64_t watchdog_ns; // within what time the manager wants a sign of life; 0: it does not
    enum phase phase;
    bool was_ready;
    bool reload_again; // when the one that goes on is done
    uint64_t down;     // the monitor of the target; 0: none
    tr_timer tell_again;
    char status[STATUS_MAX];
};

static struct service *state_of(tr_actor *self)
{
    return tr_state(self);
}

// ---- The service manager ----

static void phase_tell(tr_actor *self, void *arg);

static void manager_tell(tr_actor *self, const char *state)
{
    struct service *s = state_of(self);
    int rc = tr_notify(self, state);
    if (rc == TR_EAGAIN) {
        tr_timer_clear(self, s->tell_again);
        tr_timer_start(self, TR_MS(TELL_AGAIN_MS), phase_tell, NULL, &s->tell_again);
    } else if (rc < 0 && rc != TR_ENOSYS) {
        tr_log("service.notify", "error=%s (%s)", tr_errname(rc), tr_strerror(rc));
    }
}

static void phase_tell(tr_actor *self, void *arg)
{
    const struct service *s = state_of(self);
    char text[STATUS_MAX + 128], first[96] = "";
    (void)arg;
    if (s->phase == READY)
        snprintf(first, sizeof first, "READY=1\nMAINPID=%lld\n", (long long)tr_pid(self));
    else if (s->phase == RELOADING)
        snprintf(first, sizeof first, "RELOADING=1\nMONOTONIC_USEC=%llu\n",
                 (unsigned long long)tr_now(self) / 1000);
    else if (s->phase == STOPPING)
        snprintf(first, sizeof first, "STOPPING=1\n");
    snprintf(text, sizeof text, "%sSTATUS=%s", first, s->status);
    manager_tell(self, text);
}

static void phase_set(tr_actor *self, enum phase phase)
{
    struct service *s = state_of(self);
    s->phase = phase;
    s->was_ready |= phase == READY;
    phase_tell(self, NULL);
}

static void status_set(struct service *s, const char *text, size_t size)
{
    size = size < STATUS_MAX ? size : STATUS_MAX - 1;
    for (size_t i = 0; i < size; i++)
        s->status[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
    s->status[size] = '\0';
}

static void beat(tr_actor *self, void *arg)
{
    (void)arg;
    manager_tell(self, "WATCHDOG=1");
}

// ---- Stopping ----

static void stop_late(tr_actor *self, void *arg)
{
    (void)arg;
    tr_log_at(TR_LOG_ERROR, "service.late", "ms=%u not stopped by then, so it is ended",
              state_of(self)->opts.stop_ms);
    tr_quit(self, EXIT_FAILURE);
}

static void stop_owner(tr_actor *self)
{
    tr_stop(self, state_of(self)->owner);
}

static void stop_target(tr_actor *self)
{
    struct service *s = state_of(self);
    if (tr_addr_eq(s->opts.target, s->owner) || tr_monitor(self, s->opts.target, &s->down) < 0)
        stop_owner(self);
    else
        tr_stop(self, s->opts.target);
}

static void on_drained(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)arg;
    if (answer->status < 0)
        tr_log("service.drain", "ask=%s error=%s (%s)", state_of(self)->opts.drain_name,
               tr_errname(answer->status), tr_strerror(answer->status));
    stop_target(self);
}

static void service_stop(tr_actor *self)
{
    struct service *s = state_of(self);
    if (s->phase == STOPPING)
        return;
    phase_set(self, STOPPING);
    tr_timer_start(self, TR_MS(s->opts.stop_ms), stop_late, NULL, NULL);
    if (s->opts.drain_name == NULL ||
        tr_ask(self, s->opts.target, s->opts.drain_name, TR_MAP("ms", s->opts.stop_ms),
               TR_ASK(.timeout_ms = s->opts.stop_ms), NULL, on_drained, NULL) < 0)
        stop_target(self);
}

static void on_stop_signal(tr_actor *self, int signum, void *arg)
{
    (void)arg;
    if (state_of(self)->phase != STOPPING) {
        service_stop(self);
        return;
    }
    tr_log("service.quit", "signal=%d came once more", signum);
    tr_quit(self, 128 + signum);
}

// ---- Reloading ----

static int service_reload(tr_actor *self);

static void on_reloaded(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct service *s = state_of(self);
    (void)arg;
    if (answer->status < 0)
        tr_log("service.reload", "ask=%s error=%s (%s)", s->opts.reload_name,
               tr_errname(answer->status), tr_strerror(answer->status));
    if (s->phase != RELOADING)
        return;
    phase_set(self, s->was_ready ? READY : STARTING);
    if (s->reload_again)
        service_reload(self);
}

// One after the other: what has changed while one goes on is looked at by the next.
static int service_reload(tr_actor *self)
{
    struct service *s = state_of(self);
    s->reload_again = s->phase == RELOADING;
    if (s->phase == RELOADING || s->phase == STOPPING)
        return 0;
    phase_set(self, RELOADING);
    int rc = tr_ask(self, s->opts.reload, s->opts.reload_name, TR_NULL,
                    TR_ASK(.timeout_ms = s->opts.reload_ms), NULL, on_reloaded, NULL);
    if (rc < 0)
        on_reloaded(self, &(tr_answer){.status = rc}, NULL);
    return 0;
}

static void on_reload_signal(tr_actor *self, int signum, void *arg)
{
    (void)signum, (void)arg;
    service_reload(self);
}

static void on_child_signal(tr_actor *self, int signum, void *arg)
{
    (void)signum, (void)arg;
    tr_orphans_reap(self);
}

// ---- The spec, packed and unpacked ----

static const tr_behavior service;

static bool name_is_good(const char *name)
{
    return name[0] != '\0' && strlen(name) <= TR_NAME_MAX;
}

static int opts_complete(tr_actor *self, const tr_service_opts *given, tr_service_opts *o)
{
    if (self == NULL || !tr__spec_copy(o, sizeof *o, given))
        return TR_EINVAL;
    o->target = o->target.node == 0 ? tr_self(self) : o->target;
    o->reload = o->reload.node == 0 ? o->target : o->reload;
    o->reload_name = o->reload_name == NULL ? "reload" : o->reload_name;
    tr__spec_default(&o->stop_ms, STOP_MS);
    tr__spec_default(&o->reload_ms, RELOAD_MS);
    return name_is_good(o->reload_name) && (o->drain_name == NULL || name_is_good(o->drain_name))
               ? 0
               : TR_EINVAL;
}

// The manager is heard here, so that children that are started right behind this call leave signals
// to this process. (In the kit there is none, and no service runs.)
int tr_service_start(tr_actor *self, const tr_service_opts *given, tr_addr *ret_addr)
{
    tr_service_opts o;
    uint64_t watchdog_ns = 0;
    int rc = opts_complete(self, given, &o);
    if (rc == 0)
        rc = tr_manager_take(self, &watchdog_ns);
    if (rc < 0 && rc != TR_ENOSYS)
        return rc;
    tr_val args = TR_LIST(tr__spec_bytes(&o, sizeof o), tr__spec_text(o.drain_name),
                          tr__spec_text(o.reload_name), watchdog_ns);
    return tr_spawn(self, &service, TR_SPAWN(.args = args), ret_addr);
}

static int opts_unpack(struct service *s, const tr_val *args)
{
    tr_val doc, watchdog;
    int rc = tr__spec_keep(args, &s->doc, &doc);
    if (rc < 0)
        return rc;
    memcpy(&s->opts, tr__spec_at(doc, 0), sizeof s->opts);
    s->opts.drain_name = tr__spec_at(doc, 1);
    s->opts.reload_name = tr__spec_at(doc, 2);
    rc = tr_at(doc, 3, &watchdog);
    return rc == 0 ? tr_as_uint(watchdog, &s->watchdog_ns) : rc;
}

// ---- The actor ----

static int start_listening(tr_actor *self)
{
    const struct service *s = state_of(self);
    int rc = tr_signal_start(self, SIGTERM, on_stop_signal, NULL, NULL);
    if (rc == 0)
        rc = tr_signal_start(self, SIGINT, on_stop_signal, NULL, NULL);
    if (rc == 0 && !s->opts.no_reload)
        rc = tr_signal_start(self, SIGHUP, on_reload_signal, NULL, NULL);
    return rc;
}

// Those that are there already have told nobody.
static int start_reaping(tr_actor *self)
{
    if (!state_of(self)->opts.reap && tr_pid(self) != 1)
        return 0;
    int rc = tr_signal_start(self, SIGCHLD, on_child_signal, NULL, NULL);
    if (rc == 0)
        rc = tr_orphans_reap(self);
    return rc < 0 ? rc : 0;
}

// A limit that cannot be raised is no reason not to run.
static void start_raising(tr_actor *self)
{
    int64_t rc = state_of(self)->opts.files ? tr_files_raise(self) : 0;
    if (rc < 0)
        tr_log("service.files", "error=%s (%s)", tr_errname((int)rc), tr_strerror((int)rc));
}

static int service_start(tr_actor *self, const tr_val *args)
{
    struct service *s = state_of(self);
    int rc = opts_unpack(s, args);
    if (rc == 0)
        rc = start_listening(self);
    if (rc == 0)
        rc = start_reaping(self);
    if (rc == 0 && s->watchdog_ns / 2 > 0)
        rc = tr_interval_start(self, s->watchdog_ns / 2, beat, NULL, NULL);
    s->owner = tr_parent(self);
    start_raising(self);
    if (rc < 0) { // a service without manners is none
        tr_status_set(self, EXIT_FAILURE);
        stop_owner(self);
    }
    return rc;
}

static int say_ready(tr_actor *self, const tr_msg *msg)
{
    struct service *s = state_of(self);
    tr_str text = {"", 0};
    if (tr_msg_body(msg).type != TR_TYPE_NULL && tr_as_str(tr_msg_body(msg), &text) < 0)
        return tr_refuse(self, msg, TR_EBADMSG);
    if (text.len > 0)
        status_set(s, text.ptr, text.len);
    s->was_ready = true;
    if (s->phase == STARTING || s->phase == READY)
        phase_set(self, READY);
    return 0;
}

static int say_status(tr_actor *self, const tr_msg *msg)
{
    struct service *s = state_of(self);
    tr_str text;
    if (tr_as_str(tr_msg_body(msg), &text) < 0)
        return tr_refuse(self, msg, TR_EBADMSG);
    char line[STATUS_MAX + 16];
    status_set(s, text.ptr, text.len);
    snprintf(line, sizeof line, "STATUS=%s", s->status);
    manager_tell(self, line);
    return 0;
}

static int service_told(tr_actor *self, const tr_msg *msg)
{
    static const char *const phases[] = {"starting", "ready", "reloading", "stopping"};
    if (tr_msg_is(msg, "ready"))
        return say_ready(self, msg);
    if (tr_msg_is(msg, "status"))
        return say_status(self, msg);
    if (tr_msg_is(msg, "reload"))
        return service_reload(self);
    if (tr_msg_is(msg, "stop"))
        return service_stop(self), 0;
    if (tr_msg_is(msg, "state"))
        return tr_reply(self, msg, TR_V(phases[state_of(self)->phase]));
    return TR_EUNKNOWN;
}

static int service_receive(tr_actor *self, const tr_msg *msg)
{
    const tr_down *down = tr_msg_down(msg);
    if (down != NULL) {
        if (down->monitor == state_of(self)->down)
            stop_owner(self);
        return 0;
    }
    int rc = service_told(self, msg);
    return rc == 0 && tr_msg_is_ask(msg) ? tr_reply(self, msg, TR_NULL) : rc;
}

// The owner has ended by itself, perhaps.
static void service_ended(tr_actor *self, tr_reason reason)
{
    struct service *s = state_of(self);
    (void)reason;
    if (s->phase != STOPPING)
        phase_set(self, STOPPING);
    tr_buf_unref(&s->doc);
}

static const tr_behavior service = {
    .name = "service",
    .state_size = sizeof(struct service),
    .start = service_start,
    .receive = service_receive,
    .stop = service_ended,
};
