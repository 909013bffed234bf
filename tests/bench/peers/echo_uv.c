// An echo server on bare libuv, as bench_echo.c: reads into one buffer, writes at once with
// uv_try_write, and copies only what finds no room, which stops the reading until it has left.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "../bench.h"

#define BUFFER_BYTES 65536

static char buffer[BUFFER_BYTES];

typedef union socket {
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
} socket_any;

struct pending {
    uv_write_t request;
    char bytes[];
};

static void read_start(uv_stream_t *stream);

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

static void on_written(uv_write_t *request, int status)
{
    uv_stream_t *stream = request->handle;
    free(request);
    if (status == 0)
        read_start(stream);
}

static void write_rest(uv_stream_t *stream, const char *bytes, size_t size)
{
    struct pending *pending = malloc(sizeof *pending + size);
    bench_must(pending != NULL);
    memcpy(pending->bytes, bytes, size);
    uv_buf_t rest = uv_buf_init(pending->bytes, (unsigned)size);
    uv_read_stop(stream);
    bench_must(uv_write(&pending->request, stream, &rest, 1, on_written) == 0);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    if (size < 0) {
        uv_close((uv_handle_t *)stream, on_close);
        return;
    }
    uv_buf_t back = uv_buf_init(read->base, (unsigned)size);
    int n = uv_try_write(stream, &back, 1);
    if (n == UV_EAGAIN)
        n = 0;
    bench_must(n >= 0);
    if (n < size)
        write_rest(stream, read->base + n, (size_t)(size - n));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)handle, (void)suggested;
    *ret_buffer = uv_buf_init(buffer, sizeof buffer);
}

static void read_start(uv_stream_t *stream)
{
    uv_read_start(stream, on_alloc, on_read);
}

static socket_any *socket_new(uv_handle_type type)
{
    socket_any *s = malloc(sizeof *s);
    bench_must(s != NULL);
    if (type == UV_TCP)
        uv_tcp_init(uv_default_loop(), &s->tcp);
    else
        uv_pipe_init(uv_default_loop(), &s->pipe, 0);
    return s;
}

static void on_client(uv_stream_t *server, int status)
{
    bench_must(status == 0);
    socket_any *client = socket_new(server->type);
    bench_must(uv_accept(server, &client->stream) == 0);
    if (server->type == UV_TCP)
        uv_tcp_nodelay(&client->tcp, 1);
    read_start(&client->stream);
}

static void listen_tcp(socket_any *server)
{
    struct sockaddr_in address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    bench_must(uv_tcp_bind(&server->tcp, (struct sockaddr *)&address, 0) == 0);
    bench_must(uv_listen(&server->stream, 511, on_client) == 0);
    uv_tcp_getsockname(&server->tcp, (struct sockaddr *)&address, &(int){sizeof address});
    printf("tcp://127.0.0.1:%d\n", ntohs(address.sin_port));
}

static void listen_unix(socket_any *server, const char *path)
{
    bench_must(uv_pipe_bind(&server->pipe, path) == 0);
    bench_must(uv_listen(&server->stream, 511, on_client) == 0);
    printf("unix:%s\n", path);
}

int main(int argc, char **argv)
{
    bench_must(argc == 2);
    bool local = strncmp(argv[1], "unix:", 5) == 0;
    socket_any *server = socket_new(local ? UV_NAMED_PIPE : UV_TCP);
    if (local)
        listen_unix(server, argv[1] + 5);
    else
        listen_tcp(server);
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
