// Links over tcp:// keep what links promise.
#include "conform/link_suite.h"

int main(void)
{
    return link_suite_listening("conform/link_tcp", true);
}
