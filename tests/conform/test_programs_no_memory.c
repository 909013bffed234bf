#include "conform/program_suite.h"
#include "conform/theatre_no_memory.h"
#include "support/sim_node.h"

int main(int argc, char **argv)
{
    static const tr_spawn_opts here = {.isolation = TR_SHARED, .placement = TR_HERE};
    program_file = "player";
    sim_nodes_prepare = program_sim_add;
    return no_memory_main(argc, argv, "conform/programs_no_memory", &here, 1, program_main);
}
