// Programs in the kit, which has none. What they do elsewhere: conform/program_suite.c and
// ipc/test_programs.c.
#include <troupe.h>
#include <troupe/test.h>

#include "support/cmocka.h"

static void never(tr_actor *self, tr_process process, const tr_process_end *end, void *arg)
{
    (void)self, (void)process, (void)end, (void)arg;
    TR_CHECK(!"told");
}

static void never_result(tr_actor *self, int error, const tr_exec_result *result, void *arg)
{
    (void)self, (void)error, (void)result, (void)arg;
    TR_CHECK(!"told");
}

static int starter_start(tr_actor *self, const tr_val *args)
{
    tr_process process = {7};
    tr_process_info info;
    (void)args;
    TR_CHECK(tr_process_open(self, "true", NULL, NULL, never, NULL, &process) == TR_ENOSYS);
    TR_CHECK(tr_exec(self, "true", NULL, never_result, NULL, &process) == TR_ENOSYS);
    TR_CHECK(process.id == 7);
    TR_CHECK(tr_process_stop(self, process) == TR_ENOENT);
    TR_CHECK(tr_process_signal(self, process, 0) == TR_ENOENT);
    TR_CHECK(tr_process_look(self, process, &info) == TR_ENOENT);
    TR_CHECK(tr_process_stop(NULL, process) == TR_EINVAL);
    return 0;
}
static const tr_behavior starter = {.name = "starter", .start = starter_start};

static void the_kit_has_no_programs(void **state)
{
    (void)state;
    TR_START(&starter, NULL);
    TR_EXPECT_NO_TIMER();
}

static const struct CMUnitTest tests[] = {
    TR_TEST(the_kit_has_no_programs),
};
TR_TEST_MAIN("unit/core/process", TR_APP(&starter), tests)
