// For tests of what travels with a message.
#ifndef TROUPE_TESTS_SUPPORT_HANDLES_H
#define TROUPE_TESTS_SUPPORT_HANDLES_H

#include <troupe.h>

// A message "handle" with a listener of one's own.
static inline int send_handle(tr_actor *self, tr_addr to)
{
    tr_handle *handle = NULL;
    tr_msg *msg = NULL;
    int rc = tr_listener_open(self, "tcp://127.0.0.1:0", NULL, &handle);
    if (rc == 0)
        rc = tr_msg_new("handle", TR_NULL, &msg);
    if (rc == 0)
        rc = tr_msg_attach_handle(msg, &handle);
    if (rc == 0)
        rc = tr_send_msg(self, to, &msg);
    tr_msg_free(&msg);
    tr_handle_close(&handle);
    return rc;
}

#endif
