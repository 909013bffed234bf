// Files as responses: what the client has of them already, a part of them, or all, moved into the
// socket by the kernel.
//
// A file is opened first, which a thread does; then the response is known, and is of this file
// whatever takes its name before the response's turn has come. What is between is the state of a
// stream that nobody reads: it ends with the actor, and the callbacks of the calls find it by its
// id.
#include <errno.h>
#include <stdio.h>

#include "http_inside.h"

enum { PATH_BYTES = 4096, TAG_BYTES = 48, HEADERS = 16 };

typedef struct job {
    tr_http http;
    tr_str path; // in memory, with its NUL; of what the request has named
    tr_buf *memory;
    bool may_be_directory;
    tr_file file;              // {0}: it is not open, or is being read
    tr_http_response response; // with its headers, which lie in memory as well
    uint64_t start, end;       // of the bytes
    uint64_t before;           // bytes that the socket has taken before them
} job;

static const tr_stream_ops job_ops;

_Static_assert(sizeof(void *) >= sizeof(uint64_t), "a stream's id is handed on as a pointer");

static void *as_arg(tr_stream stream)
{
    return (void *)(uintptr_t)stream.id;
}

static tr_stream of_arg(void *arg)
{
    return (tr_stream){(uintptr_t)arg};
}

// ---- Types ----

