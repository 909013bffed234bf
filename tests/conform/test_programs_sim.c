#include "conform/program_suite.h"
#include "conform/theatre_sim.h"
#include "support/sim_node.h"

int main(int argc, char **argv)
{
    program_file = "player";
    sim_nodes_prepare = program_sim_add;
    return sim_main(argc, argv, "conform/programs_sim", program_main);
}
