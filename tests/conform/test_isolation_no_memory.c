#include "conform/isolation_suite.h"
#include "conform/theatre_no_memory.h"

int main(int argc, char **argv)
{
    static const tr_spawn_opts places[] = {
        {.isolation = TR_SHARED, .placement = TR_HERE},
        {.isolation = TR_SHARED, .placement = TR_SPREAD},
        {.isolation = TR_THREAD},
        {.isolation = TR_PROCESS, .hung_ms = 60000},
    };
    return no_memory_main(argc, argv, "conform/isolation_no_memory", places, 4, isolation_main);
}
