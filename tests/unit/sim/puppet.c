// The puppet program, and ears: upcalls that only take notes.
#include "puppet.h"
#include <stdlib.h>
#include <string.h>

static bool link_readable(void *owner)
{
    struct puppet *p = owner;
    p->role->readable(p);
    return true;
}

static void link_closed(void *owner)
{
    ((struct puppet *)owner)->link = NULL;
}

static const tr_endpoint_up link_up = {.readable = link_readable, .closed = link_closed};

static void child_exited(void *owner, const tr_exit_status *status)
{
    struct puppet *p = owner;
    assert_false(p->child_exited);
    p->child_exited = true;
    p->child_status = *status;
}

static int puppet_open(tr_world *world, tr_endpoint *link, const char *const *argv,
                       const char *const *env, void *arg, void **ret_state)
{
    struct stage *stage = arg;
    struct puppet *p = calloc(1, sizeof *p);
    assert_non_null(env);
    p->memory = malloc(1);
    p->world = world;
    p->link = link;
    p->stage = stage;
    for (p->role = stage->roles; strcmp(p->role->name, argv[1]) != 0;)
        p->role++;
    if (link != NULL && p->role->readable != NULL)
        endpoint_listen_to(link, &link_up, p);
    int rc = p->role->open == NULL ? 0 : p->role->open(p);
    if (rc < 0) {
        free(p->memory);
        free(p);
        return rc;
    }
    *ret_state = p;
    return 0;
}

static void puppet_step(void *state)
{
    struct puppet *p = state;
    p->due = TR__NEVER;
    p->world->ops->poll(p->world, p->due);
    if (p->role->step != NULL)
        p->role->step(p);
}

static uint64_t puppet_due(void *state)
{
    return ((struct puppet *)state)->due;
}

static bool puppet_done(void *state, int *ret_code)
{
    struct puppet *p = state;
    *ret_code = p->code;
    return p->left;
}

static void puppet_close(void *state)
{
    struct puppet *p = state;
    p->stage->closed++;
    if (p->role->closes_world && p->thread != NULL) {
        p->thread->ops->thread_join(p->thread);
        p->thread->ops->close(&p->thread);
    }
    if (p->role->closes_world) {
        p->world->ops->close(&p->world);
        p->stage->flag = p->link == NULL;
    }
    free(p->memory);
    free(p);
}

void stage_open(struct stage *stage, uint64_t seed, const struct role *roles)
{
    *stage = (struct stage){.roles = roles};
    stage->program = (tr_sim_program){
        .path = "puppet",
        .open = puppet_open,
        .step = puppet_step,
        .due = puppet_due,
        .done = puppet_done,
        .close = puppet_close,
        .arg = stage,
    };
    assert_int_equal(0, tr__sim_open(seed, &stage->sim));
    assert_int_equal(0, tr__sim_program_add(stage->sim, &stage->program));
}

void stage_close(struct stage *stage)
{
    tr__sim_close(&stage->sim);
    assert_null(stage->sim);
}

int64_t stage_start(struct stage *stage, const char *role)
{
    int64_t pid = 0;
    const char *argv[] = {"puppet", role, NULL};
    assert_int_equal(0, tr__sim_start(stage->sim, "puppet", argv, &pid));
    return pid;
}

static int program_spawn(tr_world *world, const tr_program *program, const tr_process_up *up,
                         void *owner, tr__process **ret_process, tr_endpoint **ret_link)
{
    tr_endpoint *ends[TR__ENDS];
    int rc = world->ops->spawn(world, program, up, owner, ret_process, ends);
    if (rc == 0)
        *ret_link = ends[TR__LINK_FD];
    return rc;
}

int world_spawn(tr_world *world, const char *role, const tr_process_up *up, void *owner,
                tr__process **ret_process, tr_endpoint **ret_link)
{
    const char *argv[] = {"puppet", role, NULL}, *env[] = {NULL};
    tr_program program = {.path = "puppet", .argv = argv, .env = env};
    return program_spawn(world, &program, up, owner, ret_process, ret_link);
}

int puppet_spawn(struct puppet *p, const char *role)
{
    static const tr_process_up up = {.exited = child_exited};
    const char *argv[] = {"puppet", role, NULL}, *env[] = {NULL};
    tr_program program = {.argv = argv, .env = env}; // path NULL: this very program
    return program_spawn(p->world, &program, &up, p, &p->child, &p->child_link);
}

ssize_t endpoint_read(tr_endpoint *endpoint, void *bytes, size_t size)
{
    return endpoint->world->ops->endpoint_read(endpoint, &(tr_iov){bytes, size}, 1);
}

ssize_t endpoint_write(tr_endpoint *endpoint, const void *bytes, size_t size)
{
    return endpoint->world->ops->endpoint_write(endpoint, &(tr_iov){(void *)bytes, size}, 1);
}

void endpoint_listen_to(tr_endpoint *endpoint, const tr_endpoint_up *up, void *owner)
{
    endpoint->world->ops->endpoint_bind(endpoint, up, owner);
    endpoint->world->ops->endpoint_want(endpoint, TR__READ);
}

static void ear_note(struct ear *ear, char letter)
{
    struct ear *of = ear->order_of != NULL ? ear->order_of : ear;
    size_t size = strlen(of->order);
    if (size + 1 < sizeof of->order)
        of->order[size] = letter;
}

static bool ear_readable(void *owner)
{
    struct ear *ear = owner;
    ear->readable++;
    ear_note(ear, 'r');
    return false;
}

static void ear_writable(void *owner)
{
    struct ear *ear = owner;
    ear->writable++;
    ear_note(ear, 'w');
}

static void ear_closed(void *owner)
{
    struct ear *ear = owner;
    ear->closed++;
    ear_note(ear, 'c');
}

static void ear_exited(void *owner, const tr_exit_status *status)
{
    struct ear *ear = owner;
    ear->exited++;
    ear->status = *status;
    ear_note(ear, 'x');
}

static void ear_accepted(void *owner, tr_endpoint *endpoint)
{
    struct ear *ear = owner;
    ear->accepted++;
    ear->endpoint = endpoint;
    endpoint->world->ops->endpoint_cred(endpoint, &ear->cred);
}

const tr_endpoint_up ear_up = {
    .readable = ear_readable, .writable = ear_writable, .closed = ear_closed};
const tr_process_up ear_process_up = {.exited = ear_exited};
const tr_listener_up ear_listener_up = {.accepted = ear_accepted};
