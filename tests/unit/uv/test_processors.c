// How many processors there are, by files as the system has them: quotas of both versions of
// control groups, at each level.
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/cmocka.h"
#include "uv/uv.h"

static char root[64];

static const char *path_of(const char *name)
{
    static char path[2][256];
    static unsigned turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", root, name);
    return path[turn];
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(0, fclose(file));
}

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/processors.XXXXXX");
    if (mkdtemp(root) == NULL || mkdir(path_of("a"), 0700) < 0 || mkdir(path_of("a/b"), 0700) < 0 ||
        mkdir(path_of("cpu,cpuacct"), 0700) < 0 || mkdir(path_of("cpu,cpuacct/a"), 0700) < 0)
        return -1;
    write_file("groups", "0::/a/b\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {
        "groups",
        "cpu.max",
        "a/cpu.max",
        "a/b/cpu.max",
        "a/b",
        "a",
        "cpu,cpuacct/a/cpu.cfs_quota_us",
        "cpu,cpuacct/a/cpu.cfs_period_us",
        "cpu,cpuacct/a",
        "cpu,cpuacct",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(path_of(names[i]));
    return rmdir(root);
}

static uint32_t processors(void)
{
    char groups[256];
    snprintf(groups, sizeof groups, "%s", path_of("groups"));
    return tr__uv_processors(groups, root);
}

static uint32_t all(void)
{
    cpu_set_t set;
    assert_int_equal(0, sched_getaffinity(0, sizeof set, &set));
    return (uint32_t)CPU_COUNT(&set);
}

static uint32_t at_most(uint32_t count)
{
    return count < all() ? count : all();
}

static void without_a_quota_it_is_the_affinity(void **state)
{
    (void)state;
    assert_int_equal(all(), processors());
    write_file("a/b/cpu.max", "max 100000\n");
    assert_int_equal(all(), processors());
    assert_int_equal(all(), tr__uv_processors("/nowhere", root));
}

static void a_quota_counts_rounded_up(void **state)
{
    (void)state;
    write_file("a/b/cpu.max", "50000 100000\n");
    assert_int_equal(1, processors());
    write_file("a/b/cpu.max", "100000 100000\n");
    assert_int_equal(1, processors());
    write_file("a/b/cpu.max", "100001 100000\n");
    assert_int_equal(at_most(2), processors());
}

static void that_of_a_group_above_counts_too(void **state)
{
    (void)state;
    write_file("a/b/cpu.max", "800000 100000\n");
    write_file("a/cpu.max", "30000 100000\n");
    assert_int_equal(1, processors());
    write_file("a/cpu.max", "max 100000\n");
    write_file("cpu.max", "30000 100000\n"); // of the root, as in a container
    assert_int_equal(1, processors());
}

static void the_root_is_a_group(void **state)
{
    (void)state;
    write_file("groups", "0::/\n");
    write_file("cpu.max", "30000 100000\n");
    assert_int_equal(1, processors());
}

static void version_1_counts(void **state)
{
    (void)state;
    write_file("groups", "12:cpuset:/a\n4:cpu,cpuacct:/a\n1:name=systemd:/a\n");
    write_file("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    write_file("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    assert_int_equal(all(), processors());
    write_file("cpu,cpuacct/a/cpu.cfs_quota_us", "20000\n");
    assert_int_equal(1, processors());
}

static void files_that_make_no_sense_are_passed_over(void **state)
{
    (void)state;
    static const char *const lines[] = {"", "\n", "0", "0:", "0::", "0::a/b\n", "::::\n", "4:cpu:"};
    static const char *const quotas[] = {"", "x", "100000", "0 100000", "-5 100000", "100000 0"};
    for (size_t i = 0; i < sizeof quotas / sizeof *quotas; i++) {
        write_file("a/b/cpu.max", quotas[i]);
        assert_int_equal(all(), processors());
    }
    write_file("a/b/cpu.max", "1 100000");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        write_file("groups", lines[i]);
        assert_int_equal(all(), processors());
    }
}

#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(without_a_quota_it_is_the_affinity),
        FILES_TEST(a_quota_counts_rounded_up),
        FILES_TEST(that_of_a_group_above_counts_too),
        FILES_TEST(the_root_is_a_group),
        FILES_TEST(version_1_counts),
        FILES_TEST(files_that_make_no_sense_are_passed_over),
    };
    return cmocka_run_group_tests_name("uv/processors", tests, NULL, NULL);
}
