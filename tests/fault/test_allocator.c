// Goal:   with an allocator of the user's all of the library's memory comes from there, also in the
//         real world, on every thread.
// Method: malloc of this program, which holds the library, looks at where it is called from. What
//         other libraries take for themselves is theirs; msgpack-c's would be ours.
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <troupe.h>

#include "support/cmocka.h"

#ifndef __has_feature // clang's word for it
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || !defined(__GLIBC__)

int main(void)
{
    return 77; // they have a malloc of their own. CMake knows this as skipped
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

static atomic_bool watching;
static atomic_uint direct, taken;
static atomic_int live;

static void look(const void *caller)
{
    static _Thread_local bool looking; // dladdr may take memory itself
    Dl_info of, here;
    if (!atomic_load(&watching) || looking)
        return;
    looking = true;
    if (dladdr(caller, &of) != 0 && dladdr((const void *)(uintptr_t)look, &here) != 0 &&
        (of.dli_fbase == here.dli_fbase || strstr(of.dli_fname, "msgpack") != NULL))
        atomic_fetch_add(&direct, 1);
    looking = false;
}

// Not inlined: then the caller would be the caller's.
__attribute__((noinline)) void *malloc(size_t size)
{
    look(__builtin_return_address(0));
    return __libc_malloc(size);
}

__attribute__((noinline)) void *calloc(size_t count, size_t size)
{
    look(__builtin_return_address(0));
    return __libc_calloc(count, size);
}

__attribute__((noinline)) void *realloc(void *memory, size_t size)
{
    look(__builtin_return_address(0));
    return __libc_realloc(memory, size);
}

static void *users_alloc(size_t size, void *arg)
{
    (void)arg;
    atomic_fetch_add(&taken, 1);
    atomic_fetch_add(&live, 1);
    return __libc_malloc(size);
}

static void *users_resize(void *memory, size_t size, void *arg)
{
    (void)arg;
    atomic_fetch_add(&live, memory == NULL);
    return __libc_realloc(memory, size);
}

static void users_release(void *memory, void *arg)
{
    (void)arg;
    atomic_fetch_sub(&live, memory != NULL);
    free(memory);
}

// ---- Something of everything ----

static int kid_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_json(msg) == NULL ? TR_ENOMEM : tr_reply(self, msg, tr_msg_body(msg));
}
static const tr_behavior kid = {.name = "kid", .receive = kid_receive};

static void on_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    int *left = tr_state(self);
    (void)arg;
    if (answer->status < 0 || --*left == 0)
        tr_exit(self, answer->status);
}

static int boss_ask(tr_actor *self, const tr_spawn_opts *opts)
{
    tr_addr addr;
    int rc = tr_spawn(self, &kid, opts, &addr);
    ++*(int *)tr_state(self);
    return rc < 0 ? rc
                  : tr_ask(self, addr, "?", TR_MAP("list", TR_LIST(1, "two")), NULL, NULL,
                           on_answer, NULL);
}

static int boss_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    int rc = tr_join(self, "group");
    if (rc == 0)
        rc = tr_register(self, "boss");
    if (rc == 0)
        rc = boss_ask(self, TR_SPAWN(.link = true));
    if (rc == 0)
        rc = boss_ask(self, TR_SPAWN(.isolation = TR_THREAD));
    return rc < 0 ? rc : boss_ask(self, TR_SPAWN(.isolation = TR_PROCESS, .link = true));
}
static const tr_behavior boss = {.name = "boss", .state_size = sizeof(int), .start = boss_start};

static int run(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&boss, &kid));
}

static void all_memory_is_the_allocators(void **state)
{
    static const tr_allocator users = {
        .alloc = users_alloc, .resize = users_resize, .release = users_release};
    char *argv[] = {*state, NULL};
    assert_int_equal(0, tr_memory_set(&users));
    atomic_store(&watching, true);
    int code = run(1, argv);
    void *volatile seen = malloc(1);
    free(seen);
    atomic_store(&watching, false);
    assert_int_equal(0, code);
    assert_int_equal(1, atomic_load(&direct)); // the one above
    assert_int_equal(0, atomic_load(&live));
    assert_true(atomic_load(&taken) > 30);
    assert_int_equal(0, tr_memory_set(NULL));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(all_memory_is_the_allocators, argv[0])};
    return tr_is_child() ? run(argc, argv) : cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
