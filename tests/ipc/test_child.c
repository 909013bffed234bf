// What a parent and its child can count on, apart from their ends: arguments, environment, output,
// addresses and monitors across the link, children of children.
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/ipc.h"

static char **arguments; // main's

// What a test has seen. Handlers only take notes; the test looks at them when its node has ended.
static struct {
    unsigned count;
    int rc;
    tr_addr addr;
    tr_reason reason;
    char text[512];
} seen;

static void note(const char *text)
{
    snprintf(seen.text, sizeof seen.text, "%s", text);
}

static int note_reason(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    seen.count++;
    seen.reason = tr_msg_down(msg)->reason;
    seen.addr = tr_msg_down(msg)->addr;
    return tr_exit(self, TR_NORMAL);
}

static int spawn_child(tr_actor *self, const tr_behavior *behavior, tr_val args)
{
    return tr_spawn(self, behavior, TR_SPAWN(.isolation = TR_PROCESS, .args = args), &seen.addr);
}

// ---- The children ----

static int inner_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t reason;
    int rc = tr_as_int(tr_msg_body(msg), &reason);
    return rc < 0 ? rc : tr_exit(self, (int)reason);
}
static const tr_behavior inner = {.name = "inner", .receive = inner_receive};

// Tells its parent what it has got, and whether it knows it.
static int teller_start(tr_actor *self, const tr_val *args)
{
    tr_addr parent;
    int rc = tr_get_addr(*args, "parent", &parent);
    bool known = rc == 0 && tr_addr_eq(parent, tr_parent(self));
    return tr_send(self, tr_parent(self), "told",
                   TR_MAP("known", tr_val_bool(known), "args", *args));
}
static const tr_behavior teller = {.name = "teller", .start = teller_start};

static int printer_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    printf("printed by a child\n");
    return tr_exit(self, TR_NORMAL);
}
static const tr_behavior printer = {.name = "printer", .start = printer_start};

// Has an actor inside, and lends its address.
static int house_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr addr;
    int rc = tr_spawn(self, &inner, NULL, &addr);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "inner", TR_V(addr));
}
static const tr_behavior house = {.name = "house", .start = house_start};

// Watches one of its parent's actors and tells how it ended.
static int watcher_start(tr_actor *self, const tr_val *args)
{
    tr_addr addr;
    int rc = tr_as_addr(*args, &addr);
    if (rc == 0)
        rc = tr_monitor(self, addr, NULL);
    return rc < 0 ? rc : tr_send(self, tr_parent(self), "watching", TR_NULL);
}

static int watcher_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_send(self, tr_parent(self), "ended", tr_msg_body(msg));
}
static const tr_behavior watcher = {
    .name = "watcher", .start = watcher_start, .receive = watcher_receive};

// A child that has a child, and passes on what that says.
static int middle_start(tr_actor *self, const tr_val *args)
{
    return tr_spawn(self, &teller, TR_SPAWN(.isolation = TR_PROCESS, .args = *args), NULL);
}

static int middle_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_send(self, tr_parent(self), "grandchild", TR_V(tr_msg_from(msg)));
}
static const tr_behavior middle = {
    .name = "middle", .start = middle_start, .receive = middle_receive};

// Tells the exit status of a shell that looks for our variable.
static int shell_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    pid_t pid;
    int status = -1;
    char sh[] = "sh", c[] = "-c", look[] = "test -z \"$TROUPE_LINK\"";
    char *argv[] = {sh, c, look, NULL};
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) == 0)
        waitpid(pid, &status, 0);
    return tr_send(self, tr_parent(self), "status", TR_V(status));
}
static const tr_behavior shell = {.name = "shell", .start = shell_start};

// Tells what main and the environment have got.
static int forked_start(tr_actor *self, const tr_val *args)
{
    const char *env = getenv("TROUPE_TEST_ENV");
    tr_val list[8];
    size_t n = 0;
    for (char **arg = arguments + 1; *arg != NULL && n < 8; arg++)
        list[n++] = tr_val_str(*arg);
    return tr_send(self, tr_parent(self), "forked",
                   TR_MAP("argv", tr_val_list(list, n), "env", env, "args", *args));
}
static const tr_behavior forked = {.name = "forked", .start = forked_start};

#define APP TR_APP(&forked, &teller, &printer, &house, &watcher, &middle, &shell, &inner)

static void run(const tr_behavior *parent)
{
    memset(&seen, 0, sizeof seen);
    assert_int_equal(0, TR_RUN(APP, parent, TR_NULL));
}

// Notes the first message as JSON, and ends.
static int note_json(tr_actor *self, const tr_msg *msg)
{
    note(tr_msg_json(msg));
    return tr_exit(self, TR_NORMAL);
}

// ---- Arguments and environment ----

static int args_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return spawn_child(self, &teller, TR_MAP("parent", tr_self(self), "deep", TR_LIST(1, "two")));
}

