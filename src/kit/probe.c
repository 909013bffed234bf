// Probes: the actors that are not under test, as far as the actor under test can see them: their
// mail, and what is pretended of them. A probe is found by its number, and lives until the kit is
// closed, also when it has been told to end.
//
// JSON that is printed for a failure is not freed: the failure's jump leaves it to the kit's end.
#include "base/memory.h"
#include "kit/kit.h"

// ---- Making and freeing them ----

static int probes_add(tr__probe *probe)
{
    if (tr__kit.probe_count == tr__kit.probe_capacity) {
        size_t capacity = tr__kit.probe_capacity == 0 ? 16 : tr__kit.probe_capacity * 2;
        tr__probe **probes = tr__resize(tr__kit.probes, capacity * sizeof(tr__probe *));
        if (probes == NULL)
            return TR_ENOMEM;
        tr__kit.probes = probes;
        tr__kit.probe_capacity = capacity;
    }
    tr__kit.probes[tr__kit.probe_count++] = probe;
    probe->addr = (tr_addr){TR__KIT_OUTSIDE, tr__kit.probe_count};
    return 0;
}

static void probe_free(tr__probe *probe)
{
    for (tr_msg *msg; (msg = tr__queue_pop(&probe->mail)) != NULL;)
        tr_msg_free(&msg);
    tr_msg_free(&probe->taken);
    tr_buf_unref(&probe->args);
    tr_buf_unref(&probe->context);
    tr__free((void *)probe->spawn.path);
    tr__free((void *)probe->spawn.opts.placement_key);
    tr__free((void *)probe->spawn.opts.program);
    tr__free((void *)probe->spawn.opts.argv);
    tr__free((void *)probe->spawn.opts.env);
    tr__free(probe->name);
    tr__free(probe);
}

int tr__probe_new(const char *name, tr__probe **ret_probe)
{
    tr__probe *probe = tr__zalloc(sizeof *probe);
    if (probe == NULL)
        return TR_ENOMEM;
    probe->room = UINT32_MAX;
    tr__list_init(&probe->watchers);
    tr__list_init(&probe->waiters);
    tr__list_init(&probe->spawned);
    probe->name = tr__strdup(name);
    if (probe->name == NULL || probes_add(probe) < 0) {
        probe_free(probe);
        return TR_ENOMEM;
    }
    *ret_probe = probe;
    return 0;
}

// Both: NULL stays NULL.
static int string_copy(const char *text, const char **ret_copy)
{
    *ret_copy = text == NULL ? NULL : tr__strdup(text);
    return text != NULL && *ret_copy == NULL ? TR_ENOMEM : 0;
}

// A list of strings that ends with NULL, in one piece of memory.
static int strings_copy(const char *const *list, const char *const **ret_copy)
{
    size_t count = 0, bytes = 0;
    if (list == NULL)
        return 0;
    for (; list[count] != NULL; count++)
        bytes += strlen(list[count]) + 1;
    const char **copy = tr__alloc((count + 1) * sizeof *copy + bytes);
    if (copy == NULL)
        return TR_ENOMEM;
    char *at = (char *)(copy + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(list[i]) + 1;
        copy[i] = memcpy(at, list[i], size);
        at += size;
    }
    copy[count] = NULL;
    *ret_copy = copy;
    return 0;
}

static int value_copy(tr_val value, tr_buf **ret_packed, tr_val *ret_copy)
{
    int rc = tr_val_pack(value, ret_packed);
    return rc < 0 ? rc
                  : tr_val_unpack(tr_buf_data(*ret_packed), tr_buf_size(*ret_packed), ret_copy);
}

