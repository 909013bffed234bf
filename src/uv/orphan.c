// Orphans: children that this process has not started but was given, as the first one of a
// container is given all whose parents have ended.
//
// waitid shows who has ended without reaping it. One of ours is left to the world that watches it;
// it hides what has ended behind it, so its reaping is followed by another look, if one was wanted.
// A child that is being started is not known yet: so looks and starts exclude each other.
#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>

#include "base/lock.h"
#include "uv/inside.h"

static pthread_rwlock_t kin_starts = PTHREAD_RWLOCK_INITIALIZER; // read: a start; write: a look

// Under the lock.
static tr__lock kin_lock;
static tr__list kin_all = {&kin_all, &kin_all};
static bool kin_hides; // one of ours stood in the way of the last look

void tr__uv_kin_begin(void)
{
    pthread_rwlock_rdlock(&kin_starts);
}

void tr__uv_kin_end(void)
{
    pthread_rwlock_unlock(&kin_starts);
}

void tr__uv_kin_add(struct real_kin *kin, pid_t pid)
{
    kin->pid = pid;
    tr__lock_take(&kin_lock);
    tr__list_append(&kin_all, &kin->node);
    tr__lock_give(&kin_lock);
}

void tr__uv_kin_remove(struct real_kin *kin)
{
    tr__lock_take(&kin_lock);
    tr__list_remove(&kin->node);
    bool look = kin_hides;
    kin_hides = false;
    tr__lock_give(&kin_lock);
    if (look)
        tr__uv_orphans_reap();
}

static bool kin_has(pid_t pid)
{
    tr__lock_take(&kin_lock);
    bool has = false;
    for (const tr__list *n = kin_all.next; n != &kin_all && !has; n = n->next)
        has = tr__container(n, struct real_kin, node)->pid == pid;
    kin_hides |= has;
    tr__lock_give(&kin_lock);
    return has;
}

// 0: nobody.
static pid_t ended_first(void)
{
    siginfo_t info = {0};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
}

int tr__uv_orphans_reap(void)
{
    int count = 0;
    pid_t pid;
    pthread_rwlock_wrlock(&kin_starts);
    while ((pid = ended_first()) > 0 && !kin_has(pid))
        count += waitpid(pid, NULL, WNOHANG) == pid;
    pthread_rwlock_unlock(&kin_starts);
    return count;
}
