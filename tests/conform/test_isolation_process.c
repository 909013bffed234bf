#include "conform/isolation_suite.h"
#include "conform/theatre_real.h"

int main(int argc, char **argv)
{
    return real_main(argc, argv, "conform/isolation_process", TR_PROCESS, TR_HERE, isolation_main);
}
