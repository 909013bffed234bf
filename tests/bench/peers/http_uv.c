// An HTTP server on bare libuv, the limit: finds the empty line that ends each request, looks at
// nothing else but whether the connection is to be closed, and answers with bytes that are ready;
// other targets than / are answered with a file that it holds in memory. `http_uv ADDRESS FILE
// [WORKER]`: several share the port, each of its own.
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "../bench.h"

#define BUFFER_BYTES 65536

static char buffer[BUFFER_BYTES], hello[512], hello_last[512], *file;
static size_t hello_bytes, hello_last_bytes, file_bytes;

struct client {
    uv_tcp_t tcp;
    size_t held; // bytes of a request that has come in part
    char head[2048];
};

struct pending {
    uv_write_t request;
    bool last;
};

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

static void client_close(struct client *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, on_close);
}

static void on_written(uv_write_t *request, int status)
{
    struct pending *p = (struct pending *)request;
    if (p->last || status < 0)
        client_close((struct client *)request->handle);
    free(p);
}

// Bytes that live for ever.
static void client_say(struct client *c, char *bytes, size_t size, bool last)
{
    uv_buf_t all = uv_buf_init(bytes, (unsigned)size);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &all, 1);
    n = n < 0 ? 0 : n;
    if ((size_t)n == size) {
        if (last)
            client_close(c);
        return;
    }
    struct pending *p = malloc(sizeof *p);
    bench_must(p != NULL);
    p->last = last;
    all = uv_buf_init(bytes + n, (unsigned)(size - (size_t)n));
    bench_must(uv_write(&p->request, (uv_stream_t *)&c->tcp, &all, 1, on_written) == 0);
}

static void client_answer(struct client *c, const char *head, size_t size)
{
    bool last = memmem(head, size, "onnection: close", 16) != NULL;
    if (size > 5 && memcmp(head, "GET / ", 6) != 0)
        client_say(c, file, file_bytes, false);
    else if (last)
        client_say(c, hello_last, hello_last_bytes, true);
    else
        client_say(c, hello, hello_bytes, false);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *read)
{
    struct client *c = (struct client *)stream;
    if (size < 0) {
        client_close(c);
        return;
    }
    const char *at = read->base, *end = at + size;
    if (c->held > 0) {
        bench_must(c->held + (size_t)size <= sizeof c->head);
        memcpy(c->head + c->held, at, (size_t)size);
        at = c->head;
        end = at + c->held + (size_t)size;
        c->held = 0;
    }
    for (const char *stop; (stop = memmem(at, (size_t)(end - at), "\r\n\r\n", 4)) != NULL;
         at = stop + 4)
        client_answer(c, at, (size_t)(stop + 4 - at));
    bench_must((size_t)(end - at) <= sizeof c->head);
    memmove(c->head, at, (size_t)(end - at));
    c->held = (size_t)(end - at);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)handle, (void)suggested;
    *ret_buffer = uv_buf_init(buffer, sizeof buffer);
}

static void on_client(uv_stream_t *server, int status)
{
    struct client *c = calloc(1, sizeof *c);
    bench_must(status == 0 && c != NULL);
    uv_tcp_init(server->loop, &c->tcp);
    bench_must(uv_accept(server, (uv_stream_t *)&c->tcp) == 0);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static size_t print_answer(char *text, size_t size, const char *connection)
{
    char body[64];
    int n = snprintf(body, sizeof body, "Handled by %d\n", (int)getpid());
    return (size_t)snprintf(text, size,
                            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
                            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: %s\r\n\r\n%s",
                            n, connection, body);
}

static void load_file(const char *path)
{
    FILE *from = fopen(path, "rb");
    bench_must(from != NULL && fseek(from, 0, SEEK_END) == 0);
    size_t size = (size_t)ftell(from);
    rewind(from);
    file = malloc(size + 256);
    bench_must(file != NULL);
    int n = snprintf(file, 256, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    bench_must(fread(file + n, 1, size, from) == size);
    file_bytes = (size_t)n + size;
    fclose(from);
}

// address: tcp://127.0.0.1:PORT
static void serve(uv_tcp_t *server, const char *address)
{
    struct sockaddr_in in;
    int fd, yes = 1;
    bench_must(uv_tcp_init_ex(uv_default_loop(), server, AF_INET) == 0);
    bench_must(uv_fileno((uv_handle_t *)server, &fd) == 0);
    bench_must(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof yes) == 0);
    uv_ip4_addr("127.0.0.1", atoi(strrchr(address, ':') + 1), &in);
    bench_must(uv_tcp_bind(server, (struct sockaddr *)&in, 0) == 0);
    bench_must(uv_listen((uv_stream_t *)server, 511, on_client) == 0);
    uv_tcp_getsockname(server, (struct sockaddr *)&in, &(int){sizeof in});
    printf("tcp://127.0.0.1:%d\n", ntohs(in.sin_port));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    uv_tcp_t server;
    bench_must(argc == 3);
    signal(SIGPIPE, SIG_IGN); // clients go when they have enough
    load_file(argv[2]);
    hello_bytes = print_answer(hello, sizeof hello, "keep-alive");
    hello_last_bytes = print_answer(hello_last, sizeof hello_last, "close");
    serve(&server, argv[1]);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