static const char *type_of(tr_str path)
{
    static const struct {
        const char *end, *type;
    } known[] = {
        {".html", "text/html; charset=utf-8"},
        {".htm", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/markdown; charset=utf-8"},
        {".csv", "text/csv; charset=utf-8"},
        {".xml", "application/xml"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".avif", "image/avif"},
        {".ico", "image/x-icon"},
        {".woff", "font/woff"},
        {".woff2", "font/woff2"},
        {".wasm", "application/wasm"},
        {".pdf", "application/pdf"},
        {".zip", "application/zip"},
        {".gz", "application/gzip"},
        {".mp3", "audio/mpeg"},
        {".mp4", "video/mp4"},
        {".webm", "video/webm"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t len = strlen(known[i].end);
        if (path.len > len &&
            tr__http_name_is((tr_str){path.ptr + path.len - len, len}, known[i].end))
            return known[i].type;
    }
    return "application/octet-stream";
}

// ---- Ranges ----

typedef enum { RANGE_ALL, RANGE_PART, RANGE_NONE } range;

static bool number_take(tr_str *s, uint64_t *ret_number)
{
    size_t n = 0;
    *ret_number = 0;
    for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++) {
        if (*ret_number > UINT64_MAX / 10 - 1)
            return false;
        *ret_number = *ret_number * 10 + (uint64_t)(s->ptr[n] - '0');
    }
    s->ptr += n;
    s->len -= n;
    return n > 0;
}

// One range of bytes of so many. What is no such thing, as several of them, is all: so it is
// allowed.
static range range_parse(tr_str value, uint64_t size, uint64_t *ret_start, uint64_t *ret_end)
{
    uint64_t first, last;
    if (value.len < 7 || memcmp(value.ptr, "bytes=", 6) != 0)
        return RANGE_ALL;
    tr_str rest = {value.ptr + 6, value.len - 6};
    bool from = number_take(&rest, &first);
    if (rest.len == 0 || *rest.ptr != '-')
        return RANGE_ALL;
    rest.ptr++, rest.len--;
    bool to = number_take(&rest, &last);
    if (rest.len > 0 || (!from && !to) || (from && to && last < first))
        return RANGE_ALL;
    if (from ? first >= size : last == 0 || size == 0)
        return RANGE_NONE;
    *ret_start = from ? first : last < size ? size - last : 0;
    *ret_end = from && to && last < size - 1 ? last + 1 : size;
    return RANGE_PART;
}

// ---- What the client has already ----

// One of a list of tags, as strong or weak ones.
static bool tags_have(tr_str list, const char *tag)
{
    size_t len = strlen(tag);
    if (tr_str_eq(list, "*"))
        return true;
    for (size_t i = 0; i + len <= list.len; i++) {
        if (memcmp(list.ptr + i, tag, len) == 0)
            return true;
    }
    return false;
}

static bool client_has_it(const tr_http_request *r, const char *tag, int64_t written)
{
    tr_str value;
    int64_t since;
    if (tr_http_header_get(r->headers, "if-none-match", &value))
        return tags_have(value, tag);
    return tr_http_header_get(r->headers, "if-modified-since", &value) &&
           tr__http_date_parse(value, &since) && written <= since;
}

// A part is wanted only of the file that the client knows.
static bool range_is_of_this(const tr_http_request *r, const char *tag, int64_t written)
{
    tr_str value;
    int64_t when;
    if (!tr_http_header_get(r->headers, "if-range", &value))
        return true;
    return tr_str_eq(value, tag) || (tr__http_date_parse(value, &when) && when == written);
}

// ---- Answering ----

static void job_end(tr_actor *self, tr_stream stream)
{
    tr_stream_destroy(self, stream, 0);
}

// What is known of a file, as headers.
typedef struct facts {
    char tag[TAG_BYTES], written[TR__HTTP_DATE_BYTES], range[80];
    tr_http_header headers[HEADERS + 4];
    size_t count;
} facts;

static void facts_add(facts *f, const char *name, tr_str value)
{
    f->headers[f->count++] = (tr_http_header){tr_str_of(name), value};
}

static void facts_of(facts *f, const tr_file_info *info, const tr_http_response *given)
{
    f->count = given->header_count;
    for (size_t i = 0; i < f->count; i++)
        f->headers[i] = given->headers[i];
    snprintf(f->tag, sizeof f->tag, "\"%llx-%llx\"", (unsigned long long)info->written_ns,
             (unsigned long long)info->bytes);
    tr__http_date_print(info->written_ns / 1000000000, f->written);
    facts_add(f, "ETag", tr_str_of(f->tag));
    facts_add(f, "Last-Modified", (tr_str){f->written, sizeof f->written});
    facts_add(f, "Accept-Ranges", tr_str_of("bytes"));
}

static void facts_add_range(facts *f, const job *j, uint64_t size, bool none)
{
    if (none)
        snprintf(f->range, sizeof f->range, "bytes */%llu", (unsigned long long)size);
    else
        snprintf(f->range, sizeof f->range, "bytes %llu-%llu/%llu", (unsigned long long)j->start,
                 (unsigned long long)j->end - 1, (unsigned long long)size);
    facts_add(f, "Content-Range", tr_str_of(f->range));
}

static void file_answer_all(tr_actor *self, tr_stream stream, job *j, const tr_http_response *r)
{
    tr__http_exchange *x = tr__http_exchange_of(self, j->http);
    int rc =
        tr__http_reply_head(x, r, TR__HTTP_SIZED, j->end - j->start, (tr_bytes){NULL, 0}, true);
    if (rc < 0) {
        tr__http_refuse(x, 500);
        job_end(self, stream);
        return;
    }
    x->answer = TR__HTTP_FILES;
    x->writer = stream;
    if (x->conn->first == x)
        tr__http_files_turn(x);
    else
        tr__http_conn_resume(x->conn);
}

static void file_answer(tr_actor *self, tr_stream stream, job *j, const tr_file_info *info)
{
    const tr__http_exchange *x = tr__http_exchange_of(self, j->http);
    const tr_http_request *request = &x->request;
    tr_http_response r = j->response;
    facts f;
    tr_str wanted;
    int64_t written = info->written_ns / 1000000000;
    range part = RANGE_ALL;
    facts_of(&f, info, &j->response);
    j->start = 0;
    j->end = info->bytes;
    if (tr_http_header_get(request->headers, "range", &wanted) && r.status == 200 &&
        range_is_of_this(request, f.tag, written))
        part = range_parse(wanted, info->bytes, &j->start, &j->end);
    if (r.status == 200 && client_has_it(request, f.tag, written))
        r.status = 304;
    else if (part != RANGE_ALL)
        r.status = part == RANGE_PART ? 206 : 416;
    if (r.status == 206 || r.status == 416)
        facts_add_range(&f, j, info->bytes, r.status == 416);
    r.headers = f.headers;
    r.header_count = f.count;
    if (r.type == NULL)
        r.type = type_of(j->path);
    if (r.status == 304 || r.status == 416)
        r.type = NULL;
    if (r.status == 304 || r.status == 416 || j->start == j->end) {
        tr_http_reply(self, j->http, &r);
        job_end(self, stream);
    } else {
        file_answer_all(self, stream, j, &r);
    }
}

static int status_of(int error)
{
    switch (error) {
    case TR_EACCES:
        return 403;
    case -EMFILE:
    case -ENFILE:
        return 503;
    case TR_EIO:
    case TR_ENOMEM:
    case TR_EFULL:
        return 500;
    default:
        return 404;
    }
}

static void answer_status(tr_actor *self, const job *j, int status)
{
    tr_http_reply(
        self, j->http,
        TR_HTTP_RESPONSE(.status = status, .type = "text/plain",
                         .body = {tr__http_reason(status), strlen(tr__http_reason(status))}));
}

// A directory is named with a slash at the end, so that what it links to is found: the client is
// told.
static void answer_moved(tr_actor *self, const job *j)
{
    char to[PATH_BYTES];
    const tr_http_request *r = tr_http_request_of(self, j->http);
    tr_str path = tr_http_path(r->target), query = tr_http_query(r->target);
    int n = snprintf(to, sizeof to, "%.*s/%s%.*s", TR_STR_ARG(path), query.len > 0 ? "?" : "",
                     TR_STR_ARG(query));
    const tr_http_header location = {{"Location", 8}, {to, (size_t)n}};
    bool local = path.len > 0 && path.ptr[0] == '/' && (path.len < 2 || path.ptr[1] != '/');
    if (n < 0 || (size_t)n >= sizeof to || !local)
        answer_status(self, j, 404);
    else
        tr_http_reply(self, j->http,
                      TR_HTTP_RESPONSE(.status = 301, .headers = &location, .header_count = 1));
}

static void job_opened(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    tr_stream stream = of_arg(arg);
    job *j = tr_stream_state(self, stream, &job_ops);
    const tr__http_exchange *x = j != NULL ? tr__http_exchange_of(self, j->http) : NULL;
    if (j == NULL) {
        tr_file_close(self, result->file, NULL, NULL);
        return;
    }
    j->file = result->file;
    if (x != NULL && x->answer == TR__HTTP_WAITS) {
        if (status == 0 && result->info.type == TR_FILE_REGULAR) {
            file_answer(self, stream, j, &result->info);
            return;
        }
        if (status == -EISDIR && j->may_be_directory)
            answer_moved(self, j);
        else
            answer_status(self, j, status < 0 ? status_of(status) : 404);
    }
    job_end(self, stream);
}

// ---- Its turn ----

static uint64_t socket_taken(const tr__http_conn *c)
{
    tr_stream_info info = {0};
    tr_stream_info_get(c->server->self, c->socket, &info);
    return info.write_total + info.write_bytes;
}

// A file that has been cut short has not given all that the head has said.
static void job_sent(tr_actor *self, int status, void *arg)
{
    tr_stream stream = of_arg(arg);
    const job *j = tr_stream_state(self, stream, &job_ops);
    tr__http_exchange *x = j != NULL ? tr__http_exchange_of(self, j->http) : NULL;
    if (x != NULL && status == 0 && socket_taken(x->conn) - j->before != j->end - j->start)
        status = -ENODATA;
    if (x != NULL && status < 0) {
        tr__http_conn_fail(x->conn, status);
    } else if (x != NULL) {
        x->writer = (tr_stream){0};
        tr__http_conn_sent(x->conn);
    }
    if (j != NULL)
        job_end(self, stream);
}

static int files_start(tr__http_exchange *x, job *j)
{
    tr_actor *self = x->conn->server->self;
    tr_stream streams[2] = {{0}, x->conn->socket};
    int rc = tr_file_reader_on(self, &j->file, TR_FILE_READ(.start = j->start, .end = j->end),
                               &streams[0]);
    if (rc < 0)
        return rc;
    j->before = socket_taken(x->conn);
    rc = tr_pipeline(self, streams, 2, TR_PIPELINE(.keep_last = true), job_sent, as_arg(x->writer));
    if (rc < 0)
        tr_stream_destroy(self, streams[0], 0);
    return rc;
}

void tr__http_files_turn(tr__http_exchange *x)
{
    tr_actor *self = x->conn->server->self;
    job *j = tr_stream_state(self, x->writer, &job_ops);
    tr_stream stream = x->writer;
    tr__http_reply_held(x);
    int rc = 0;
    if (x->head_only) {
        x->writer = (tr_stream){0};
        tr__http_conn_sent(x->conn);
        job_end(self, stream);
    } else if (j == NULL || (rc = files_start(x, j)) < 0) {
        tr__http_conn_fail(x->conn, rc < 0 ? rc : TR_ECANCELED);
    }
}

// ---- Beginning ----

static int job_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    job *j = state;
    (void)stream, (void)error;
    tr_file_close(self, j->file, NULL, NULL); // no-op on none, and of an actor that has ended
    tr_buf_unref(&j->memory);
    return 0;
}

