// The load on an echo server, the same for each: `echo_load FIGURE ADDRESS SERVER ARGUMENT...`
// starts the server with the address behind its arguments, reads from its output where it listens,
// and prints `figure<TAB>value`, and `cpu<TAB>microseconds` of the server for each round trip, or
// for each MB:
//
//   rtt   one connection, 64 bytes there and back; thousands a second
//   many  64 connections, each with 64 bytes on the way; thousands a second
//   bulk  one connection, as much on the way as goes; MB/s, counted once
//
// It uses one thread and nothing but the system's calls, so that the server is what is measured.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../bench.h"

#define SMALL       64
#define CONNECTIONS 64
#define CHUNK       65536
#define WARM_UP     1000

static pid_t server;

// Returns the microseconds of processor time that it has used.
static double server_end(void)
{
    struct rusage used;
    kill(server, SIGTERM);
    wait4(server, NULL, 0, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

// Where it listens comes as the first line of its output.
static void server_start(char **argv, char *address, size_t size)
{
    int out[2];
    posix_spawn_file_actions_t actions;
    bench_must(pipe(out) == 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    posix_spawn_file_actions_addclose(&actions, out[1]);
    bench_must(posix_spawnp(&server, argv[0], &actions, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    FILE *line = fdopen(out[0], "r");
    bench_must(line != NULL && fgets(address, (int)size, line) != NULL);
    address[strcspn(address, "\n")] = '\0';
    fclose(line);
}

static int connect_to(const char *address)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bool is_local = strncmp(address, "unix:", 5) == 0;
    int fd = socket(is_local ? AF_UNIX : AF_INET, SOCK_STREAM, 0), yes = 1;
    if (is_local) {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", address + 5);
        bench_must(connect(fd, (struct sockaddr *)&local, sizeof local) == 0);
        return fd;
    }
    in.sin_port = htons((uint16_t)atoi(strrchr(address, ':') + 1));
    bench_must(connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

static void round_trips(int fd, uint64_t count)
{
    char bytes[SMALL] = "echo";
    for (uint64_t i = 0; i < count; i++) {
        bytes[SMALL - 1] = (char)i;
        bench_must(send(fd, bytes, SMALL, 0) == SMALL);
        bench_must(recv(fd, bytes, SMALL, MSG_WAITALL) == SMALL);
        bench_must(bytes[SMALL - 1] == (char)i);
    }
}

static double run_rtt(const char *address, uint64_t count)
{
    int fd = connect_to(address);
    round_trips(fd, WARM_UP);
    uint64_t start = bench_now_ns();
    round_trips(fd, count);
    return (double)count * 1e6 / (double)(bench_now_ns() - start);
}

static double run_many(const char *address, uint64_t count)
{
    struct epoll_event events[CONNECTIONS];
    char bytes[SMALL] = "echo";
    int all = epoll_create1(0);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = connect_to(address)};
        epoll_ctl(all, EPOLL_CTL_ADD, event.data.fd, &event);
        round_trips(event.data.fd, 10);
        bench_must(send(event.data.fd, bytes, SMALL, 0) == SMALL);
    }
    uint64_t start = bench_now_ns();
    for (uint64_t done = 0; done < count;) {
        int n = epoll_wait(all, events, CONNECTIONS, -1);
        for (int i = 0; i < n; i++, done++) {
            bench_must(recv(events[i].data.fd, bytes, SMALL, MSG_WAITALL) == SMALL);
            bench_must(send(events[i].data.fd, bytes, SMALL, 0) == SMALL);
        }
    }
    return (double)count * 1e6 / (double)(bench_now_ns() - start);
}

static double run_bulk(const char *address, uint64_t size)
{
    static char out[CHUNK], in[CHUNK];
    int fd = connect_to(address);
    uint64_t start = bench_now_ns(), sent = 0, got = 0;
    while (got < size) {
        struct pollfd p = {.fd = fd, .events = POLLIN | (sent < size ? POLLOUT : 0)};
        bench_must(poll(&p, 1, -1) == 1);
        if (p.revents & POLLOUT) {
            ssize_t n = send(fd, out, sizeof out, MSG_DONTWAIT);
            sent += n > 0 ? (uint64_t)n : 0;
        }
        if (p.revents & POLLIN) {
            ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);
            bench_must(n != 0);
            got += n > 0 ? (uint64_t)n : 0;
        }
    }
    return (double)got * 1e3 / (double)(bench_now_ns() - start);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        double (*run)(const char *address, uint64_t count);
        uint64_t count;
        double per; // of these make one
    } figures[] = {{"rtt", run_rtt, 20000, 1},
                   {"many", run_many, 100000, 1},
                   {"bulk", run_bulk, 1 << 30, 1e6}};
    char address[200];
    bench_must(argc >= 4);
    char *where = argv[2];
    memmove(&argv[2], &argv[3], (size_t)(argc - 3) * sizeof *argv);
    argv[argc - 1] = where;
    server_start(&argv[2], address, sizeof address);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        if (strcmp(figures[i].name, argv[1]) != 0)
            continue;
        uint64_t count = bench_count(figures[i].count);
        bench_emit(argv[1], figures[i].run(address, count));
        bench_emit("cpu", server_end() / (double)count * figures[i].per);
    }
    return 0;
}
