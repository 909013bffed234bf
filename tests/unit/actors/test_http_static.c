// Files as responses, on the simulated disk.
#include "support/cmocka.h"
#include "support/counted_memory.h"
#include "support/http_talk.h"
#include "support/sweep.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW "Connection: close\r\n\r\n"

static char content[300000];
static size_t content_size;

static void written(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    (void)result, (void)arg;
    if (status < 0)
        tr_exit(self, status);
    else
        talk_speak(self);
}

static void made(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    tr_buf *chunk = NULL;
    (void)result, (void)arg;
    if (status < 0 || tr_buf_copy(content, content_size, &chunk) < 0)
        tr_exit(self, status < 0 ? status : TR_ENOMEM);
    else if (tr_file_write_all(self, "/site/a b.txt", &chunk, NULL, written, NULL) < 0)
        tr_exit(self, TR_ENOMEM);
    tr_buf_unref(&chunk);
}

static void make_site(tr_actor *self, struct talk *talk)
{
    (void)talk;
    if (tr_file_mkdir(self, "/site/dir", TR_FILE(.flags = TR_FILE_PARENTS), made, NULL) < 0)
        tr_exit(self, TR_ENOMEM);
}

static int serves(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    (void)request, (void)arg;
    return tr_http_reply_below(self, http, NULL, "/site");
}

static struct talk talk;

static const char *ask(const char *method, const char *target, const char *headers)
{
    static char says[65536];
    snprintf(says, sizeof says, "%s %s HTTP/1.1\r\nHost: a\r\n%s" NOW, method, target, headers);
    talk = (struct talk){.handler = serves, .begun = make_site, .waits = true};
    talk_with(&talk, says);
    return talk.heard;
}

static bool says(const char *what)
{
    return strstr(talk.heard, what) != NULL;
}

static const char *body(void)
{
    const char *end = strstr(talk.heard, "\r\n\r\n");
    return end != NULL ? end + 4 : "";
}

static void content_is(const char *text)
{
    content_size = strlen(text);
    memcpy(content, text, content_size + 1);
}

// The value of a header of the last response.
static const char *header(const char *name)
{
    static char value[128];
    const char *at = strstr(talk.heard, name);
    assert_non_null(at);
    at += strlen(name) + 2;
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

static void a_file_is_an_answer(void **state)
{
    (void)state;
    content_is("0123456789");
    ask("GET", "/a%20b.txt?x=/../", "");
    assert_true(says("HTTP/1.1 200 OK\r\n"));
    assert_true(says("Content-Type: text/plain; charset=utf-8\r\nETag: \""));
    assert_true(says("Accept-Ranges: bytes\r\nContent-Length: 10\r\n"));
    assert_string_equal("0123456789", body());
    ask("GET", "http://host/a%20b.txt", "");
    assert_string_equal("0123456789", body());
    ask("HEAD", "/a%20b.txt", "");
    assert_true(says("Content-Length: 10\r\n"));
    assert_string_equal("", body());
    content_is("");
    ask("GET", "/a%20b.txt", "");
    assert_true(says("HTTP/1.1 200 OK\r\n") && says("Content-Length: 0\r\n"));
}

static void a_part_of_it_is(void **state)
{
    static const struct {
        const char *range, *status, *of, *body;
    } cases[] = {
        {"bytes=0-3", "206 Partial Content", "bytes 0-3/10", "0123"},
        {"bytes=4-4", "206 Partial Content", "bytes 4-4/10", "4"},
        {"bytes=7-", "206 Partial Content", "bytes 7-9/10", "789"},
        {"bytes=7-100", "206 Partial Content", "bytes 7-9/10", "789"},
        {"bytes=-2", "206 Partial Content", "bytes 8-9/10", "89"},
        {"bytes=-20", "206 Partial Content", "bytes 0-9/10", "0123456789"},
        {"bytes=10-", "416 Range Not Satisfiable", "bytes */10", ""},
        {"bytes=-0", "416 Range Not Satisfiable", "bytes */10", ""},
        {"bytes=99999999999999999999-", "200 OK", NULL, "0123456789"},
        {"bytes=3-2", "200 OK", NULL, "0123456789"},
        {"bytes=0-1,3-4", "200 OK", NULL, "0123456789"},
        {"bytes=-", "200 OK", NULL, "0123456789"},
        {"bytes=", "200 OK", NULL, "0123456789"},
        {"lines=0-1", "200 OK", NULL, "0123456789"},
    };
    (void)state;
    content_is("0123456789");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char range[80];
        snprintf(range, sizeof range, "Range: %s\r\n", cases[i].range);
        ask("GET", "/a%20b.txt", range);
        assert_true(says(cases[i].status));
        assert_string_equal(cases[i].body, body());
        assert_int_equal(cases[i].of != NULL, says("Content-Range"));
        if (cases[i].of != NULL)
            assert_string_equal(cases[i].of, header("Content-Range"));
    }
}

