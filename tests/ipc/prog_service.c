// A service with two workers in processes of their own, for test_service.c. It listens at its first
// argument, and the other arguments are words:
//
//     stuck        it does not end when it is asked to
//     drain        it is asked to "drain" first
//     late         it has 200 ms to stop
//     no-reload    SIGHUP is left alone
//     bad-reload   it does not know "reload"
//     fails        it ends with an error at its start
//     status       it exits with 75
//
// A line on stdout for each worker, "worker PID", and then "ready ADDRESS". Of a client each byte
// is a request:
//
//     a   worked on by a worker; the answer is 'A', or 'Z' and the end when the service stops
//     b   answered with 'B'; then it blocks until its stdin ends
//     h   answered with 'H'; then a worker is busy for ever
//     c   a child of a child ends after its parent has; answered with 'C'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <troupe.h>
#include <unistd.h>

#define WORKERS 2
#define WORK_NS TR_MS(5)
#define STOP_MS 1000

// ---- A worker: each piece of work takes its time ----

static void work_done(tr_actor *self, void *arg)
{
    tr_reply_to(self, (tr_asker){(uintptr_t)arg}, TR_NULL);
}

static int worker_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_send(self, tr_parent(self), "pid", TR_V((int)getpid()));
}

// In system calls: ThreadSanitizer runs a signal's handler only there.
static int work_for_ever(void)
{
    while (pause() < 0)
        continue;
    return 0;
}

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    tr_asker asker;
    if (tr_msg_is(msg, "hang"))
        return work_for_ever(); // not later: it may be asked to end before
    int rc = tr_reply_later(self, msg, &asker);
    return rc < 0 ? rc
                  : tr_timer_start(self, WORK_NS, work_done, (void *)(uintptr_t)asker.id, NULL);
}

static const tr_behavior worker = {
    .name = "worker", .start = worker_start, .receive = worker_receive};

// ---- The service ----

struct app {
    tr_addr service, workers[WORKERS];
    unsigned known, next, open; // workers, connections
    bool stops, stuck, bad_reload;
    tr_server server;
};

static void *of_stream(tr_stream stream)
{
    return (void *)(uintptr_t)stream.id;
}

static void say(tr_actor *self, tr_stream client, char byte)
{
    tr_stream_write_bytes(self, client, &byte, 1);
    if (byte == 'Z')
        tr_stream_end(self, client);
}

static void on_worked(tr_actor *self, const tr_answer *answer, void *client)
{
    const struct app *app = tr_state(self);
    tr_stream stream = {(uintptr_t)client};
    say(self, stream, answer->status < 0 ? 'E' : app->stops ? 'Z' : 'A');
}

static void block(tr_actor *self, void *arg)
{
    char byte;
    (void)self, (void)arg;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
}

static void orphan_make(tr_actor *self)
{
    const char *const argv[] = {"-c", "sh -c : &", NULL};
    tr_fork(self, "/bin/sh", TR_SPAWN(.argv = argv), NULL);
}

static void on_request(tr_actor *self, tr_stream client, char byte)
{
    struct app *app = tr_state(self);
    if (byte == 'a')
        tr_ask(self, app->workers[app->next++ % WORKERS], "work", TR_NULL, NULL, NULL, on_worked,
               of_stream(client));
    if (byte == 'b') {
        say(self, client, 'B');
        tr_immediate(self, block, NULL);
    }
    if (byte == 'h') {
        tr_send(self, app->workers[0], "hang", TR_NULL);
        say(self, client, 'H');
    }
    if (byte == 'c') {
        orphan_make(self);
        say(self, client, 'C');
    }
}

static void on_data(tr_actor *self, tr_stream client, tr_buf *chunk, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < tr_buf_size(chunk); i++)
        on_request(self, client, ((const char *)tr_buf_data(chunk))[i]);
}

static void app_look(tr_actor *self)
{
    const struct app *app = tr_state(self);
    if (app->stops && app->open == 0 && !app->stuck)
        tr_exit(self, TR_SHUTDOWN);
}

