// A server that takes files, and tells how far each is.
//
//     upload DIRECTORY [ADDRESS]
//
// `curl -T file http://127.0.0.1:8080/name` puts a file there, `curl http://127.0.0.1:8080/name`
// gets it. What is being uploaded goes from the socket into the file chunk by chunk, no faster than
// the disk takes it; a transform of our own between the two counts.
#include <stdio.h>
#include <stdlib.h>
#include <troupe.h>

static char directory[512];

struct upload {
    tr_http http;
    char name[64];
    uint64_t size, got; // size: 0: not known
    unsigned quarters;  // that were told
};

// ---- Counting ----

static int meter_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    struct upload *u = *(struct upload **)state;
    tr_buf *same = tr_buf_ref(chunk);
    u->got += tr_buf_size(chunk);
    while (u->size > 0 && u->quarters < 4 && u->got >= u->size / 4 * (u->quarters + 1))
        printf("%s: %u %% of %llu bytes\n", u->name, 25 * ++u->quarters,
               (unsigned long long)u->size);
    int rc = tr_stream_push(self, stream, &same);
    tr_buf_unref(&same);
    return rc < 0 ? rc : 0;
}

static const tr_stream_ops meter = {
    .name = "meter", .state_size = sizeof(struct upload *), .transform = meter_transform};

// ---- Taking ----

static void upload_done(tr_actor *self, int status, void *arg)
{
    struct upload *u = arg;
    if (status < 0)
        printf("%s: failed after %llu bytes: %s\n", u->name, (unsigned long long)u->got,
               tr_strerror(status));
    else
        printf("%s: stored %llu bytes\n", u->name, (unsigned long long)u->got);
    fflush(stdout);
    tr_http_reply(self, u->http,
                  TR_HTTP_RESPONSE(.status = status < 0 ? 500 : 201)); // if it is there
    free(u);
}

static int upload_begin(tr_actor *self, struct upload *u)
{
    char path[1024];
    tr_stream streams[3];
    snprintf(path, sizeof path, "%s/%s", directory, u->name);
    int rc = tr_http_body(self, u->http, &streams[0]);
    if (rc == 0)
        rc = tr_stream_new(self, &meter, NULL, &streams[1]);
    if (rc == 0)
        rc = tr_file_writer(self, path, NULL, &streams[2]);
    if (rc < 0)
        return rc;
    *(struct upload **)tr_stream_state(self, streams[1], &meter) = u;
    return tr_pipeline(self, streams, 3, NULL, upload_done, u);
}

// A name without anything that means something to a file system.
static bool name_of(tr_str path, char name[64])
{
    if (path.len < 2 || path.len > 63 || path.ptr[1] == '.')
        return false;
    snprintf(name, 64, "%.*s", (int)path.len - 1, path.ptr + 1);
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
           path.len - 1;
}

static int on_request(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    struct upload *u;
    (void)arg;
    if (!tr_str_eq(request->method, "PUT"))
        return tr_http_reply_below(self, http, NULL, directory);
    u = calloc(1, sizeof *u);
    if (u == NULL)
        return TR_ENOMEM;
    u->http = http;
    u->size = request->length;
    if (!name_of(tr_http_path(request->target), u->name)) {
        free(u);
        return tr_http_reply(self, http, TR_HTTP_RESPONSE(.status = 400));
    }
    int rc = upload_begin(self, u);
    if (rc < 0)
        free(u);
    return rc;
}

// ---- The program ----

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

static int upload_start(tr_actor *self, const tr_val *args)
{
    char address[TR_ADDRESS_MAX] = "tcp://127.0.0.1:0";
    tr_http_server server;
    if (argument(args, 0, directory, sizeof directory) < 0) {
        fprintf(stderr, "usage: upload DIRECTORY [ADDRESS]\n");
        return TR_EINVAL;
    }
    argument(args, 1, address, sizeof address);
    int rc = tr_http_listen(self, address, on_request, NULL, NULL, &server);
    if (rc == 0)
        rc = tr_http_address(self, server, address);
    if (rc < 0)
        return rc;
    printf("listening at %s\n", address);
    return fflush(stdout) == 0 ? 0 : TR_EIO;
}

static const tr_behavior upload = {.name = "upload", .start = upload_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&upload));
}
