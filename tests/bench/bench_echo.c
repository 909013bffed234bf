// An echo server: `bench_echo tcp://127.0.0.1:0` prints where it listens and writes back whatever
// it reads, until it is ended. peers/echo_load.c drives it, and those of the peers.
#include <stdio.h>
#include <troupe.h>

static void on_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    tr_buf *back = tr_buf_ref(chunk);
    (void)arg;
    if (tr_stream_write(self, stream, &back) == TR_WAIT)
        tr_stream_pause(self, stream);
    tr_buf_unref(&back);
}

static void on_drain(tr_actor *self, tr_stream stream, void *arg)
{
    (void)arg;
    tr_stream_resume(self, stream);
}

static void on_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    (void)self, (void)stream, (void)status, (void)arg; // a client that goes is no error here
}

static void on_client(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events events = {
        .data = on_data, .drain = on_drain, .closed = on_closed};
    (void)arg;
    tr_stream_on(self, stream, &events, NULL);
}

static int server_start(tr_actor *self, const tr_val *args)
{
    char address[TR_ADDRESS_MAX];
    tr_server server;
    tr_val first;
    tr_str where;
    int rc = tr_at(*args, 0, &first);
    if (rc == 0)
        rc = tr_as_str(first, &where);
    if (rc == 0) {
        snprintf(address, sizeof address, "%.*s", (int)where.len, where.ptr);
        rc = tr_listen(self, address, NULL, on_client, NULL, &server);
    }
    if (rc == 0)
        rc = tr_server_address(self, server, address);
    if (rc < 0)
        return rc;
    puts(address);
    fflush(stdout);
    return 0;
}

static const tr_behavior server = {.name = "server", .start = server_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&server));
}
