// Links over what a child inherits keep what links promise.
#include "conform/link_suite.h"

int main(void)
{
    return link_suite_inherited("conform/link_child");
}
