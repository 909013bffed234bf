// libnng, loaded when it is wanted first, and never let go: a program that has no url of its own
// starts without it and its four libraries, as do its children; and it starts 13 threads.
#include "nng/inside.h"

#include <dlfcn.h>
#include <pthread.h>
#include <troupe/error.h>

#include "base/log.h"

#define SONAME "libnng.so.1"

struct nng_calls tr__nng;
static int loaded; // or why it is not

// C has no way to turn dlsym's pointer into one to a function, POSIX has: its bytes.
static void library_load(void)
{
    void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        tr__warn("nng.load", "%s", dlerror());
        loaded = TR_ENOSYS;
        return;
    }
#define NNG_FIND(name)                                                                             \
    *(void **)&tr__nng.name = dlsym(library, "nng_" #name);                                        \
    if (tr__nng.name == NULL)                                                                      \
        loaded = TR_ENOSYS;
    NNG_CALLS(NNG_FIND)
#undef NNG_FIND
    if (loaded < 0)
        tr__warn("nng.load", SONAME " lacks a call that is needed");
}

int tr__nng_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_load);
    return loaded;
}

int tr__nng_error(int rv)
{
    switch (rv) {
    case 0:
        return 0;
    case NNG_ENOMEM:
        return TR_ENOMEM;
    case NNG_EINVAL:
    case NNG_EADDRINVAL:
        return TR_EINVAL;
    case NNG_ETIMEDOUT:
        return TR_ETIMEDOUT;
    case NNG_ECONNREFUSED:
        return -ECONNREFUSED;
    case NNG_EADDRINUSE:
        return TR_EADDRINUSE;
    case NNG_ENOENT:
        return TR_ENOENT;
    case NNG_EPERM:
        return TR_EACCES;
    case NNG_ENOFILES:
        return -EMFILE;
    case NNG_EUNREACHABLE:
        return -EHOSTUNREACH;
    case NNG_ECONNRESET:
        return -ECONNRESET;
    case NNG_ECANCELED:
        return TR_ECANCELED;
    case NNG_ENOTSUP:
        return TR_ENOSYS;
    default:
        return rv > NNG_ESYSERR && rv < NNG_ETRANERR ? -(rv - NNG_ESYSERR) : TR_EIO;
    }
}

int tr__nng_stream_error(int rv)
{
    return rv == NNG_ECONNSHUT || rv == NNG_ECLOSED ? 0 : tr__nng_error(rv);
}
