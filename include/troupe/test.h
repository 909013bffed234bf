/* Tests of actors, with cmocka: one actor at a time, in no time; or real processes.
 *
 *     #include <troupe/test.h>
 *
 *     #include <cmocka.h>
 *
 *     static void a_hit_is_counted(void **state)
 *     {
 *         (void)state;
 *         tr_addr client = tr_kit_probe("client");
 *         tr_addr actor = TR_START(&counter, TR_SPAWN(.args = TR_V(41)));
 *         TR_GIVE(actor, client, "hit", TR_NULL);
 *         TR_EXPECT(client, "total", TR_V(42));
 *     }
 *
 *     static const struct CMUnitTest tests[] = {
 *         TR_TEST(a_hit_is_counted),
 *     };
 *     TR_TEST_MAIN("counter", TR_APP(&counter), tests)
 *
 * This header stands before <cmocka.h>, which needs others that it does not include. Programs are
 * linked with troupe::test (pkg-config: troupe-test) instead of troupe::troupe: it is all of that,
 * and the kit.
 *
 * What fails, fails through cmocka. A macro in capitals fails the test at its line; a function in
 * lower case fails it only when it is misused, at the line of the macro before. All of them are for
 * the test's own thread. cmocka leaves a failed test by longjmp: see TR_CHECK for what that means
 * in handlers. An abort on the test's thread fails the test, too. A process that was forked off in
 * a test ends where the test ends, instead of running the other tests again. */
#ifndef TROUPE_TEST_H
#define TROUPE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <troupe/node.h>
#include <troupe/timer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The main of a test program: runs the tests of an array as one group of this name. When it was
 * started by tr_spawn it is the child that the parent wants, one of the app's behaviours. */
#define TR_TEST_MAIN(name, app, tests)                                                             \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        if (tr_is_child())                                                                         \
            return tr_main(argc, argv, (app));                                                     \
        return cmocka_run_group_tests_name((name), (tests), NULL, NULL);                           \
    }

/* Check something on any thread, or in a handler of a real node: one that does not hold is noted,
 * and fails the test at this line when the test's thread is back from the kit or the node. In a
 * process without a running test, as a child is, it prints the line and aborts.
 *
 * cmocka's own assertions jump out of a handler past the library. With the kit that is sound: what
 * the kit's node owns is memory only, and it is thrown away as a whole. A real node (TR_RUN) is
 * left behind as it is until the program ends, so use TR_CHECK there; on another thread than the
 * test's they would end the program.
 * returns: whether the condition holds */
#define TR_CHECK(condition) tr_test_check((condition), #condition, __FILE__, __LINE__)
TR_API bool tr_test_check(bool holds, const char *what, const char *file, int line);

/* ---- The kit: one actor, virtual time, nobody else ----
 *
 * There is one kit, open during each test that is listed as TR_TEST. In it an actor under test runs
 * on a node of its own. All others that it knows are probes: addresses without behaviour, whose
 * mail the test reads. What the actor does happens inside of the call that gives it a reason,
 * with its ticks, microtasks and immediates, until nothing is left to be done now; time passes only
 * in TR_ADVANCE. What it spawns, as a process or not, is not started: a probe stands for it.
 * Warnings are kept, not printed. The test fails when it leaves memory of the library behind. For
 * this tr_memory_set and tr_log_set are the kit's while it is open, and afterwards as if they had
 * not been called: what was made before must not be used in it. */

#define TR_TEST(function) cmocka_unit_test_setup_teardown(function, tr_kit_setup, tr_kit_teardown)

/* For cmocka, or for fixtures of your own to call: open the kit; close it.
 * returns: 0, or -1 when there is no memory; memory that is left behind fails the test */
TR_API int tr_kit_setup(void **state);
TR_API int tr_kit_teardown(void **state);

/* Start an actor under test. It has had its start when this returns. Its parent is a probe.
 * borrows: behavior, for the test; opts (NULL: all defaults)
 * returns: its address, which has missed since if it has ended already */
#define TR_START(behavior, opts) tr_kit_start((behavior), (opts), __FILE__, __LINE__)
TR_API tr_addr tr_kit_start(const tr_behavior *behavior, const tr_spawn_opts *opts,
                            const char *file, int line);

/* Give an actor under test a message from a probe, or from TR_NOBODY. It has been handled when this
 * returns. Fails when the actor has ended. TR_GIVE_MSG moves *msg, always. */
#define TR_GIVE(actor, from, name, body)                                                           \
    tr_kit_give((actor), (from), (name), (body), __FILE__, __LINE__)
#define TR_GIVE_MSG(actor, from, msg) tr_kit_give_msg((actor), (from), (msg), __FILE__, __LINE__)
TR_API void tr_kit_give(tr_addr actor, tr_addr from, const char *name, tr_val body,
                        const char *file, int line);
TR_API void tr_kit_give_msg(tr_addr actor, tr_addr from, tr_msg **msg, const char *file, int line);

/* The same as an ask, with the standard deadline. How it ends comes to the probe as a message:
 * "answer" with its body, or "error" with the status as its body. */