static int args_receive(tr_actor *self, const tr_msg *msg)
{
    tr_val args, deep;
    bool known;
    seen.rc = TR_READ(tr_msg_body(msg), "known", &known, "args", &args);
    if (seen.rc == 0)
        seen.rc = tr_get(args, "deep", &deep);
    char *json = NULL;
    if (seen.rc == 0)
        seen.rc = tr_json_print(deep, &json);
    if (seen.rc == 0 && known && tr_addr_eq(seen.addr, tr_msg_from(msg)))
        note(json);
    tr_free(json);
    return tr_exit(self, TR_NORMAL);
}

static void arguments_reach_start_and_a_child_knows_its_parent(void **state)
{
    (void)state;
    run(&(tr_behavior){.name = "parent", .start = args_start, .receive = args_receive});
    assert_int_equal(0, seen.rc);
    assert_string_equal("[1,\"two\"]", seen.text);
}

static int fork_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    const char *argv[] = {"one", "two words", "", NULL};
    const char *env[] = {"TROUPE_TEST_ENV=added", NULL};
    char name[64] = {0};
    snprintf(name, sizeof name, "%s", strrchr(arguments[0], '/') + 1);
    return tr_fork(self, ipc_program(name), TR_SPAWN(.argv = argv, .env = env, .args = TR_V(5)),
                   NULL);
}

static void a_forked_program_gets_its_arguments_and_environment(void **state)
{
    (void)state;
    run(&(tr_behavior){.name = "parent", .start = fork_start, .receive = note_json});
    assert_string_equal("{\"argv\":[\"one\",\"two words\",\"\"],\"env\":\"added\",\"args\":5}",
                        seen.text);
}

static int shell_parent_start(tr_actor *self, const tr_val *args)
{
    return spawn_child(self, &shell, *args);
}

static void what_a_child_starts_by_itself_does_not_see_the_link_s_variable(void **state)
{
    (void)state;
    run(&(tr_behavior){.name = "parent", .start = shell_parent_start, .receive = note_json});
    assert_string_equal("0", seen.text);
}

static int printer_parent_start(tr_actor *self, const tr_val *args)
{
    int rc = spawn_child(self, &printer, *args);
    return rc < 0 ? rc : tr_monitor(self, seen.addr, NULL);
}

static void a_child_writes_to_the_standard_output_of_its_parent(void **state)
{
    (void)state;
    int ends[2], out = dup(STDOUT_FILENO);
    char text[64] = {0};
    assert_int_equal(0, pipe(ends));
    fflush(stdout);
    dup2(ends[1], STDOUT_FILENO);
    run(&(tr_behavior){.name = "parent", .start = printer_parent_start, .receive = note_reason});
    dup2(out, STDOUT_FILENO);
    close(out);
    close(ends[1]);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_string_equal("printed by a child\n", text);
}

// ---- What cannot be spawned ----

static const tr_behavior unlisted = {.name = "unlisted"};

static int unlisted_start(tr_actor *self, const tr_val *args)
{
    seen.rc = spawn_child(self, &unlisted, *args);
    note(tr_node_errmsg(tr_node_of(self)));
    return tr_exit(self, TR_NORMAL);
}

static void a_behaviour_that_the_app_does_not_list_is_an_error_of_the_call(void **state)
{
    (void)state;
    run(&(tr_behavior){.name = "parent", .start = unlisted_start});
    assert_int_equal(TR_EINVAL, seen.rc);
    assert_non_null(strstr(seen.text, "unlisted"));
}

// Allow one descriptor more each time, so that a spawn fails at one after the other.
static int scarce_start(tr_actor *self, const tr_val *args)
{
    struct rlimit old, limit;
    getrlimit(RLIMIT_NOFILE, &old);
    limit = old;
    int lowest = dup(STDIN_FILENO); // of those that are free
    close(lowest);
    limit.rlim_cur = (rlim_t)lowest;
    do {
        setrlimit(RLIMIT_NOFILE, &limit);
        seen.rc = spawn_child(self, &inner, *args);
        setrlimit(RLIMIT_NOFILE, &old);
        limit.rlim_cur++;
        seen.count += seen.rc == -EMFILE;
    } while (seen.rc == -EMFILE);
    return tr_exit(self, TR_NORMAL);
}

static void a_spawn_without_descriptors_is_an_error_of_the_call(void **state)
{
    (void)state;
    run(&(tr_behavior){.name = "parent", .start = scarce_start});
    assert_in_range(seen.count, 3, 16); // the link's two ends, what watches the process; and gaps
    assert_int_equal(0, seen.rc);
}

// ---- Programs that are not troupe's ----

static const char *foreign;

static int foreign_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr addr;
    int rc = tr_fork(self, foreign, NULL, &addr);
    if (rc == 0)
        rc = tr_send(self, addr, "nobody reads this", TR_NULL);
    return rc < 0 ? rc : tr_monitor(self, addr, NULL);
}

static void a_program_that_does_not_speak_is_told_by_its_status(void **state)
{
    (void)state;
    const tr_behavior parent = {.name = "parent", .start = foreign_start, .receive = note_reason};
    foreign = "/bin/true";
    run(&parent);
    assert_int_equal(TR_REASON_EXITED, seen.reason.kind);
    assert_int_equal(0, seen.reason.code);
    foreign = "/bin/false";
    run(&parent);
    assert_int_equal(TR_REASON_EXITED, seen.reason.kind);
    assert_int_equal(1, seen.reason.code);
}

