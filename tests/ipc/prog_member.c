// A node of a network that is cut: says on its standard output what it hears, a line each. Nodes of
// it send numbers to each other's actor "counter", as fast as that is not full.
//
//     prog_member listen URL | dial URL
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <troupe.h>

#define SECRET     "the members know this one"
#define SILENCE_MS 1000

struct member {
    uint64_t sent, last;
    tr_addr counter; // the other one's
};

static void say(const char *what, uint64_t number)
{
    printf("%s %" PRIu64 "\n", what, number);
    fflush(stdout);
}

static int member_start(tr_actor *self, const tr_val *args)
{
    char url[TR_URL_MAX];
    tr_val role, place;
    tr_str how, where;
    tr_node *node = tr_node_of(self);
    if (tr_at(*args, 0, &role) < 0 || tr_at(*args, 1, &place) < 0 || tr_as_str(role, &how) < 0 ||
        tr_as_str(place, &where) < 0)
        return TR_EINVAL;
    snprintf(url, sizeof url, "%.*s", TR_STR_ARG(where));
    int rc = tr_node_links(node, TR_LINKS(.secret = SECRET, .secret_size = sizeof SECRET - 1,
                                          .silence_ms = SILENCE_MS));
    if (rc == 0)
        rc = tr_register(self, "counter");
    if (rc == 0)
        rc = tr_node_watch(self, true);
    if (rc == 0)
        rc = tr_str_eq(how, "listen") ? tr_node_listen(node, url)
                                      : tr_node_dial(node, url, TR_DIAL(.backoff_max_ms = 500));
    if (rc == 0)
        say("ready", 0);
    return rc;
}

static void count_on(tr_actor *self, void *arg)
{
    struct member *m = arg;
    int rc;
    while ((rc = tr_send(self, m->counter, "count", TR_V(m->sent + 1))) == 0)
        m->sent++;
    if (rc == TR_EFULL)
        tr_on_writable(self, m->counter, count_on, m);
}

static void on_counter(tr_actor *self, const tr_answer *answer, void *arg)
{
    struct member *m = tr_state(self);
    (void)arg;
    if (answer->status < 0 || tr_as_addr(answer->body, &m->counter) < 0)
        return;
    if (tr_monitor(self, m->counter, NULL) == 0)
        say("counts", 0);
    count_on(self, m);
}

static int member_receive(tr_actor *self, const tr_msg *msg)
{
    struct member *m = tr_state(self);
    const tr_down *down = tr_msg_down(msg);
    uint64_t node, epoch, n;
    int why;
    if (down != NULL)
        return say("ended", down->reason.kind), 0;
    if (tr_msg_is(msg, "count") && tr_as_uint(tr_msg_body(msg), &n) == 0) {
        if (n <= m->last)
            say("doubled", n);
        m->last = n;
        return 0;
    }
    if (TR_READ(tr_msg_body(msg), "node", &node, "epoch", &epoch) < 0)
        return TR_EUNKNOWN;
    if (TR_READ(tr_msg_body(msg), "why", &why) == 0)
        return say("down", (uint64_t)-why), 0;
    say("up", epoch);
    return tr_whereis_at(self, node, "counter", NULL, NULL, on_counter, NULL) == 0 ? 0 : TR_EDOWN;
}
static const tr_behavior member = {.name = "member",
                                   .state_size = sizeof(struct member),
                                   .start = member_start,
                                   .receive = member_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&member));
}
