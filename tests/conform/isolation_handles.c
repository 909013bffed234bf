// Handles in messages: connections and listeners, handed to an actor wherever that lives.
#include "conform/isolation_suite.h"

#include <stdio.h>
#include <stdlib.h>

// ---- Who is given them ----

// Writes back what it reads, to the end of it.
static void echo_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    (void)arg;
    if (memchr(tr_buf_data(chunk), '!', tr_buf_size(chunk)) != NULL)
        theatre->crash(self); // in the midst of it
    else
        tr_stream_write_bytes(self, stream, tr_buf_data(chunk), tr_buf_size(chunk));
}

static const tr_stream_events echoes = {.data = echo_data};

// What keeper has done.
struct keeper {
    int64_t next;
    tr_server server;
};

static int keeper_attach(tr_actor *self, tr_handle **handle, tr_stream *ret_stream)
{
    int rc = tr_stream_attach(self, handle, NULL, ret_stream);
    tr_handle_close(handle);
    return rc;
}

static int keeper_echo(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle;
    tr_stream stream;
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        rc = keeper_attach(self, &handle, &stream);
    return rc < 0 ? rc : tr_stream_on(self, stream, &echoes, NULL);
}

// Each that is attached is told its number, and that is all.
static int keeper_number(tr_actor *self, const tr_msg *msg)
{
    struct keeper *k = tr_state(self);
    if (number_of(msg) != k->next)
        return TR_EBADMSG;
    for (size_t i = 0; i < tr_msg_handle_count(msg); i++) {
        char text[24];
        tr_handle *handle;
        tr_stream stream;
        int rc = tr_msg_take_handle(self, msg, i, &handle);
        if (rc == 0)
            rc = keeper_attach(self, &handle, &stream);
        snprintf(text, sizeof text, "%lld", (long long)k->next++);
        if (rc == 0)
            rc = tr_stream_write_bytes(self, stream, text, strlen(text));
        if (rc >= 0)
            rc = tr_stream_end(self, stream);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void keeper_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    (void)arg;
    tr_stream_write_bytes(self, stream, "hello", 5);
    tr_stream_end(self, stream);
}

static int keeper_listen(tr_actor *self, const tr_msg *msg)
{
    struct keeper *k = tr_state(self);
    tr_handle *handle = NULL;
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        rc = tr_listen_on(self, &handle, NULL, keeper_accepted, NULL, &k->server);
    tr_handle_close(&handle);
    return rc;
}

// Takes it, gives it back, and is gone.
static int keeper_pass(tr_actor *self, const tr_msg *msg)
{
    tr_handle *handle = NULL;
    tr_msg *back = NULL;
    int rc = tr_msg_take_handle(self, msg, 0, &handle);
    if (rc == 0)
        rc = tr_msg_new("back", TR_NULL, &back);
    if (rc == 0)
        rc = tr_msg_attach_handle(back, &handle);
    if (rc == 0)
        rc = tr_send_msg(self, tr_parent(self), &back);
    tr_msg_free(&back);
    tr_handle_close(&handle);
    return rc < 0 ? rc : tr_exit(self, TR_NORMAL);
}

static int keeper_again(tr_actor *self, const tr_msg *msg)
{
    (void)msg;
    int rc = tr_become(self, NULL);
    return rc < 0 ? rc : tr_unstash_all(self);
}

static int keeper_puts_off(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_is(msg, "again") ? keeper_again(self, msg) : tr_stash(self, msg);
}

static int keeper_receive(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_is(msg, "echo"))
        return keeper_echo(self, msg);
    if (tr_msg_is(msg, "number"))
        return keeper_number(self, msg);
    if (tr_msg_is(msg, "listen"))
        return keeper_listen(self, msg);
    if (tr_msg_is(msg, "pass"))
        return keeper_pass(self, msg);
    if (tr_msg_is(msg, "put off"))
        return tr_become(self, keeper_puts_off);
    if (tr_msg_is(msg, "leave"))
        return 0;
    if (tr_msg_is(msg, "fail"))
        return TR_EIO;
    if (tr_msg_is(msg, "decline and echo"))
        return tr_refuse(self, msg, TR_ENOENT) < 0 ? TR_EIO : keeper_echo(self, msg);
    if (tr_msg_is(msg, "decline"))
        return tr_refuse(self, msg, TR_ENOENT);
    if (tr_msg_is(msg, "crash"))
        return theatre->crash(self), 0;
    return tr_msg_is(msg, "exit") ? tr_exit(self, TR_NORMAL) : TR_EUNKNOWN;
}

