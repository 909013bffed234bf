#include <stdio.h>

#include "conform/socket_suite.h"
#include "conform/theatre_sim.h"

int main(int argc, char **argv)
{
    snprintf(socket_host, sizeof socket_host, "server.test");
    return sim_main(argc, argv, "conform/sockets_sim", socket_main);
}
