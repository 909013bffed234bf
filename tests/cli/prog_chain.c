// A request that goes a long way: `chain bank tcp://127.0.0.1:0` is a node that says where it listens;
// `chain shop URL` is an HTTP server, which says its address. For each request the shop asks a cart
// and then a pricer, each in a process of its own, and the pricer the bank.
#include <stdio.h>
#include <string.h>
#include <troupe.h>

static const char SECRET[] = "the bank and the pricer";

static int links(tr_actor *self)
{
    return tr_node_links(tr_node_of(self),
                         TR_LINKS(.secret = SECRET, .secret_size = sizeof SECRET));
}

static int text_at(const tr_val *args, size_t i, char *ret_text, size_t size)
{
    tr_val item;
    tr_str text;
    int rc = tr_at(*args, i, &item);
    if (rc == 0)
        rc = tr_as_str(item, &text);
    if (rc == 0)
        snprintf(ret_text, size, "%.*s", TR_STR_ARG(text));
    return rc;
}

// ---- The bank ----

static int bank_start(tr_actor *self, const char *url)
{
    char where[TR_URL_MAX];
    int rc = tr_register(self, "bank");
    if (rc == 0)
        rc = links(self);
    if (rc == 0)
        rc = tr_node_listen(tr_node_of(self), url);
    if (rc == 0)
        rc = tr_node_url(tr_node_of(self), 0, where);
    if (rc == 0)
        puts(where), fflush(stdout);
    return rc;
}

// ---- Those in processes of their own ----

static int cart_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_reply(self, msg, TR_MAP("items", TR_LIST("bread", "salt")));
}
static const tr_behavior cart = {.name = "cart", .receive = cart_receive};

struct pricer {
    tr_addr bank;
    tr_asker asker;
};

static int pricer_start(tr_actor *self, const tr_val *args)
{
    char url[TR_URL_MAX];
    int rc = text_at(args, 0, url, sizeof url);
    if (rc == 0)
        rc = links(self);
    if (rc == 0)
        rc = tr_node_watch(self, true);
    return rc < 0 ? rc : tr_node_dial(tr_node_of(self), url, NULL);
}

static void on_bank(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct pricer *p = tr_state(self);
    (void)arg;
    if (tr_as_addr(answer->body, &p->bank) < 0)
        tr_exit(self, TR_ENOENT);
    else
        tr_send(self, tr_parent(self), "open", TR_NULL);
}

static void on_rate(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct pricer *p = tr_state(self);
    (void)arg;
    tr_reply_to(self, p->asker, TR_MAP("price", answer->body));
}

static int pricer_receive(tr_actor *self, const tr_msg *msg)
{
    struct pricer *p = tr_state(self);
    uint64_t node;
    if (tr_msg_is(msg, "node up") && TR_READ(tr_msg_body(msg), "node", &node) == 0)
        return tr_whereis_at(self, node, "bank", NULL, NULL, on_bank, NULL);
    if (!tr_msg_is(msg, "price"))
        return TR_EUNKNOWN;
    int rc = tr_reply_later(self, msg, &p->asker);
    return rc < 0 ? rc : tr_ask(self, p->bank, "rate", TR_V("EUR"), NULL, NULL, on_rate, NULL);
}
static const tr_behavior pricer = {.name = "pricer",
                                   .state_size = sizeof(struct pricer),
                                   .start = pricer_start,
                                   .receive = pricer_receive};

// ---- The shop ----

struct shop {
    bool is_bank;
    tr_addr cart, pricer;
    tr_http http; // one at a time
    tr_http_server server;
};

static void on_price(tr_actor *self, const tr_answer *answer, void *arg)
{
    const struct shop *s = tr_state(self);
    char *json = NULL;
    (void)arg;
    if (tr_json_print(answer->body, &json) == 0)
        tr_http_reply(self, s->http, TR_HTTP_RESPONSE(.body = {json, strlen(json)}));
    tr_free(json);
}

static void on_items(tr_actor *self, const tr_answer *answer, void *arg)
{
    const struct shop *s = tr_state(self);
    (void)arg;
    tr_ask(self, s->pricer, "price", answer->body, NULL, NULL, on_price, NULL);
}

static int on_request(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    struct shop *s = tr_state(self);
    (void)request, (void)arg;
    s->http = http;
    return tr_ask(self, s->cart, "items", TR_MAP("id", 7), NULL, NULL, on_items, NULL);
}

static int shop_open(tr_actor *self)
{
    struct shop *s = tr_state(self);
    char address[TR_ADDRESS_MAX];
    int rc = tr_http_listen(self, "tcp://127.0.0.1:0", on_request, NULL, NULL, &s->server);
    if (rc == 0)
        rc = tr_http_address(self, s->server, address);
    if (rc == 0)
        puts(address), fflush(stdout);
    return rc;
}

static int shop_start(tr_actor *self, const char *url)
{
    struct shop *s = tr_state(self);
    int rc = tr_spawn(self, &cart, TR_SPAWN(.isolation = TR_PROCESS), &s->cart);
    return rc < 0 ? rc
                  : tr_spawn(self, &pricer, TR_SPAWN(.isolation = TR_PROCESS, .args = TR_LIST(url)),
                             &s->pricer);
}

// ---- Either ----

static int chain_start(tr_actor *self, const tr_val *args)
{
    struct shop *s = tr_state(self);
    char role[16], url[TR_URL_MAX];
    int rc = text_at(args, 0, role, sizeof role);
    if (rc == 0)
        rc = text_at(args, 1, url, sizeof url);
    if (rc < 0)
        return rc;
    s->is_bank = strcmp(role, "bank") == 0;
    return s->is_bank ? bank_start(self, url) : shop_start(self, url);
}

static int chain_receive(tr_actor *self, const tr_msg *msg)
{
    const struct shop *s = tr_state(self);
    if (s->is_bank && tr_msg_is(msg, "rate"))
        return tr_reply(self, msg, TR_V(42));
    return tr_msg_is(msg, "open") ? shop_open(self) : TR_EUNKNOWN;
}
static const tr_behavior chain = {.name = "chain",
                                  .state_size = sizeof(struct shop),
                                  .start = chain_start,
                                  .receive = chain_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&chain, &cart, &pricer));
}
