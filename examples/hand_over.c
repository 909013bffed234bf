// Connections that are accepted here and served by another process. The first worker is killed
// before it gets to its client; the client does not notice.
#include <signal.h>
#include <stdio.h>
#include <troupe.h>

// ---- A worker serves what it is given ----

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle = NULL;
    tr_stream client;
    if (tr_msg_is(msg, "die"))
        raise(SIGKILL);
    int rc = tr_msg_take_handle(self, msg, 0, &handle); // from here on it is this process's
    if (rc == 0)
        rc = tr_stream_attach(self, &handle, NULL, &client);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, client, "Hello from another process!", 27);
    tr_handle_close(&handle);
    return rc < 0 ? rc : tr_stream_end(self, client);
}

static const tr_behavior worker = {.name = "worker", .receive = worker_receive};

// ---- The server hands connections on ----

static tr_addr workers[2];

static int hand_over(tr_actor *self, tr_handle **handle, tr_addr to)
{
    tr_msg *msg = NULL;
    int rc = tr_msg_new("client", TR_NULL, &msg);
    if (rc == 0)
        rc = tr_msg_attach_handle(msg, handle);
    if (rc == 0)
        rc = tr_send_msg(self, to, &msg);
    tr_msg_free(&msg); // with the handle, if it is still there
    return rc;
}

static void on_client(tr_actor *self, tr_stream client, void *arg)
{
    tr_handle *handle = NULL;
    (void)arg;
    int rc = tr_stream_detach(self, client, &handle);
    if (rc == 0)
        rc = tr_send(self, workers[0], "die", TR_NULL);
    if (rc == 0)
        rc = hand_over(self, &handle, workers[0]);
    tr_handle_close(&handle);
    if (rc < 0)
        tr_exit(self, rc);
}

// Nobody has taken it: the next one gets it.
static int on_returned(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle = NULL;
    printf("server: a client came back (%s)\n", tr_strerror(tr_msg_returned(msg)->why));
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        rc = hand_over(self, &handle, workers[1]);
    tr_handle_close(&handle);
    return rc;
}

// ---- A client of it, in the same program ----

static void on_answer(tr_actor *self, tr_stream socket, tr_buf *chunk, void *arg)
{
    (void)self, (void)socket, (void)arg;
    printf("client: %.*s\n", (int)tr_buf_size(chunk), (const char *)tr_buf_data(chunk));
}

static void on_closed(tr_actor *self, tr_stream socket, int status, void *arg)
{
    (void)socket, (void)arg;
    tr_exit(self, status);
}

static int server_start(tr_actor *self, const tr_val *args)
{
    static const tr_stream_events events = {.data = on_answer, .closed = on_closed};
    char address[TR_ADDRESS_MAX];
    tr_server server;
    tr_stream socket;
    int rc = 0;
    (void)args;
    for (int i = 0; rc == 0 && i < 2; i++)
        rc = tr_spawn(self, &worker, TR_SPAWN(.isolation = TR_PROCESS), &workers[i]);
    if (rc == 0)
        rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, on_client, NULL, &server);
    if (rc == 0)
        rc = tr_server_address(self, server, address);
    if (rc == 0)
        rc = tr_connect(self, address, NULL, &socket);
    return rc < 0 ? rc : tr_stream_on(self, socket, &events, NULL);
}

static int server_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_returned(msg) != NULL ? on_returned(self, msg) : TR_EUNKNOWN;
}

static const tr_behavior server = {
    .name = "server", .start = server_start, .receive = server_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&server, &worker));
}