const tr_behavior keeper = {
    .name = "keeper", .state_size = sizeof(struct keeper), .receive = keeper_receive};

// ---- The first actor: both ends of connections ----

#define CLIENTS_MAX 200

struct client {
    tr_stream stream;
    char got[32];
    size_t size;
};

static struct scene {
    tr_server server;
    tr_addr to, to_next; // keepers
    const char *verb;    // that the connection is sent with
    int64_t count, accepted, ended;
    int64_t batch; // so many handles a message
    tr_handle *waiting[TR_HANDLES_MAX];
    size_t waiting_count;
    int64_t sent;
    bool seen[CLIENTS_MAX]; // numbers that clients were told
    bool crashes;           // before it has got to it
    tr_handle *back;        // that came back, until the end of its receiver is heard
    tr_msg *msg;
    bool down, done;
    struct client clients[CLIENTS_MAX];
} scene;

// What it still holds when it ends.
static void forget(void)
{
    for (size_t i = 0; i < TR_HANDLES_MAX; i++)
        tr_handle_close(&scene.waiting[i]);
    tr_handle_close(&scene.back);
    tr_msg_free(&scene.msg);
}

static void leave_when_done(tr_actor *self)
{
    if (scene.done && (scene.down || tr_addr_eq(scene.to_next, TR_NOBODY)))
        tr_exit(self, TR_NORMAL);
}

static void client_data(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    struct client *c = arg;
    size_t size = tr_buf_size(chunk), room = sizeof c->got - 1 - c->size;
    (void)self, (void)stream;
    size = size < room ? size : room;
    memcpy(c->got + c->size, tr_buf_data(chunk), size);
    c->size += size;
}

// Each has a number of its own.
static void client_check(const struct client *c)
{
    long number = c->size == 0 ? -1 : strtol(c->got, NULL, 10);
    if (number < 0 || number >= scene.count || scene.seen[number])
        note("wrong: %s", c->got);
    else
        scene.seen[number] = true;
}

// One is told in words, many are counted.
static void client_closed(tr_actor *self, tr_stream stream, int status, void *arg)
{
    const struct client *c = arg;
    (void)stream, (void)status;
    if (scene.count == 1)
        note("%s", c->size > 0 ? c->got : "nothing");
    else
        client_check(c);
    scene.done = ++scene.ended == scene.count;
    if (scene.done && scene.count > 1)
        note("all");
    leave_when_done(self);
}

static const tr_stream_events client_events = {.data = client_data, .closed = client_closed};

static int client_connect(tr_actor *self, struct client *c, const char *address)
{
    int rc = tr_connect(self, address, NULL, &c->stream);
    return rc < 0 ? rc : tr_stream_on(self, c->stream, &client_events, c);
}

// ---- Sending handles ----

// moves: the handles
static int send_handles(tr_actor *self, tr_addr to, const char *verb, tr_handle **handles,
                        size_t count)
{
    tr_msg *msg = NULL;
    int rc = tr_msg_new(verb, TR_V(scene.sent), &msg);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = tr_msg_attach_handle(msg, &handles[i]);
    if (rc == 0)
        rc = tr_send_msg(self, to, &msg);
    tr_msg_free(&msg);
    scene.sent += (int64_t)count;
    return rc;
}

static void must(tr_actor *self, int rc)
{
    if (rc < 0)
        note_rc(rc), tr_exit(self, rc);
}

// The first byte is read here, and the others there.
static void guest_readable(tr_actor *self, tr_stream stream, void *arg)
{
    tr_buf *first_byte;
    tr_handle *handle = NULL;
    (void)arg;
    int rc = tr_stream_read(self, stream, 1, &first_byte);
    if (rc == TR_EAGAIN)
        return;
    if (rc == 0) {
        tr_buf_unref(&first_byte);
        rc = tr_stream_detach(self, stream, &handle);
    }
    if (rc == 0 && scene.crashes)
        rc = tr_send(self, scene.to, "crash", TR_NULL);
    if (rc == 0)
        rc = send_handles(self, scene.to, scene.verb, &handle, 1);
    tr_handle_close(&handle);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, scene.clients[0].stream, " two", 4);
    if (rc >= 0)
        rc = tr_stream_end(self, scene.clients[0].stream);
    must(self, rc);
}

