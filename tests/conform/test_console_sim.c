// Standard streams of the simulated machine, over many seeds: pipes that hold little or much, and
// calls that move all or a part.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <troupe/error.h>

#include "conform/console_suite.h"
#include "core/file_call.h"
#include "sim/sim.h"
#include "support/cmocka.h"
#include "support/seeds.h"

#define SEEDS seeds_of(8)

static tr_sim *sim;
static uint64_t seed;
static tr_endpoint *far[2]; // NULL: it is a file, or has left
static tr_world *world;
static size_t collected; // of a file

static int64_t file_call(const tr__file_call *call)
{
    int64_t rc = world->ops->file(world, call);
    assert_true(rc >= 0);
    return rc;
}

static int file_open(const char *path)
{
    tr_file_info info;
    return (int)file_call(&(tr__file_call){.op = TR__FILE_OPEN,
                                           .path = path,
                                           .flags = TR_OPEN_READ | TR_OPEN_WRITE | TR_OPEN_CREATE,
                                           .info = &info});
}

static void file_make(const char *path, const char *text)
{
    int fd = file_open(path);
    for (size_t done = 0, size = text == NULL ? 0 : strlen(text); done < size;) {
        tr_iov iov = {(char *)text + done, size - done};
        done += (size_t)file_call(&(tr__file_call){
            .op = TR__FILE_WRITE, .fd = fd, .offset = done, .iov = &iov, .count = 1});
    }
    file_call(&(tr__file_call){.op = TR__FILE_CLOSE, .fd = fd});
}

static void give_file(int fd, const console_given *given)
{
    static const char *const paths[] = {"/in", "/out"};
    tr_endpoint *near = NULL;
    if (given->kind == CONSOLE_DIRECTORY)
        file_call(&(tr__file_call){.op = TR__FILE_MKDIR, .path = paths[fd], .mode = 0755});
    else
        file_make(paths[fd], given->text);
    assert_int_equal(0, tr__sim_open_file(world, paths[fd], &near));
    tr__sim_set_stdio(world, fd, &near);
}

static void give_pipe(int fd, const console_given *given)
{
    tr_endpoint *near = NULL;
    assert_int_equal(0, tr__sim_pipe(world, world, &near, &far[fd]));
    if (given->kind == CONSOLE_TERMINAL)
        tr__sim_set_terminal(near, CONSOLE_COLUMNS, CONSOLE_ROWS);
    tr__sim_set_stdio(world, fd, &near);
}

static void give(int fd, const console_given *given)
{
    tr_endpoint *same = NULL;
    switch (given->kind) {
    case CONSOLE_FILE:
    case CONSOLE_FULL:
    case CONSOLE_DIRECTORY:
        give_file(fd, given);
        break;
    case CONSOLE_NONE:
        break;
    case CONSOLE_SAME:
        assert_int_equal(0, world->ops->borrow(world, 0, &same));
        tr__sim_set_stdio(world, fd, &same);
        far[1] = far[0];
        break;
    default:
        give_pipe(fd, given);
    }
}

static tr_world *open_world(const console_given given[2])
{
    far[0] = far[1] = NULL;
    collected = 0;
    assert_int_equal(0, tr__sim_open(seed, &sim));
    assert_int_equal(0, tr__sim_world(sim, &world));
    tr__sim_set_whole(sim, seed % 3 == 0);
    if (seed % 2 == 1)
        tr__sim_set_capacity(sim, 512);
    give(0, &given[0]);
    give(1, &given[1]);
    if (given[1].kind == CONSOLE_FULL)
        tr__sim_set_file_room(sim, given[0].kind == CONSOLE_FILE ? strlen(given[0].text) : 1);
    return world;
}

static void close_sim(void)
{
    tr__sim_close(&sim);
}

static void lose(tr_world *of, int fd)
{
    tr_endpoint *none = NULL;
    tr__sim_set_stdio(of, fd, &none);
}

static ssize_t feed(const char *bytes, size_t size)
{
    tr_iov iov = {(char *)bytes, size};
    return world->ops->endpoint_write(far[0], &iov, 1);
}

static ssize_t collect_file(tr_iov *iov)
{
    int fd = file_open("/out");
    int64_t n = file_call(&(tr__file_call){
        .op = TR__FILE_READ, .fd = fd, .offset = collected, .iov = iov, .count = 1});
    file_call(&(tr__file_call){.op = TR__FILE_CLOSE, .fd = fd});
    collected += (size_t)n;
    return (ssize_t)n;
}

static ssize_t collect(char *bytes, size_t size)
{
    tr_iov iov = {bytes, size};
    return far[1] == NULL ? collect_file(&iov) : world->ops->endpoint_read(far[1], &iov, 1);
}

static void leave(int fd)
{
    world->ops->endpoint_close(far[fd]);
}

static bool is_raw(void)
{
    return tr__sim_is_raw(far[0]);
}

int main(void)
{
    static const struct console_harness harness = {.name = "sim",
                                                   .open = open_world,
                                                   .closed = close_sim,
                                                   .lose = lose,
                                                   .feed = feed,
                                                   .collect = collect,
                                                   .leave = leave,
                                                   .is_raw = is_raw};
    int failed = 0;
    for (seed = 0; seed < SEEDS && failed == 0; seed++)
        failed = console_suite(&harness);
    return failed;
}
