// Transforms that read what comes from outside: whatever it is, and wherever it is cut, they come
// to the same result, and hold no more memory than their limits and the input's size say.
//
// The first byte of the input says which transform is tried, the second where the rest is cut.
#include <troupe.h>

#include "base/assert.h"
#include "support/counted_memory.h"
#include "support/lone_node.h"

#define CHOICES    2
#define ITEM_MAX   4096
#define OUTPUT_MAX (1u << 20)
#define MEMORY_MAX (1u << 20)

static struct run {
    uint8_t choice;
    const uint8_t *bytes;
    size_t size, part, at;
    int status;
    uint64_t sum;
} run;

static int transform_new(tr_actor *self, tr_stream *ret_stream)
{
    switch (run.choice % 10) {
    case 0:
        return tr_lines(self, TR_LINES(.line_max = ITEM_MAX), ret_stream);
    case 1:
        return tr_frames(self, TR_FRAMES(.frame_max = ITEM_MAX), ret_stream);
    case 2:
        return tr_frames(self, TR_FRAMES(.word = TR_LE16, .frame_max = ITEM_MAX), ret_stream);
    case 3:
        return tr_docs(self, TR_DOCS(.doc_max = ITEM_MAX), ret_stream);
    case 4:
        return tr_gunzip(self, TR_ZIP(.output_max = OUTPUT_MAX), ret_stream);
    case 5:
        return tr_inflate(self, TR_ZIP(.output_max = OUTPUT_MAX, .raw = true), ret_stream);
    case 6:
        return tr_to_text(self, TR_CODING(.strict = (run.choice & 64) != 0), ret_stream);
    case 7:
        return tr_to_text(self, TR_CODING(.encoding = TR_UTF16LE, .strict = (run.choice & 64) != 0),
                          ret_stream);
    case 8:
        return tr_from_text(
            self, TR_CODING(.encoding = TR_BASE64, .strict = (run.choice & 64) != 0), ret_stream);
    default:
        return tr_from_text(self, TR_CODING(.encoding = TR_HEX, .strict = (run.choice & 64) != 0),
                            ret_stream);
    }
}

static bool tells_items(void)
{
    return run.choice % 10 < 4;
}

static int source_read(tr_actor *self, tr_stream stream, void *state, size_t want)
{
    tr_buf *chunk;
    (void)state, (void)want;
    if (run.at == run.size)
        return tr_stream_push(self, stream, NULL) < 0 ? TR_EIO : 0;
    size_t size = run.part < run.size - run.at ? run.part : run.size - run.at;
    tr_assert(tr_buf_copy(run.bytes + run.at, size, &chunk) == 0);
    run.at += size;
    tr_assert(tr_stream_push(self, stream, &chunk) >= 0);
    return 0;
}

static int sink_write(tr_actor *self, tr_stream stream, void *state, tr_buf *const *chunks,
                      size_t count)
{
    const uint8_t *bytes = tr_buf_data(chunks[0]);
    (void)self, (void)stream, (void)state, (void)count;
    for (size_t i = 0; i < tr_buf_size(chunks[0]); i++)
        run.sum = run.sum * 31 + bytes[i];
    if (tells_items())
        run.sum = run.sum * 31 + 256;
    return 0;
}

static const tr_stream_ops source_ops = {.name = "source", .read = source_read};
static const tr_stream_ops sink_ops = {.name = "sink", .write = sink_write};

static void on_done(tr_actor *self, int status, void *arg)
{
    (void)arg;
    run.status = status;
    tr_exit(self, TR_NORMAL);
}

static int driver_start(tr_actor *self, const tr_val *args)
{
    tr_stream all[3];
    (void)args;
    int rc = tr_stream_new(self, &source_ops, NULL, &all[0]);
    if (rc == 0)
        rc = transform_new(self, &all[1]);
    if (rc == 0)
        rc = tr_stream_new(self, &sink_ops,
                           TR_STREAM(.mode = tells_items() ? TR_WRITE_ITEMS : TR_BYTES), &all[2]);
    return rc == 0 ? tr_pipeline(self, all, 3, NULL, on_done, NULL) : rc;
}

static const tr_behavior driver = {.name = "driver", .start = driver_start};

static struct run play(const struct run *like)
{
    run = *like;
    counted_memory_start(0);
    tr_assert(lone_node_run(&driver, 1 << 24) == 0);
    tr_assert(counted.peak < MEMORY_MAX + 4 * like->size);
    tr_assert(counted_memory_stop() == 0);
    return run;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < CHOICES)
        return 0;
    struct run like = {.choice = bytes[0], .bytes = bytes + CHOICES, .size = size - CHOICES};
    like.part = SIZE_MAX;
    struct run whole = play(&like);
    like.part = 1 + (size_t)bytes[1];
    struct run parts = play(&like);
    tr_assert(whole.status == parts.status);
    tr_assert(whole.status < 0 || whole.sum == parts.sum);
    return 0;
}
