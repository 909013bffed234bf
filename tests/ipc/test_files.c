// Goal:   whatever the system refuses is a defined error, and leaves neither a descriptor open nor
//         a process dead.
// Method: a node whose one actor copies files, each by a pipeline of its own, in a private
//         directory. When it has ended its descriptors are counted.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <troupe.h>
#include <unistd.h>

#include "support/cmocka.h"

#define COPIES 10

static char directory[] = "/tmp/troupe-errors-XXXXXX";

static const char *at(const char *name)
{
    static char paths[16][64];
    static unsigned next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static off_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void make(const char *path, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    for (char block[4096]; size > 0;) { // each of its own
        size_t part = size < sizeof block ? size : sizeof block;
        memset(block, (int)(size / sizeof block % 251), sizeof block);
        assert_int_equal(part, write(fd, block, part));
        size -= part;
    }
    assert_int_equal(0, close(fd));
}

static bool same(const char *path, const char *other)
{
    char bytes[4096], others[4096];
    size_t n, m;
    FILE *a = fopen(path, "rb"), *b = fopen(other, "rb");
    assert_true(a != NULL && b != NULL);
    do {
        n = fread(bytes, 1, sizeof bytes, a);
        m = fread(others, 1, sizeof others, b);
    } while (n > 0 && n == m && memcmp(bytes, others, n) == 0);
    fclose(a);
    fclose(b);
    return n == 0 && m == 0;
}

// ---- The actor ----

static struct copy {
    const char *from, *to;
    uint64_t end;   // of what is read; 0: all
    int then_close; // a descriptor; 0: none
    bool endless;   // it is not waited for
    bool looked_at; // so that the kernel does not copy
    int status;
} copies[COPIES];
static size_t copy_count, waited_for;
static void (*before_copying)(void); // in the actor's start. NULL: nothing

static void on_copied(tr_actor *self, int status, void *arg)
{
    struct copy *copy = arg;
    copy->status = status;
    if (copy->then_close != 0)
        close(copy->then_close);
    if (!copy->endless && --waited_for == 0)
        tr_exit(self, TR_NORMAL);
}

static int copy_start(tr_actor *self, struct copy *copy)
{
    tr_stream ends[2];
    copy->status = 1;
    waited_for += !copy->endless;
    int rc = tr_file_reader(
        self, copy->from,
        TR_FILE_READ(.end = copy->end, .encoding = copy->looked_at ? "latin1" : NULL), &ends[0]);
    if (rc == 0)
        rc = tr_file_writer(self, copy->to, NULL, &ends[1]);
    return rc < 0 ? rc : tr_pipeline(self, ends, 2, NULL, on_copied, copy);
}

static int copier_start(tr_actor *self, const tr_val *args)
{
    int rc = 0;
    (void)args;
    if (before_copying != NULL)
        before_copying();
    for (size_t i = 0; rc == 0 && i < copy_count; i++)
        rc = copy_start(self, &copies[i]);
    return rc;
}

static const tr_behavior copier = {.name = "copier", .start = copier_start};

static void copy_all(size_t count)
{
    tr_node *node = NULL;
    unsigned before = descriptors();
    copy_count = count;
    waited_for = 0;
    assert_int_equal(0, tr_node_open(TR_NODE(.loops = 1), &node));
    assert_int_equal(0, tr_node_spawn(node, &copier, NULL, NULL));
    assert_int_equal(0, tr_node_run(node));
    tr_node_close(&node);
    before_copying = NULL;
    assert_int_equal(0, waited_for);
    for (size_t i = 0; i < count; i++)
        before -= copies[i].then_close != 0;
    assert_int_equal(before, descriptors());
}

static int copied(const char *from, const char *to)
{
    copies[0] = (struct copy){.from = from, .to = to};
    copies[1] = (struct copy){.from = from, .to = to, .looked_at = true};
    copy_all(1);
    int status = copies[0].status;
    copies[0] = copies[1];
    copy_all(1);
    assert_int_equal(status, copies[0].status); // whoever copies
    return status;
}

// ---- Tests ----

static void a_full_disk(void **state)
{
    (void)state;
    make(at("f"), 300000);
    assert_int_equal(-ENOSPC, copied(at("f"), "/dev/full"));
}

static void a_file_larger_than_it_may_be_is_no_signal(void **state)
{
    struct rlimit limit, less;
    (void)state;
    make(at("f"), 300000);
    assert_int_equal(0, getrlimit(RLIMIT_FSIZE, &limit));
    less = (struct rlimit){100000, limit.rlim_max};
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &less));
    int status = copied(at("f"), at("g"));
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &limit));
    assert_int_equal(-EFBIG, status);
    assert_int_equal(100000, size_of(at("g")));
}

