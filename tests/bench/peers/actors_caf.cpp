// CAF's side of `./dev bench actors`, as actors.sh describes it. Written for CAF 0.17, Debian's.
// All work is done by actors: the main thread is outside of the scheduler and only waits.
#include <sys/types.h>

#include <caf/all.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <unistd.h>
#include <vector>

using namespace caf;

using go_on_atom = atom_constant<atom("go_on")>;
using ping_atom = atom_constant<atom("ping")>;
using pong_atom = atom_constant<atom("pong")>;
using item_atom = atom_constant<atom("item")>;
using done_atom = atom_constant<atom("done")>;
using end_atom = atom_constant<atom("end")>;
using next_atom = atom_constant<atom("next")>;

constexpr size_t chunk = 1000, senders = 100, sinks = 60, ring_size = 503, big_size = 120,
                 branches = 10;

static uint64_t count, loops;
static const char *figure;
static std::chrono::steady_clock::time_point started;

static void begin() { started = std::chrono::steady_clock::now(); }

static double elapsed_us()
{
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - started)
        .count();
}

// The end: what is alive then need not be taken down.
[[noreturn]] static void emit(double value)
{
    std::printf("%s\t%.6g\n", figure, value);
    std::fflush(stdout);
    _exit(0);
}

[[noreturn]] static void finish() { emit(double(count) / elapsed_us()); }

// ---- pingpong ----

static behavior pong(event_based_actor *)
{
    return {[](ping_atom) { return pong_atom::value; }};
}

static behavior pingpong(event_based_actor *self)
{
    auto peer = self->spawn(pong);
    auto left = count;
    begin();
    self->send(peer, ping_atom::value);
    return {[=](pong_atom) mutable {
        if (--left > 0)
            self->send(peer, ping_atom::value);
        else
            finish();
    }};
}

// ---- ring ----

static behavior hop(event_based_actor *self, actor next, actor driver)
{
    return {[=](uint64_t left) {
        if (left > 0)
            self->send(next, left - 1);
        else
            self->send(driver, done_atom::value);
    }};
}

static behavior ring(event_based_actor *self)
{
    actor driver = self, next = self;
    for (size_t i = 1; i < ring_size; i++)
        next = self->spawn(hop, next, driver);
    begin();
    self->send(next, count / ring_size * ring_size - 1);
    return {[=](uint64_t left) {
                if (left > 0)
                    self->send(next, left - 1);
                else
                    finish();
            },
            [](done_atom) { finish(); }};
}

// ---- counting, fanin, forkjoin ----

static behavior sink(event_based_actor *self, uint64_t left, actor driver)
{
    return {[=](item_atom) mutable {
        if (--left == 0)
            self->send(driver, done_atom::value);
    }};
}

static behavior source(event_based_actor *self, uint64_t left, actor to)
{
    for (; left > 0; left--)
        self->send(to, item_atom::value);
    self->quit();
    return {};
}

static behavior fanin_from(event_based_actor *self, size_t n)
{
    begin();
    auto to = self->spawn(sink, count / n * n, actor{self});
    for (size_t i = 0; i < n; i++)
        self->spawn(source, count / n, to);
    return {[](done_atom) { finish(); }};
}

static behavior counting(event_based_actor *self) { return fanin_from(self, 1); }
static behavior fanin(event_based_actor *self) { return fanin_from(self, senders); }

static behavior forkjoin(event_based_actor *self)
{
    std::vector<actor> to;
    auto waiting = sinks;
    for (size_t i = 0; i < sinks; i++)
        to.push_back(self->spawn(sink, count / sinks, actor{self}));
    begin();
    for (uint64_t i = 0; i < count / sinks * sinks; i++)
        self->send(to[i % sinks], item_atom::value);
    return {[=](done_atom) mutable {
        if (--waiting == 0)
            finish();
    }};
}

// ---- create: the value is taken when all have ended ----

static behavior mayfly(event_based_actor *self)
{
    return {[=](end_atom) { self->quit(); }};
}

static behavior creator(event_based_actor *self, uint64_t left)
{
    self->send(self, go_on_atom::value);
    return {[=](go_on_atom) mutable {
        for (size_t i = 0; i < chunk && left > 0; i++, left--)
            self->send(self->spawn(mayfly), end_atom::value);
        if (left > 0)
            self->send(self, go_on_atom::value);
        else
            self->quit();
    }};
}

