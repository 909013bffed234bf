// Processes: starting, ending, dying in every way.
#include "puppet.h"
#include "support/counted_memory.h"

static void pid_tell(struct puppet *p)
{
    p->stage->pid = tr__sim_pid(p->world);
}

static void leave_step(struct puppet *p)
{
    p->left = true;
    p->code = 256 + 7; // a status has 8 bits
}

static int refuse_open(struct puppet *p)
{
    (void)p;
    return TR_EACCES;
}

static void write_step(struct puppet *p)
{
    for (size_t sent = 0; sent < 100;)
        sent += (size_t)endpoint_write(p->link, "0123456789", 10);
}

static void write_and_leave_step(struct puppet *p)
{
    write_step(p);
    p->left = true;
}

// What it does after its own end no longer leaves it.
static void suicide_step(struct puppet *p)
{
    int64_t pid = tr__sim_pid(p->world);
    assert_int_equal(1, endpoint_write(p->link, "x", 1));
    assert_int_equal(0, tr__sim_kill(p->stage->sim, pid, 11));
    assert_int_equal(TR_ENOENT, tr__sim_kill(p->stage->sim, pid, 11));
    p->stage->result = (int)endpoint_write(p->link, "y", 1);
    assert_int_equal(TR_EDOWN, puppet_spawn(p, "idle"));
}

static int parent_open(struct puppet *p)
{
    return puppet_spawn(p, "idle");
}

static void family_step(struct puppet *p)
{
    if (p->child == NULL)
        assert_int_equal(0, puppet_spawn(p, "parent"));
}

static int patricide_open(struct puppet *p)
{
    return tr__sim_kill(p->stage->sim, p->stage->pid, 9);
}

// It dies in the middle of spawning, and with it the child that did it.
static void victim_step(struct puppet *p)
{
    pid_tell(p);
    p->stage->result = puppet_spawn(p, "patricide");
    p->stage->flag = true;
}

// On its standard output, which is its parent's.
static void say_step(struct puppet *p)
{
    tr_endpoint *out = NULL;
    assert_int_equal(0, p->world->ops->borrow(p->world, 1, &out));
    assert_int_equal(1, endpoint_write(out, "x", 1));
    p->world->ops->endpoint_shutdown(out);
    p->world->ops->endpoint_close(out);
    p->left = true;
}

static void node_readable(struct puppet *p)
{
    p->left = true;
}

static const struct role roles[] = {
    {.name = "idle", .step = pid_tell},
    {.name = "leave", .step = leave_step},
    {.name = "refuse", .open = refuse_open},
    {.name = "write", .step = write_step},
    {.name = "write-and-leave", .step = write_and_leave_step},
    {.name = "suicide", .step = suicide_step},
    {.name = "parent", .open = parent_open},
    {.name = "family", .step = family_step},
    {.name = "patricide", .open = patricide_open},
    {.name = "victim", .step = victim_step},
    {.name = "say", .step = say_step},
    {.name = "node", .readable = node_readable, .closes_world = true},
    {0},
};

#define FIXTURE_CALLS 3 // of the allocator: the simulator, the program, the world

// A world with one child.
struct fixture {
    struct stage stage;
    tr_world *world;
    tr__process *child;
    tr_endpoint *link;
    struct ear ear;
};

static void fixture_open(struct fixture *f, uint64_t seed)
{
    *f = (struct fixture){0};
    stage_open(&f->stage, seed, roles);
    assert_int_equal(0, tr__sim_world(f->stage.sim, &f->world));
}

static int fixture_spawn(struct fixture *f, const char *role)
{
    int rc = world_spawn(f->world, role, &ear_process_up, &f->ear, &f->child, &f->link);
    if (rc == 0)
        endpoint_listen_to(f->link, &ear_up, &f->ear);
    return rc;
}

// What can be read and is not makes each poll short.
static void fixture_await_exit(struct fixture *f)
{
    for (int i = 0; i < 1000 && f->ear.exited == 0; i++)
        f->world->ops->poll(f->world, TR__NEVER);
    assert_int_equal(1, f->ear.exited);
}

static void fixture_close(struct fixture *f)
{
    f->world->ops->close(&f->world);
    stage_close(&f->stage);
}

static void test_a_process_that_leaves_tells_its_code(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1);
    assert_int_equal(0, fixture_spawn(&f, "leave"));
    int64_t pid = f.world->ops->process_pid(f.child);
    assert_true(tr__sim_alive(f.stage.sim, pid));
    fixture_await_exit(&f);
    assert_int_equal(7, f.ear.status.code);
    assert_int_equal(0, f.ear.status.signal);
    assert_false(tr__sim_alive(f.stage.sim, pid));
    assert_int_equal(1, f.stage.closed);
    f.world->ops->process_signal(f.child, 9); // a no-op now
    f.world->ops->poll(f.world, 0);
    assert_int_equal(1, f.ear.exited);
    assert_int_equal(pid, f.world->ops->process_pid(f.child));
    f.world->ops->process_close(&f.child);
    assert_null(f.child);
    fixture_close(&f);
}

