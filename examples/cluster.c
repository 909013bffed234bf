// Node's cluster example: workers that are processes answer HTTP at one port, each with its pid.
//
//     cluster ADDRESS [WORKERS [SHARE]]     as in: cluster tcp://127.0.0.1:8000 4 round-robin
//
// One that dies is announced and replaced. SIGHUP rolls: all are replaced by what lies at the
// program's path now, and no request fails. SIGTERM and Ctrl-C drain them, and then it exits.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <troupe.h>

#define DRAIN_MS 10000

// ---- A worker ----

struct worker {
    char text[64];
    tr_http_server http;
    tr_cluster_server server;
};

static int on_request(tr_actor *self, tr_http http, const tr_http_request *request, void *arg)
{
    const struct worker *w = tr_state(self);
    (void)request, (void)arg;
    return tr_http_reply(
        self, http, TR_HTTP_RESPONSE(.type = "text/plain", .body = {w->text, strlen(w->text)}));
}

static void on_client(tr_actor *self, tr_stream stream, void *arg)
{
    const struct worker *w = tr_state(self);
    (void)arg;
    if (tr_http_accept(self, w->http, stream) == TR_ENOMEM)
        tr_stream_destroy(self, stream, 0);
}

static int worker_start(tr_actor *self, const tr_val *args)
{
    struct worker *w = tr_state(self);
    char address[TR_ADDRESS_MAX];
    tr_str text;
    int rc = TR_READ(*args, "address", &text);
    if (rc < 0)
        return rc;
    snprintf(address, sizeof address, "%.*s", (int)text.len, text.ptr);
    snprintf(w->text, sizeof w->text, "Handled by %lld\n", (long long)tr_pid(self));
    tr_trap_exit(self, true); // to be drained
    rc = tr_http_open(self, on_request, NULL, NULL, &w->http);
    if (rc == 0)
        rc = tr_cluster_listen(self, address,
                               TR_CLUSTER_LISTEN(.listen = TR_LISTEN(.half_open = true)), on_client,
                               NULL, &w->server);
    return rc;
}

static void on_drained(tr_actor *self, int status, void *arg)
{
    (void)status, (void)arg;
    tr_exit(self, TR_SHUTDOWN);
}

static int worker_receive(tr_actor *self, const tr_msg *msg)
{
    const struct worker *w = tr_state(self);
    if (tr_cluster_take(self, msg))
        return 0;
    if (tr_msg_exit(msg) == NULL)
        return TR_EUNKNOWN;
    tr_cluster_close(self, w->server);
    return tr_http_drain(self, w->http, DRAIN_MS, on_drained, NULL);
}

static const tr_behavior worker = {.name = "worker",
                                   .state_size = sizeof(struct worker),
                                   .start = worker_start,
                                   .receive = worker_receive};

// ---- The first actor: says what happens to them ----

static tr_addr service;

static void tell_exit(tr_val body, unsigned slot, long long pid)
{
    tr_str reason = {"", 0}, hung = {"", 0};
    tr_get_str(body, "reason", &reason);
    tr_get_str(body, "hung", &hung);
    printf("worker %u (%lld) ended: %.*s%s%.*s\n", slot, pid, (int)reason.len, reason.ptr,
           hung.len > 0 ? ", hung: " : "", (int)hung.len, hung.ptr);
}

static int on_event(tr_actor *self, tr_val body)
{
    static bool listening;
    tr_str event, address;
    uint64_t slot = 0;
    int64_t pid = 0;
    int rc = TR_READ(body, "event", &event);
    if (rc < 0)
        return rc;
    tr_get_uint(body, "slot", &slot);
    tr_get_int(body, "pid", &pid);
    if (tr_str_eq(event, "exit")) {
        tell_exit(body, (unsigned)slot, (long long)pid);
    } else if (tr_str_eq(event, "ready")) {
        printf("worker %u (%lld) is ready\n", (unsigned)slot, (long long)pid);
    } else if (tr_str_eq(event, "rolled")) {
        printf("rolled\n");
    } else if (!listening && tr_get_str(body, "address", &address) == 0) {
        listening = true;
        printf("listening at %.*s\n", (int)address.len, address.ptr);
        rc = tr_send(self, service, "ready", TR_V("serving"));
    }
    fflush(stdout);
    return rc;
}

static tr_cluster_share share_of(tr_str name)
{
    static const char *const names[] = {"shared", "reuse-port", "round-robin", "least-loaded",
                                        "hash"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (tr_str_eq(name, names[i]))
            return (tr_cluster_share)i;
    }
    return TR_CLUSTER_SHARED;
}

static tr_str argument(const tr_val *args, size_t i, const char *otherwise)
{
    tr_str text = {otherwise, strlen(otherwise)};
    tr_val value;
    if (tr_at(*args, i, &value) == 0)
        tr_as_str(value, &text);
    return text;
}

static int primary_start(tr_actor *self, const tr_val *args)
{
    char number[16];
    tr_addr cluster;
    tr_str address = argument(args, 0, "tcp://127.0.0.1:8000"), count = argument(args, 1, "0");
    snprintf(number, sizeof number, "%.*s", (int)count.len, count.ptr);
    int rc = tr_cluster_start(
        self,
        TR_CLUSTER(.behavior = &worker, .workers = (uint32_t)strtoul(number, NULL, 10),
                   .share = share_of(argument(args, 2, "")), .observer = tr_self(self),
                   .opts = TR_SPAWN(.args = TR_MAP("address", tr_val_text(address)),
                                    .stop_ms = DRAIN_MS + 1000, .hung_ms = 2000)),
        NULL, &cluster);
    return rc < 0 ? rc
                  : tr_service_start(self,
                                     TR_SERVICE(.target = cluster, .reload = cluster,
                                                .reload_name = "cluster.roll", .files = true),
                                     &service);
}

static int primary_receive(tr_actor *self, const tr_msg *msg)
{
    return tr_msg_is(msg, "cluster") ? on_event(self, tr_msg_body(msg)) : TR_EUNKNOWN;
}

static const tr_behavior primary = {
    .name = "primary", .start = primary_start, .receive = primary_receive};

int main(int argc, char **argv)
{
    return tr_main(argc, argv, TR_APP(&primary, &worker));
}
