// A program to look at: `shop`, a till that asks a stock in a process of its own for goods, and a
// clock, until it is killed. With "hang" the till never returns from its tenth sale; with "crash"
// the stock crashes at its tenth.
#include <signal.h>
#include <troupe.h>

static const char *mode = "";
static volatile int never;

struct count {
    tr_addr stock;
    int64_t sales;
};

static int stock_receive(tr_actor *self, const tr_msg *msg)
{
    int64_t id;
    if (tr_get_int(tr_msg_body(msg), "id", &id) < 0)
        return TR_EUNKNOWN;
    if (id == 10 && tr_get(tr_msg_body(msg), "crash", &(tr_val){0}) == 0)
        raise(SIGKILL);
    return tr_reply(self, msg, TR_MAP("left", 100 - id % 100));
}
static const tr_behavior stock = {.name = "stock", .receive = stock_receive};

static void sold(tr_actor *self, const tr_answer *answer, void *arg)
{
    (void)self, (void)answer, (void)arg;
}

static int till_receive(tr_actor *self, const tr_msg *msg)
{
    struct count *c = tr_state(self);
    if (!tr_msg_is(msg, "sale"))
        return TR_EUNKNOWN;
    c->sales++;
    while (c->sales == 10 && tr_str_eq((tr_str){mode, strlen(mode)}, "hang") && never == 0)
        continue;
    if (tr_str_eq((tr_str){mode, strlen(mode)}, "crash"))
        return tr_ask(self, c->stock, "take", TR_MAP("id", c->sales, "crash", true), NULL, NULL,
                      sold, NULL);
    return tr_ask(self, c->stock, "take", TR_MAP("id", c->sales), NULL, NULL, sold, NULL);
}

static int till_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    struct count *c = tr_state(self);
    return tr_spawn(self, &stock, TR_SPAWN(.isolation = TR_PROCESS, .name = "stock"), &c->stock);
}
static const tr_behavior till = {.name = "till",
                                 .state_size = sizeof(struct count),
                                 .start = till_start,
                                 .receive = till_receive};

static void tick(tr_actor *self, void *arg)
{
    (void)arg;
    tr_addr *to = tr_state(self);
    tr_send(self, *to, "sale", TR_MAP("what", "bread", "price", 3));
    tr_timer_start(self, TR_MS(2), tick, NULL, NULL);
}

static int clock_start(tr_actor *self, const tr_val *args)
{
    tr_val first;
    tr_str text;
    if (tr_at(*args, 0, &first) == 0 && tr_as_str(first, &text) == 0)
        mode = text.len == 4 ? "hang" : "crash";
    int rc = tr_spawn(self, &till, NULL, tr_state(self));
    if (rc == 0)
        tick(self, NULL);
    return rc;
}
static const tr_behavior clock_actor = {
    .name = "clock", .state_size = sizeof(tr_addr), .start = clock_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&clock_actor, &stock));
}
