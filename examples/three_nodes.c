// Three nodes over TCP and TLS, each linked to both others: all meet all, and leave. Certificates are
// in the directory PAPERS: ca.pem, node.pem and node.key, with the name node.example in them.
//
//     PAPERS=... three_nodes one tls+tcp://0.0.0.0:7000
//     PAPERS=... three_nodes two tls+tcp://0.0.0.0:7001 tls+tcp://ONE:7000
//     PAPERS=... three_nodes three tls+tcp://0.0.0.0:7002 tls+tcp://ONE:7000 tls+tcp://TWO:7001
#include <stdio.h>
#include <stdlib.h>
#include <troupe.h>

enum { OTHERS = 2 };

struct member {
    char name[32];
    unsigned greeted, heard;
};

static int join_in(tr_actor *self)
{
    const char *papers = getenv("PAPERS");
    char ca[256], cert[256], key[256];
    snprintf(ca, sizeof ca, "%s/ca.pem", papers == NULL ? "." : papers);
    snprintf(cert, sizeof cert, "%s/node.pem", papers == NULL ? "." : papers);
    snprintf(key, sizeof key, "%s/node.key", papers == NULL ? "." : papers);
    return tr_node_links(tr_node_of(self), TR_LINKS(.tls_ca = ca, .tls_cert = cert, .tls_key = key,
                                                    .tls_name = "node.example"));
}

// The first url is where it listens, the others are whom it dials.
static int member_meet(tr_actor *self, size_t nth, const char *url)
{
    char where[TR_URL_MAX];
    tr_node *node = tr_node_of(self);
    if (nth > 0)
        return tr_node_dial(node, url, NULL);
    int rc = tr_node_listen(node, url);
    if (rc == 0)
        rc = tr_node_url(node, 0, where); // with the true port
    if (rc == 0)
        printf("%s\n", where), fflush(stdout);
    return rc;
}

static int member_start(tr_actor *self, const tr_val *args)
{
    struct member *m = tr_state(self);
    char text[TR_URL_MAX];
    tr_val arg;
    tr_str str;
    int rc = join_in(self);
    if (rc == 0)
        rc = tr_node_watch(self, true);
    for (size_t i = 0; rc == 0 && i < args->len; i++) {
        rc = tr_at(*args, i, &arg);
        if (rc == 0)
            rc = tr_as_str(arg, &str);
        if (rc < 0)
            break;
        snprintf(text, sizeof text, "%.*s", TR_STR_ARG(str));
        if (i == 0)
            snprintf(m->name, sizeof m->name, "%.*s", TR_STR_ARG(str));
        else
            rc = member_meet(self, i - 1, text);
    }
    return rc;
}

// It leaves when it has met all the others. What it has said to them leaves before it.
static int member_met(tr_actor *self)
{
    struct member *m = tr_state(self);
    return m->greeted == OTHERS && m->heard == OTHERS ? tr_exit(self, TR_NORMAL) : 0;
}

static int member_receive(tr_actor *self, const tr_msg *msg)
{
    struct member *m = tr_state(self);
    tr_addr other;
    tr_str name;
    if (tr_msg_is(msg, "node up")) { // with the address of its first actor, which is one like us
        int rc = TR_READ(tr_msg_body(msg), "addr", &other);
        if (rc == 0)
            rc = tr_send(self, other, "hello", TR_V(m->name));
        m->greeted += rc == 0;
        return rc < 0 ? rc : member_met(self);
    }
    if (!tr_msg_is(msg, "hello") || tr_as_str(tr_msg_body(msg), &name) < 0)
        return tr_msg_is(msg, "node down") ? 0 : TR_EUNKNOWN;
    printf("%s has met %.*s\n", m->name, TR_STR_ARG(name));
    m->heard++;
    return member_met(self);
}
static const tr_behavior member = {.name = "member",
                                   .state_size = sizeof(struct member),
                                   .start = member_start,
                                   .receive = member_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&member));
}