int tr__probe_spawned(tr__probe *probe, tr_addr by, const tr_behavior *behavior, const char *path,
                      const tr_spawn_opts *opts)
{
    tr_kit_spawn *spawn = &probe->spawn;
    *spawn = (tr_kit_spawn){.by = by, .addr = probe->addr, .behavior = behavior, .opts = *opts};
    spawn->opts.argv = spawn->opts.env = NULL;
    spawn->opts.placement_key = spawn->opts.program = NULL;
    int rc = string_copy(path, &spawn->path);
    if (string_copy(opts->placement_key, &spawn->opts.placement_key) < 0 ||
        string_copy(opts->program, &spawn->opts.program) < 0)
        rc = TR_ENOMEM;
    if (rc == 0)
        rc = strings_copy(opts->argv, &spawn->opts.argv);
    if (rc == 0)
        rc = strings_copy(opts->env, &spawn->opts.env);
    if (rc == 0)
        rc = value_copy(opts->args, &probe->args, &spawn->opts.args);
    if (rc == 0)
        rc = value_copy(opts->context, &probe->context, &spawn->opts.context);
    if (rc == 0)
        tr__list_append(&tr__kit.spawns, &probe->spawned);
    return rc;
}

void tr__probes_clear(void)
{
    for (size_t i = 0; i < tr__kit.probe_count; i++)
        probe_free(tr__kit.probes[i]);
    tr__free(tr__kit.probes);
    tr__kit.probes = NULL;
    tr__kit.probe_count = tr__kit.probe_capacity = 0;
}

tr__probe *tr__probe_find(tr_addr addr)
{
    bool there = addr.node == TR__KIT_OUTSIDE && addr.actor - 1 < tr__kit.probe_count;
    return there ? tr__kit.probes[addr.actor - 1] : NULL;
}

static tr__probe *probe_at(tr_addr addr)
{
    tr__kit_need();
    tr__probe *probe = tr__probe_find(addr);
    if (probe == NULL)
        tr__kit_fail("this address is not a probe's");
    return probe;
}

tr_addr tr_kit_probe(const char *name)
{
    tr__probe *probe;
    tr__kit_need();
    if (name == NULL || tr__probe_new(name, &probe) < 0)
        tr__kit_fail("a probe needs a name, and memory");
    return probe->addr;
}

tr_addr tr_kit_parent(void)
{
    tr__kit_need();
    return tr__kit.probes[0]->addr;
}

// ---- Their mail ----

static const char *json_of(tr_val value)
{
    char *text = NULL;
    int rc = tr_json_print(value, &text);
    return rc == 0 ? text : tr_strerror(rc);
}

static const tr_msg *probe_take(tr__probe *probe)
{
    tr_msg_free(&probe->taken);
    return probe->taken = tr__queue_pop(&probe->mail);
}

void tr_kit_expect(tr_addr addr, const char *name, tr_val body, bool like, const char *file,
                   int line)
{
    tr__kit_at(file, line);
    tr__probe *probe = probe_at(addr);
    const tr_msg *msg = probe_take(probe);
    if (msg != NULL && tr_msg_is(msg, name) && tr__kit_match(body, tr_msg_body(msg), like))
        return;
    tr__kit_fail("%s should get %s %s%s\n%*s did get %s %s", probe->name, name, json_of(body),
                 like ? ", at least" : "", (int)strlen(probe->name) + 3, "",
                 msg == NULL ? "nothing" : tr_msg_name(msg), msg == NULL ? "" : tr_msg_json(msg));
}

const tr_msg *tr_kit_take(tr_addr addr, const char *file, int line)
{
    tr__kit_at(file, line);
    tr__probe *probe = probe_at(addr);
    const tr_msg *msg = probe_take(probe);
    if (msg == NULL)
        tr__kit_fail("%s should get a message, and has none", probe->name);
    return msg;
}

void tr_kit_answer(tr_addr addr, int status, tr_val body, const char *file, int line)
{
    tr__kit_at(file, line);
    tr__probe *probe = probe_at(addr);
    tr_msg *ask = probe->taken, *answer = NULL;
    if (ask == NULL || !ask->is_ask || ask->answered)
        tr__kit_fail("%s has taken no ask that could be answered", probe->name);
    int rc = tr__msg_pack("answer", sizeof(tr__answer_head), body, &answer);
    if (rc < 0)
        tr__kit_fail("the answer cannot be made: %s", tr_strerror(rc));
    *(tr__answer_head *)tr__msg_extra(answer) = (tr__answer_head){
        .to = ask->from, .ask = ((const tr__ask_head *)tr__msg_extra(ask))->ask, .status = status};
    answer->from = addr;
    answer->is_answer = ask->answered = true;
    tr__answer_pass(tr__kit.loop, &answer);
    tr__kit_run();
}

