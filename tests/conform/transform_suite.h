// What every transform keeps to, whatever it makes of its input.
#ifndef TROUPE_TESTS_TRANSFORM_SUITE_H
#define TROUPE_TESTS_TRANSFORM_SUITE_H

#include <troupe.h>

// One transform, an input, and what comes of it. Bytes are told as they are, items with a | behind
// each. TEXT(s) are both members of an input or an output.
struct transform_case {
    const char *name;
    int (*make)(tr_actor *self, const tr_stream_opts *opts, tr_stream *ret_stream);
    bool items_in; // the input is items, separated by |
    bool items_out;
    const char *input;
    size_t input_size;
    const char *output;
    size_t output_size;
    int error;    // what it fails with; 0: it does not
    size_t burst; // chunks that one call of it pushes at most; 0: 1
    bool sheds;   // it ends before its input does
};
#define TEXT(s) s, sizeof(s) - 1

// Returns the number of tests that failed.
int transform_suite(const struct transform_case *cases, size_t count);

#endif