static behavior create(event_based_actor *self)
{
    begin();
    for (uint64_t i = 0; i < loops; i++)
        self->spawn(creator, count / loops);
    self->quit();
    return {};
}

// ---- big ----

static std::vector<actor> chatters;

static behavior chatter(event_based_actor *self, uint32_t random, uint64_t left, actor driver)
{
    auto ping = [=]() mutable {
        random = random * 1103515245u + 12345u;
        self->send(chatters[(random >> 16) % big_size], ping_atom::value);
    };
    return {[=](go_on_atom) mutable { ping(); },
            [](ping_atom) { return pong_atom::value; },
            [=](pong_atom) mutable {
                if (--left > 0)
                    ping();
                else
                    self->send(driver, done_atom::value);
            }};
}

static behavior big(event_based_actor *self)
{
    auto waiting = big_size;
    for (size_t i = 0; i < big_size; i++)
        chatters.push_back(
            self->spawn(chatter, uint32_t(i), count / 2 / big_size, actor{self}));
    begin();
    for (auto &to : chatters)
        self->send(to, go_on_atom::value);
    return {[=](done_atom) mutable {
        if (--waiting == 0)
            finish();
    }};
}

// ---- skynet ----

static behavior tree(event_based_actor *self, uint64_t first, uint64_t leaves, actor up)
{
    if (leaves == 1) {
        self->send(up, first);
        self->quit();
        return {};
    }
    auto part = leaves / branches;
    for (size_t i = 0; i < branches; i++)
        self->spawn(tree, first + i * part, part, actor{self});
    auto waiting = branches;
    uint64_t sum = 0;
    return {[=](uint64_t branch) mutable {
        sum += branch;
        if (--waiting == 0) {
            self->send(up, sum);
            self->quit();
        }
    }};
}

static behavior skynet(event_based_actor *self)
{
    begin();
    self->spawn(tree, uint64_t{0}, count, actor{self});
    return {[](uint64_t sum) {
        if (sum != count * (count - 1) / 2)
            std::abort();
        emit(elapsed_us() / 1e3);
    }};
}

// ---- ask ----

static behavior server(event_based_actor *)
{
    return {[](next_atom, uint64_t n) { return n + 1; }};
}

static void ask_next(event_based_actor *self, const actor &to, uint64_t n)
{
    self->request(to, infinite, next_atom::value, n).then([=](uint64_t next) {
        if (next < count)
            ask_next(self, to, next);
        else
            finish();
    });
}

static behavior ask(event_based_actor *self)
{
    auto to = self->spawn(server);
    begin();
    ask_next(self, to, 0);
    return {[](done_atom) {}};
}

// ---- idle ----

static size_t rss()
{
    size_t all = 0, resident = 0;
    std::ifstream{"/proc/self/statm"} >> all >> resident;
    return resident * size_t(sysconf(_SC_PAGESIZE));
}

static behavior idler(event_based_actor *self, actor driver)
{
    self->send(driver, done_atom::value);
    return {[](end_atom) {}};
}

static behavior idle(event_based_actor *self)
{
    auto before = rss();
    auto waiting = count;
    self->send(self, go_on_atom::value);
    auto left = count;
    return {[=](go_on_atom) mutable {
                for (size_t i = 0; i < chunk && left > 0; i++, left--)
                    self->spawn(idler, actor{self});
                if (left > 0)
                    self->send(self, go_on_atom::value);
            },
            [=](done_atom) mutable {
                if (--waiting == 0)
                    emit(double(rss() - before) / double(count));
            }};
}

static const struct {
    const char *name;
    behavior (*driver)(event_based_actor *);
} figures[] = {
    {"pingpong", pingpong}, {"counting", counting}, {"ring", ring},     {"fanin", fanin},
    {"create", create},     {"forkjoin", forkjoin}, {"big", big},       {"skynet", skynet},
    {"ask", ask},           {"idle", idle},
};

int main(int, char **argv)
{
    figure = argv[1];
    loops = std::strtoull(argv[2], nullptr, 10);
    count = std::strtoull(argv[3], nullptr, 10);
    for (auto &f : figures) {
        if (std::strcmp(f.name, figure) != 0)
            continue;
        actor_system_config config;
        config.set("scheduler.max-threads", size_t(loops));
        actor_system system{config};
        system.spawn(f.driver);
        system.await_all_actors_done();
        finish();
    }
    return 77;
}
