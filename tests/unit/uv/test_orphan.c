// Orphans that this process is given as it has asked to (PR_SET_CHILD_SUBREAPER): they are reaped,
// and never the world's own children.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "uv/uv.h"

static tr_world *w;

static void exited(void *owner, const tr_exit_status *status)
{
    *(int *)owner = status->code;
}

// input: its standard input's other end; NULL: it has ours
static tr__process *shell(const char *command, int *code, tr_endpoint **input)
{
    static const tr_process_up up = {.exited = exited};
    const char *argv[] = {"sh", "-c", command, NULL};
    tr_program program = {.path = "/bin/sh", .argv = argv, .alone = true};
    tr__process *process = NULL;
    tr_endpoint *ends[TR__ENDS];
    *code = -1;
    program.stdio[0] = input == NULL ? TR_STDIO_INHERIT : TR_STDIO_PIPE;
    assert_int_equal(0, w->ops->spawn(w, &program, &up, code, &process, ends));
    if (input != NULL)
        *input = ends[0];
    return process;
}

static void shell_wait(tr__process **process, const int *code)
{
    while (*code == -1)
        w->ops->poll(w, TR__NEVER);
    w->ops->process_close(process);
}

// A child's child whose parent has ended, and which has ended after it, at the end of its input.
// Nobody has reaped it.
static pid_t orphan_make(void)
{
    char command[128], path[] = "/tmp/troupe-orphan-XXXXXX";
    int code, pid = 0, fd = mkstemp(path);
    siginfo_t info;
    tr_endpoint *input;
    snprintf(command, sizeof command, "exec 4<&0; read _ <&4 & echo $! > %s", path);
    tr__process *process = shell(command, &code, &input);
    shell_wait(&process, &code);
    w->ops->endpoint_close(input);
    FILE *in = fdopen(fd, "r");
    assert_int_equal(1, fscanf(in, "%d", &pid));
    fclose(in);
    unlink(path);
    assert_int_equal(0, waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    return pid;
}

static bool nobody_is_left(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) < 0 && errno == ECHILD;
}

static void orphans_are_reaped(void **state)
{
    (void)state;
    orphan_make();
    orphan_make();
    assert_int_equal(2, w->ops->own(w, TR__OWN_REAP, 0));
    assert_int_equal(0, w->ops->own(w, TR__OWN_REAP, 0));
    assert_true(nobody_is_left());
}

// Goal:   a child of ours that has ended, and that its world has not looked at yet, is left to it;
//         the orphan that it hides is reaped when that is done.
static void children_of_ours_are_left_to_their_world(void **state)
{
    (void)state;
    int code;
    siginfo_t info;
    tr__process *process = shell("exit 7", &code, NULL);
    assert_int_equal(0,
                     waitid(P_PID, (id_t)w->ops->process_pid(process), &info, WEXITED | WNOWAIT));
    tr_world *first = w; // another one makes the orphan: this one must not look
    assert_int_equal(0, first->ops->another(first, &w));
    orphan_make();
    int64_t reaped = w->ops->own(w, TR__OWN_REAP, 0);
    w->ops->close(&w);
    w = first;
    shell_wait(&process, &code);
    assert_int_equal(7, code);
    assert_true(reaped <= 1);
    assert_true(nobody_is_left());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orphans_are_reaped),
        cmocka_unit_test(children_of_ours_are_left_to_their_world),
    };
    int pidfd = pidfd_open(getpid(), 0);
    if (pidfd < 0 && errno == ENOSYS) // as under valgrind 3.19
        return 77;
    close(pidfd);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (tr__uv_open(&w) < 0)
        return 1;
    int failed = cmocka_run_group_tests_name("uv/orphan", tests, NULL, NULL);
    w->ops->close(&w);
    return failed;
}
