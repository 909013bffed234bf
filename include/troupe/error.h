/* Errors: negative ints, one list.
 *
 * Functions that can fail return 0 on success and one of these on failure; functions that count
 * return what they counted, which is never negative. System errors keep the system's numbers
 * (-errno, which are libuv's numbers, too); troupe's own start at -6000 (libuv stops at -4095). */
#ifndef TROUPE_ERROR_H
#define TROUPE_ERROR_H

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TR_API
#define TR_API __attribute__((visibility("default")))
#endif

#define TR_ERROR_MAP(X)                                                                            \
    X(TR_EINVAL, -EINVAL, "invalid argument")                                                      \
    X(TR_ENOMEM, -ENOMEM, "out of memory")                                                         \
    X(TR_EAGAIN, -EAGAIN, "not now, try again later")                                              \
    X(TR_ENOENT, -ENOENT, "no such thing")                                                         \
    X(TR_EEXIST, -EEXIST, "exists already")                                                        \
    X(TR_EACCES, -EACCES, "permission denied")                                                     \
    X(TR_EIO, -EIO, "input or output error")                                                       \
    X(TR_EPIPE, -EPIPE, "broken pipe")                                                             \
    X(TR_ETIMEDOUT, -ETIMEDOUT, "deadline passed")                                                 \
    X(TR_ECANCELED, -ECANCELED, "cancelled")                                                       \
    X(TR_ENOSYS, -ENOSYS, "not supported here")                                                    \
    X(TR_EADDRINUSE, -EADDRINUSE, "address in use")                                                \
    X(TR_ENAMETOOLONG, -ENAMETOOLONG, "name too long")                                             \
    X(TR_EOF, -4095, "end of the stream")                                                          \
    X(TR_ENOACTOR, -6001, "no such actor")                                                         \
    X(TR_EFULL, -6002, "mailbox is full")                                                          \
    X(TR_EDOWN, -6003, "the other side went away")                                                 \
    X(TR_EBADMSG, -6004, "not the document that was expected")                                     \
    X(TR_EUNKNOWN, -6005, "the actor does not know this message")                                  \
    X(TR_ETOOBIG, -6006, "larger than the limit")                                                  \
    X(TR_ETOODEEP, -6007, "nested deeper than the limit")                                          \
    X(TR_EFRAME, -6008, "malformed frame")                                                         \
    X(TR_EVERSION, -6009, "protocol versions do not match")                                        \
    X(TR_EREFUSED, -6010, "the other side refused")                                                \
    X(TR_SHUTDOWN, -6011, "asked to shut down")                                                    \
    X(TR_ENOREPLY, -6012, "the actor has not answered")                                            \
    X(TR_ERESTARTS, -6013, "had to be started again too often")                                    \
    X(TR_EFAILED, -6014, "the program has failed")                                                 \
    X(TR_ETLS, -6015, "TLS failed: a certificate is missing, or not good")

enum {
#define TR__ERROR_ENUM(name, number, text) name = number,
    TR_ERROR_MAP(TR__ERROR_ENUM)
#undef TR__ERROR_ENUM
};

/* One sentence for people. Never NULL, never freed; for a code that is not in the list it is the
 * system's sentence. */
TR_API const char *tr_strerror(int error);

/* The constant's name, as in "TR_EFULL"; "TR_E?" for a code that is not in the list. */
TR_API const char *tr_errname(int error);

#ifdef __cplusplus
}
#endif
#endif
