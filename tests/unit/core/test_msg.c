#include "stage.h"

static tr_msg *msg_of(const char *name, tr_val body)
{
    tr_msg *msg = NULL;
    assert_int_equal(0, tr_msg_new(name, body, &msg));
    return msg;
}

static tr_buf *buf_of(const char *text)
{
    tr_buf *buf = NULL;
    assert_int_equal(0, tr_buf_copy(text, strlen(text), &buf));
    return buf;
}

// ---- Names and bodies ----

static void a_message_is_its_name_and_its_body(void **state)
{
    (void)state;
    tr_msg *msg = msg_of("name", TR_MAP("k", TR_LIST(1, "two")));
    assert_string_equal("name", tr_msg_name(msg));
    assert_true(tr_msg_is(msg, "name"));
    assert_false(tr_msg_is(msg, "nam"));
    assert_false(tr_msg_is(msg, "names"));
    assert_false(tr_msg_is(msg, ""));
    tr_val list;
    assert_int_equal(0, tr_get(tr_msg_body(msg), "k", &list));
    assert_int_equal(2, tr_val_count(list));
    assert_string_equal("{\"k\":[1,\"two\"]}", tr_msg_json(msg));
    assert_ptr_equal(tr_msg_json(msg), tr_msg_json(msg)); // made once
    assert_true(tr_addr_eq(TR_NOBODY, tr_msg_from(msg)));
    assert_null(tr_msg_down(msg));
    tr_msg_free(&msg);
    assert_null(msg);
    tr_msg_free(&msg);
    tr_msg_free(NULL);
}

static void a_name_has_1_to_255_bytes(void **state)
{
    (void)state;
    char name[TR_NAME_MAX + 2];
    tr_msg *msg = NULL;
    memset(name, 'n', sizeof name);
    name[TR_NAME_MAX + 1] = '\0';
    assert_int_equal(TR_EINVAL, tr_msg_new(name, TR_NULL, &msg));
    assert_int_equal(TR_EINVAL, tr_msg_new("", TR_NULL, &msg));
    assert_int_equal(TR_EINVAL, tr_msg_new(NULL, TR_NULL, &msg));
    assert_int_equal(TR_EINVAL, tr_msg_new("m", TR_NULL, NULL));
    assert_null(msg);
    name[TR_NAME_MAX] = '\0';
    assert_int_equal(0, tr_msg_new(name, TR_NULL, &msg));
    assert_string_equal(name, tr_msg_name(msg));
    tr_msg_free(&msg);
}

static void a_name_of_any_length_is_kept_beside_its_body(void **state)
{
    (void)state;
    const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t len = 1; len <= strlen(letters); len++) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)len, letters);
        tr_msg *msg = msg_of(name, TR_V("body"));
        assert_string_equal(name, tr_msg_name(msg));
        assert_string_equal("\"body\"", tr_msg_json(msg));
        tr_msg_free(&msg);
    }
}

static void a_body_has_its_limits(void **state)
{
    (void)state;
    tr_msg *msg = NULL;
    tr_val deep[TR_DEPTH_MAX + 2] = {TR_V(1)};
    for (size_t i = 0; i <= TR_DEPTH_MAX; i++)
        deep[i + 1] = tr_val_list(&deep[i], 1);
    assert_int_equal(TR_ETOODEEP, tr_msg_new("m", deep[TR_DEPTH_MAX + 1], &msg));
    assert_int_equal(TR_ETOOBIG, tr_msg_new("m", tr_val_strn("", TR_DOC_MAX + 1), &msg));
    assert_null(msg);
    assert_int_equal(0, tr_msg_new("m", deep[TR_DEPTH_MAX], &msg));
    tr_msg_free(&msg);
}

// ---- Attached buffers ----

