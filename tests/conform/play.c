#include "conform/play.h"

#include <stdio.h>
#include <stdlib.h>

const struct theatre *theatre;

static const tr_app *app;
static const struct play *playing;
static tr_spawn_opts place;

// ---- Notes ----

static char notes[4096];

void note(const char *format, ...)
{
    size_t size = strlen(notes);
    va_list args;
    va_start(args, format);
    if (size > 0)
        size += (size_t)snprintf(notes + size, sizeof notes - size, " ");
    vsnprintf(notes + size, sizeof notes - size, format, args);
    va_end(args);
}

void note_rc(int rc)
{
    note("%s", rc == 0 ? "0" : tr_errname(rc));
}

void note_reason(const char *what, tr_reason reason)
{
    char text[64];
    if (reason.kind == TR_REASON_ERROR)
        note("%s=error(%s)", what, tr_errname(reason.code));
    else
        note("%s=%s", what, tr_reason_text(reason, text, sizeof text));
}

// ---- The first actor ----

static struct {
    bool (*condition)(tr_actor *self);
    tr_callback then;
    tr_timer timer;
} waiting;

static const tr_behavior nobody = {.name = "nobody"};

// Spread actors begin with this very loop: one that says nothing takes that place.
static int first_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = 0;
    if (place.placement == TR_SPREAD)
        rc = play_spawn(self, &nobody, NULL, NULL);
    return rc < 0 ? rc : playing->start(self);
}

static int first_receive(tr_actor *self, const tr_msg *msg)
{
    return playing->receive(self, msg);
}

static void (*at_end)(void);

static void first_stop(tr_actor *self, tr_reason reason)
{
    void (*end)(void) = at_end;
    (void)self, (void)reason;
    at_end = NULL;
    if (end != NULL)
        end();
}

void play_at_end(void (*end)(void))
{
    at_end = end;
}

const tr_behavior first = {
    .name = "first", .start = first_start, .receive = first_receive, .stop = first_stop};

static void on_look(tr_actor *self, void *arg)
{
    (void)arg;
    if (!waiting.condition(self))
        return;
    tr_timer_clear(self, waiting.timer);
    waiting.then(self, NULL);
}

void play_until(tr_actor *self, bool (*condition)(tr_actor *self), tr_callback then)
{
    waiting.condition = condition;
    waiting.then = then;
    tr_interval_start(self, TR_US(100), on_look, NULL, &waiting.timer);
}

bool play_gone(int rc)
{
    return rc == TR_ENOACTOR || rc == TR_EDOWN;
}

uint64_t play_many(uint64_t count)
{
    return count / theatre->scale;
}

// ---- All of them ----

int play_spawn(tr_actor *self, const tr_behavior *behavior, const tr_spawn_opts *opts,
               tr_addr *ret_addr)
{
    tr_spawn_opts o = opts == NULL ? *TR_SPAWN(.args = TR_NULL) : *opts;
    o.isolation = place.isolation;
    o.placement = place.placement;
    return tr_spawn(self, behavior, &o, ret_addr);
}

bool play_in_process(void)
{
    return place.isolation == TR_PROCESS;
}

int64_t number_of(const tr_msg *msg)
{
    int64_t number = -1;
    tr_as_int(tr_msg_body(msg), &number);
    return number;
}

void pump_run(tr_actor *self, void *arg)
{
    struct pump *p = arg;
    int rc = 0;
    while (rc == 0 && p->next < p->count) {
        rc = tr_send(self, p->to, "number", TR_V(p->next));
        p->next += rc == 0;
    }
    if (rc == TR_EFULL)
        rc = tr_on_writable(self, p->to, pump_run, p);
    else if (rc == 0 && p->done != NULL)
        p->done(self, p);
    if (rc < 0)
        tr_exit(self, rc);
}

// ---- Running ----

static void warn_nobody(const char *id, const char *text, void *arg)
{
    (void)id, (void)text, (void)arg;
}

static void verdict(unsigned n, const char *words, int rc)
{
    bool good = rc == 0 && strcmp(words, notes) == 0;
    if (good || (theatre->accepts != NULL && theatre->accepts(words, notes, rc)))
        return;
    print_error("run %u\n", n);
    assert_string_equal(words, notes);
    assert_int_equal(0, rc);
}

void perform(const struct play *play, const char *words)
{
    playing = play;
    for (unsigned n = 0; n < theatre->runs(); n++) {
        notes[0] = '\0';
        place = theatre->place(n);
        if (play->processes && !play_in_process())
            continue;
        verdict(n, words, theatre->run(n, app));
    }
}

void perform_cut(const struct play *play)
{
    playing = play;
    for (unsigned n = 0; theatre->cut != NULL && n < theatre->runs(); n++) {
        notes[0] = '\0';
        place = theatre->place(n);
        theatre->cut(n, app);
    }
}

int play_begin(void **state)
{
    return theatre->begin == NULL ? 0 : theatre->begin(state);
}

int play_finish(void **state)
{
    return theatre->end == NULL ? 0 : theatre->end(state);
}

int play_main(int argc, char **argv, const struct theatre *at, const tr_app *of, int (*suite)(void))
{
    theatre = at;
    app = of;
    tr_log_set(warn_nobody, NULL);
    if (!tr_is_child())
        return suite();
    place = theatre->place(0);
    return tr_main(argc, argv, app);
}
