// An echo server and its client, in one program: two actors, a socket between them.
//
//     tcp_echo              both, over a port that is free
//     tcp_echo ADDRESS      the server alone, as at tcp://127.0.0.1:7000 or unix:/tmp/echo
#include <stdio.h>
#include <troupe.h>

// ---- The server writes back whatever it reads ----

static void on_closed(tr_actor *self, int status, void *arg)
{
    (void)self, (void)arg;
    printf("server: a client has gone (%s)\n", status == 0 ? "it ended" : tr_strerror(status));
}

static void on_data(tr_actor *self, tr_stream client, tr_buf *chunk, void *arg)
{
    tr_buf *back = tr_buf_ref(chunk); // the same bytes: nothing is copied
    (void)arg;
    if (tr_stream_write(self, client, &back) == TR_WAIT)
        tr_stream_pause(self, client); // it writes faster than it reads: it has to wait
    tr_buf_unref(&back);
}

static void on_drain(tr_actor *self, tr_stream client, void *arg)
{
    (void)arg;
    tr_stream_resume(self, client);
}

static void on_client(tr_actor *self, tr_stream client, void *arg)
{
    static const tr_stream_events events = {.data = on_data, .drain = on_drain};
    (void)arg;
    tr_stream_on(self, client, &events, NULL);
    tr_finished(self, client, on_closed, NULL);
}

static int serve(tr_actor *self, const char *address, char at[TR_ADDRESS_MAX])
{
    tr_server server;
    int rc = tr_listen(self, address, NULL, on_client, NULL, &server);
    return rc < 0 ? rc : tr_server_address(self, server, at);
}

// ---- The client says something and prints what comes back ----

static void on_answer(tr_actor *self, tr_stream socket, tr_buf *chunk, void *arg)
{
    (void)arg;
    printf("client: %.*s\n", (int)tr_buf_size(chunk), (const char *)tr_buf_data(chunk));
    tr_stream_end(self, socket); // and the server, having sent back all, ends as well
}

static void on_end(tr_actor *self, tr_stream socket, int status, void *arg)
{
    (void)socket, (void)arg;
    tr_exit(self, status);
}

static int client_start(tr_actor *self, const tr_val *args)
{
    static const tr_stream_events events = {.data = on_answer, .closed = on_end};
    char address[TR_ADDRESS_MAX];
    tr_stream socket;
    tr_str at;
    int rc = tr_as_str(*args, &at);
    if (rc < 0)
        return rc;
    snprintf(address, sizeof address, "%.*s", (int)at.len, at.ptr);
    rc = tr_connect(self, address, TR_CONNECT(.timeout_ms = 5000), &socket);
    if (rc == 0)
        rc = tr_stream_on(self, socket, &events, NULL);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, socket, "Hello, echo!", 12); // waits for the connection
    return rc < 0 ? rc : 0;
}

static const tr_behavior client = {.name = "client", .start = client_start};

// ---- The program ----

static int program_start(tr_actor *self, const tr_val *args)
{
    char address[TR_ADDRESS_MAX] = "tcp://127.0.0.1:0";
    tr_addr visitor;
    tr_val first;
    tr_str wanted;
    bool alone = tr_at(*args, 0, &first) == 0 && tr_as_str(first, &wanted) == 0;
    if (alone)
        snprintf(address, sizeof address, "%.*s", (int)wanted.len, wanted.ptr);
    int rc = serve(self, address, address);
    if (rc < 0)
        return rc;
    if (alone)
        return printf("listening at %s\n", address) < 0 ? TR_EIO : 0;
    rc = tr_spawn(self, &client, TR_SPAWN(.args = tr_val_str(address)), &visitor);
    return rc < 0 ? rc : tr_monitor(self, visitor, NULL);
}

static int program_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_is(msg, "down") ? tr_exit(self, TR_NORMAL) : TR_EUNKNOWN;
}

static const tr_behavior program = {
    .name = "program", .start = program_start, .receive = program_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&program, &client));
}
