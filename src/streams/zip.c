// Compression: zlib's machine between the two sides of a stream. The one file that knows zlib.
//
// Output goes into buffers of 64 KiB, and what there is of it leaves with each chunk: as a slice,
// with the next output behind it in the same buffer, so that small chunks do not take a large
// buffer each. Input that makes more output than the readable side has room for is gone on with
// later (TR_MORE): what is held is one buffer, whatever the input unpacks to.
#include <limits.h>
#include <troupe/transform.h>
#include <zlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/opts.h"
#include "streams/streams.h"

#define OUT_SIZE 65536u

// What inflateInit2 and deflateInit2 call a format.
enum { RAW = -MAX_WBITS, ZLIB = MAX_WBITS, GZIP = MAX_WBITS + 16 };

typedef struct zip {
    z_stream z;
    int format;
    int level;
    bool flush;
    bool ready;    // zlib has its state
    bool whole;    // uncompressing: a member is through
    size_t at;     // in the chunk
    uint64_t left; // uncompressing: how much more may come out
    tr_buf *out;
    size_t out_from, out_to; // what has not been pushed
} zip;

static void *zip_alloc(void *arg, unsigned count, unsigned size)
{
    (void)arg;
    return tr__alloc((size_t)count * size);
}

static void zip_release(void *arg, void *memory)
{
    (void)arg;
    tr__free(memory);
}

static int from_zlib(int code)
{
    switch (code) {
    case Z_OK:
    case Z_STREAM_END:
    case Z_BUF_ERROR: // nothing to do, for now
        return 0;
    case Z_MEM_ERROR:
        return TR_ENOMEM;
    default:
        return TR_EBADMSG;
    }
}

// ---- Output ----

static int zip_out_prepare(zip *s)
{
    if (s->out != NULL && s->out_to < OUT_SIZE)
        return 0;
    tr_assert(s->out_from == s->out_to);
    tr_buf_unref(&s->out);
    s->out_from = s->out_to = 0;
    return tr_buf_new(OUT_SIZE, &s->out);
}

// returns: as tr_stream_push
static int zip_out_push(tr_actor *self, tr_stream stream, zip *s)
{
    tr_buf *slice;
    if (s->out_from == s->out_to)
        return 0;
    int rc = tr_buf_slice(s->out, s->out_from, s->out_to - s->out_from, &slice);
    if (rc < 0)
        return rc;
    s->out_from = s->out_to;
    return tr__streams_push(self, stream, &slice);
}

// One call of zlib with what input there is, up to a full buffer.
// returns: zlib's code
static int zip_call(zip *s, int (*call)(z_stream *, int), tr_bytes in, int flush)
{
    size_t have = in.len - s->at < UINT_MAX ? in.len - s->at : UINT_MAX;
    s->z.next_in = (Bytef *)(uintptr_t)((const char *)in.ptr + s->at);
    s->z.avail_in = (uInt)have;
    s->z.next_out = (Bytef *)tr_buf_data(s->out) + s->out_to;
    s->z.avail_out = (uInt)(OUT_SIZE - s->out_to);
    int code = call(&s->z, flush);
    s->at += have - s->z.avail_in;
    s->out_to = OUT_SIZE - s->z.avail_out;
    return code;
}

// ---- Compressing ----

static int gzip_construct(tr_actor *self, tr_stream stream, void *state)
{
    zip *s = state;
    (void)self, (void)stream;
    int rc = from_zlib(deflateInit2(&s->z, s->level, Z_DEFLATED, s->format, MAX_MEM_LEVEL - 1,
                                    Z_DEFAULT_STRATEGY));
    s->ready = rc == 0;
    return rc;
}

// Until all input is taken and, with a flush, all output is out. returns: as `transform`
static int gzip_run(tr_actor *self, tr_stream stream, zip *s, tr_bytes in, int flush)
{
    for (;;) {
        int rc = zip_out_prepare(s);
        if (rc == 0)
            rc = from_zlib(zip_call(s, deflate, in, flush));
        bool full = s->z.avail_out == 0;
        if (rc == 0)
            rc = zip_out_push(self, stream, s);
        if (rc < 0)
            return rc;
        if (!full)
            return 0; // then zlib has taken all
        if (rc == TR_WAIT)
            return TR_MORE;
    }
}

static int gzip_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    zip *s = state;
    int rc = gzip_run(self, stream, s, tr_buf_bytes(chunk), s->flush ? Z_SYNC_FLUSH : Z_NO_FLUSH);
    if (rc == 0)
        s->at = 0;
    return rc;
}

static int gzip_flush(tr_actor *self, tr_stream stream, void *state)
{
    return gzip_run(self, stream, state, tr_bytes_of(NULL, 0), Z_FINISH);
}

static int gzip_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    zip *s = state;
    (void)self, (void)stream, (void)error;
    tr_buf_unref(&s->out);
    if (s->ready)
        deflateEnd(&s->z);
    return 0;
}

// ---- Uncompressing ----

