// A reverse proxy: what clients ask, another server answers.
//
//     reverse_proxy UPSTREAM [ADDRESS]
//
// as in `reverse_proxy http://127.0.0.1:8080 tcp://127.0.0.1:8081`. Bodies go through bit by bit in
// both directions, as fast as the slower side takes them; a traceparent is passed on; a client that
// goes takes its request along.
#include <stdio.h>
#include <stdlib.h>
#include <troupe.h>

#define HEADERS_MAX 100

static char upstream[256];
static tr_http_client client;

static void body_done(tr_actor *self, int status, void *arg)
{
    (void)self, (void)status, (void)arg; // either side sees for itself what has become of it
}

// All headers that are not about this connection.
static size_t headers_of(tr_str lines, tr_http_header headers[HEADERS_MAX])
{
    size_t count = 0;
    while (count < HEADERS_MAX && tr_http_header_next(&lines, &headers[count])) {
        if (!tr_http_header_is_hop(headers[count].name))
            count++;
    }
    return count;
}

static void on_answer(tr_actor *self, int error, const tr_http_answer *answer, void *arg)
{
    tr_http_header headers[HEADERS_MAX];
    tr_http http = *(tr_http *)arg;
    tr_stream streams[2];
    free(arg);
    if (error < 0) {
        tr_http_reply(self, http, TR_HTTP_RESPONSE(.status = error == TR_ETIMEDOUT ? 504 : 502));
        return;
    }
    size_t count = headers_of(answer->headers, headers);
    int rc = tr_http_reply_stream(self, http,
                                  TR_HTTP_RESPONSE(.status = answer->status, .headers = headers,
                                                   .header_count = count, .length = answer->length),
                                  &streams[1]);
    streams[0] = answer->stream;
    if (rc < 0) // the client has gone
        tr_stream_destroy(self, answer->stream, 0);
    else if (tr_pipeline(self, streams, 2, NULL, body_done, NULL) < 0)
        tr_stream_destroy(self, streams[1], 0);
}

static int pass_on(tr_actor *self, tr_http http, const tr_http_request *request, tr_http *kept)
{
    char url[16384], method[32];
    tr_http_header headers[HEADERS_MAX];
    tr_stream streams[2];
    bool has_body = request->chunked || request->length > 0;
    size_t count = headers_of(request->headers, headers);
    int n = snprintf(url, sizeof url, "%s%.*s", upstream, TR_STR_ARG(request->target));
    snprintf(method, sizeof method, "%.*s", TR_STR_ARG(request->method));
    if (n < 0 || (size_t)n >= sizeof url)
        return TR_ETOOBIG;
    const tr_http_call *call =
        TR_HTTP_CALL(.url = url, .method = method, .headers = headers, .header_count = count,
                     .length = request->length, .traceparent = request->traceparent);
    int rc = tr_http_send(self, client, call, has_body ? &streams[1] : NULL, on_answer, kept);
    if (rc < 0 || !has_body)
        return rc;
    if (tr_http_body(self, http, &streams[0]) < 0 ||
        tr_pipeline(self, streams, 2, NULL, body_done, NULL) < 0)
        tr_stream_destroy(self, streams[1], 0);
    return 0; // from here on the answer says what has become of it
}

static int on_request(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    tr_http *kept = malloc(sizeof *kept);
    (void)arg;
    if (kept == NULL)
        return TR_ENOMEM;
    *kept = http;
    int rc = pass_on(self, http, request, kept);
    if (rc < 0)
        free(kept);
    return rc;
}

static int argument(const tr_val *args, size_t i, char *text, size_t size)
{
    tr_val item;
    tr_str s;
    int rc = tr_at(*args, i, &item);
    if (rc == 0)
        rc = tr_as_str(item, &s);
    if (rc == 0)
        snprintf(text, size, "%.*s", TR_STR_ARG(s));
    return rc;
}

static int proxy_start(tr_actor *self, const tr_val *args)
{
    char address[TR_ADDRESS_MAX] = "tcp://127.0.0.1:0";
    tr_http_server server;
    if (argument(args, 0, upstream, sizeof upstream) < 0) {
        fprintf(stderr, "usage: reverse_proxy UPSTREAM [ADDRESS]\n");
        return TR_EINVAL;
    }
    argument(args, 1, address, sizeof address);
    int rc = tr_http_client_open(self, NULL, &client);
    if (rc == 0)
        rc = tr_http_listen(self, address, on_request, NULL, NULL, &server);
    if (rc == 0)
        rc = tr_http_address(self, server, address);
    if (rc < 0)
        return rc;
    printf("listening at %s\n", address);
    return fflush(stdout) == 0 ? 0 : TR_EIO;
}

static const tr_behavior proxy = {.name = "proxy", .start = proxy_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&proxy));
}
