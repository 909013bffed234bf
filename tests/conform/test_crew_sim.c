#include "conform/crew_suite.h"
#include "conform/theatre_sim.h"

int main(int argc, char **argv)
{
    return sim_main(argc, argv, "conform/crew_sim", crew_main);
}
