// Threads: what runs the loop of a world that `another` has made.
//
// The host's signals are for the host's threads: ours take none, so that its handlers run where
// they always did. But a fault that a thread makes itself can be told to nobody else, and blocked
// it would end the process past the handler that reports it: these stay as they are.
#include <signal.h>

#include "uv/inside.h"

static void *thread_main(void *arg)
{
    struct real_world *world = arg;
    pthread_setname_np(pthread_self(), "troupe");
    while (world->thread_up->run(world->thread_owner))
        continue;
    return NULL;
}

static void signals_of_others(sigset_t *set)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigfillset(set);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(set, own[i]);
}

// A thread begins with the mask of the one that starts it.
int tr__uv_thread_start(tr_world *base, const tr_thread_up *up, void *owner)
{
    struct real_world *world = real_world_of(base);
    sigset_t blocked, before;
    tr_assert(world->thread_up == NULL);
    world->thread_up = up;
    world->thread_owner = owner;
    signals_of_others(&blocked);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int rc = pthread_create(&world->thread, NULL, thread_main, world);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        world->thread_up = NULL;
    return -rc;
}

void tr__uv_thread_join(tr_world *base)
{
    struct real_world *world = real_world_of(base);
    tr_assert(world->thread_up != NULL);
    int rc = pthread_join(world->thread, NULL);
    tr_assert(rc == 0);
    world->thread_up = NULL;
}