static void test_what_cannot_start_is_an_error_of_the_spawn(void **state)
{
    (void)state;
    struct fixture f;
    int64_t pid = 0;
    tr_endpoint *ends[TR__ENDS];
    const char *argv[] = {"nobody", NULL};
    tr_program unknown = {.path = "nobody", .argv = argv, .env = argv + 1};
    tr_program itself = {.argv = argv, .env = argv + 1};
    fixture_open(&f, 1);
    assert_int_equal(TR_EACCES, fixture_spawn(&f, "refuse"));
    assert_int_equal(
        TR_ENOENT, f.world->ops->spawn(f.world, &unknown, &ear_process_up, &f.ear, &f.child, ends));
    assert_int_equal(
        TR_ENOENT, f.world->ops->spawn(f.world, &itself, &ear_process_up, &f.ear, &f.child, ends));
    assert_int_equal(TR_ENOENT, tr__sim_start(f.stage.sim, "nobody", argv, &pid));
    assert_null(f.child);
    assert_null(f.link);
    assert_false(tr__sim_step(f.stage.sim));
    fixture_close(&f);
}

static void test_the_nth_spawn_fails_once(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1);
    tr__sim_set_spawn_error(f.stage.sim, TR_EAGAIN, 2);
    assert_int_equal(0, fixture_spawn(&f, "idle"));
    assert_int_equal(TR_EAGAIN, fixture_spawn(&f, "idle"));
    assert_int_equal(0, fixture_spawn(&f, "idle"));
    fixture_close(&f);
}

// Goal:   the last words of a killed process are read, all of them, and then the end.
// Method: kill it when it has written; 50 seeds; its state is freed by close alone (ASan).
static void test_what_a_killed_process_wrote_is_still_read(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct fixture f;
        char bytes[200];
        ssize_t got = 0, n = TR_EAGAIN;
        fixture_open(&f, seed);
        assert_int_equal(0, fixture_spawn(&f, "write"));
        assert_true(tr__sim_step(f.stage.sim));
        f.world->ops->process_signal(f.child, 0); // only asks
        assert_true(tr__sim_alive(f.stage.sim, f.world->ops->process_pid(f.child)));
        f.world->ops->process_signal(f.child, 15);
        assert_int_equal(1, f.stage.closed);
        while (n != 0) {
            n = endpoint_read(f.link, bytes, sizeof bytes);
            got += n > 0 ? n : 0;
            if (n == TR_EAGAIN)
                f.world->ops->poll(f.world, TR__NEVER);
        }
        assert_true(got >= 100);
        fixture_await_exit(&f);
        assert_int_equal(15, f.ear.status.signal);
        assert_int_equal(0, f.ear.status.code);
        fixture_close(&f);
    }
}

// Goal:   when an exit is told, all that the process wrote is there, whether it was told or not.
// Method: 50 seeds, slow and fast; in some the exit is told first.
static void test_the_exit_is_told_when_the_bytes_are_there(void **state)
{
    (void)state;
    unsigned exit_first = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct fixture f;
        char bytes[200];
        fixture_open(&f, seed);
        tr__sim_set_delay(f.stage.sim, seed % 2 == 0 ? 0 : 1000000);
        assert_int_equal(0, fixture_spawn(&f, "write-and-leave"));
        for (int i = 0; i < 2000 && f.ear.exited == 0; i++)
            f.world->ops->poll(f.world, TR__NEVER);
        assert_int_equal(1, f.ear.exited);
        exit_first += f.ear.order[0] == 'x';
        ssize_t got = 0, n;
        while ((n = endpoint_read(f.link, bytes, sizeof bytes)) > 0)
            got += n;
        assert_int_equal(0, n);
        assert_true(got >= 100);
        fixture_close(&f);
    }
    assert_in_range(exit_first, 1, 24);
}

static void test_a_process_that_dies_in_its_step_is_silent_at_once(void **state)
{
    (void)state;
    struct fixture f;
    char bytes[8];
    fixture_open(&f, 1);
    assert_int_equal(0, fixture_spawn(&f, "suicide"));
    fixture_await_exit(&f);
    assert_int_equal(11, f.ear.status.signal);
    assert_int_equal(TR_EPIPE, f.stage.result);
    assert_int_equal(1, f.stage.closed);
    while (f.ear.readable == 0)
        f.world->ops->poll(f.world, TR__NEVER);
    assert_int_equal(1, endpoint_read(f.link, bytes, sizeof bytes));
    fixture_close(&f);
}

