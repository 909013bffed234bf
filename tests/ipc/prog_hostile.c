// A child that attacks its parent over the inherited socket, by the attack's name, and leaves with
// STATUS when the parent has done what it should.
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/attacks.h"

#define LINK_FD 3
#define STATUS  7

static void says_another_node(struct raw *r)
{
    raw_sp_hello(r);
    raw_send(r, TR_LIST((int)HELLO, TR_MAP("troupe", 1, "node", 12345)));
}

static void closes_and_lives(struct raw *r)
{
    close(r->fd);
    poll(NULL, 0, -1);
}

// ---- Descriptors ----

#define HANDLES 19 // kinds
#define TAKEN   20

static void write_with(struct raw *r, const void *bytes, size_t size, int count)
{
    union {
        char bytes[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {(void *)(uintptr_t)bytes, size};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
    head->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    for (int i = 0; i < count; i++)
        memcpy(CMSG_DATA(head) + (size_t)i * sizeof(int), &r->fd, sizeof(int));
    if (sendmsg(r->fd, &msg, MSG_NOSIGNAL) < 0)
        _exit(3);
}

// A frame of one or two envelopes with so many descriptors, which are this socket's.
static void frame_with(struct raw *r, const tr_val *envelopes, size_t envelope_count, int count)
{
    uint8_t bytes[1024] = {1};
    size_t size = 13;
    bytes[12] = 1;
    for (size_t i = 0; i < envelope_count; i++) {
        tr_buf *packed;
        if (tr_val_pack(envelopes[i], &packed) < 0)
            _exit(4);
        memcpy(bytes + size, tr_buf_data(packed), tr_buf_size(packed));
        size += tr_buf_size(packed);
        tr_buf_unref(&packed);
    }
    bytes[7] = (uint8_t)((size - 9) >> 8);
    bytes[8] = (uint8_t)(size - 9);
    write_with(r, bytes, size, count);
}

static void sends_descriptors_with_a_message(struct raw *r)
{
    raw_greet(r);
    tr_val message = TR_LIST((int)MESSAGE, r->actor, RAW_ACTOR, "hello", 1);
    frame_with(r, &message, 1, 2);
}

static void sends_descriptors_with_half_a_frame(struct raw *r)
{
    raw_greet(r);
    write_with(r, "\1\0\0\0\0\0\0\1\0", 9, 1);
    write_with(r, "\0\0\0\1\2", 5, 1);
}

static void announces_more_than_come(struct raw *r)
{
    raw_greet(r);
    tr_val both[] = {TR_LIST((int)HANDLES, 1, TR_LIST((bool)false, (bool)false)),
                     TR_LIST((int)MESSAGE, r->actor, RAW_ACTOR, "hello", 1)};
    frame_with(r, both, 2, 1);
}

static void announces_fewer_than_come(struct raw *r)
{
    raw_greet(r);
    tr_val both[] = {TR_LIST((int)HANDLES, 1, TR_LIST((bool)false)),
                     TR_LIST((int)MESSAGE, r->actor, RAW_ACTOR, "hello", 1)};
    frame_with(r, both, 2, 3);
}

static void announces_and_sends_no_message(struct raw *r)
{
    raw_greet(r);
    tr_val both[] = {TR_LIST((int)HANDLES, 1, TR_LIST((bool)false)), TR_LIST((int)WANT)};
    frame_with(r, both, 2, 1);
}

static void announces_bytes_that_do_not_come(struct raw *r)
{
    raw_greet(r);
    tr_val both[] = {TR_LIST((int)HANDLES, 1, TR_LIST((bool)true)),
                     TR_LIST((int)MESSAGE, r->actor, RAW_ACTOR, "hello", 1)};
    frame_with(r, both, 2, 1);
}

static void announces_none(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST((int)HANDLES, 1, tr_val_list(NULL, 0)));
}

static void has_taken_what_was_not_sent(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST((int)TAKEN, 1));
}

// It has it, and says so where nobody listens any more.
static void takes_a_handle_behind_garbage(struct raw *r)
{
    raw_greet(r);
    const msgpack_object_array *e = raw_next_of(r, HANDLES);
    if (e == NULL)
        _exit(5);
    uint64_t ref = e->ptr[1].via.u64;
    raw_next_of(r, MESSAGE);
    raw_frame(r, "\xc1", 1);
    raw_send(r, TR_LIST((int)TAKEN, ref));
}

// What only a child can do.
static const struct attack childrens[] = {
    {"descriptors with an ordinary message", sends_descriptors_with_a_message, CLOSES, 0},
    {"descriptors bit by bit", sends_descriptors_with_half_a_frame, CLOSES, 0},
    {"fewer descriptors than announced", announces_more_than_come, CLOSES, 0},
    {"more descriptors than announced", announces_fewer_than_come, CLOSES, 0},
    {"descriptors announced, and no message", announces_and_sends_no_message, CLOSES, 0},
    {"bytes announced, and none sent", announces_bytes_that_do_not_come, CLOSES, 0},
    {"no descriptors announced", announces_none, CLOSES, 0},
    {"taken, and never sent", has_taken_what_was_not_sent, CLOSES, 0},
    {"taken, behind garbage", takes_a_handle_behind_garbage, CLOSES, 0},
    {"another node than it was given is refused", says_another_node, REFUSES, TR_EREFUSED},
    {"closes the link and lives", closes_and_lives, CLOSES, 0},
};

static const struct attack *find(const struct attack *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *name = argc == 2 ? argv[1] : "";
    const struct attack *attack = find(attacks, attack_count, name);
    if (attack == NULL)
        attack = find(childrens, sizeof childrens / sizeof *childrens, name);
    if (attack == NULL)
        return 1;
    struct raw r;
    raw_open(&r, LINK_FD, NULL);
    attack->make(&r);
    bool good = attack_answered(attack, &r);
    raw_close(&r);
    return good ? STATUS : 2;
}
