// Who receives the file: `file_sink FILE PROGRAM...` listens, starts the program with the address
// as its last argument, reads all that it sends, and tells how fast that came.
#include <arpa/inet.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../bench.h"

static int listen_at(char *address, size_t size)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bench_must(bind(fd, (struct sockaddr *)&in, sizeof in) == 0 && listen(fd, 1) == 0);
    bench_must(getsockname(fd, (struct sockaddr *)&in, &(socklen_t){sizeof in}) == 0);
    snprintf(address, size, "tcp://127.0.0.1:%d", ntohs(in.sin_port));
    return fd;
}

int main(int argc, char **argv)
{
    static char bytes[256 * 1024];
    char address[64], *command[16] = {NULL};
    struct stat st;
    pid_t pid;
    int status;
    bench_must(argc > 2 && argc < 16 && stat(argv[1], &st) == 0);
    int listener = listen_at(address, sizeof address);
    memcpy(command, argv + 2, (size_t)(argc - 2) * sizeof *argv);
    command[argc - 2] = address;
    bench_must(posix_spawnp(&pid, command[0], NULL, NULL, command, NULL) == 0);
    int fd = accept(listener, NULL, NULL);
    uint64_t begun = bench_now_ns(), got = 0;
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) != 0; got += (uint64_t)n)
        bench_must(n > 0);
    double ns = (double)(bench_now_ns() - begun);
    close(fd);
    bench_must(waitpid(pid, &status, 0) == pid && status == 0);
    bench_must(got == (uint64_t)st.st_size);
    bench_emit("socket", (double)got * 1000 / ns);
    return 0;
}
