// Two nodes that meet over TCP, on one host or on two. The secret that they share is in SECRET.
//
//     SECRET=... two_hosts listen tcp://0.0.0.0:7000      greets who asks, until it is told to stop
//     SECRET=... two_hosts tcp://one.example:7000         asks it, and tells it to stop
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe.h>

static int join_in(tr_actor *self)
{
    const char *secret = getenv("SECRET");
    if (secret == NULL)
        return TR_EACCES;
    return tr_node_links(tr_node_of(self),
                         TR_LINKS(.secret = secret, .secret_size = strlen(secret)));
}

// ---- Who listens ----

static int greeter_start(tr_actor *self, const char *url)
{
    char where[TR_URL_MAX];
    tr_node *node = tr_node_of(self);
    int rc = tr_register(self, "greeter");
    if (rc == 0)
        rc = tr_node_listen(node, url);
    if (rc == 0)
        rc = tr_node_url(node, 0, where); // with the true port
    if (rc == 0)
        printf("%s\n", where), fflush(stdout);
    return rc;
}

static int greeter_receive(tr_actor *self, const tr_msg *msg)
{
    char text[80];
    tr_str name;
    if (tr_msg_is(msg, "stop"))
        return tr_exit(self, TR_NORMAL);
    if (!tr_msg_is(msg, "greet") || tr_as_str(tr_msg_body(msg), &name) < 0)
        return TR_EUNKNOWN;
    snprintf(text, sizeof text, "Hello, %.*s!", TR_STR_ARG(name));
    return tr_reply(self, msg, TR_V(text));
}

// ---- Who dials ----

static int guest_start(tr_actor *self, const char *url)
{
    int rc = tr_node_watch(self, true);
    return rc < 0 ? rc : tr_node_dial(tr_node_of(self), url, NULL);
}

static void on_greeting(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_str text = {"", 0};
    (void)arg;
    tr_as_str(answer->body, &text);
    printf("%.*s\n", TR_STR_ARG(text));
    if (answer->status == 0)
        tr_send(self, tr_msg_from(answer->msg), "stop", TR_NULL);
}

static void on_greeter(tr_actor *self, const tr_answer *answer, void *arg)
{
    tr_addr greeter;
    (void)arg;
    if (answer->status < 0 || tr_as_addr(answer->body, &greeter) < 0)
        tr_exit(self, TR_ENOENT);
    else
        tr_ask(self, greeter, "greet", TR_V("world"), NULL, NULL, on_greeting, NULL);
}

static int guest_receive(tr_actor *self, const tr_msg *msg)
{
    uint64_t node;
    if (tr_msg_is(msg, "node down")) {
        puts("It is gone.");
        return tr_exit(self, TR_NORMAL);
    }
    int rc = TR_READ(tr_msg_body(msg), "node", &node);
    return rc < 0 ? rc : tr_whereis_at(self, node, "greeter", NULL, NULL, on_greeter, NULL);
}

// ---- Either ----

struct member {
    bool greets;
};

static int member_start(tr_actor *self, const tr_val *args)
{
    struct member *m = tr_state(self);
    char url[TR_URL_MAX];
    tr_val last;
    tr_str text;
    int rc = tr_at(*args, args->len - 1, &last);
    if (rc == 0)
        rc = tr_as_str(last, &text);
    if (rc == 0)
        rc = join_in(self);
    if (rc < 0)
        return rc;
    m->greets = args->len == 2;
    snprintf(url, sizeof url, "%.*s", TR_STR_ARG(text));
    return m->greets ? greeter_start(self, url) : guest_start(self, url);
}

static int member_receive(tr_actor *self, const tr_msg *msg)
{
    struct member *m = tr_state(self);
    return m->greets ? greeter_receive(self, msg) : guest_receive(self, msg);
}
static const tr_behavior member = {.name = "member",
                                   .state_size = sizeof(struct member),
                                   .start = member_start,
                                   .receive = member_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&member));
}