static void on_gone(tr_actor *self, int status, void *arg)
{
    struct app *app = tr_state(self);
    (void)status, (void)arg;
    app->open--;
    app_look(self);
}

static void on_client(tr_actor *self, tr_stream client, void *arg)
{
    static const tr_stream_events events = {.data = on_data};
    struct app *app = tr_state(self);
    (void)arg;
    app->open++;
    tr_stream_on(self, client, &events, NULL);
    tr_finished(self, client, on_gone, NULL);
}

static bool has_word(const tr_val *args, const char *word)
{
    tr_val item;
    tr_str text;
    for (size_t i = 1; tr_at(*args, i, &item) == 0; i++)
        if (tr_as_str(item, &text) == 0 && text.len == strlen(word) &&
            memcmp(text.ptr, word, text.len) == 0)
            return true;
    return false;
}

static int app_listen(tr_actor *self, const tr_val *args)
{
    struct app *app = tr_state(self);
    char address[TR_ADDRESS_MAX];
    tr_val first;
    tr_str text;
    int rc = tr_at(*args, 0, &first);
    if (rc == 0)
        rc = tr_as_str(first, &text);
    if (rc < 0)
        return rc;
    snprintf(address, sizeof address, "%.*s", TR_STR_ARG(text));
    return tr_listen(self, address, NULL, on_client, NULL, &app->server);
}

static int app_start(tr_actor *self, const tr_val *args)
{
    struct app *app = tr_state(self);
    app->stuck = has_word(args, "stuck");
    app->bad_reload = has_word(args, "bad-reload");
    if (has_word(args, "status"))
        tr_status_set(self, 75);
    int rc = tr_service_start(self,
                              TR_SERVICE(.no_reload = has_word(args, "no-reload"), .files = true,
                                         .stop_ms = has_word(args, "late") ? 200 : 0,
                                         .drain_name = has_word(args, "drain") ? "drain" : NULL),
                              &app->service);
    if (rc == 0)
        rc = has_word(args, "fails") ? TR_ETOODEEP : app_listen(self, args);
    for (int i = 0; i < WORKERS && rc == 0; i++)
        rc = tr_spawn(self, &worker,
                      TR_SPAWN(.isolation = TR_PROCESS, .stop_ms = STOP_MS, .term_ms = 20000),
                      &app->workers[i]);
    return rc < 0 ? rc : tr_trap_exit(self, true);
}

static int worker_known(tr_actor *self, const tr_msg *msg)
{
    struct app *app = tr_state(self);
    char address[TR_ADDRESS_MAX];
    int64_t pid = 0;
    int rc = tr_as_int(tr_msg_body(msg), &pid);
    printf("worker %d\n", (int)pid);
    if (rc == 0 && ++app->known == WORKERS) {
        rc = tr_server_address(self, app->server, address);
        printf("ready %s\n", address);
        if (rc == 0)
            rc = tr_send(self, app->service, "ready", TR_V("two\nworkers"));
    }
    fflush(stdout);
    return rc;
}

static int app_stop(tr_actor *self)
{
    struct app *app = tr_state(self);
    app->stops = true;
    tr_server_close(self, app->server);
    app_look(self);
    return 0;
}

static int app_receive(tr_actor *self, const tr_msg *msg)
{
    const struct app *app = tr_state(self);
    if (tr_msg_exit(msg) != NULL)
        return app_stop(self);
    if (tr_msg_is(msg, "pid"))
        return worker_known(self, msg);
    if (tr_msg_is(msg, "reload") && !app->bad_reload)
        return tr_reply(self, msg, TR_NULL);
    if (tr_msg_is(msg, "drain"))
        return puts("drain"), fflush(stdout), tr_reply(self, msg, TR_NULL);
    return TR_EUNKNOWN;
}

static const tr_behavior app = {
    .name = "app", .state_size = sizeof(struct app), .start = app_start, .receive = app_receive};

int main(int argc, char **argv)
{
    if (!tr_is_child())
        prctl(PR_SET_PDEATHSIG, SIGKILL); // whatever becomes of the test
    return tr_main(argc, argv, TR_APP(&app, &worker));
}