static void guest_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    static const tr_stream_events events = {.readable = guest_readable};
    (void)arg;
    must(self, tr_stream_on(self, stream, &events, NULL));
}

static int start_one(tr_actor *self, const char *verb)
{
    char address[TR_ADDRESS_MAX];
    scene = (struct scene){.verb = verb, .count = 1, .to_next = TR_NOBODY};
    play_at_end(forget);
    int rc = play_spawn(self, &keeper, NULL, &scene.to);
    if (rc == 0)
        rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, guest_accepted, NULL, &scene.server);
    if (rc == 0)
        rc = tr_server_address(self, scene.server, address);
    if (rc == 0)
        rc = client_connect(self, &scene.clients[0], address);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, scene.clients[0].stream, "one", 3);
    return rc < 0 ? rc : 0;
}

static int receive_nothing(tr_actor *self, const tr_msg *msg)
{
    (void)self, (void)msg;
    return TR_EUNKNOWN;
}

static int start_echo(tr_actor *self)
{
    return start_one(self, "echo");
}

static void a_connection_goes_on_elsewhere_behind_what_was_read(void **state)
{
    (void)state;
    perform(&(struct play){start_echo, receive_nothing, false}, "ne two");
}

static int start_stashed(tr_actor *self)
{
    int rc = start_one(self, "echo");
    if (rc == 0)
        rc = tr_send(self, scene.to, "put off", TR_NULL);
    return rc;
}

static void again(tr_actor *self, void *arg)
{
    (void)arg;
    must(self, tr_send(self, scene.to, "again", TR_NULL));
}

static int start_put_off(tr_actor *self)
{
    int rc = start_stashed(self);
    return rc < 0 ? rc : tr_timer_start(self, TR_MS(20), again, NULL, NULL);
}

static void what_is_put_off_keeps_its_handles(void **state)
{
    (void)state;
    perform(&(struct play){start_put_off, receive_nothing, false}, "ne two");
}

static int start_left(tr_actor *self)
{
    return start_one(self, "leave");
}

static void what_the_handler_leaves_is_closed(void **state)
{
    (void)state;
    perform(&(struct play){start_left, receive_nothing, false}, "nothing");
}

// ---- There and back ----

static int start_pass(tr_actor *self)
{
    return start_one(self, "pass");
}

static int receive_back(tr_actor *self, const tr_msg *msg)
{
    return keeper_echo(self, msg);
}

static void a_connection_comes_back_from_one_that_has_ended(void **state)
{
    (void)state;
    perform(&(struct play){start_pass, receive_back, false}, "ne two");
}

// ---- Listeners ----

static int give_listener(tr_actor *self, tr_handle **handle)
{
    char address[TR_ADDRESS_MAX];
    scene = (struct scene){.count = 1, .to_next = TR_NOBODY};
    int rc = tr_handle_address(*handle, address);
    if (rc == 0)
        rc = play_spawn(self, &keeper, NULL, &scene.to);
    if (rc == 0)
        rc = send_handles(self, scene.to, "listen", handle, 1);
    if (rc == 0)
        rc = client_connect(self, &scene.clients[0], address);
    if (rc == 0)
        rc = tr_stream_end(self, scene.clients[0].stream);
    return rc;
}

static int start_listener(tr_actor *self)
{
    tr_handle *handle = NULL;
    int rc = tr_listener_open(self, "tcp://127.0.0.1:0", NULL, &handle);
    if (rc == 0)
        rc = give_listener(self, &handle);
    tr_handle_close(&handle);
    return rc;
}

static void a_listener_accepts_elsewhere(void **state)
{
    (void)state;
    perform(&(struct play){start_listener, receive_nothing, false}, "hello");
}

static void never_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    (void)stream, (void)arg;
    note("mine");
    tr_exit(self, TR_EIO);
}