#define TR_GIVE_ASK(actor, from, name, body)                                                       \
    tr_kit_give_ask((actor), (from), (name), (body), __FILE__, __LINE__)
TR_API void tr_kit_give_ask(tr_addr actor, tr_addr from, const char *name, tr_val body,
                            const char *file, int line);

/* Ask an actor under test to shut down, as tr_stop does. */
#define TR_STOP(actor) tr_kit_stop((actor), __FILE__, __LINE__)
TR_API void tr_kit_stop(tr_addr actor, const char *file, int line);

/* Let so much time pass: timers fire one after the other, each at its own time. */
#define TR_ADVANCE(ns) tr_kit_advance((ns), __FILE__, __LINE__)
TR_API void tr_kit_advance(uint64_t ns, const char *file, int line);

/* The time: what tr_now says to actors. */
TR_API uint64_t tr_kit_now(void);

/* ---- Probes ---- */

/* A new probe, by a name for messages of failure; and the one that is the parent of all actors
 * under test. A probe lives until the test's end, and monitors never. */
TR_API tr_addr tr_kit_probe(const char *name);
TR_API tr_addr tr_kit_parent(void);

/* The next message that the probe was sent has this name and body. LIKE: each map of the body has
 * these keys with these values, and maybe more. */
#define TR_EXPECT(probe, name, body)                                                               \
    tr_kit_expect((probe), (name), (body), false, __FILE__, __LINE__)
#define TR_EXPECT_LIKE(probe, name, body)                                                          \
    tr_kit_expect((probe), (name), (body), true, __FILE__, __LINE__)
TR_API void tr_kit_expect(tr_addr probe, const char *name, tr_val body, bool like, const char *file,
                          int line);

/* Take the next message to look at it yourself; there must be one.
 * returns: a message that is good until the next one is taken from this probe */
#define TR_TAKE(probe) tr_kit_take((probe), __FILE__, __LINE__)
TR_API const tr_msg *tr_kit_take(tr_addr probe, const char *file, int line);

/* Answer the ask that was expected or taken last from this probe: with a body, or with an error. An
 * ask that is not answered has its deadline; if the probe ends before, the asker hears of that. */
#define TR_ANSWER(probe, body)        tr_kit_answer((probe), 0, (body), __FILE__, __LINE__)
#define TR_ANSWER_ERROR(probe, error) tr_kit_answer((probe), (error), TR_NULL, __FILE__, __LINE__)
TR_API void tr_kit_answer(tr_addr probe, int status, tr_val body, const char *file, int line);

/* No message is left there. For TR_NOBODY: none at any probe, and no spawn to be looked at. */
#define TR_EXPECT_NOTHING(probe) tr_kit_expect_nothing((probe), __FILE__, __LINE__)
TR_API void tr_kit_expect_nothing(tr_addr probe, const char *file, int line);

/* How many monitors are set on the probe now; whether somebody has called tr_stop for it. */
TR_API size_t tr_kit_monitors(tr_addr probe);
TR_API bool tr_kit_stop_asked(tr_addr probe);

/* From now on the probe has room for so many messages, and refuses what comes then with TR_EFULL;
 * UINT32_MAX, as at first: no limit. Who waits for room (tr_on_writable) is told when there is. */
TR_API void tr_kit_room(tr_addr probe, uint32_t messages);

/* The probe ends: its monitors hear of it, and its address misses. What an actor has spawned is not
 * asked to stop here when the actor ends: that is the library's doing, not the actor's. */
TR_API void tr_kit_end(tr_addr probe, tr_reason reason);

/* ---- What actors under test have spawned ---- */

typedef struct tr_kit_spawn {
    tr_addr by;
    tr_addr addr;                /* the probe that stands for it */
    const tr_behavior *behavior; /* NULL: by tr_fork */
    const char *path;            /* of tr_fork, or opts.program; or NULL */
    tr_spawn_opts opts;          /* copied, with all that it points to */
} tr_kit_spawn;

/* The next spawn is this one, with just these args.
 * returns: the probe that stands for the actor */
#define TR_EXPECT_SPAWN(behavior, isolation, args)                                                 \
    tr_kit_expect_spawn((behavior), (isolation), (args), __FILE__, __LINE__)
TR_API tr_addr tr_kit_expect_spawn(const tr_behavior *behavior, tr_isolation isolation, tr_val args,
                                   const char *file, int line);

/* Take the next spawn, also by tr_fork, to look at it yourself; there must be one.
 * returns: what is good until the test's end */
#define TR_TAKE_SPAWN() tr_kit_take_spawn(__FILE__, __LINE__)
TR_API const tr_kit_spawn *tr_kit_take_spawn(const char *file, int line);

/* The nth spawn from now (1: the next one) fails with this error, once. */
TR_API void tr_kit_fail_spawn(uint32_t nth, int error);

/* ---- Timers, ends, complaints ---- */

