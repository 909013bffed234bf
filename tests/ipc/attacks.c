#include "ipc/attacks.h"

// ---- Below the envelopes ----

static void garbage(struct raw *r)
{
    uint8_t bytes[65536];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    raw_write(r, bytes, sizeof bytes);
}

static void half_a_hello(struct raw *r)
{
    raw_write(r, "\0SP", 3);
    raw_finish(r);
}

static void another_protocol(struct raw *r)
{
    raw_write(r, "\0SP\0\0\x10\0\0", 8); // pair0
}

static void no_frame(struct raw *r)
{
    raw_greet(r);
    raw_write(r, "\x02\0\0\0\0\0\0\0\x05\0\0\0\x01z", 14);
}

static void a_terabyte(struct raw *r)
{
    raw_greet(r);
    raw_frame_head(r, (uint64_t)1 << 40);
}

static void half_a_frame(struct raw *r)
{
    raw_greet(r);
    raw_frame_head(r, 1000);
    raw_finish(r);
}

static void an_empty_frame(struct raw *r)
{
    raw_greet(r);
    raw_frame_head(r, 4);
}

// ---- The handshake ----

static void another_version(struct raw *r)
{
    raw_sp_hello(r);
    raw_send(r, TR_LIST((int)HELLO, TR_MAP("troupe", 2, "node", r->node)));
}

static void a_hello_without_node(struct raw *r)
{
    raw_sp_hello(r);
    raw_send(r, TR_LIST((int)HELLO, TR_MAP("troupe", 1)));
}

static void a_hello_that_is_no_map(struct raw *r)
{
    raw_sp_hello(r);
    raw_send(r, TR_LIST((int)HELLO, "hello"));
}

static void two_hellos(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST((int)HELLO, TR_MAP("troupe", 1, "node", r->node)));
}

static void a_message_before_hello(struct raw *r)
{
    raw_sp_hello(r);
    raw_send(r, TR_LIST((int)MESSAGE, 1, RAW_ACTOR, "echo", 1));
}

// ---- Envelopes ----

static void no_list(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_MAP("kind", 1));
}

static void an_empty_list(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_EMPTY_LIST);
}

static void a_message_cut_short(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST((int)MESSAGE, r->actor, RAW_ACTOR));
}

static void a_message_without_name(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST((int)MESSAGE, r->actor, RAW_ACTOR, "", 1));
}

// A message to actor 1 whose body is these bytes.
static void message_with(struct raw *r, const void *body, size_t size)
{
    static const char head[] = "\x95\x01\x01\x63\xa4"
                               "echo";
    char bytes[256];
    memcpy(bytes, head, sizeof head - 1);
    memcpy(bytes + sizeof head - 1, body, size);
    raw_greet(r);
    raw_frame(r, bytes, sizeof head - 1 + size);
}

static void a_body_too_deep(struct raw *r)
{
    char lists[TR_DEPTH_MAX + 2];
    memset(lists, '\x91', sizeof lists - 1);
    lists[sizeof lists - 1] = 1;
    message_with(r, lists, sizeof lists);
}

static void a_bomb_of_4_billion_items(struct raw *r)
{
    message_with(r, "\xdd\xff\xff\xff\xff", 5);
}

static void a_bomb_in_a_map(struct raw *r)
{
    message_with(r, "\x81\x01\xdf\xff\xff\xff\xff", 7);
}

// Its answer is outstanding, and weighs more than one byte.
static void credit_that_does_not_add_up(struct raw *r)
{
    raw_greet(r);
    raw_ask(r);
    raw_send(r, TR_LIST((int)CREDIT, RAW_ACTOR, 1, 1));
}

static void credit_for_nothing(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST((int)CREDIT, RAW_ACTOR, 1, 1));
}

static void a_monitor_twice(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST((int)MONITOR, r->actor, 7));
    raw_send(r, TR_LIST((int)MONITOR, r->actor, 7));
}