static const char *with_value(const char *name, const char *value)
{
    static char text[300];
    snprintf(text, sizeof text, "%s: %s\r\n", name, value);
    return text;
}

static void what_the_client_has_is_not_sent(void **state)
{
    char tag[128], date[128];
    (void)state;
    content_is("0123456789");
    ask("GET", "/a%20b.txt", "");
    snprintf(tag, sizeof tag, "%s", header("ETag"));
    snprintf(date, sizeof date, "%s", header("Last-Modified"));
    ask("GET", "/a%20b.txt", with_value("If-None-Match", tag));
    assert_true(says("HTTP/1.1 304 Not Modified\r\n") && !says("Content-Length"));
    assert_string_equal("", body());
    ask("GET", "/a%20b.txt", with_value("If-None-Match", "\"other\", *"));
    assert_true(says("200 OK"));
    ask("GET", "/a%20b.txt", with_value("If-None-Match", "*"));
    assert_true(says("304"));
    ask("GET", "/a%20b.txt", with_value("If-Modified-Since", date));
    assert_true(says("304"));
    ask("GET", "/a%20b.txt", with_value("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"));
    assert_int_equal(strcmp(date, "Thu, 01 Jan 1970 00:00:00 GMT") != 0, says("200 OK"));
    char both[400];
    snprintf(both, sizeof both, "Range: bytes=1-2\r\nIf-Range: %s\r\n", tag);
    ask("GET", "/a%20b.txt", both);
    assert_string_equal("12", body());
    ask("GET", "/a%20b.txt", "Range: bytes=1-2\r\nIf-Range: \"other\"\r\n");
    assert_string_equal("0123456789", body());
}

static void no_path_leads_out(void **state)
{
    static const struct {
        const char *target, *status;
    } cases[] = {
        {"/../etc/passwd", "403"},
        {"/dir/../../x", "403"},
        {"/%2e%2e/x", "403"},
        {"/dir/%2E./x", "403"},
        {"/.", "403"},
        {"/%00", "400"},
        {"/a%2", "400"},
        {"/a%zz", "400"},
        {"/..%2fetc", "403"},
        {"*", "400"},
        {"/none", "404"},
        {"/dir/", "404"},
        {"/a%20b.txt/", "404"},
        {"/dir", "301"},
    };
    (void)state;
    content_is("x");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char status[32];
        ask(*cases[i].target == '*' ? "HEAD" : "GET", cases[i].target, "");
        snprintf(status, sizeof status, "HTTP/1.1 %s ", cases[i].status);
        if (!says(status))
            fail_msg("%s gives %s", cases[i].target, talk.heard);
    }
    ask("GET", "/dir?x=1", "");
    assert_string_equal("/dir/?x=1", header("Location"));
    ask("POST", "/a%20b.txt", "");
    assert_true(says("405") && says("Allow: GET, HEAD\r\n"));
}

static void large_files_and_what_is_behind_them_come_in_order(void **state)
{
    static const char twice[] = "GET /a%20b.txt HTTP/1.1\r\nHost: a\r\n\r\n"
                                "HEAD /a%20b.txt HTTP/1.1\r\nHost: a\r\n\r\n"
                                "GET /a%20b.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=-3\r\n\r\n";
    (void)state;
    content_size = 30000;
    for (size_t i = 0; i < content_size; i++)
        content[i] = (char)('a' + i % 26);
    talk = (struct talk){.handler = serves, .begun = make_site, .waits = true};
    talk_with(&talk, twice);
    assert_memory_equal(content, body(), content_size);
    const char *rest = body() + content_size;
    assert_memory_equal("HTTP/1.1 200 OK\r\n", rest, 17);
    rest = strstr(rest, "HTTP/1.1 206");
    assert_non_null(rest);
    assert_memory_equal(content + content_size - 3, strstr(rest, "\r\n\r\n") + 4, 3);
}

