#include "conform/isolation_suite.h"
#include "conform/theatre_sim.h"

int main(int argc, char **argv)
{
    return sim_main(argc, argv, "conform/isolation_sim", isolation_main);
}
