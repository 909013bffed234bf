#include <netdb.h>
#include <unistd.h>

#include "conform/socket_suite.h"
#include "conform/theatre_real.h"

// This machine's own name, where it has an address.
static void find_host(void)
{
    struct addrinfo *found;
    if (gethostname(socket_host, sizeof socket_host - 1) == 0 &&
        getaddrinfo(socket_host, NULL, NULL, &found) == 0)
        freeaddrinfo(found);
    else
        socket_host[0] = '\0';
}

int main(int argc, char **argv)
{
    find_host();
    return real_main(argc, argv, "conform/sockets_uv", TR_SHARED, TR_HERE, socket_main);
}