static void more_messages_than_the_window(struct raw *r)
{
    enum { COUNT = 4097 };
    static char bytes[COUNT * 10];
    for (size_t i = 0; i < COUNT; i++)
        memcpy(bytes + 10 * i, "\x95\x01\x01\x63\xa4void\xc0", 10);
    raw_greet(r);
    raw_frame(r, bytes, sizeof bytes);
}

static void an_unknown_envelope(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST(77, "of a later version", TR_MAP("a", 1)));
}

static void items_of_a_later_version(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST((int)DEMONITOR, 12345, "and more", TR_EMPTY_MAP));
}

static void introductions(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST(26, 5, 0));
    raw_send(r, TR_LIST(27, 5, 1, 0));
    raw_send(r, TR_LIST(28, 5, TR_EDOWN));
}

static void an_introduction_to_no_node(struct raw *r)
{
    raw_greet(r);
    raw_send(r, TR_LIST(26, 0, 0));
}

static void messages_to_nobody(struct raw *r)
{
    raw_greet(r);
    for (int i = 0; i < 100; i++)
        raw_send(r, TR_LIST((int)MESSAGE, (uint64_t)i << 40 | 12345, RAW_ACTOR, "echo", i));
}

const struct attack attacks[] = {
    {"garbage closes", garbage, CLOSES, 0},
    {"half a hello closes", half_a_hello, CLOSES, 0},
    {"another protocol closes", another_protocol, CLOSES, 0},
    {"another type of frame closes", no_frame, CLOSES, 0},
    {"a frame of a terabyte closes", a_terabyte, CLOSES, 0},
    {"half a frame closes", half_a_frame, CLOSES, 0},
    {"an empty frame is nothing", an_empty_frame, GOES_ON, 0},
    {"another version is refused", another_version, REFUSES, TR_EVERSION},
    {"a hello without node is refused", a_hello_without_node, REFUSES, TR_EBADMSG},
    {"a hello that is no map is refused", a_hello_that_is_no_map, REFUSES, TR_EVERSION},
    {"a second hello is refused", two_hellos, REFUSES, TR_EBADMSG},
    {"a message before the hello is refused", a_message_before_hello, REFUSES, TR_EBADMSG},
    {"an envelope that is no list closes", no_list, CLOSES, 0},
    {"an empty envelope closes", an_empty_list, CLOSES, 0},
    {"a message that is cut short closes", a_message_cut_short, CLOSES, 0},
    {"a message without name closes", a_message_without_name, CLOSES, 0},
    {"a body that is too deep closes", a_body_too_deep, CLOSES, 0},
    {"a list that announces 4 billion items closes", a_bomb_of_4_billion_items, CLOSES, 0},
    {"a map that announces 4 billion pairs closes", a_bomb_in_a_map, CLOSES, 0},
    {"credit for what was never sent closes", credit_for_nothing, CLOSES, 0},
    {"credit that does not add up closes", credit_that_does_not_add_up, CLOSES, 0},
    {"the same monitor twice closes", a_monitor_twice, CLOSES, 0},
    {"more messages than the window closes", more_messages_than_the_window, CLOSES, 0},
    {"an unknown envelope is passed over", an_unknown_envelope, GOES_ON, 0},
    {"unknown items are passed over", items_of_a_later_version, GOES_ON, 0},
    {"introductions by others than a parent or a child are passed over", introductions, GOES_ON, 0},
    {"an introduction to no node closes", an_introduction_to_no_node, CLOSES, 0},
    {"messages to nobody are dropped", messages_to_nobody, GOES_ON, 0},
};
const size_t attack_count = sizeof attacks / sizeof *attacks;
_Static_assert(sizeof attacks / sizeof *attacks <= ATTACKS_MAX, "room for all of them");

bool attack_answered(const struct attack *attack, struct raw *r)
{
    if (attack->then == GOES_ON)
        return raw_ask(r);
    const msgpack_object_array *refusal = raw_next_of(r, REFUSE);
    if (attack->then == CLOSES)
        return refusal == NULL && raw_ended(r);
    return refusal != NULL && refusal->size == 3 && refusal->ptr[1].via.i64 == attack->error &&
           refusal->ptr[2].via.str.size > 0 && raw_next(r) == NULL && raw_ended(r);
}
