// Links over wss:// keep what links promise.
#include "conform/link_suite.h"

int main(void)
{
    return link_suite_filter("conform/link_wss", "wss");
}
