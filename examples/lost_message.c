// A message that got lost, and the trace that says where: stock sends "shipp" to an actor that
// knows "ship". Nobody fails, nothing comes out.
#include <stdio.h>
#include <troupe.h>

static int shipping_receive(tr_actor *self, const tr_msg *msg)
{
    (void)self;
    if (!tr_msg_is(msg, "ship"))
        return TR_EUNKNOWN;
    printf("shipped %s\n", tr_msg_json(msg));
    return 0;
}
static const tr_behavior shipping = {.name = "shipping", .receive = shipping_receive};

struct stock {
    tr_addr shipping;
};

static int stock_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    struct stock *s = tr_state(self);
    return tr_spawn(self, &shipping, NULL, &s->shipping);
}

static int stock_receive(tr_actor *self, const tr_msg *msg)
{
    struct stock *s = tr_state(self);
    if (!tr_msg_is(msg, "order"))
        return TR_EUNKNOWN;
    return tr_send(self, s->shipping, "shipp", tr_msg_body(msg));
}
static const tr_behavior stock = {.name = "stock",
                                  .state_size = sizeof(struct stock),
                                  .start = stock_start,
                                  .receive = stock_receive};

// What `troupe trace --bad` prints, without the time.
static void look(void)
{
    tr_trace *trace;
    tr_trace_event event;
    if (tr_trace_open_pid(0, &trace) < 0)
        return;
    while (tr_trace_next(trace, &event) > 0)
        if (event.kind == TR_TRACE_DROP)
            printf("%s did not take \"%s\" from %s: %s\n", event.actor_name, event.name,
                   event.from_name, tr_strerror(event.code));
    tr_trace_close(&trace);
}

static void waited(tr_actor *self, void *arg)
{
    (void)arg;
    look();
    tr_exit(self, TR_NORMAL);
}

static int shop_start(tr_actor *self, const tr_val *args)
{
    (void)args;
    tr_addr to;
    int rc = tr_spawn(self, &stock, NULL, &to);
    if (rc == 0)
        rc = tr_send(self, to, "order", TR_MAP("what", "bread"));
    return rc < 0 ? rc : tr_timer_start(self, TR_MS(50), waited, NULL, NULL);
}
static const tr_behavior shop = {.name = "shop", .start = shop_start};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&shop));
}