static void a_directory_is_no_file(void **state)
{
    (void)state;
    make(at("f"), 1);
    assert_int_equal(-EISDIR, copied(directory, at("g")));
    assert_int_equal(-EISDIR, copied(at("f"), directory));
}

static void what_one_may_not(void **state)
{
    (void)state;
    make(at("f"), 1);
    uid_t user = geteuid();
    if (user == 0) // who may all
        assert_int_equal(0, seteuid(65534));
    else
        chmod(at("f"), 0);
    int status = copied(at("f"), "/dev/null");
    if (user == 0)
        assert_int_equal(0, seteuid(user));
    assert_int_equal(TR_EACCES, status);
}

static void a_fifo_that_nobody_reads(void **state)
{
    (void)state;
    make(at("f"), 1);
    assert_int_equal(0, mkfifo(at("fifo"), 0600));
    assert_int_equal(-ENXIO, copied(at("f"), at("fifo")));
    unlink(at("fifo"));
}

// Goal:   writing to it is an error, and no signal.
// Method: there are two readers, of which the test's makes sure that it can be opened. The other
//         one reads some, far less than goes through before both have gone.
static void a_fifo_that_nobody_reads_any_more(void **state)
{
    (void)state;
    make(at("f"), 300000);
    assert_int_equal(0, mkfifo(at("fifo"), 0600));
    copies[0] = (struct copy){.from = at("f"), .to = at("fifo")};
    copies[1] = (struct copy){.from = at("fifo"),
                              .to = at("g"),
                              .end = 1000,
                              .then_close = open(at("fifo"), O_RDONLY | O_NONBLOCK)};
    copy_all(2);
    assert_int_equal(0, copies[1].status);
    assert_int_equal(TR_EPIPE, copies[0].status);
    unlink(at("fifo"));
}

// Goal:   FIFOs that nobody writes to keep no thread: more of them than the pool has wait, and
//         others are copied all the same; then the actor ends, and does not wait for them.
static void fifos_that_nobody_writes_to(void **state)
{
    (void)state;
    make(at("f"), 300000);
    assert_int_equal(0, mkfifo(at("fifo"), 0600));
    for (size_t i = 0; i < 8; i++)
        copies[i] = (struct copy){.from = at("fifo"), .to = "/dev/null", .endless = true};
    copies[8] = (struct copy){.from = at("f"), .to = at("g")};
    copy_all(9);
    assert_int_equal(0, copies[8].status);
    assert_true(same(at("f"), at("g")));
    unlink(at("fifo"));
}

static void a_fifo_is_read_to_its_end(void **state)
{
    (void)state;
    make(at("f"), 300000);
    assert_int_equal(0, mkfifo(at("fifo"), 0600));
    int reader = open(at("fifo"), O_RDONLY | O_NONBLOCK); // so that it can be written to
    copies[0] = (struct copy){.from = at("fifo"), .to = at("g")};
    copies[1] = (struct copy){.from = at("f"), .to = at("fifo")};
    copy_all(2);
    assert_int_equal(0, copies[0].status);
    assert_int_equal(0, copies[1].status);
    assert_true(same(at("f"), at("g")));
    close(reader);
    unlink(at("fifo"));
}

static struct rlimit files;

static void no_more_files(void)
{
    int next = dup(0);
    close(next);
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &files));
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next, files.rlim_max}));
}

static void no_descriptor_left(void **state)
{
    (void)state;
    make(at("f"), 1);
    before_copying = no_more_files;
    copies[0] = (struct copy){.from = at("f"), .to = at("g")};
    copy_all(1);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &files));
    assert_int_equal(-EMFILE, copies[0].status);
}

