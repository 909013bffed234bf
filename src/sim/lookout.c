// Lookouts of the simulated machine: the disk tells them, and each tells its owner in a poll.
//
// What has happened since the last poll is told together, as a real one may; it has a name if it
// was one file's alone.
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "sim/inside.h"

struct sim_lookout {
    tr_lookout base;
    struct sim_source source;
    tr__list node; // in disk->lookouts
    const tr_lookout_up *up;
    void *owner;
    unsigned events; // to be told; 0: none
    uint64_t due;
    bool many;
    char name[256];
    char path[];
};

static struct sim_lookout *lookout_of(const struct sim_source *source)
{
    return tr__container(source, struct sim_lookout, source);
}

static uint64_t lookout_due(const struct sim_source *source, unsigned event)
{
    const struct sim_lookout *l = lookout_of(source);
    return event == SIM_HEARD && l->events != 0 ? l->due : TR__NEVER;
}

static void lookout_tell(struct sim_source *source, unsigned event)
{
    struct sim_lookout *l = lookout_of(source);
    unsigned events = l->events;
    char name[sizeof l->name];
    bool many = l->many;
    (void)event;
    memcpy(name, l->name, sizeof name);
    l->events = 0;
    l->up->heard(l->owner, 0, events, many ? NULL : name);
}

static void lookout_sever(struct sim_source *source)
{
    tr__list_remove(&lookout_of(source)->node);
}

static void lookout_free(struct sim_source *source, bool tell)
{
    (void)tell;
    lookout_sever(source);
    tr__list_remove(&source->node);
    tr__free(lookout_of(source));
}

static const struct sim_source_ops lookout_source_ops = {
    .due = lookout_due,
    .tell = lookout_tell,
    .sever = lookout_sever,
    .free = lookout_free,
};

static void lookout_hear(tr_sim *sim, struct sim_lookout *l, const char *name, unsigned events)
{
    if (l->events == 0)
        l->due = tr__sim_arrival(sim);
    l->many = l->events != 0 && (l->many || strcmp(l->name, name) != 0);
    l->events |= events;
    snprintf(l->name, sizeof l->name, "%s", name);
}

// The watched file's own, or of one that is right in the watched directory.
static bool lookout_sees(const struct sim_lookout *l, const char *path, const char *name)
{
    size_t size = (size_t)(name - path);
    if (strcmp(l->path, path) == 0)
        return true;
    return size > 0 && strlen(l->path) == size - 1 && strncmp(l->path, path, size - 1) == 0;
}

void tr__sim_lookouts_tell(tr_sim *sim, const char *path, unsigned events)
{
    const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
    for (tr__list *n = sim->disk.lookouts.next; n != &sim->disk.lookouts; n = n->next) {
        struct sim_lookout *l = tr__container(n, struct sim_lookout, node);
        if (lookout_sees(l, path, name))
            lookout_hear(sim, l, name, events);
    }
}

int tr__sim_watch(tr_world *world, const char *path, const tr_lookout_up *up, void *owner,
                  tr_lookout **ret_lookout)
{
    struct sim_process *process = sim_process_of(world);
    tr_file_info info;
    int64_t rc =
        tr__sim_file(world, &(tr__file_call){.op = TR__FILE_STAT, .path = path, .info = &info});
    if (rc < 0)
        return (int)rc;
    size_t size = strlen(path) + 1;
    struct sim_lookout *l = tr__zalloc(sizeof *l + size);
    if (l == NULL)
        return TR_ENOMEM;
    l->base.world = world;
    l->up = up;
    l->owner = owner;
    memcpy(l->path, path, size);
    tr__list_append(&process->sim->disk.lookouts, &l->node);
    tr__sim_source_init(&l->source, world, &lookout_source_ops);
    *ret_lookout = &l->base;
    return 0;
}

void tr__sim_lookout_close(tr_lookout **lookout)
{
    if (*lookout != NULL)
        lookout_free(&((struct sim_lookout *)*lookout)->source, false);
    *lookout = NULL;
}
