// An HTTP server that says hello.
//
//     http_hello              asks itself once, and ends
//     http_hello ADDRESS      serves, as at tcp://127.0.0.1:8080, until it is told to end
#include <stdio.h>
#include <troupe.h>

static int on_request(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)arg;
    if (!tr_str_eq(tr_http_path(request->target), "/"))
        return tr_http_reply(self, http, TR_HTTP_RESPONSE(.status = 404));
    return tr_http_reply(
        self, http, TR_HTTP_RESPONSE(.type = "text/plain", .body = TR_HTTP_TEXT("Hello, HTTP!\n")));
}

static int hello_start(tr_actor *self, const tr_val *args)
{
    char address[TR_ADDRESS_MAX] = "tcp://127.0.0.1:0";
    tr_http_server server;
    tr_val first;
    tr_str wanted;
    if (tr_at(*args, 0, &first) == 0 && tr_as_str(first, &wanted) == 0)
        snprintf(address, sizeof address, "%.*s", (int)wanted.len, wanted.ptr);
    int rc = tr_http_listen(self, address, on_request, NULL, NULL, &server);
    if (rc == 0)
        rc = tr_http_address(self, server, address);
    if (rc < 0)
        return rc;
    printf("listening at %s\n", address);
    return fflush(stdout) == 0 ? 0 : TR_EIO;
}

static const tr_behavior hello = {.name = "hello", .start = hello_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&hello));
}