static void expect_nothing(const tr__probe *probe)
{
    const tr_msg *msg = probe->mail.head;
    if (msg != NULL)
        tr__kit_fail("%s should get nothing, and did get %s %s", probe->name, tr_msg_name(msg),
                     tr_msg_json(msg));
}

void tr_kit_expect_nothing(tr_addr addr, const char *file, int line)
{
    tr__kit_at(file, line);
    tr__kit_need();
    if (!tr_addr_eq(addr, TR_NOBODY)) {
        expect_nothing(probe_at(addr));
        return;
    }
    for (size_t i = 0; i < tr__kit.probe_count; i++)
        expect_nothing(tr__kit.probes[i]);
    if (!tr__list_empty(&tr__kit.spawns))
        tr__kit_fail("nothing should be spawned, and %s was",
                     tr__container(tr__kit.spawns.next, tr__probe, spawned)->name);
}

// ---- What was done to them, and what is pretended ----

size_t tr_kit_monitors(tr_addr addr)
{
    const tr__list *watchers = &probe_at(addr)->watchers;
    size_t count = 0;
    for (const tr__list *at = watchers->next; at != watchers; at = at->next)
        count++;
    return count;
}

bool tr_kit_stop_asked(tr_addr addr)
{
    return probe_at(addr)->stop_asked;
}

void tr_kit_room(tr_addr addr, uint32_t messages)
{
    tr__probe *probe = probe_at(addr);
    probe->room = messages;
    if (messages == 0)
        return;
    tr__list_splice(&tr__kit.loop->writable, &probe->waiters);
    tr__kit_run();
}

void tr__probe_end(tr__probe *probe, tr_reason reason)
{
    probe->ended = true;
    for (tr_msg *msg = probe->mail.head; msg != NULL; msg = msg->next)
        tr__ask_close(tr__kit.loop, msg, TR_EDOWN, reason);
    if (probe->taken != NULL)
        tr__ask_close(tr__kit.loop, probe->taken, TR_EDOWN, reason);
    tr__watchers_tell(&probe->watchers, reason, NULL);
    tr__list_splice(&tr__kit.loop->writable, &probe->waiters);
}

void tr_kit_end(tr_addr addr, tr_reason reason)
{
    tr__probe_end(probe_at(addr), reason);
    tr__kit_run();
}

// ---- Spawns ----

const tr_kit_spawn *tr_kit_take_spawn(const char *file, int line)
{
    tr__kit_at(file, line);
    tr__kit_need();
    tr__list *first = tr__list_pop(&tr__kit.spawns);
    if (first == NULL)
        tr__kit_fail("something should be spawned, and nothing was");
    return &tr__container(first, tr__probe, spawned)->spawn;
}

static const char *isolation_name(tr_isolation isolation)
{
    static const char *const names[] = {"shared", "a thread", "a process"};
    return isolation <= TR_PROCESS ? names[isolation] : "nowhere";
}

tr_addr tr_kit_expect_spawn(const tr_behavior *behavior, tr_isolation isolation, tr_val args,
                            const char *file, int line)
{
    const tr_kit_spawn *spawn = tr_kit_take_spawn(file, line);
    if (behavior == NULL || spawn->behavior != behavior || spawn->opts.isolation != isolation ||
        !tr__kit_match(args, spawn->opts.args, false))
        tr__kit_fail("%s, %s, with %s, should be spawned\n%s, %s, with %s, was",
                     behavior == NULL ? "(no behavior)" : behavior->name, isolation_name(isolation),
                     json_of(args), tr__probe_find(spawn->addr)->name,
                     isolation_name(spawn->opts.isolation), json_of(spawn->opts.args));
    return spawn->addr;
}

void tr_kit_fail_spawn(uint32_t nth, int error)
{
    tr__kit_need();
    tr__kit.spawn_fails_in = nth;
    tr__kit.spawn_error = error;
}
