#include "conform/socket_suite.h"
#include "conform/theatre_real.h"

int main(int argc, char **argv)
{
    return real_main(argc, argv, "conform/sockets_uv", TR_SHARED, TR_HERE, socket_main);
}