static void files_that_are_no_files(void **state)
{
    (void)state;
    copies[0] = (struct copy){.from = "/dev/zero", .to = at("zero"), .end = 300000};
    copies[1] = (struct copy){.from = "/proc/self/status", .to = at("status")};
    copies[2] = (struct copy){.from = "/sys/devices/system/cpu/online", .to = at("online")};
    copy_all(access(copies[2].from, R_OK) == 0 ? 3 : 2);
    assert_int_equal(0, copies[0].status);
    assert_int_equal(300000, size_of(at("zero")));
    assert_int_equal(0, copies[1].status);
    assert_true(size_of(at("status")) > 0);
    if (copy_count == 3)
        assert_int_equal(0, copies[2].status); // though it says that it is larger than it is
}

// ---- Into a socket ----

#define LARGE (20u << 20) // far more than a socket holds

static char address[64];
static bool leaves; // the receiver, at its first chunk
static struct copy *sent, *kept;

static void on_sent(tr_actor *self, int status, void *arg)
{
    ((struct copy *)arg)->status = status;
    if (--waited_for == 0)
        tr_exit(self, TR_NORMAL);
}

static void on_some(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)chunk, (void)arg;
    tr_stream_destroy(self, stream, 0);
}

static void on_client(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events some = {.data = on_some};
    tr_stream ends[2] = {stream};
    (void)arg;
    if (leaves) {
        assert_int_equal(0, tr_stream_on(self, stream, &some, NULL));
        return;
    }
    waited_for++;
    assert_int_equal(0, tr_file_writer(self, at("g"), NULL, &ends[1]));
    assert_int_equal(0, tr_pipeline(self, ends, 2, NULL, on_sent, kept));
}

static int sender_start(tr_actor *self, const tr_val *args)
{
    tr_stream ends[2];
    (void)args;
    int rc = tr_listen(self, address, NULL, on_client, NULL, NULL);
    if (rc == 0)
        rc = tr_file_reader(self, at("f"), NULL, &ends[0]);
    if (rc == 0)
        rc = tr_connect(self, address, NULL, &ends[1]);
    waited_for = 1;
    return rc < 0 ? rc : tr_pipeline(self, ends, 2, NULL, on_sent, sent);
}

static const tr_behavior sender = {.name = "sender", .start = sender_start};

static void send_all(bool receiver_leaves)
{
    tr_node *node = NULL;
    unsigned before = descriptors();
    leaves = receiver_leaves;
    sent = &copies[0];
    kept = &copies[1];
    make(at("f"), LARGE);
    snprintf(address, sizeof address, "unix:%s", at("socket"));
    assert_int_equal(0, tr_node_open(TR_NODE(.loops = 1), &node));
    assert_int_equal(0, tr_node_spawn(node, &sender, NULL, NULL));
    assert_int_equal(0, tr_node_run(node));
    tr_node_close(&node);
    assert_int_equal(before, descriptors());
}

static void a_file_goes_into_a_socket(void **state)
{
    (void)state;
    send_all(false);
    assert_int_equal(0, sent->status);
    assert_int_equal(0, kept->status);
    assert_true(same(at("f"), at("g")));
}

static void a_receiver_that_goes_is_an_error_and_no_signal(void **state)
{
    (void)state;
    send_all(true);
    assert_true(sent->status == TR_EPIPE || sent->status == -ECONNRESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_file_larger_than_it_may_be_is_no_signal),
        cmocka_unit_test(a_directory_is_no_file),
        cmocka_unit_test(what_one_may_not),
        cmocka_unit_test(a_fifo_that_nobody_reads),
        cmocka_unit_test(a_fifo_that_nobody_reads_any_more),
        cmocka_unit_test(fifos_that_nobody_writes_to),
        cmocka_unit_test(a_fifo_is_read_to_its_end),
        cmocka_unit_test(no_descriptor_left),
        cmocka_unit_test(files_that_are_no_files),
        cmocka_unit_test(a_file_goes_into_a_socket),
        cmocka_unit_test(a_receiver_that_goes_is_an_error_and_no_signal),
    };
    tr_node *node = NULL; // what libuv opens once stays open
    if (mkdtemp(directory) == NULL || tr_node_open(NULL, &node) < 0)
        return 1;
    tr_node_close(&node);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
