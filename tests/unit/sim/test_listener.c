// Listeners and connections.
#include "puppet.h"
#include "support/site.h"
#include <string.h>

static int visit(tr_world *world, const char *path, tr_endpoint **ret_endpoint)
{
    return world->ops->connect(world, AT_PATH(path), ret_endpoint);
}

static void listen_step(struct puppet *p)
{
    tr_listener *listener = NULL;
    p->stage->result = p->world->ops->listen(p->world, AT_PATH("/held"), PLAINLY, &ear_listener_up,
                                             NULL, &listener);
}

// Dead, and for the rest of its step without a say.
static void ghost_step(struct puppet *p)
{
    tr_listener *listener = NULL;
    tr_endpoint *endpoint = NULL;
    assert_int_equal(0, tr__sim_kill(p->stage->sim, tr__sim_pid(p->world), 9));
    assert_int_equal(TR_EDOWN, p->world->ops->listen(p->world, AT_PATH("/ghost"), PLAINLY,
                                                     &ear_listener_up, NULL, &listener));
    assert_int_equal(TR_EDOWN, visit(p->world, "/name", &endpoint));
    p->stage->flag = true;
}

static const struct role roles[] = {
    {.name = "listen", .step = listen_step}, {.name = "ghost", .step = ghost_step}, {0}};

struct fixture {
    struct stage stage;
    tr_world *server, *client;
    tr_listener *listener;
    struct ear ear;
};

static void fixture_open(struct fixture *f)
{
    *f = (struct fixture){0};
    stage_open(&f->stage, 1, roles);
    assert_int_equal(0, tr__sim_world(f->stage.sim, &f->server));
    assert_int_equal(0, tr__sim_world(f->stage.sim, &f->client));
    assert_int_equal(0, f->server->ops->listen(f->server, AT_PATH("/name"), PLAINLY,
                                               &ear_listener_up, &f->ear, &f->listener));
}

static void fixture_close(struct fixture *f)
{
    f->server->ops->close(&f->server);
    f->client->ops->close(&f->client);
    stage_close(&f->stage);
}

static void test_a_connection_is_accepted_with_what_was_written_before(void **state)
{
    (void)state;
    struct fixture f;
    struct ear reader = {0};
    tr_endpoint *endpoint = NULL;
    char byte = 0;
    fixture_open(&f);
    assert_int_equal(0, visit(f.client, "/name", &endpoint));
    assert_int_equal(1, endpoint_write(endpoint, "x", 1));
    f.server->ops->poll(f.server, TR__NEVER);
    assert_int_equal(1, f.ear.accepted);
    assert_true(f.ear.cred.same_user);
    assert_int_equal(tr__sim_pid(f.client), f.ear.cred.pid);
    endpoint_listen_to(f.ear.endpoint, &ear_up, &reader);
    f.server->ops->poll(f.server, TR__NEVER);
    assert_int_equal(1, endpoint_read(f.ear.endpoint, &byte, 1));
    assert_int_equal('x', byte);
    f.server->ops->poll(f.server, 0);
    assert_int_equal(1, f.ear.accepted);
    fixture_close(&f);
}

static void test_names_have_one_listener_and_a_length(void **state)
{
    (void)state;
    struct fixture f;
    tr_listener *other = NULL;
    tr_endpoint *endpoint = NULL;
    char path[108];
    fixture_open(&f);
    const tr_world_ops *ops = f.server->ops;
    assert_int_equal(TR_EADDRINUSE, ops->listen(f.client, AT_PATH("/name"), PLAINLY,
                                                &ear_listener_up, NULL, &other));
    memset(path, 'p', sizeof path);
    path[107] = 0;
    assert_int_equal(0,
                     ops->listen(f.client, AT_PATH(path), PLAINLY, &ear_listener_up, NULL, &other));
    assert_int_equal(TR_ENOENT, visit(f.client, "/nobody", &endpoint));
    fixture_close(&f);
}

static void test_a_listener_that_closes_ends_those_who_wait(void **state)
{
    (void)state;
    struct fixture f;
    struct ear ear = {0};
    tr_endpoint *endpoint = NULL;
    char byte;
    fixture_open(&f);
    assert_int_equal(0, visit(f.client, "/name", &endpoint));
    endpoint_listen_to(endpoint, &ear_up, &ear);
    f.server->ops->listener_close(&f.listener);
    assert_null(f.listener);
    f.client->ops->poll(f.client, TR__NEVER);
    assert_int_equal(1, ear.readable);
    assert_int_equal(0, endpoint_read(endpoint, &byte, 1));
    f.server->ops->poll(f.server, 0);
    assert_int_equal(0, f.ear.accepted);
    assert_int_equal(TR_ENOENT, visit(f.client, "/name", &endpoint));
    fixture_close(&f);
}

static void test_a_process_that_dies_leaves_its_name(void **state)
{
    (void)state;
    struct fixture f;
    struct ear ear = {0};
    tr_endpoint *endpoint = NULL;
    tr_listener *listener = NULL;
    fixture_open(&f);
    int64_t pid = stage_start(&f.stage, "listen");
    assert_true(tr__sim_step(f.stage.sim));
    assert_int_equal(0, f.stage.result);
    assert_int_equal(0, visit(f.client, "/held", &endpoint));
    endpoint_listen_to(endpoint, &ear_up, &ear);
    assert_int_equal(0, tr__sim_kill(f.stage.sim, pid, 9));
    f.client->ops->poll(f.client, TR__NEVER);
    assert_int_equal(1, ear.readable);
    assert_int_equal(0, f.server->ops->listen(f.server, AT_PATH("/held"), PLAINLY, &ear_listener_up,
                                              &f.ear, &listener));
    fixture_close(&f);
}

static void test_the_dead_neither_listen_nor_connect(void **state)
{
    (void)state;
    struct fixture f;
    tr_endpoint *endpoint = NULL;
    fixture_open(&f);
    stage_start(&f.stage, "ghost");
    assert_true(tr__sim_step(f.stage.sim));
    assert_true(f.stage.flag);
    f.server->ops->poll(f.server, 0);
    assert_int_equal(0, f.ear.accepted);
    assert_int_equal(TR_ENOENT, visit(f.client, "/ghost", &endpoint));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_is_accepted_with_what_was_written_before),
        cmocka_unit_test(test_names_have_one_listener_and_a_length),
        cmocka_unit_test(test_a_listener_that_closes_ends_those_who_wait),
        cmocka_unit_test(test_a_process_that_dies_leaves_its_name),
        cmocka_unit_test(test_the_dead_neither_listen_nor_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
