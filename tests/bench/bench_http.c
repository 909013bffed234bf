// An HTTP server: `bench_http ADDRESS DIRECTORY` prints where it listens, says hello at / and
// serves the files of the directory, until it is ended. Several of them may share a port.
#include <stdio.h>
#include <stdlib.h>
#include <troupe.h>
#include <unistd.h>

static char directory[512], hello[64];

static int on_request(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)arg;
    if (request->target.len > 1)
        return tr_http_reply_below(self, http, NULL, directory);
    return tr_http_reply(self, http,
                         TR_HTTP_RESPONSE(.type = "text/plain", .body = {hello, strlen(hello)}));
}

static int text_at(tr_val list, size_t i, char *text, size_t size)
{
    tr_val item;
    tr_str s;
    int rc = tr_at(list, i, &item);
    if (rc == 0)
        rc = tr_as_str(item, &s);
    if (rc == 0)
        snprintf(text, size, "%.*s", TR_STR_ARG(s));
    return rc;
}

static int server_start(tr_actor *self, const tr_val *args)
{
    char address[TR_ADDRESS_MAX];
    tr_http_server server;
    int rc = text_at(*args, 0, address, sizeof address);
    if (rc == 0)
        rc = text_at(*args, 1, directory, sizeof directory);
    snprintf(hello, sizeof hello, "Handled by %d\n", (int)getpid());
    if (rc == 0)
        rc = tr_http_listen(self, address, on_request, NULL,
                            TR_HTTP(.listen = TR_LISTEN(.reuse_port = true)), &server);
    if (rc == 0)
        rc = tr_http_address(self, server, address);
    if (rc < 0)
        return rc;
    puts(address);
    return fflush(stdout) == 0 ? 0 : TR_EIO;
}

static const tr_behavior server = {.name = "server", .start = server_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&server));
}