static int start_shared(tr_actor *self)
{
    tr_handle *handle = NULL, *copy = NULL;
    int rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, never_accepted, NULL, &scene.server);
    if (rc == 0)
        rc = tr_server_pause(self, scene.server);
    if (rc == 0)
        rc = tr_server_share(self, scene.server, &handle);
    if (rc == 0)
        rc = tr_handle_copy(handle, &copy);
    tr_handle_close(&handle);
    if (rc == 0)
        rc = give_listener(self, &copy);
    tr_handle_close(&copy);
    return rc;
}

static void a_server_shares_its_listener(void **state)
{
    (void)state;
    perform(&(struct play){start_shared, receive_nothing, false}, "hello");
}

// One is taken out of the message again before it is sent.
static int give_second(tr_actor *self, tr_msg *msg, tr_handle **one, tr_handle **other)
{
    int rc = tr_msg_attach_handle(msg, one);
    if (rc == 0)
        rc = tr_msg_attach_handle(msg, other);
    if (rc == 0)
        rc = tr_msg_take_handle(self, msg, 0, one);
    return rc;
}

static int start_left_over(tr_actor *self)
{
    char address[TR_ADDRESS_MAX];
    tr_handle **one = &scene.waiting[0], **other = &scene.waiting[1];
    scene = (struct scene){.count = 1, .to_next = TR_NOBODY};
    play_at_end(forget);
    int rc = play_spawn(self, &keeper, NULL, &scene.to);
    if (rc == 0)
        rc = tr_listener_open(self, "tcp://127.0.0.1:0", NULL, other);
    if (rc == 0)
        rc = tr_handle_address(*other, address);
    if (rc == 0)
        rc = tr_handle_copy(*other, one);
    if (rc == 0)
        rc = tr_msg_new("listen", TR_NULL, &scene.msg);
    if (rc == 0)
        rc = give_second(self, scene.msg, one, other);
    if (rc == 0)
        rc = tr_send_msg(self, scene.to, &scene.msg);
    if (rc == 0)
        rc = client_connect(self, &scene.clients[0], address);
    return rc < 0 ? rc : tr_stream_end(self, scene.clients[0].stream);
}

static void a_message_goes_with_the_handles_that_are_left_in_it(void **state)
{
    (void)state;
    perform(&(struct play){start_left_over, receive_nothing, false}, "hello");
}

// ---- Many ----

static void many_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    (void)arg;
    must(self, tr_stream_detach(self, stream, &scene.waiting[scene.waiting_count++]));
    scene.accepted++;
    if ((int64_t)scene.waiting_count < scene.batch && scene.accepted < scene.count)
        return;
    must(self, send_handles(self, scene.to, "number", scene.waiting, scene.waiting_count));
    scene.waiting_count = 0;
}

static void many_connect(tr_actor *self, const char *address)
{
    for (int64_t i = 0; i < scene.count; i++) {
        must(self, client_connect(self, &scene.clients[i], address));
    }
}

static int64_t many(void)
{
    int64_t count = (int64_t)play_many(CLIENTS_MAX);
    return count < 3 ? 3 : count;
}

static int start_many(tr_actor *self, int64_t batch)
{
    char address[TR_ADDRESS_MAX];
    scene = (struct scene){.count = many(), .batch = batch, .to_next = TR_NOBODY};
    play_at_end(forget);
    int rc = play_spawn(self, &keeper, NULL, &scene.to);
    if (rc == 0)
        rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, many_accepted, NULL, &scene.server);
    if (rc == 0)
        rc = tr_server_address(self, scene.server, address);
    if (rc == 0)
        many_connect(self, address);
    return rc;
}

static int start_burst(tr_actor *self)
{
    return start_many(self, 1);
}

static int start_batches(tr_actor *self)
{
    return start_many(self, TR_HANDLES_MAX);
}

static void many_arrive_in_order(void **state)
{
    (void)state;
    perform(&(struct play){start_burst, receive_nothing, false}, "all");
}

static void several_go_with_one_message(void **state)
{
    (void)state;
    perform(&(struct play){start_batches, receive_nothing, false}, "all");
}

static void a_node_may_close_while_handles_are_on_their_way(void **state)
{
    (void)state;
    perform_cut(&(struct play){start_batches, receive_nothing, false});
}