static void buffers_are_attached_in_order_up_to_a_limit(void **state)
{
    (void)state;
    tr_msg *msg = msg_of("m", TR_NULL);
    tr_buf *buf = NULL;
    for (size_t i = 0; i < TR_BUFS_MAX; i++) {
        buf = buf_of((char[]){(char)('a' + i), 0});
        assert_int_equal(0, tr_msg_attach(msg, &buf));
        assert_null(buf);
    }
    buf = buf_of("more");
    assert_int_equal(TR_EFULL, tr_msg_attach(msg, &buf));
    assert_non_null(buf);
    assert_int_equal(TR_BUFS_MAX, tr_msg_buf_count(msg));
    for (size_t i = 0; i < TR_BUFS_MAX; i++)
        assert_int_equal('a' + (int)i, *(char *)tr_buf_data(tr_msg_buf(msg, i)));
    assert_null(tr_msg_buf(msg, TR_BUFS_MAX));
    assert_null(tr_msg_buf(msg, SIZE_MAX));
    tr_buf_unref(&buf);
    tr_msg_free(&msg);
}

static void buffers_and_body_together_have_a_limit(void **state)
{
    (void)state;
    static char byte;                   // nobody looks at the others
    tr_msg *msg = msg_of("m", TR_NULL); // a byte of body
    tr_buf *all = NULL, *less = NULL;
    assert_int_equal(0, tr_buf_wrap(&byte, TR_DOC_MAX, NULL, NULL, &all));
    assert_int_equal(0, tr_buf_wrap(&byte, TR_DOC_MAX - 1, NULL, NULL, &less));
    assert_int_equal(TR_ETOOBIG, tr_msg_attach(msg, &all));
    assert_int_equal(0, tr_msg_attach(msg, &less));
    tr_buf *one = buf_of("1"), *none = buf_of("");
    assert_int_equal(TR_ETOOBIG, tr_msg_attach(msg, &one));
    assert_int_equal(0, tr_msg_attach(msg, &none));
    tr_buf_unref(&all);
    tr_buf_unref(&one);
    tr_msg_free(&msg);
}

static void attaching_nothing_is_an_error(void **state)
{
    (void)state;
    tr_msg *msg = msg_of("m", TR_NULL);
    tr_buf *none = NULL, *buf = buf_of("b");
    assert_int_equal(TR_EINVAL, tr_msg_attach(msg, NULL));
    assert_int_equal(TR_EINVAL, tr_msg_attach(msg, &none));
    assert_int_equal(TR_EINVAL, tr_msg_attach(NULL, &buf));
    tr_buf_unref(&buf);
    tr_msg_free(&msg);
}

// ---- Copies ----

static void a_copy_is_the_same_and_lives_by_itself(void **state)
{
    (void)state;
    tr_msg *msg = msg_of("m", TR_LIST(1, 2)), *copy = NULL;
    tr_buf *buf = buf_of("attached");
    assert_int_equal(0, tr_msg_attach(msg, &buf));
    assert_int_equal(0, tr_msg_copy(msg, &copy));
    void *shared = tr_buf_data(tr_msg_buf(msg, 0));
    tr_msg_free(&msg);
    assert_string_equal("m", tr_msg_name(copy));
    assert_string_equal("[1,2]", tr_msg_json(copy));
    assert_int_equal(1, tr_msg_buf_count(copy));
    assert_ptr_equal(shared, tr_buf_data(tr_msg_buf(copy, 0))); // and not its bytes
    tr_msg_free(&copy);
    assert_int_equal(TR_EINVAL, tr_msg_copy(NULL, &copy));
    msg = msg_of("m", TR_NULL);
    assert_int_equal(TR_EINVAL, tr_msg_copy(msg, NULL));
    tr_msg_free(&msg);
}

static void a_copy_of_a_notice_is_a_notice(void **state)
{
    (void)state;
    tr_msg *notice = NULL, *copy = NULL;
    tr_addr addr = {3, 4};
    assert_int_equal(0, tr__notice_new("down", 77, addr, &notice));
    tr__notice_set(notice, (tr_reason){.kind = TR_REASON_KILLED, .code = 11, .core = true});
    assert_int_equal(0, tr_msg_copy(notice, &copy));
    tr_msg_free(&notice);
    const tr_down *down = tr_msg_down(copy);
    assert_int_equal(77, down->monitor);
    assert_true(tr_addr_eq(addr, down->addr) && tr_addr_eq(addr, tr_msg_from(copy)));
    assert_int_equal(TR_REASON_KILLED, down->reason.kind);
    assert_true(down->reason.core);
    assert_string_equal("down", tr_msg_name(copy));
    assert_string_equal("{\"reason\":\"killed\",\"code\":11}", tr_msg_json(copy));
    tr_msg_free(&copy);
}

