// Typed messages: a shop here, a bank in a process of its own. What they say to each other is
// declared once, as structs. The bank answers an order, and refuses what is none.
#include <stdio.h>
#include <troupe.h>

#define POSITION(FIELD)                                                                            \
    FIELD(tr_str, article)                                                                         \
    FIELD(uint32_t, count)                                                                         \
    FIELD(double, price)
TR_STRUCT(position, POSITION);

#define ORDER(FIELD)                                                                               \
    FIELD(uint64_t, id)                                                                            \
    FIELD(tr_str, customer)                                                                        \
    FIELD(char, currency, TR_TEXT(4))                                                              \
    FIELD(struct position, positions, TR_ITEMS(8))                                                 \
    FIELD(tr_str, note, TR_OPTIONAL)
TR_STRUCT(order, ORDER);

#define BILL(FIELD)                                                                                \
    FIELD(uint64_t, order)                                                                         \
    FIELD(double, total)                                                                           \
    FIELD(char, currency, TR_TEXT(4))
TR_STRUCT(bill, BILL);

static int bank_receive(tr_actor *self, const tr_msg *msg)
{
    struct order order;
    if (order_read(tr_msg_body(msg), &order) < 0)
        return tr_send(self, tr_msg_from(msg), "refused", tr_msg_body(msg));
    struct bill bill = {.order = order.id};
    memcpy(bill.currency, order.currency, sizeof bill.currency);
    for (size_t i = 0; i < order.positions_count; i++)
        bill.total += order.positions[i].count * order.positions[i].price;
    return tr_send(self, tr_msg_from(msg), "bill", bill_val(&bill));
}
static const tr_behavior bank = {.name = "bank", .receive = bank_receive};

static int shop_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    struct order order = {
        .id = 7,
        .customer = {"ann", 3},
        .currency = "EUR",
        .positions = {{{"tea", 3}, 2, 4.5}, {{"cup", 3}, 1, 8}},
        .positions_count = 2,
    };
    tr_addr kid;
    int rc = tr_spawn(self, &bank, TR_SPAWN(.isolation = TR_PROCESS), &kid);
    if (rc == 0)
        rc = tr_send(self, kid, "order", order_val(&order));
    if (rc == 0) // no order: the id is text, and the rest is missing
        rc = tr_send(self, kid, "order", TR_MAP("id", "seven", "customer", "ann"));
    return rc;
}

static int shop_receive(tr_actor *self, const tr_msg *msg)
{
    struct bill bill;
    if (tr_msg_is(msg, "refused")) {
        printf("Refused: %s\n", tr_msg_json(msg));
        return tr_exit(self, TR_NORMAL);
    }
    int rc = bill_read(tr_msg_body(msg), &bill);
    if (rc == 0)
        printf("Order %d: %.2f %s\n", (int)bill.order, bill.total, bill.currency);
    return rc;
}
static const tr_behavior shop = {.name = "shop", .start = shop_start, .receive = shop_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&shop, &bank));
}