// ---- Coming back ----

static int give_to_next(tr_actor *self)
{
    int rc = send_handles(self, scene.to_next, "echo", &scene.back, 1);
    tr_handle_close(&scene.back);
    return rc;
}

// What comes back is given to another one when the first one's end is told, which is behind it.
static int receive_returned(tr_actor *self, const tr_msg *msg)
{
    const tr_returned *returned = tr_msg_returned(msg);
    if (tr_msg_down(msg) != NULL) {
        note("down");
        scene.down = true;
        return give_to_next(self);
    }
    if (returned == NULL || !tr_msg_is(msg, "returned") ||
        !tr_addr_eq(tr_msg_from(msg), scene.to) || number_of(msg) != 0)
        return TR_EBADMSG;
    note("%s:%s", returned->name, tr_errname(returned->why));
    int rc = tr_msg_take_handle(self, msg, 0, &scene.back);
    return rc < 0 || !scene.down ? rc : give_to_next(self);
}

static int start_returning(tr_actor *self, const char *verb)
{
    int rc = start_one(self, verb);
    if (rc == 0)
        rc = tr_monitor(self, scene.to, NULL);
    if (rc == 0)
        rc = play_spawn(self, &keeper, NULL, &scene.to_next);
    return rc;
}

static int start_failing(tr_actor *self)
{
    return start_returning(self, "fail");
}

static void a_handler_that_fails_gives_back_what_it_has_not_taken(void **state)
{
    (void)state;
    perform(&(struct play){start_failing, receive_returned, false}, "fail:TR_EDOWN down ne two");
}

static int start_unknown(tr_actor *self)
{
    int rc = start_returning(self, "what?");
    scene.down = true; // it lives on
    return rc;
}

static void what_an_actor_does_not_know_comes_back(void **state)
{
    (void)state;
    perform(&(struct play){start_unknown, receive_returned, false}, "what?:TR_EUNKNOWN ne two");
}

static int start_declined(tr_actor *self)
{
    int rc = start_returning(self, "decline");
    scene.down = true; // it lives on
    return rc;
}

static void what_an_actor_declines_comes_back(void **state)
{
    (void)state;
    perform(&(struct play){start_declined, receive_returned, false}, "decline:TR_ENOENT ne two");
}

static int start_taken_after_all(tr_actor *self)
{
    return start_one(self, "decline and echo");
}

static int receive_noting(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    note("%s", tr_msg_name(msg));
    return 0;
}

static void what_is_taken_after_all_does_not_come_back(void **state)
{
    (void)state;
    perform(&(struct play){start_taken_after_all, receive_noting, false}, "ne two");
}

static int start_crashing(tr_actor *self)
{
    int rc = start_returning(self, "echo");
    scene.crashes = true;
    return rc;
}

static void what_a_killed_process_has_not_taken_comes_back(void **state)
{
    (void)state;
    perform(&(struct play){start_crashing, receive_returned, true}, "echo:TR_EDOWN down ne two");
}

// ---- Taken, and gone with the one who has ----

static void last_words(tr_actor *self, void *arg)
{
    (void)arg;
    tr_stream_write_bytes(self, scene.clients[0].stream, "!", 1);
}

static void told_one(tr_actor *self, tr_stream stream, tr_buf *chunk, void *arg)
{
    client_data(self, stream, chunk, arg);
    last_words(self, NULL);
}

static void taken_accepted(tr_actor *self, tr_stream stream, void *arg)
{
    tr_handle *handle = NULL;
    (void)arg;
    int rc = tr_stream_detach(self, stream, &handle);
    if (rc == 0)
        rc = send_handles(self, scene.to, "echo", &handle, 1);
    tr_handle_close(&handle);
    must(self, rc);
}

