#include <string.h>

#include "conform/program_suite.h"
#include "conform/theatre_real.h"

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], PROGRAM_ROLE) == 0)
        return program_play(argc, argv);
    program_file = "/proc/self/exe";
    return real_main(argc, argv, "conform/programs_uv", TR_SHARED, TR_HERE, program_main);
}