/* A timer is due in just so many nanoseconds; none is armed. The deadlines of asks are timers. */
#define TR_EXPECT_TIMER(in_ns) tr_kit_expect_timer((in_ns), __FILE__, __LINE__)
#define TR_EXPECT_NO_TIMER()   tr_kit_expect_timer(UINT64_MAX, __FILE__, __LINE__)
TR_API void tr_kit_expect_timer(uint64_t in_ns, const char *file, int line);

/* The actor under test has ended, with TR_NORMAL, TR_SHUTDOWN, or an error. */
#define TR_EXPECT_EXIT(actor, reason) tr_kit_expect_exit((actor), (reason), __FILE__, __LINE__)
TR_API void tr_kit_expect_exit(tr_addr actor, int reason, const char *file, int line);

/* Whether an actor under test is there. */
TR_API bool tr_kit_alive(tr_addr actor);

/* How many messages could not be delivered, or were not known to their receiver, so far. */
TR_API uint64_t tr_kit_dead_letters(void);

/* The next warning, as "id: text", good until the test's end; NULL: no more. */
TR_API const char *tr_kit_warning(void);

/* ---- Real processes ----
 *
 * A test that is listed as TR_PROCESS_TEST has a minute (with sanitizers four; TROUPE_TEST_DEADLINE
 * in the environment is another number of seconds), then the whole program is aborted with a
 * message. It has an empty directory, which goes when it ends. It fails when this process holds
 * more descriptors, threads or children after it than before. */

#define TR_PROCESS_TEST(function)                                                                  \
    cmocka_unit_test_setup_teardown(function, tr_test_setup, tr_test_teardown)

/* For cmocka, or for fixtures of your own to call.
 * returns: 0, or -1 when there is no directory or no node; what is left behind fails the test */
TR_API int tr_test_setup(void **state);
TR_API int tr_test_teardown(void **state);

/* Run a real node around one actor, to its end. What the actor spawns as processes is this program,
 * started once more: see TR_TEST_MAIN. Fails when a TR_CHECK has, here.
 * returns: as tr_node_run */
#define TR_RUN(app, first, args) tr_test_run((app), (first), (args), __FILE__, __LINE__)
TR_API int tr_test_run(const tr_app *app, const tr_behavior *first, tr_val args, const char *file,
                       int line);

/* ---- What was said ----
 *
 * A test that is listed as TR_TRACED_TEST is a process test in which all messages are traced, here
 * and in the children (troupe/trace.h). After TR_RUN it can say what must have been said: this
 * reads the traces of all that has run in the test so far. When the test fails it prints the
 * sequence diagram of that, in the language of mermaid. Of each loop the last 16,384 messages are
 * there. */

typedef struct tr_test_case {
    void (*function)(void **state);
} tr_test_case;

#define TR_TRACED_TEST(function)                                                                   \
    {                                                                                              \
#function, tr_test_traced, tr_test_traced_setup, tr_test_traced_teardown,                  \
            &(tr_test_case){function },                                                            \
    }

/* For cmocka. state: the tr_test_case.
 * returns: as tr_test_setup */
TR_API void tr_test_traced(void **state);
TR_API int tr_test_traced_setup(void **state);
TR_API int tr_test_traced_teardown(void **state);

/* Messages by patterns: * is any text, ? any character; NULL: any at all. An actor is called by its
 * registered name, or by its behaviour and place: "worker/3". */
typedef struct tr_said {
    const char *name, *from, *to;
} tr_said;
#define TR_SAID(...) (&(const tr_said){__VA_ARGS__})

/* So many such messages have been handled; none; at least one of each, and none of the second kind
 * before one of the first; at least one effect, and each has such a cause: a message whose turn has
 * sent it, or what has led to that, also in another process. */
#define TR_EXPECT_SAID(count, said)   tr_test_expect_said((count), (said), __FILE__, __LINE__)
#define TR_EXPECT_NEVER(said)         TR_EXPECT_SAID(0, said)
#define TR_EXPECT_ORDER(first, then)  tr_test_expect_order((first), (then), __FILE__, __LINE__)
#define TR_EXPECT_CAUSES(cause, then) tr_test_expect_causes((cause), (then), __FILE__, __LINE__)
TR_API void tr_test_expect_said(size_t count, const tr_said *said, const char *file, int line);
TR_API void tr_test_expect_order(const tr_said *first, const tr_said *then, const char *file,
                                 int line);
TR_API void tr_test_expect_causes(const tr_said *cause, const tr_said *then, const char *file,
                                  int line);

/* A path in the test's directory; good until the test's end or 8 calls later. */
TR_API const char *tr_test_path(const char *name);

/* What a process holds, by its id; 0 when it is gone. */
TR_API size_t tr_test_descriptors(int64_t pid);
TR_API size_t tr_test_threads(int64_t pid);

/* The children of this process, zombies too.
 * returns: how many there are; writes the ids of at most max */
TR_API size_t tr_test_children(int64_t *ret_pids, size_t max);

/* Whether the library runs under a sanitizer: they are slow, so do less. */
TR_API bool tr_test_sanitized(void);

#ifdef __cplusplus
}
#endif
#endif
