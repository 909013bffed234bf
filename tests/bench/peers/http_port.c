// A TCP port of 127.0.0.1 that is free, for a server that has to be told.
#include <arpa/inet.h>
#include <sys/socket.h>

#include "../bench.h"

int main(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bench_must(bind(fd, (struct sockaddr *)&in, sizeof in) == 0);
    bench_must(getsockname(fd, (struct sockaddr *)&in, &size) == 0);
    printf("%d\n", ntohs(in.sin_port));
    return close(fd);
}
