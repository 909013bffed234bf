#include "conform/socket_suite.h"
#include "conform/theatre_sim.h"

int main(int argc, char **argv)
{
    return sim_main(argc, argv, "conform/sockets_sim", socket_main);
}
