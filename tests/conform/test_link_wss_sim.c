// Links over wss:// in the simulated world keep what links promise.
#include "conform/link_suite.h"

int main(void)
{
    return link_suite_filter_sim("conform/link_wss_sim", "wss");
}
