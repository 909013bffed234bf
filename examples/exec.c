// A command is run, and its output is there when it has ended.
#include <stdio.h>
#include <troupe.h>

static void on_end(tr_actor *self, int error, const tr_exec_result *result, void *arg)
{
    (void)arg;
    if (error < 0)
        fprintf(stderr, "error: %s\n%s", tr_strerror(error), result->err.ptr);
    else
        printf("stdout:\n%s", result->out.ptr);
    tr_exit(self, error);
}

static int program_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    return tr_exec(self, "ls -l", NULL, on_end, NULL, NULL);
}
static const tr_behavior program = {.name = "program", .start = program_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&program));
}
