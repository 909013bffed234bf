// The limit of what starting programs can cost: posix_spawn, pipes, poll and waitpid, and nothing
// around them. `process_spawn FIGURE`, as process.sh describes them.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "../bench.h"

#define WARM_UP 20u
#define MOST    8u

extern char **environ;

struct run {
    pid_t pid;
    int fds[3]; // its outputs, and its pidfd; -1: at its end
};

static bool exec;
static unsigned at_once = 1;
static struct run runs[MOST];

static void run_start(struct run *run)
{
    static char sh[] = "sh", c[] = "-c", command[] = "true";
    char *const shell[] = {sh, c, command, NULL}, *const plain[] = {command, NULL};
    posix_spawn_file_actions_t actions;
    int pipes[2][2] = {{-1, -1}, {-1, -1}};
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < 3; i++) {
        if (i == 0 || !exec) {
            posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
            continue;
        }
        bench_must(pipe2(pipes[i - 1], O_CLOEXEC) == 0);
        posix_spawn_file_actions_adddup2(&actions, pipes[i - 1][1], i);
    }
    const char *file = exec ? "/bin/sh" : "/bin/true";
    bench_must(posix_spawn(&run->pid, file, &actions, NULL, exec ? shell : plain, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 2; i++) {
        run->fds[i] = pipes[i][0];
        if (exec)
            close(pipes[i][1]);
    }
    run->fds[2] = pidfd_open(run->pid, 0);
    bench_must(run->fds[2] >= 0);
}

static bool run_step(struct run *run, int i)
{
    char bytes[4096];
    int status;
    if (i < 2 && read(run->fds[i], bytes, sizeof bytes) > 0)
        return false;
    if (i == 2)
        bench_must(waitpid(run->pid, &status, 0) == run->pid && status == 0);
    close(run->fds[i]);
    run->fds[i] = -1;
    return run->fds[0] < 0 && run->fds[1] < 0 && run->fds[2] < 0;
}

// Returns how many have ended.
static unsigned runs_wait(bool again)
{
    struct pollfd polls[MOST * 3];
    unsigned ended = 0;
    for (unsigned i = 0; i < at_once * 3; i++)
        polls[i] = (struct pollfd){.fd = runs[i / 3].fds[i % 3], .events = POLLIN};
    bench_must(poll(polls, at_once * 3, -1) > 0);
    for (unsigned i = 0; i < at_once * 3; i++) {
        if (polls[i].revents == 0 || !run_step(&runs[i / 3], (int)(i % 3)))
            continue;
        ended++;
        if (again)
            run_start(&runs[i / 3]);
    }
    return ended;
}

static void memory_take(size_t size)
{
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_must(memory != MAP_FAILED);
    madvise(memory, size, MADV_NOHUGEPAGE);
    memset(memory, 1, size);
}

int main(int argc, char **argv)
{
    bench_must(argc > 1);
    uint64_t ended = 0, start = 0, limit = bench_count(2000000000u);
    exec = strncmp(argv[1], "exec", 4) == 0;
    at_once = argv[1][strlen(argv[1]) - 1] == '8' ? 8 : 1;
    if (strcmp(argv[1], "large") == 0)
        memory_take((size_t)2 << 30);
    for (unsigned i = 0; i < at_once; i++)
        run_start(&runs[i]);
    while (ended < WARM_UP)
        ended += runs_wait(true);
    ended = 0;
    start = bench_now_ns();
    while (bench_now_ns() - start < limit)
        ended += runs_wait(true);
    bench_emit("rate", (double)ended * 1e9 / (double)(bench_now_ns() - start));
    for (unsigned left = at_once; left > 0;)
        left -= runs_wait(false);
    return 0;
}