// ---- Monitors across the link ----

static int end_inner;     // with this reason
static bool kill_process; // or kill its process
static tr_addr inner_addr;

static int house_parent_start(tr_actor *self, const tr_val *args)
{
    return spawn_child(self, &house, *args);
}

static int house_parent_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) != NULL)
        return note_reason(self, msg);
    int rc = tr_as_addr(tr_msg_body(msg), &inner_addr);
    if (rc == 0)
        rc = tr_monitor(self, inner_addr, NULL);
    int64_t pid;
    if (rc == 0 && kill_process)
        return tr_test_children(&pid, 1) == 1 ? kill((pid_t)pid, SIGKILL) : TR_EIO;
    return rc < 0 ? rc : tr_send(self, inner_addr, "end", TR_V(end_inner));
}
static const tr_behavior house_parent = {
    .name = "parent", .start = house_parent_start, .receive = house_parent_receive};

static void see_inner_end(tr_reason_kind kind, int code)
{
    run(&house_parent);
    assert_int_equal(1, seen.count);
    assert_true(tr_addr_eq(inner_addr, seen.addr));
    assert_int_equal(kind, seen.reason.kind);
    assert_int_equal(code, seen.reason.code);
}

static void the_end_of_an_actor_inside_a_child_is_told_with_its_reason(void **state)
{
    (void)state;
    kill_process = false;
    end_inner = TR_NORMAL;
    see_inner_end(TR_REASON_NORMAL, 0);
    end_inner = TR_ETIMEDOUT;
    see_inner_end(TR_REASON_ERROR, TR_ETIMEDOUT);
}

static void an_actor_inside_a_child_ends_with_its_process(void **state)
{
    (void)state;
    kill_process = true;
    see_inner_end(TR_REASON_KILLED, SIGKILL);
}

static int inside_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_spawn(self, &inner, NULL, &inner_addr);
    return rc < 0 ? rc : spawn_child(self, &watcher, TR_V(inner_addr));
}

static int inside_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "watching"))
        return tr_send(self, inner_addr, "end", TR_V((int)TR_ETIMEDOUT));
    return note_json(self, msg);
}

static void a_child_hears_of_the_end_of_its_parent_s_actor(void **state)
{
    (void)state;
    run(&(tr_behavior){.name = "parent", .start = inside_start, .receive = inside_receive});
    char text[64];
    snprintf(text, sizeof text, "{\"reason\":\"error\",\"code\":%d}", TR_ETIMEDOUT);
    assert_string_equal(text, seen.text);
}

// ---- Children of children ----

static int grand_start(tr_actor *self, const tr_val *args)
{
    return spawn_child(self, &middle, *args);
}

// Another node's child is no neighbour: there is no link to it.
static int grand_receive(tr_actor *self, const tr_msg *msg)
{
    tr_addr grandchild;
    int rc = tr_as_addr(tr_msg_body(msg), &grandchild);
    if (tr_msg_down(msg) != NULL || rc < 0)
        return note_reason(self, msg);
    seen.rc = tr_send(self, grandchild, "hello", TR_NULL);
    return tr_monitor(self, grandchild, NULL);
}

static void a_grandchild_speaks_through_its_parent(void **state)
{
    (void)state;
    run(&(tr_behavior){.name = "parent", .start = grand_start, .receive = grand_receive});
    assert_int_equal(TR_EDOWN, seen.rc);
    assert_int_equal(1, seen.count);
    assert_int_equal(TR_REASON_NOCONNECTION, seen.reason.kind);
}

int main(int argc, char **argv)
{
    arguments = argv;
    if (tr_is_child())
        return tr_main(argc, argv, APP);
    const struct CMUnitTest tests[] = {
        TR_PROCESS_TEST(arguments_reach_start_and_a_child_knows_its_parent),
        TR_PROCESS_TEST(a_forked_program_gets_its_arguments_and_environment),
        TR_PROCESS_TEST(what_a_child_starts_by_itself_does_not_see_the_link_s_variable),
        TR_PROCESS_TEST(a_child_writes_to_the_standard_output_of_its_parent),
        TR_PROCESS_TEST(a_behaviour_that_the_app_does_not_list_is_an_error_of_the_call),
        TR_PROCESS_TEST(a_spawn_without_descriptors_is_an_error_of_the_call),
        TR_PROCESS_TEST(a_program_that_does_not_speak_is_told_by_its_status),
        TR_PROCESS_TEST(the_end_of_an_actor_inside_a_child_is_told_with_its_reason),
        TR_PROCESS_TEST(an_actor_inside_a_child_ends_with_its_process),
        TR_PROCESS_TEST(a_child_hears_of_the_end_of_its_parent_s_actor),
        TR_PROCESS_TEST(a_grandchild_speaks_through_its_parent),
    };
    return cmocka_run_group_tests_name("ipc/child", tests, NULL, NULL);
}