static int job_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    (void)self, (void)stream, (void)state, (void)want;
    return 0; // nobody reads it
}

static const tr_stream_ops job_ops = {
    .name = "http file", .state_size = sizeof(job), .read = job_read, .destroy = job_destroy};

// All that the response points to, and the path, in one piece.
typedef struct kept {
    tr_http_header headers[HEADERS];
    char text[];
} kept;

static tr_str keep(char **at, tr_str text)
{
    tr_str copy = {*at, text.len};
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    (*at)[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

static int job_keep(job *j, tr_str path, const tr_http_response *r)
{
    size_t size = sizeof(kept) + path.len + 1 + (r->type != NULL ? strlen(r->type) + 1 : 0);
    for (size_t i = 0; i < r->header_count; i++)
        size += r->headers[i].name.len + r->headers[i].value.len + 2;
    int rc = tr_buf_new(size, &j->memory);
    if (rc < 0)
        return rc;
    kept *k = tr_buf_data(j->memory);
    char *at = k->text;
    j->path = keep(&at, path);
    j->response = *r;
    j->response.headers = k->headers;
    if (r->type != NULL)
        j->response.type = keep(&at, tr_str_of(r->type)).ptr;
    for (size_t i = 0; i < r->header_count; i++)
        k->headers[i] =
            (tr_http_header){keep(&at, r->headers[i].name), keep(&at, r->headers[i].value)};
    return 0;
}

static int job_start(tr_actor *self, tr_http http, tr_str path, bool may_be_directory,
                     const tr_http_response *r)
{
    tr_stream stream;
    int rc = tr_stream_new(self, &job_ops, NULL, &stream);
    if (rc < 0)
        return rc;
    job *j = tr_stream_state(self, stream, &job_ops);
    rc = job_keep(j, path, r);
    if (rc == 0) {
        j->http = http;
        j->may_be_directory = may_be_directory;
        rc = tr_file_open(self, j->path.ptr, NULL, job_opened, as_arg(stream));
    }
    if (rc < 0)
        job_end(self, stream);
    return rc;
}

static int reply_check(tr_actor *self, tr_http http, const tr_http_response *given,
                       tr_http_response *r, const tr_http_request **ret_request)
{
    const tr__http_exchange *x = tr__http_exchange_of(self, http);
    if (x == NULL || x->answer != TR__HTTP_WAITS)
        return x == NULL ? TR_ENOENT : TR_EPIPE;
    *ret_request = &x->request;
    int rc = tr__http_response_copy(given, r);
    r->size = sizeof *r;
    bool good = r->status >= 200 && r->status <= 599 && r->header_count <= HEADERS;
    return rc < 0 ? rc : good ? 0 : TR_EINVAL;
}

static bool method_is_for_files(tr_actor *self, tr_http http, const tr_http_request *request,
                                int *ret_rc)
{
    static const tr_http_header allow = {{"Allow", 5}, {"GET, HEAD", 9}};
    if (tr_str_eq(request->method, "GET") || tr_str_eq(request->method, "HEAD"))
        return true;
    *ret_rc = tr_http_reply(self, http,
                            TR_HTTP_RESPONSE(.status = 405, .headers = &allow, .header_count = 1));
    return false;
}

int tr_http_reply_file(tr_actor *self, tr_http http, const tr_http_response *response,
                       const char *path)
{
    tr_http_response r;
    const tr_http_request *request;
    int rc = path == NULL ? TR_EINVAL : reply_check(self, http, response, &r, &request);
    if (rc < 0 || !method_is_for_files(self, http, request, &rc))
        return rc;
    return job_start(self, http, tr_str_of(path), false, &r);
}

// ---- Paths ----

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

// returns: the byte, and *at is behind it; -1: it is none, or NUL
static int byte_decode(tr_str text, size_t *at)
{
    char c = text.ptr[(*at)++];
    if (c != '%')
        return c != '\0' ? (unsigned char)c : -1;
    if (*at + 2 > text.len)
        return -1;
    int high = hex_of(text.ptr[*at]), low = hex_of(text.ptr[*at + 1]);
    *at += 2;
    return high < 0 || low < 0 || (high == 0 && low == 0) ? -1 : high * 16 + low;
}

static bool segment_leaves(tr_str s)
{
    return (s.len == 1 && s.ptr[0] == '.') || (s.len == 2 && memcmp(s.ptr, "..", 2) == 0);
}

static bool path_leaves(const char *path, size_t len)
{
    for (size_t at = 0; at < len;) {
        const char *slash = memchr(path + at, '/', len - at);
        size_t end = slash != NULL ? (size_t)(slash - path) : len;
        if (segment_leaves((tr_str){path + at, end - at}))
            return true;
        at = end + 1;
    }
    return false;
}

// The path below root. returns: its length, or a negative status
static int path_make(const char *root, tr_str target, const char *index, char path[PATH_BYTES])
{
    size_t at = 0, n = strlen(root), begin;
    tr_str asked = tr_http_path(target);
    if (asked.len == 0 || asked.ptr[0] != '/')
        return -400;
    if (n + asked.len + strlen(index) + 1 > PATH_BYTES)
        return -404;
    memcpy(path, root, n);
    begin = n;
    while (at < asked.len) {
        int c = byte_decode(asked, &at);
        if (c < 0)
            return -400;
        path[n++] = (char)c;
    }
    if (path_leaves(path + begin, n - begin))
        return -403;
    if (path[n - 1] == '/') {
        memcpy(path + n, index, strlen(index));
        n += strlen(index);
    }
    path[n] = '\0';
    return (int)n;
}

int tr_http_reply_below(tr_actor *self, tr_http http, const tr_http_response *response,
                        const char *root)
{
    char path[PATH_BYTES];
    tr_http_response r;
    const tr_http_request *request;
    int rc = root == NULL ? TR_EINVAL : reply_check(self, http, response, &r, &request);
    if (rc < 0 || !method_is_for_files(self, http, request, &rc))
        return rc;
    int n = path_make(root, request->target, "index.html", path);
    if (n < 0)
        return tr_http_reply(self, http, TR_HTTP_RESPONSE(.status = -n));
    return job_start(self, http, (tr_str){path, (size_t)n}, true, &r);
}
