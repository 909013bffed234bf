#include <stdio.h>

#include "conform/socket_suite.h"
#include "conform/theatre_no_memory.h"

int main(int argc, char **argv)
{
    static const tr_spawn_opts here = {.isolation = TR_SHARED, .placement = TR_HERE};
    snprintf(socket_host, sizeof socket_host, "server.test");
    return no_memory_main(argc, argv, "conform/sockets_no_memory", &here, 1, socket_main);
}
