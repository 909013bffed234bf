#include "conform/crew_suite.h"
#include "conform/theatre_real.h"

int main(int argc, char **argv)
{
    return real_main(argc, argv, "conform/crew_uv", TR_SHARED, TR_SPREAD, crew_main);
}
