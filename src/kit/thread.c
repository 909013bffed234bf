// The threads of a node of the kit, which do work (core/work.c): they run in the test's own,
// between the steps of the loop, each for as long as it has something to do. So work is done when
// the test has the word again.
#include "base/memory.h"
#include "kit/kit.h"

typedef struct kit_thread {
    tr_world base;
    tr__list link; // in the kit's threads, while it runs
    const tr_thread_up *up;
    void *owner;
} kit_thread;

int tr__kit_another(tr_world *world, tr_world **ret_world)
{
    kit_thread *thread = tr__zalloc(sizeof *thread);
    if (thread == NULL)
        return TR_ENOMEM;
    thread->base.ops = world->ops;
    tr__list_init(&thread->link);
    *ret_world = &thread->base;
    return 0;
}

int tr__kit_thread_start(tr_world *world, const tr_thread_up *up, void *owner)
{
    kit_thread *thread = tr__container(world, kit_thread, base);
    thread->up = up;
    thread->owner = owner;
    tr__list_append(&tr__kit.threads, &thread->link);
    return 0;
}

void tr__kit_thread_join(tr_world *world)
{
    kit_thread *thread = tr__container(world, kit_thread, base);
    while (thread->up->run(thread->owner))
        continue;
    tr__list_remove(&thread->link);
}

void tr__kit_thread_free(tr_world *world)
{
    tr__free(tr__container(world, kit_thread, base));
}

void tr__kit_threads_run(void)
{
    for (tr__list *at = tr__kit.threads.next; at != &tr__kit.threads; at = at->next) {
        kit_thread *thread = tr__container(at, kit_thread, link);
        while (thread->up->due(thread->owner) == 0)
            thread->up->run(thread->owner);
    }
}
