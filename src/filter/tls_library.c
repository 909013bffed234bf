// libssl, loaded when it is wanted first, and never let go: linked, it costs each start of a program
// a tenth, and children are programs. libcrypto, which it is on top of, is linked.
#include "filter/tls_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <troupe/error.h>

#include "base/log.h"

#ifdef OPENSSL_SHLIB_VERSION
#define VERSION_TEXT(version)   VERSION_QUOTED(version)
#define VERSION_QUOTED(version) #version
#define SONAME                  "libssl.so." VERSION_TEXT(OPENSSL_SHLIB_VERSION)
#else
#define SONAME "libssl.so." SHLIB_VERSION_NUMBER
#endif

struct ssl_calls tr__ssl;
static int loaded; // or why it is not

// C has no way to turn dlsym's pointer into one to a function, POSIX has: its bytes.
static void library_load(void)
{
    void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        tr__warn("tls.load", "%s", dlerror());
        loaded = TR_ENOSYS;
        return;
    }
#define SSL_FIND(name)                                                                             \
    *(void **)&tr__ssl.name = dlsym(library, #name);                                               \
    if (tr__ssl.name == NULL)                                                                      \
        loaded = TR_ENOSYS;
    SSL_CALLS(SSL_FIND)
#undef SSL_FIND
    if (loaded < 0)
        tr__warn("tls.load", SONAME " lacks a call that is needed");
}

int tr__ssl_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, library_load);
    return loaded;
}
