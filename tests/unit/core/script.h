// Streams that do as a test tells them, and note all that is asked of them and all that they tell,
// on the stage's notes: "NAME:data=abc", "NAME<ab+cd" (was given these chunks to write),
// "NAME:end".
#ifndef TROUPE_TESTS_SCRIPT_H
#define TROUPE_TESTS_SCRIPT_H

#include "stage.h"

typedef struct script {
    const char *name;
    const char *chunks; // to produce, "ab|cd"; then the end. NULL: none, and no end
    size_t at;          // in chunks
    const char *last;   // what a transform's flush pushes
    int copies;         // what a transform pushes for each chunk; 0: 1; -1: nothing
    bool by_bytes;      // it pushes each byte by itself, and has more until the last one
    int ends_in;        // it ends with the n-th chunk; 0: with its input
    bool later;         // what it is asked is done when the test says so (script_done)
    bool later_opened;  // likewise its construct
    int open_error, read_error, write_error, final_error; // what these return
    int write_error_in;                                   // the n-th write fails; 0: the first
} script;

extern const tr_stream_ops script_source, script_sink, script_duplex, script_transform;
extern const tr_stream_ops script_opened; // a sink with a construct
extern const tr_stream_events script_flow, script_pull, script_end;

// A stream that hears itself by events (NULL: nobody does).
tr_stream script_new(tr_actor *a, const tr_stream_ops *ops, const tr_stream_opts *opts,
                     const script *s, const tr_stream_events *events);
script *script_of(tr_actor *a, tr_stream stream);

// Write text. returns: as tr_stream_write
int script_write(tr_actor *a, tr_stream stream, const char *text);
int script_write_then(tr_actor *a, tr_stream stream, const char *text, const char *word);
void script_push(tr_actor *a, tr_stream stream, const char *text); // NULL: the end

// A tr_done that notes "WORD=status".
void script_note_done(tr_actor *self, int status, void *word);
#define SCRIPT_DONE(word) script_note_done, (void *)(uintptr_t)(word) // and its argument

#endif
