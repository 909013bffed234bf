// Signals of simulated processes, and their service manager, which writes all down.
//
// A signal takes its time to each ear, as anything does that crosses the machine. What comes before
// it has been told is told with it.
#include <stdio.h>
#include <string.h>
#include <troupe/error.h>

#include "base/memory.h"
#include "sim/inside.h"

struct sim_ear {
    tr_ear base;
    struct sim_source source;
    tr__list node; // in process->ears
    int signum;
    uint64_t due; // TR__NEVER: nothing is to be told
    const tr_ear_up *up;
    void *owner;
};

static struct sim_ear *ear_of(const struct sim_source *source)
{
    return tr__container(source, struct sim_ear, source);
}

static uint64_t ear_due(const struct sim_source *source, unsigned event)
{
    return event == SIM_HEARD ? ear_of(source)->due : TR__NEVER;
}

static void ear_tell(struct sim_source *source, unsigned event)
{
    struct sim_ear *ear = ear_of(source);
    (void)event;
    ear->due = TR__NEVER;
    ear->up->heard(ear->owner);
}

static void ear_sever(struct sim_source *source)
{
    tr__list_remove(&ear_of(source)->node);
}

static void ear_free(struct sim_source *source, bool tell)
{
    (void)tell;
    ear_sever(source);
    tr__list_remove(&source->node);
    tr__free(ear_of(source));
}

static const struct sim_source_ops ear_source_ops = {
    .due = ear_due,
    .tell = ear_tell,
    .sever = ear_sever,
    .free = ear_free,
};

int tr__sim_hear(tr_world *world, int signum, const tr_ear_up *up, void *owner, tr_ear **ret_ear)
{
    if (signum < 1)
        return TR_EINVAL;
    struct sim_ear *ear = tr__zalloc(sizeof *ear);
    if (ear == NULL)
        return TR_ENOMEM;
    ear->base.world = world;
    ear->signum = signum;
    ear->due = TR__NEVER;
    ear->up = up;
    ear->owner = owner;
    tr__list_append(&sim_process_of(world)->ears, &ear->node);
    tr__sim_source_init(&ear->source, world, &ear_source_ops);
    *ret_ear = &ear->base;
    return 0;
}

void tr__sim_ear_close(tr_ear **ear)
{
    if (*ear != NULL)
        ear_free(&((struct sim_ear *)*ear)->source, false);
    *ear = NULL;
}

bool tr__sim_heard(struct sim_process *process, int signum)
{
    bool any = false;
    for (tr__list *n = process->ears.next; n != &process->ears; n = n->next) {
        struct sim_ear *ear = tr__container(n, struct sim_ear, node);
        if (ear->signum != signum)
            continue;
        any = true;
        if (ear->due == TR__NEVER)
            ear->due = tr__sim_arrival(process->sim);
    }
    return any;
}

// ---- What a process does with itself ----

int64_t tr__sim_own(tr_world *world, tr__own what, int arg)
{
    struct sim_process *process = sim_process_of(world);
    switch (what) {
    case TR__OWN_PID:
        return process->pid;
    case TR__OWN_SERVE:
        return (int64_t)process->sim->watchdog_ns;
    case TR__OWN_QUIT:
        tr__sim_process_end(process, arg, 0);
        return 0;
    default:
        return 0;
    }
}

int tr__sim_notify(tr_world *world, const char *state)
{
    const struct sim_process *process = sim_process_of(world);
    tr_sim *sim = process->sim;
    size_t before = sim->notified == NULL ? 0 : strlen(sim->notified);
    size_t size = before + strlen(state) + 32;
    char *text = tr__resize(sim->notified, size);
    if (text == NULL)
        return TR_ENOMEM;
    sim->notified = text;
    int head = snprintf(text + before, size - before, "%lld ", (long long)process->pid);
    snprintf(text + before + head, size - before - (size_t)head, "%s\n", state);
    for (char *c = text + before; c[0] != '\0' && c[1] != '\0'; c++)
        *c = *c == '\n' ? ' ' : *c;
    return 0;
}

const char *tr__sim_notified(const tr_sim *sim)
{
    return sim->notified == NULL ? "" : sim->notified;
}

void tr__sim_set_watchdog(tr_sim *sim, uint64_t ns)
{
    sim->watchdog_ns = ns;
}
