#include "ipc/raw.h"

#include <arpa/inet.h>
#include <endian.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 10000

static const uint8_t sp_hello[8] = {0, 'S', 'P', 0, 0, 0x11, 0, 0};

static int connect_to(const char *path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned short port;
    bool is_tcp = sscanf(path, "tcp://127.0.0.1:%hu", &port) == 1;
    const char *name = strncmp(path, "ipc://", 6) == 0 ? path + 6 : path;
    snprintf(local.sun_path, sizeof local.sun_path, "%s", name);
    tcp.sin_port = htons(port);
    int fd = socket(is_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = is_tcp ? connect(fd, (struct sockaddr *)&tcp, sizeof tcp)
                    : connect(fd, (struct sockaddr *)&local, sizeof local);
    if (rc < 0) {
        perror(path);
        abort();
    }
    return fd;
}

void raw_open(struct raw *r, int fd, const char *path)
{
    static uint64_t nodes;
    *r = (struct raw){.fd = fd >= 0 ? fd : connect_to(path), .node = ++nodes, .actor = 1};
    r->tcp = path != NULL && strncmp(path, "tcp:", 4) == 0;
    msgpack_unpacked_init(&r->envelope);
}

void raw_close(struct raw *r)
{
    msgpack_unpacked_destroy(&r->envelope);
    free(r->frame);
    close(r->fd);
}

// ---- Writing ----

void raw_write(struct raw *r, const void *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(r->fd, bytes, size, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes = (const char *)bytes + n;
        size -= (size_t)n;
    }
}

void raw_frame_head(struct raw *r, uint64_t length)
{
    uint8_t head[13] = {1, [12] = 1};
    length = htobe64(length);
    memcpy(head + 1, &length, sizeof length);
    raw_write(r, head + r->tcp, sizeof head - r->tcp);
}

void raw_frame(struct raw *r, const void *bytes, size_t size)
{
    raw_frame_head(r, size + 4);
    raw_write(r, bytes, size);
}

void raw_send(struct raw *r, tr_val envelope)
{
    tr_buf *packed;
    if (tr_val_pack(envelope, &packed) < 0)
        abort();
    raw_frame(r, tr_buf_data(packed), tr_buf_size(packed));
    tr_buf_unref(&packed);
}

void raw_finish(struct raw *r)
{
    shutdown(r->fd, SHUT_WR);
}

// ---- Reading ----

static bool readable(const struct raw *r)
{
    struct pollfd in = {.fd = r->fd, .events = POLLIN};
    return poll(&in, 1, PATIENCE_MS) == 1;
}

static bool read_whole(const struct raw *r, void *bytes, size_t size)
{
    for (size_t got = 0; got < size;) {
        ssize_t n = readable(r) ? recv(r->fd, (char *)bytes + got, size - got, 0) : -1;
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static bool read_sp_hello(struct raw *r)
{
    uint8_t hello[sizeof sp_hello];
    r->met = read_whole(r, hello, sizeof hello);
    if (r->met && memcmp(hello, sp_hello, sizeof hello) != 0)
        abort();
    return r->met;
}

static bool read_frame(struct raw *r)
{
    uint8_t head[13] = {1};
    uint64_t length;
    if ((!r->met && !read_sp_hello(r)) || !read_whole(r, head + r->tcp, sizeof head - r->tcp))
        return false;
    memcpy(&length, head + 1, sizeof length);
    length = be64toh(length);
    if (head[0] != 1 || length < 4)
        abort();
    r->at = 0;
    r->size = length - 4;
    r->frame = realloc(r->frame, r->size + 1);
    return r->frame != NULL && read_whole(r, r->frame, r->size);
}

const msgpack_object_array *raw_next(struct raw *r)
{
    while (r->at == r->size)
        if (!read_frame(r))
            return NULL;
    if (msgpack_unpack_next(&r->envelope, r->frame, r->size, &r->at) < 0)
        abort();
    const msgpack_object *o = &r->envelope.data;
    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size == 0)
        abort();
    return &o->via.array;
}

const msgpack_object_array *raw_next_of(struct raw *r, uint64_t kind)
{
    const msgpack_object_array *e;
    do
        e = raw_next(r);
    while (e != NULL && e->ptr[0].via.u64 != kind);
    return e;
}

bool raw_ended(const struct raw *r)
{
    char byte;
    return readable(r) && recv(r->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) <= 0;
}

// ---- Talking ----

void raw_sp_hello(struct raw *r)
{
    raw_write(r, sp_hello, sizeof sp_hello);
}

// A parent says in its hello who its child is, and which actor it is the child of.
static void learn(struct raw *r, const msgpack_object_map *hello)
{
    for (uint32_t i = 0; i < hello->size; i++) {
        const msgpack_object *key = &hello->ptr[i].key, *value = &hello->ptr[i].val;
        if (key->via.str.size == 3 && memcmp(key->via.str.ptr, "you", 3) == 0)
            r->node = value->via.u64;
        if (key->via.str.size == 6 && memcmp(key->via.str.ptr, "parent", 6) == 0)
            r->actor = value->via.u64;
    }
}

static const msgpack_object *field(const msgpack_object_map *map, const char *name)
{
    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object_str *key = &map->ptr[i].key.via.str;
        if (key->size == strlen(name) && memcmp(key->ptr, name, key->size) == 0)
            return &map->ptr[i].val;
    }
    abort();
}

bool raw_challenge(struct raw *r)
{
    if (getrandom(r->nonce, sizeof r->nonce, 0) != sizeof r->nonce)
        abort();
    raw_send(r, TR_LIST((int)CHALLENGE, TR_MAP("troupe", 1, "node", r->node, "nonce",
                                               ((tr_bytes){r->nonce, sizeof r->nonce}))));
    const msgpack_object_array *e = raw_next_of(r, CHALLENGE);
    if (e == NULL)
        return false;
    const msgpack_object_map *map = &e->ptr[1].via.map;
    r->server = field(map, "node")->via.u64;
    memcpy(r->theirs, field(map, "nonce")->via.bin.ptr, sizeof r->theirs);
    return true;
}

void raw_proof(const struct raw *r, const char *secret, char role, uint8_t proof[RAW_PROOF])
{
    bool ours = role == 'D';
    uint8_t all[104] = "troupe link v1";
    uint64_t numbers[] = {htobe64(1), htobe64(ours ? r->node : r->server),
                          htobe64(ours ? r->server : r->node)};
    all[15] = (uint8_t)role;
    memcpy(all + 16, numbers, sizeof numbers);
    memcpy(all + 40, ours ? r->nonce : r->theirs, RAW_PROOF);
    memcpy(all + 72, ours ? r->theirs : r->nonce, RAW_PROOF);
    HMAC(EVP_sha256(), secret, (int)strlen(secret), all, sizeof all, proof, NULL);
}

void raw_prove(struct raw *r, const char *secret)
{
    uint8_t proof[RAW_PROOF];
    raw_proof(r, secret, 'D', proof);
    raw_send(r, TR_LIST((int)PROOF, ((tr_bytes){proof, sizeof proof})));
}

// Prove, and see the other side do so.
static bool prove_both(struct raw *r)
{
    uint8_t proof[RAW_PROOF];
    if (!raw_challenge(r))
        return false;
    raw_prove(r, RAW_SECRET);
    const msgpack_object_array *e = raw_next(r);
    raw_proof(r, RAW_SECRET, 'L', proof);
    return e != NULL && e->ptr[0].via.u64 == PROOF && e->ptr[1].via.bin.size == RAW_PROOF &&
           memcmp(e->ptr[1].via.bin.ptr, proof, RAW_PROOF) == 0;
}

bool raw_greet(struct raw *r)
{
    raw_sp_hello(r);
    if (r->tcp && !prove_both(r))
        return false;
    const msgpack_object_array *e = raw_next(r);
    if (e == NULL || e->ptr[0].via.u64 != HELLO || e->ptr[1].type != MSGPACK_OBJECT_MAP)
        return false;
    learn(r, &e->ptr[1].via.map);
    raw_send(r, TR_LIST((int)HELLO, TR_MAP("troupe", 1, "node", r->node, "handles", TR_TRUE)));
    return true;
}

// Who is answered more often than a window is wide has to credit that.
static void credit(struct raw *r, const msgpack_object_array *e)
{
    uint64_t number = e->ptr[4].via.u64;
    r->answers++;
    r->answer_bytes += e->ptr[3].via.str.size;
    r->answer_bytes += number < 128 ? 1 : number < 0x100 ? 2 : number < 0x10000 ? 3 : 5;
    if (r->answers < 1024) // a quarter of it
        return;
    raw_send(r, TR_LIST((int)CREDIT, RAW_ACTOR, r->answers, r->answer_bytes));
    r->answers = r->answer_bytes = 0;
}

bool raw_ask(struct raw *r)
{
    static uint64_t number;
    raw_send(r, TR_LIST((int)MESSAGE, r->actor, RAW_ACTOR, "echo", ++number));
    const msgpack_object_array *e = raw_next_of(r, MESSAGE);
    if (e == NULL || e->size != 5 || e->ptr[1].via.u64 != RAW_ACTOR ||
        e->ptr[2].via.u64 != r->actor || e->ptr[4].via.u64 != number)
        return false;
    credit(r, e);
    return true;
}