// Goal:   a standard descriptor is its process's and its heirs', whatever an endpoint over it does,
//         and ends with the last of them.
static void test_a_child_inherits_what_its_parent_has(void **state)
{
    (void)state;
    struct fixture f;
    char byte = 0;
    tr_endpoint *near = NULL, *far = NULL;
    fixture_open(&f, 1);
    assert_int_equal(0, tr__sim_pipe(f.world, f.world, &near, &far));
    tr__sim_set_stdio(f.world, 1, &near);
    assert_null(near);
    assert_int_equal(0, fixture_spawn(&f, "say"));
    fixture_await_exit(&f);
    assert_int_equal(1, endpoint_read(far, &byte, 1));
    assert_int_equal('x', byte);
    assert_int_equal(TR_EAGAIN, endpoint_read(far, &byte, 1));
    tr__sim_set_stdio(f.world, 1, &near); // closes it
    tr__sim_run_for(f.stage.sim, 1000000);
    assert_int_equal(0, endpoint_read(far, &byte, 1));
    assert_int_equal(-EBADF, f.world->ops->borrow(f.world, 1, &near));
    fixture_close(&f);
}

static void test_process_close_kills(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1);
    assert_int_equal(0, fixture_spawn(&f, "idle"));
    int64_t pid = f.world->ops->process_pid(f.child);
    f.world->ops->process_close(&f.child);
    assert_false(tr__sim_alive(f.stage.sim, pid));
    assert_int_equal(1, f.stage.closed);
    f.world->ops->poll(f.world, TR__NEVER);
    assert_int_equal(0, f.ear.exited);
    fixture_close(&f);
}

static void test_children_die_with_their_parent(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    int64_t pid = stage_start(&stage, "family");
    while (tr__sim_step(stage.sim))
        ;
    assert_int_equal(3, stage.pid); // family, parent, idle
    assert_true(tr__sim_alive(stage.sim, stage.pid));
    assert_int_equal(0, tr__sim_kill(stage.sim, pid, 9));
    assert_false(tr__sim_alive(stage.sim, stage.pid));
    assert_int_equal(3, stage.closed);
    stage_close(&stage);
}

static void test_a_parent_may_die_while_it_spawns(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, 1, roles);
    stage_start(&stage, "victim");
    assert_true(tr__sim_step(stage.sim));
    assert_int_equal(2, stage.closed);
    assert_int_equal(0, stage.result);
    assert_true(stage.flag);
    assert_false(tr__sim_step(stage.sim));
    stage_close(&stage);
}

static void test_closing_the_world_of_a_test_kills_its_children(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1);
    assert_int_equal(0, fixture_spawn(&f, "parent"));
    f.world->ops->close(&f.world);
    assert_null(f.world);
    assert_int_equal(2, f.stage.closed);
    stage_close(&f.stage);
}

static void test_a_program_that_closes_its_world_hears_of_its_endpoints(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1);
    assert_int_equal(0, fixture_spawn(&f, "node"));
    f.world->ops->process_signal(f.child, 9);
    assert_int_equal(1, f.stage.closed);
    assert_true(f.stage.flag);
    fixture_close(&f);
    assert_int_equal(1, f.ear.closed); // so does the test
}

static void test_a_machine_that_closes_calls_nobody(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f, 1);
    assert_int_equal(0, fixture_spawn(&f, "idle"));
    stage_close(&f.stage);
    assert_int_equal(0, f.ear.closed + f.ear.exited);
}

// Goal:   a spawn without memory is TR_ENOMEM and leaves nothing.
// Method: fail the first allocation, the second, ... until the spawn passes.
static void test_a_spawn_without_memory_leaves_nothing(void **state)
{
    (void)state;
    size_t fail_at = 0;
    do {
        struct fixture f;
        counted_memory_start(++fail_at + FIXTURE_CALLS);
        fixture_open(&f, 1);
        assert_int_equal(FIXTURE_CALLS, counted.calls);
        int rc = fixture_spawn(&f, "idle");
        assert_int_equal(counted_memory_failed() ? TR_ENOMEM : 0, rc);
        assert_int_equal(rc == 0, tr__sim_step(f.stage.sim));
        fixture_close(&f);
        assert_int_equal(0, counted_memory_stop());
    } while (counted_memory_failed());
    assert_int_equal(7, fail_at); // child, process, two halves, two endpoints, and none
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_process_that_leaves_tells_its_code),
        cmocka_unit_test(test_what_cannot_start_is_an_error_of_the_spawn),
        cmocka_unit_test(test_the_nth_spawn_fails_once),
        cmocka_unit_test(test_what_a_killed_process_wrote_is_still_read),
        cmocka_unit_test(test_the_exit_is_told_when_the_bytes_are_there),
        cmocka_unit_test(test_a_process_that_dies_in_its_step_is_silent_at_once),
        cmocka_unit_test(test_a_child_inherits_what_its_parent_has),
        cmocka_unit_test(test_process_close_kills),
        cmocka_unit_test(test_children_die_with_their_parent),
        cmocka_unit_test(test_a_parent_may_die_while_it_spawns),
        cmocka_unit_test(test_closing_the_world_of_a_test_kills_its_children),
        cmocka_unit_test(test_a_program_that_closes_its_world_hears_of_its_endpoints),
        cmocka_unit_test(test_a_machine_that_closes_calls_nobody),
        cmocka_unit_test(test_a_spawn_without_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
