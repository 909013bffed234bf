// Links over tls+tcp:// keep what links promise.
#include "conform/link_suite.h"

int main(void)
{
    return link_suite_nng("conform/link_tls_nng", "tls+tcp");
}