static void a_notice_has_room_for_every_reason(void **state)
{
    (void)state;
    for (int kind = TR_REASON_NORMAL; kind <= TR_REASON_NOACTOR; kind++) {
        tr_msg *notice = NULL;
        int code = 0;
        assert_int_equal(0, tr__notice_new("down", UINT64_MAX, TR_NOBODY, &notice));
        tr__notice_set(notice, (tr_reason){.kind = (tr_reason_kind)kind, .code = INT32_MIN});
        assert_int_equal(0, TR_READ(tr_msg_body(notice), "code", &code));
        assert_int_equal(INT32_MIN, code);
        tr_msg_free(&notice);
    }
}

// ---- Reasons ----

static void reasons_are_told_in_words(void **state)
{
    (void)state;
    static const struct {
        tr_reason reason;
        const char *text;
    } cases[] = {
        {{.kind = TR_REASON_NORMAL}, "normal"},
        {{.kind = TR_REASON_SHUTDOWN}, "shutdown"},
        {{.kind = TR_REASON_ERROR, .code = TR_EFULL}, "error: mailbox is full"},
        {{.kind = TR_REASON_KILLED, .code = 9}, "killed by signal 9"},
        {{.kind = TR_REASON_KILLED, .code = 11, .core = true}, "killed by signal 11, core"},
        {{.kind = TR_REASON_EXITED, .code = 3}, "exited with status 3"},
        {{.kind = TR_REASON_NOCONNECTION, .code = TR_EDOWN},
         "no connection: the other side went away"},
        {{.kind = TR_REASON_NOACTOR}, "no actor"},
        {{.kind = (tr_reason_kind)99}, "unknown"},
    };
    char text[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ptr_equal(text, tr_reason_text(cases[i].reason, text, sizeof text));
        assert_string_equal(cases[i].text, text);
    }
    assert_string_equal("shut", tr_reason_text(cases[1].reason, text, 5));
}

// ---- Queues ----

static void a_queue_gives_what_it_got_in_order(void **state)
{
    (void)state;
    tr__queue queue = {0};
    tr_msg *a = msg_of("a", TR_NULL), *b = msg_of("b", TR_NULL);
    assert_null(tr__queue_pop(&queue));
    for (int i = 0; i < 2; i++) {
        tr__queue_push(&queue, a);
        tr__queue_push(&queue, b);
        assert_ptr_equal(a, tr__queue_pop(&queue));
        tr__queue_push(&queue, a);
        assert_ptr_equal(b, tr__queue_pop(&queue));
        assert_ptr_equal(a, tr__queue_pop(&queue));
        assert_null(tr__queue_pop(&queue));
    }
    tr_msg_free(&a);
    tr_msg_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(a_message_is_its_name_and_its_body),
        STAGE_TEST(a_name_has_1_to_255_bytes),
        STAGE_TEST(a_name_of_any_length_is_kept_beside_its_body),
        STAGE_TEST(a_body_has_its_limits),
        STAGE_TEST(buffers_are_attached_in_order_up_to_a_limit),
        STAGE_TEST(buffers_and_body_together_have_a_limit),
        STAGE_TEST(attaching_nothing_is_an_error),
        STAGE_TEST(a_copy_is_the_same_and_lives_by_itself),
        STAGE_TEST(a_copy_of_a_notice_is_a_notice),
        STAGE_TEST(a_notice_has_room_for_every_reason),
        STAGE_TEST(reasons_are_told_in_words),
        STAGE_TEST(a_queue_gives_what_it_got_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
