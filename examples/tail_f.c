// Print what is in a file, and what is written to it from then on, until it is gone:
//     tail_f [FILE]
#include <stdio.h>
#include <troupe.h>

static const char *path = "file.txt";

struct tail {
    tr_file file;
    uint64_t at;
    bool reading, again; // something has changed since the read began
};

static void on_read(tr_actor *self, int status, const tr_file_result *result, void *arg);

static void read_more(tr_actor *self, struct tail *tail)
{
    int rc = 0;
    tail->again = tail->reading;
    if (!tail->reading)
        rc = tr_file_read(self, tail->file, TR_FILE(.offset = tail->at), on_read, tail);
    tail->reading = rc == 0;
    if (rc < 0)
        tr_exit(self, rc);
}

static void on_read(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    struct tail *tail = arg;
    tail->reading = false;
    if (status < 0) {
        tr_exit(self, status);
        return;
    }
    fwrite(tr_buf_data(result->data), 1, tr_buf_size(result->data), stdout);
    fflush(stdout);
    tail->at += result->bytes;
    if (result->bytes > 0 || tail->again)
        read_more(self, tail);
}

static void on_there(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    (void)result, (void)arg;
    if (status < 0)
        tr_exit(self, TR_NORMAL);
}

static void on_change(tr_actor *self, int status, unsigned events, const char *name, void *arg)
{
    (void)events, (void)name;
    read_more(self, arg);
    if (status == 0) // that its name is gone is a change of the file, too
        status = tr_file_access(self, path, NULL, on_there, NULL);
    if (status < 0)
        tr_exit(self, status);
}

static void on_open(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    struct tail *tail = arg;
    tr_file_watch watch;
    tail->file = result->file;
    if (status == 0)
        status = tr_file_watch_start(self, path, on_change, tail, &watch);
    if (status < 0)
        tr_exit(self, status);
    else
        read_more(self, tail);
}

static int program_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_file_open(self, path, NULL, on_open, tr_state(self));
}
static const tr_behavior program = {
    .name = "program", .state_size = sizeof(struct tail), .start = program_start};

int main(int argc, char **argv)
{
    path = argc > 1 ? argv[1] : path;
    return tr_main(argc, argv, TR_APP(&program));
}
