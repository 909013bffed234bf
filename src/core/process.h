// Programs inside: what tr_exec needs of them besides troupe/process.h.
#ifndef TROUPE_CORE_PROCESS_H
#define TROUPE_CORE_PROCESS_H

#include <troupe/process.h>

#include "core/core.h"

// As tr_process_open. exited: called with arg, when it has been reaped; its output may still come.
// NULL: nobody is told.
int tr__process_open(tr_actor *self, const char *file, const char *const *args,
                     const tr_process_opts *opts, tr_process_ended cb, tr_callback exited,
                     void *arg, tr_process *ret_process);
// As tr_process_stop: that is why, if it has not ended already.
int tr__process_stop(tr_actor *self, tr_process process, int why);

bool tr__processes_ended(const tr_loop *loop); // none is waited for, whose actor has ended
void tr__processes_clear(tr_loop *loop);       // end those at once

#endif