static int gunzip_construct(tr_actor *self, tr_stream stream, void *state)
{
    zip *s = state;
    (void)self, (void)stream;
    int rc = from_zlib(inflateInit2(&s->z, s->format));
    s->ready = rc == 0;
    return rc;
}

// Another member, or zeros. returns: whether there is more to be taken; or an error
static int gunzip_next_member(zip *s, tr_bytes in)
{
    const char *bytes = in.ptr;
    if (s->format != GZIP && s->at < in.len)
        return TR_EBADMSG;
    while (s->at < in.len && bytes[s->at] == 0)
        s->at++;
    if (s->at == in.len)
        return 0;
    s->whole = false;
    int rc = from_zlib(inflateReset(&s->z));
    return rc < 0 ? rc : 1;
}

// What came out before an error counts first, so that it does not matter how much comes at once.
// returns: as tr_stream_push
static int gunzip_step(tr_actor *self, tr_stream stream, zip *s, tr_bytes in)
{
    int rc = zip_out_prepare(s), code = Z_OK;
    if (rc == 0)
        rc = from_zlib(code = zip_call(s, inflate, in, Z_NO_FLUSH));
    s->whole = code == Z_STREAM_END;
    size_t came = s->out_to - s->out_from;
    if (came > s->left)
        return TR_ETOOBIG;
    s->left -= came;
    return rc < 0 ? rc : zip_out_push(self, stream, s);
}

// zlib may hold more than there was room for when it has filled all of that.
static bool gunzip_has_more(const zip *s, tr_bytes in)
{
    return s->at < in.len || (!s->whole && s->out_to == OUT_SIZE);
}

static int gunzip_transform(tr_actor *self, tr_stream stream, void *state, tr_buf *chunk)
{
    zip *s = state;
    tr_bytes in = tr_buf_bytes(chunk);
    int rc = 1;
    if (s->whole)
        rc = gunzip_next_member(s, in);
    while (rc > 0) {
        rc = gunzip_step(self, stream, s, in);
        if (rc == TR_WAIT && gunzip_has_more(s, in))
            return TR_MORE;
        if (rc >= 0)
            rc = s->whole ? gunzip_next_member(s, in) : gunzip_has_more(s, in);
    }
    if (rc == 0)
        s->at = 0;
    return rc;
}

static int gunzip_flush(tr_actor *self, tr_stream stream, void *state)
{
    const zip *s = state;
    (void)self, (void)stream;
    return s->whole ? 0 : TR_EBADMSG;
}

static int gunzip_destroy(tr_actor *self, tr_stream stream, void *state, int error)
{
    zip *s = state;
    (void)self, (void)stream, (void)error;
    tr_buf_unref(&s->out);
    if (s->ready)
        inflateEnd(&s->z);
    return 0;
}

// ---- Making ----

#define ZIP_OPS(word, does)                                                                        \
    static const tr_stream_ops word##_ops = {.name = #word,                                        \
                                             .state_size = sizeof(zip),                            \
                                             .construct = does##_construct,                        \
                                             .transform = does##_transform,                        \
                                             .flush = does##_flush,                                \
                                             .destroy = does##_destroy}
ZIP_OPS(gzip, gzip);
ZIP_OPS(deflate, gzip);
ZIP_OPS(gunzip, gunzip);
ZIP_OPS(inflate, gunzip);

static int zip_new(tr_actor *self, const tr_stream_ops *ops, int format, const tr_zip_opts *opts,
                   tr_stream *ret_stream)
{
    tr_zip_opts o;
    void *state;
    int rc = tr__opts_copy(opts, &o, sizeof o);
    if (rc < 0 || o.level < -1 || o.level > 9 || (o.raw && format == GZIP))
        return TR_EINVAL;
    rc = tr__streams_new(self, ops, o.stream, TR_BYTES, ret_stream, &state);
    if (rc < 0)
        return rc;
    *(zip *)state = (zip){.z = {.zalloc = zip_alloc, .zfree = zip_release},
                          .format = o.raw ? RAW : format,
                          .level = o.level == 0    ? 6
                                   : o.level == -1 ? 0
                                                   : o.level,
                          .flush = o.flush,
                          .left = o.output_max != 0 ? o.output_max : UINT64_MAX};
    return 0;
}

int tr_gzip(tr_actor *self, const tr_zip_opts *opts, tr_stream *ret_stream)
{
    return zip_new(self, &gzip_ops, GZIP, opts, ret_stream);
}

int tr_deflate(tr_actor *self, const tr_zip_opts *opts, tr_stream *ret_stream)
{
    return zip_new(self, &deflate_ops, ZLIB, opts, ret_stream);
}

int tr_gunzip(tr_actor *self, const tr_zip_opts *opts, tr_stream *ret_stream)
{
    return zip_new(self, &gunzip_ops, GZIP, opts, ret_stream);
}

int tr_inflate(tr_actor *self, const tr_zip_opts *opts, tr_stream *ret_stream)
{
    return zip_new(self, &inflate_ops, ZLIB, opts, ret_stream);
}
