#include "conform/isolation_suite.h"
#include "conform/theatre_real.h"

int main(int argc, char **argv)
{
    return real_main(argc, argv, "conform/isolation_thread", TR_THREAD, TR_HERE, isolation_main);
}