static int start_taken(tr_actor *self)
{
    static const tr_stream_events events = {.data = told_one, .closed = client_closed};
    char address[TR_ADDRESS_MAX];
    scene = (struct scene){.count = 1};
    int rc = play_spawn(self, &keeper, NULL, &scene.to);
    scene.to_next = scene.to; // both are to be heard
    if (rc == 0)
        rc = tr_monitor(self, scene.to, NULL);
    if (rc == 0)
        rc = tr_listen(self, "tcp://127.0.0.1:0", NULL, taken_accepted, NULL, &scene.server);
    if (rc == 0)
        rc = tr_server_address(self, scene.server, address);
    if (rc == 0)
        rc = client_connect(self, &scene.clients[0], address);
    if (rc == 0)
        rc = tr_stream_on(self, scene.clients[0].stream, &events, &scene.clients[0]);
    if (rc == 0)
        rc = tr_stream_write_bytes(self, scene.clients[0].stream, "one", 3);
    return rc < 0 ? rc : 0;
}

// The two ends come in any order, so only one of them takes a note.
static int receive_taken(tr_actor *self, const tr_msg *msg)
{
    if (tr_msg_down(msg) == NULL)
        return TR_EUNKNOWN;
    scene.down = true;
    leave_when_done(self);
    return 0;
}

static void what_a_killed_process_has_taken_is_gone(void **state)
{
    (void)state;
    perform(&(struct play){start_taken, receive_taken, true}, "one");
}

// ---- Where there is no way ----

static void on_no_answer(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)answer, (void)arg;
}

static int start_errors(tr_actor *self)
{
    tr_handle **handle = &scene.back, **copy = &scene.waiting[0];
    tr_msg **msg = &scene.msg;
    tr_stream stream;
    tr_server server;
    must(self, tr_listener_open(self, "tcp://127.0.0.1:0", NULL, handle));
    must(self, tr_msg_new("listen", TR_NULL, msg));
    note_rc(tr_stream_attach(self, handle, NULL, &stream));
    for (int i = 0; i < TR_HANDLES_MAX; i++) {
        must(self, tr_handle_copy(*handle, copy));
        must(self, tr_msg_attach_handle(*msg, copy));
        tr_handle_close(copy);
    }
    note_rc(tr_msg_attach_handle(*msg, handle));
    note_rc(tr_ask_msg(self, tr_self(self), msg, NULL, NULL, on_no_answer, NULL));
    note_rc(tr_publish_msg(self, "group", msg));
    note_rc(tr_msg_take_handle(self, *msg, TR_HANDLES_MAX, copy));
    must(self, tr_msg_take_handle(self, *msg, 0, copy));
    tr_handle_close(copy);
    note_rc(tr_msg_take_handle(self, *msg, 0, copy));
    must(self, tr_listen_on(self, handle, NULL, never_accepted, NULL, &server));
    must(self, *handle == NULL ? 0 : TR_EIO);
    forget();
    return tr_exit(self, TR_NORMAL);
}

static void what_cannot_be_is_an_error(void **state)
{
    (void)state;
    perform(&(struct play){start_errors, receive_nothing, false},
            "TR_EINVAL TR_EFULL TR_ENOSYS TR_ENOSYS TR_ENOENT TR_ENOENT");
}

int isolation_handles(void)
{
    const struct CMUnitTest tests[] = {
        PLAY_TEST(a_connection_goes_on_elsewhere_behind_what_was_read),
        PLAY_TEST(what_is_put_off_keeps_its_handles),
        PLAY_TEST(what_the_handler_leaves_is_closed),
        PLAY_TEST(a_connection_comes_back_from_one_that_has_ended),
        PLAY_TEST(a_listener_accepts_elsewhere),
        PLAY_TEST(a_server_shares_its_listener),
        PLAY_TEST(a_message_goes_with_the_handles_that_are_left_in_it),
        PLAY_TEST(many_arrive_in_order),
        PLAY_TEST(several_go_with_one_message),
        PLAY_TEST(a_node_may_close_while_handles_are_on_their_way),
        PLAY_TEST(a_handler_that_fails_gives_back_what_it_has_not_taken),
        PLAY_TEST(what_an_actor_does_not_know_comes_back),
        PLAY_TEST(what_an_actor_declines_comes_back),
        PLAY_TEST(what_is_taken_after_all_does_not_come_back),
        PLAY_TEST(what_a_killed_process_has_not_taken_comes_back),
        PLAY_TEST(what_a_killed_process_has_taken_is_gone),
        PLAY_TEST(what_cannot_be_is_an_error),
    };
    return cmocka_run_group_tests_name(theatre->name, tests, NULL, NULL);
}
