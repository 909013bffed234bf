// What a child's node is given to know, its process's id, and a program that is started in place of
// the one that runs.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/ipc.h"

// ---- The child: tells what it sees, as one of its actors on another loop does ----

static int teller_start(tr_actor *self, const tr_val *args)
{
    tr_addr to = TR_NOBODY;
    tr_as_addr(*args, &to);
    tr_node *node = tr_node_of(self);
    return tr_send(self, to, "see",
                   TR_MAP("context", tr_node_context(node), "pid", (int64_t)getpid(), "program",
                          tr_node_program(node)));
}
static const tr_behavior teller = {.name = "teller", .start = teller_start};

static int child_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_spawn(self, &teller, TR_SPAWN(.isolation = TR_THREAD, .args = TR_V(tr_parent(self))),
                    NULL);
}
static const tr_behavior child = {.name = "child", .start = child_start};

// ---- The parent ----

static const char *program;
static int64_t pid_known, pid_told;
static char context[64], path[512];

static int parent_start(tr_actor *self, const tr_val *args)
{
    tr_addr kid;
    int rc =
        tr_spawn(self, &child,
                 TR_SPAWN(.isolation = TR_PROCESS, .context = *args, .program = program), &kid);
    return rc < 0 ? rc : tr_child_pid(self, kid, &pid_known);
}

static int parent_receive(tr_actor *self, const tr_msg *msg)
{
    tr_val known;
    tr_str text;
    int rc = TR_READ(tr_msg_body(msg), "context", &known, "pid", &pid_told, "program", &text);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof path, "%.*s", (int)text.len, text.ptr);
    snprintf(context, sizeof context, "%s", tr_msg_json(msg));
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior parent = {
    .name = "parent", .start = parent_start, .receive = parent_receive};

#define APP TR_APP(&child)

static void the_whole_process_knows_its_context(void **state)
{
    (void)state;
    program = NULL;
    assert_int_equal(0, TR_RUN(APP, &parent, TR_MAP("slot", 3)));
    assert_non_null(strstr(context, "{\"context\":{\"slot\":3},"));
}

static void the_spawner_knows_the_process(void **state)
{
    (void)state;
    program = NULL;
    assert_int_equal(0, TR_RUN(APP, &parent, TR_NULL));
    assert_int_equal(pid_told, pid_known);
    assert_non_null(strstr(context, "{\"context\":null,"));
}

static int asker_start(tr_actor *self, const tr_val *args)
{
    int64_t pid = 0;
    (void)args;
    TR_CHECK(tr_child_pid(self, tr_self(self), &pid) == TR_ENOACTOR);
    TR_CHECK(tr_child_pid(self, TR_NOBODY, &pid) == TR_ENOACTOR);
    TR_CHECK(tr_child_pid(self, TR_NOBODY, NULL) == TR_EINVAL);
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior asker = {.name = "asker", .start = asker_start};

static void what_is_no_child_has_no_process(void **state)
{
    (void)state;
    assert_int_equal(0, TR_RUN(APP, &asker, TR_NULL));
}

static void copy_program(const char *to)
{
    struct stat stat;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int file = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    assert_true(from >= 0 && file >= 0);
    assert_int_equal(0, fstat(from, &stat));
    for (off_t at = 0; at < stat.st_size;)
        assert_true(sendfile(file, from, &at, (size_t)(stat.st_size - at)) > 0);
    close(from);
    close(file);
}

static void another_program_runs_the_behaviour_of_that_name(void **state)
{
    (void)state;
    program = tr_test_path("copy");
    copy_program(program);
    assert_int_equal(0, TR_RUN(APP, &parent, TR_NULL));
    assert_int_equal(pid_told, pid_known);
    assert_string_equal(program, path);
    program = tr_test_path("nothing");
    assert_int_equal(TR_ENOENT, TR_RUN(APP, &parent, TR_NULL));
}

static const struct CMUnitTest tests[] = {
    TR_PROCESS_TEST(the_whole_process_knows_its_context),
    TR_PROCESS_TEST(the_spawner_knows_the_process),
    TR_PROCESS_TEST(what_is_no_child_has_no_process),
    TR_PROCESS_TEST(another_program_runs_the_behaviour_of_that_name),
};
TR_TEST_MAIN("ipc/context", APP, tests)
