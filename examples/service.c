// A service as systemd, a container or a terminal expects one: over HTTP it says what a file says.
//
//     service ADDRESS FILE     as in: service tcp://[::]:8080 /etc/motd
//     service fd:NAME FILE     at a socket that systemd has opened
//
// SIGTERM and Ctrl-C stop it: nobody is accepted any more, every request is answered, and it exits
// with 0. SIGHUP has it read the file again. Its units are in docs/guide/services.md.
#include <stdio.h>
#include <troupe.h>

#define DRAIN_MS 10000

struct motd {
    char address[TR_ADDRESS_MAX], path[256];
    tr_addr service;
    tr_http_server server;
    tr_buf *text; // NULL: it has not been read yet
};

static int on_request(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    const struct motd *m = tr_state(self);
    (void)request, (void)arg;
    return tr_http_reply(self, http,
                         TR_HTTP_RESPONSE(.type = "text/plain",
                                          .body = {tr_buf_data(m->text), tr_buf_size(m->text)}));
}

// ---- The file ----

static void keep(struct motd *m, const tr_file_result *result)
{
    tr_buf_unref(&m->text);
    m->text = tr_buf_ref(result->data);
}

// The service is ready when it can do what it is for.
static void on_read(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    struct motd *m = tr_state(self);
    (void)arg;
    if (status < 0)
        tr_status_set(self, 78); // sysexits.h: the configuration is wrong
    else
        keep(m, result);
    if (status == 0)
        status = tr_http_listen(self, m->address, on_request, NULL, NULL, &m->server);
    if (status == 0)
        status = tr_http_address(self, m->server, m->address);
    if (status == 0)
        status = tr_send(self, m->service, "ready", tr_val_str(m->address));
    if (status < 0)
        tr_exit(self, status);
    else
        printf("listening at %s\n", m->address), fflush(stdout);
}

// If it cannot be read again the old text stays, and whoever has asked is told so.
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

static int reload(tr_actor *self, const tr_msg *msg)
{
    const struct motd *m = tr_state(self);
    tr_asker asker;
    int rc = tr_reply_later(self, msg, &asker);
    if (rc == 0)
        rc = tr_file_read_all(self, m->path, NULL, on_read_again, (void *)(uintptr_t)asker.id);
    return rc;
}

// ---- The actor ----

static int motd_start(tr_actor *self, const tr_val *args)
{
    struct motd *m = tr_state(self);
    tr_val item;
    tr_str address, path;
    if (tr_at(*args, 0, &item) < 0 || tr_as_str(item, &address) < 0 || tr_at(*args, 1, &item) < 0 ||
        tr_as_str(item, &path) < 0) {
        fprintf(stderr, "usage: service ADDRESS FILE\n");
        tr_status_set(self, 2);
        return tr_exit(self, TR_NORMAL);
    }
    snprintf(m->address, sizeof m->address, "%.*s", TR_STR_ARG(address));
    snprintf(m->path, sizeof m->path, "%.*s", TR_STR_ARG(path));
    tr_trap_exit(self, true); // to be asked to end, and do it in order
    int rc = tr_service_start(self, TR_SERVICE(.files = true), &m->service);
    return rc < 0 ? rc : tr_file_read_all(self, m->path, NULL, on_read, NULL);
}

static void on_drained(tr_actor *self, int status, void *arg)
{
    (void)status, (void)arg;
    tr_exit(self, TR_SHUTDOWN);
}

static int motd_receive(tr_actor *self, const tr_msg *msg)
{
    struct motd *m = tr_state(self);
    if (tr_msg_is(msg, "reload"))
        return reload(self, msg);
    if (tr_msg_exit(msg) == NULL)
        return TR_EUNKNOWN;
    if (tr_http_drain(self, m->server, DRAIN_MS, on_drained, NULL) < 0)
        tr_exit(self, TR_SHUTDOWN); // it does not serve yet
    return 0;
}

static void motd_stop(tr_actor *self, tr_reason reason)
{
    struct motd *m = tr_state(self);
    (void)reason;
    tr_buf_unref(&m->text);
}

static const tr_behavior motd = {.name = "motd",
                                 .state_size = sizeof(struct motd),
                                 .start = motd_start,
                                 .receive = motd_receive,
                                 .stop = motd_stop};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&motd));
}
