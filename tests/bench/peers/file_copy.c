// Limits of copying: `file_copy loop|kernel|cp FROM TO` copies a file by read and write, by the
// kernel's own copy, or by cp; `file_copy socket FROM ADDRESS` sends one by sendfile.
#include <arpa/inet.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../bench.h"

#define STEP (128u * 1024) // as cp's

static void copy_loop(int from, int to)
{
    static char bytes[STEP];
    for (ssize_t n; (n = read(from, bytes, sizeof bytes)) != 0;)
        bench_must(n > 0 && write(to, bytes, (size_t)n) == n);
}

static void copy_kernel(int from, int to)
{
    for (ssize_t n; (n = copy_file_range(from, NULL, to, NULL, 1u << 30, 0)) != 0;)
        bench_must(n > 0);
}

static void copy_cp(const char *from, const char *to)
{
    char *argv[] = {(char *)"cp", (char *)(uintptr_t)from, (char *)(uintptr_t)to, NULL};
    pid_t pid;
    int status;
    bench_must(posix_spawnp(&pid, "cp", NULL, NULL, argv, NULL) == 0);
    bench_must(waitpid(pid, &status, 0) == pid && status == 0);
}

static void send_to(int from, const char *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    in.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    int to = socket(AF_INET, SOCK_STREAM, 0);
    bench_must(connect(to, (struct sockaddr *)&in, sizeof in) == 0);
    for (ssize_t n; (n = sendfile(to, from, NULL, 1u << 30)) != 0;)
        bench_must(n > 0);
}

int main(int argc, char **argv)
{
    bench_must(argc == 4);
    struct stat st;
    uint64_t begun = bench_now_ns();
    int from = open(argv[2], O_RDONLY);
    bench_must(fstat(from, &st) == 0);
    if (strcmp(argv[1], "socket") == 0) {
        send_to(from, argv[3]);
        return 0;
    }
    if (strcmp(argv[1], "cp") == 0) {
        copy_cp(argv[2], argv[3]);
    } else {
        int to = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0600);
        (strcmp(argv[1], "loop") == 0 ? copy_loop : copy_kernel)(from, to);
    }
    bench_emit("file", (double)st.st_size * 1000 / (double)(bench_now_ns() - begun));
    return 0;
}