static tr_http slow;

static void shortened(tr_actor *self, int status, const tr_file_result *result, void *arg)
{
    (void)result, (void)arg;
    assert_int_equal(0, status);
    tr_http_reply(self, slow, NULL);
}

static void shorten(tr_actor *self, void *arg)
{
    tr_buf *chunk;
    (void)arg;
    assert_int_equal(0, tr_buf_copy("01234", 5, &chunk));
    assert_int_equal(0, tr_file_write_all(self, "/site/a b.txt", &chunk, NULL, shortened, NULL));
    tr_buf_unref(&chunk);
}

static int serves_when_it_is_shorter(tr_actor *self, tr_http http, const tr_http_request *request,
                                     void *arg)
{
    if (!tr_str_eq(request->target, "/slow"))
        return serves(self, http, request, arg);
    slow = http;
    return tr_timer_start(self, TR_S(1), shorten, NULL, NULL);
}

// What comes behind it would be taken for the rest of it.
static void a_file_that_is_shorter_by_then_ends_the_connection(void **state)
{
    static const char three[] = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
                                "GET /a%20b.txt HTTP/1.1\r\nHost: a\r\n\r\n"
                                "GET /none HTTP/1.1\r\nHost: a\r\n\r\n";
    (void)state;
    content_is("0123456789");
    talk = (struct talk){.handler = serves_when_it_is_shorter, .begun = make_site, .waits = true};
    talk_with(&talk, three);
    assert_true(says("Content-Length: 10\r\n"));
    assert_false(says("404"));
}

static void replace(tr_actor *self, void *arg)
{
    tr_buf *chunk;
    (void)arg;
    assert_int_equal(0, tr_buf_copy("abcdefghij", 10, &chunk));
    assert_int_equal(0, tr_file_replace(self, "/site/a b.txt", &chunk, NULL, shortened, NULL));
    tr_buf_unref(&chunk);
}

static int serves_when_it_is_another(tr_actor *self, tr_http http, const tr_http_request *request,
                                     void *arg)
{
    if (!tr_str_eq(request->target, "/slow"))
        return serves(self, http, request, arg);
    slow = http;
    return tr_timer_start(self, TR_S(1), replace, NULL, NULL);
}

// Goal:   the head and the bytes are of one file.
// Method: it is replaced by one of the same size while its response waits for its turn.
static void a_file_that_is_replaced_meanwhile_is_sent_as_it_was(void **state)
{
    static const char two[] = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
                              "GET /a%20b.txt HTTP/1.1\r\nHost: a\r\n" NOW;
    (void)state;
    content_is("0123456789");
    talk = (struct talk){.handler = serves_when_it_is_another, .begun = make_site, .waits = true};
    talk_with(&talk, two);
    assert_string_equal("0123456789", talk.heard + talk.heard_bytes - 10);
}

static void every_allocation_may_fail(void **state)
{
    static const char all[] = "GET /a%20b.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=2-\r\n\r\n"
                              "GET /dir HTTP/1.1\r\nHost: a\r\n\r\n"
                              "GET /a%20b.txt HTTP/1.1\r\nHost: a\r\n" NOW;
    struct sweep sweep = {0};
    (void)state;
    content_is("0123456789");
    while (sweep_next(&sweep)) {
        talk = (struct talk){.handler = serves,
                             .begun = make_site,
                             .waits = true,
                             .says = all,
                             .size = sizeof all - 1,
                             .hangs_up_ns = TR_S(400)};
        sweep_begin(&sweep);
        talk_run(&talk);
        sweep_end(&sweep);
        assert_true(talk.rc == 0 || talk.rc == TR_ENOMEM);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_an_answer),
        cmocka_unit_test(a_part_of_it_is),
        cmocka_unit_test(what_the_client_has_is_not_sent),
        cmocka_unit_test(no_path_leads_out),
        cmocka_unit_test(large_files_and_what_is_behind_them_come_in_order),
        cmocka_unit_test(a_file_that_is_shorter_by_then_ends_the_connection),
        cmocka_unit_test(a_file_that_is_replaced_meanwhile_is_sent_as_it_was),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
