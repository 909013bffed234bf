#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <troupe/node.h>

#include "support/stderr.h"

static void a_warning_is_one_line_on_stderr(void **state)
{
    (void)state;
    char line[1024];
    stderr_begin();
    tr__warn("child.stop", "pid %d did not stop", 42);
    stderr_end(line, sizeof line);
    assert_string_equal(line, "troupe: child.stop: pid 42 did not stop\n");
}

static void a_long_warning_is_cut_and_still_a_line(void **state)
{
    (void)state;
    char line[2048];
    stderr_begin();
    tr__warn("long", "%01000d", 0);
    stderr_end(line, sizeof line);
    assert_int_equal(strlen(line), strlen("troupe: long: ") + 511 + 1);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);

    char id[600]; // ids are our own and short; even so
    memset(id, 'i', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    stderr_begin();
    tr__warn(id, "%01000d", 0);
    stderr_end(line, sizeof line);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void a_warning_cannot_forge_a_second_line(void **state)
{
    (void)state;
    char line[256];
    stderr_begin();
    tr__warn("peer", "name %s", "a\ntroupe: fake: \x1b[2J\x7f");
    stderr_end(line, sizeof line);
    assert_string_equal(line, "troupe: peer: name a?troupe: fake: ?[2J?\n");
}

static void keep(const char *id, const char *text, void *arg)
{
    snprintf(arg, 64, "%s|%s", id, text);
}

static void warnings_go_to_the_users_sink(void **state)
{
    (void)state;
    char got[64] = "", line[64];
    tr_log_set(keep, got);
    stderr_begin();
    tr__warn("link.down", "%s", "gone");
    stderr_end(line, sizeof line);
    tr_log_set(NULL, NULL);
    assert_string_equal(got, "link.down|gone");
    assert_string_equal(line, "");

    got[0] = '\0';
    stderr_begin();
    tr__warn("link.down", "again");
    stderr_end(line, sizeof line);
    assert_string_equal(got, "");
    assert_string_equal(line, "troupe: link.down: again\n");
}

static void keep_level(const char *id, const char *text, void *arg)
{
    (void)id, (void)text;
    *(tr_log_level *)arg = tr_log_level_get();
}

static void a_sink_is_told_how_grave_a_line_is(void **state)
{
    (void)state;
    tr_log_level level = TR_LOG_DEBUG;
    tr_log_set(keep_level, &level);
    tr__warn("a", "b");
    assert_int_equal(TR_LOG_WARNING, level);
    tr__error("a", "b");
    assert_int_equal(TR_LOG_ERROR, level);
    tr_log("a", "b");
    assert_int_equal(TR_LOG_WARNING, level);
    tr_log_at(TR_LOG_NOTICE, "a", "%d", 1);
    assert_int_equal(TR_LOG_NOTICE, level);
    tr_log_set(NULL, NULL);
}

static void expect_line(tr_log_level level, const char *expected)
{
    char line[64], stream[64];
    struct stat info;
    stderr_begin();
    fstat(STDERR_FILENO, &info);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)info.st_dev,
             (unsigned long long)info.st_ino);
    setenv("JOURNAL_STREAM", level == 0 ? "8:1" : stream, 1);
    tr_log_at(level == 0 ? TR_LOG_ERROR : level, "disk.full", "used=%d", 99);
    stderr_end(line, sizeof line);
    unsetenv("JOURNAL_STREAM");
    assert_string_equal(expected, line);
}

static void a_journal_is_told_so_in_front_of_the_line(void **state)
{
    (void)state;
    expect_line(TR_LOG_ERROR, "<3>troupe: disk.full: used=99\n");
    expect_line(TR_LOG_WARNING, "<4>troupe: disk.full: used=99\n");
    expect_line(TR_LOG_INFO, "<6>troupe: disk.full: used=99\n");
    expect_line((tr_log_level)0, "troupe: disk.full: used=99\n"); // it reads something else
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_warning_is_one_line_on_stderr),
        cmocka_unit_test(a_long_warning_is_cut_and_still_a_line),
        cmocka_unit_test(a_warning_cannot_forge_a_second_line),
        cmocka_unit_test(warnings_go_to_the_users_sink),
        cmocka_unit_test(a_sink_is_told_how_grave_a_line_is),
        cmocka_unit_test(a_journal_is_told_so_in_front_of_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
