// A service as systemd, a container or a terminal expects one: it greets whoever connects with what
// a file says.
//
//     service ADDRESS FILE     as in: service tcp://[::]:7000 /etc/motd
//
// SIGTERM and Ctrl-C stop it: nobody is accepted any more, those who are being greeted are, and it
// exits with 0. SIGHUP has it read the file again. Its unit is in docs/guide/services.md.
#include <stdio.h>
#include <troupe.h>

struct greeter {
    char address[TR_ADDRESS_MAX], path[256];
    tr_addr service;
    tr_server server;
    tr_buf *greeting; // NULL: it has not been read yet
    unsigned guests;
    bool stops;
};

// ---- Its guests ----

static void leave_if_done(tr_actor *self)
{
    const struct greeter *g = tr_state(self);
    if (g->stops && g->guests == 0)
        tr_exit(self, TR_SHUTDOWN);
}

static void on_gone(tr_actor *self, tr_stream guest, int status, void *arg)
{
    struct greeter *g = tr_state(self);
    (void)guest, (void)status, (void)arg;
    g->guests--;
    leave_if_done(self);
}

// The greeting has left. Whoever stays to be greeted again is not waited for.
static void on_greeted(tr_actor *self, tr_stream guest, void *arg)
{
    (void)arg;
    tr_stream_destroy(self, guest, 0);
}

static void on_guest(tr_actor *self, tr_stream guest, void *arg)
{
    static const tr_stream_events events = {.finish = on_greeted, .closed = on_gone};
    struct greeter *g = tr_state(self);
    tr_buf *greeting = tr_buf_ref(g->greeting);
    (void)arg;
    g->guests++;
    tr_stream_on(self, guest, &events, NULL);
    tr_stream_write(self, guest, &greeting);
    tr_stream_end(self, guest);
    tr_buf_unref(&greeting);
}

// ---- The file ----

static void keep(struct greeter *g, const tr_file_result *result)
{
    tr_buf_unref(&g->greeting);
    g->greeting = tr_buf_ref(result->data);
}

// The service is ready when it can do what it is for.
static void on_read(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    struct greeter *g = tr_state(self);
    (void)arg;
    if (status < 0)
        tr_status_set(self, 78); // sysexits.h: the configuration is wrong
    else
        keep(g, result);
    if (status == 0)
        status = tr_listen(self, g->address, NULL, on_guest, NULL, &g->server);
    if (status == 0)
        status = tr_server_address(self, g->server, g->address);
    if (status == 0)
        status = tr_send(self, g->service, "ready", TR_V("greets whoever comes"));
    if (status < 0)
        tr_exit(self, status);
    else
        printf("listening at %s\n", g->address), fflush(stdout);
}

// If it cannot be read again the old greeting stays, and whoever has asked is told so.
static void on_read_again(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    tr_asker asker = {(uintptr_t)arg};
    if (status < 0) {
        tr_reply_error_to(self, asker, status);
        return;
    }
    keep(tr_state(self), result);
    tr_reply_to(self, asker, TR_NULL);
}

// ---- The actor ----

static int greeter_start(tr_actor *self, const tr_val *args)
{
    struct greeter *g = tr_state(self);
    tr_val item;
    tr_str address, path;
    if (tr_at(*args, 0, &item) < 0 || tr_as_str(item, &address) < 0 || tr_at(*args, 1, &item) < 0 ||
        tr_as_str(item, &path) < 0) {
        fprintf(stderr, "usage: service ADDRESS FILE\n");
        tr_status_set(self, 2);
        return tr_exit(self, TR_NORMAL);
    }
    snprintf(g->address, sizeof g->address, "%.*s", TR_STR_ARG(address));
    snprintf(g->path, sizeof g->path, "%.*s", TR_STR_ARG(path));
    tr_trap_exit(self, true); // to be asked to end, and do it in order
    int rc = tr_service_start(self, TR_SERVICE(.stop_ms = 10000, .files = true), &g->service);
    return rc < 0 ? rc : tr_file_read_all(self, g->path, NULL, on_read, NULL);
}

static int greeter_receive(tr_actor *self, const tr_msg *msg)
{
    struct greeter *g = tr_state(self);
    tr_asker asker;
    if (tr_msg_exit(msg) != NULL) {
        g->stops = true;
        tr_server_close(self, g->server);
        leave_if_done(self);
        return 0;
    }
    if (!tr_msg_is(msg, "reload"))
        return TR_EUNKNOWN;
    int rc = tr_reply_later(self, msg, &asker);
    return rc < 0
               ? rc
               : tr_file_read_all(self, g->path, NULL, on_read_again, (void *)(uintptr_t)asker.id);
}

static void greeter_stop(tr_actor *self, tr_reason reason)
{
    struct greeter *g = tr_state(self);
    (void)reason;
    tr_buf_unref(&g->greeting);
}

static const tr_behavior greeter = {.name = "greeter",
                                    .state_size = sizeof(struct greeter),
                                    .start = greeter_start,
                                    .receive = greeter_receive,
                                    .stop = greeter_stop};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&greeter));
}
