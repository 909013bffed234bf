// A child that attacks its parent over the inherited socket, by the attack's name, and leaves with
// STATUS when the parent has done what it should.
#include <poll.h>
#include <unistd.h>

#include "ipc/attacks.h"

#define LINK_FD 3
#define STATUS  7

static void says_another_node(struct raw *r)
{
    raw_sp_hello(r);
    raw_send(r, TR_LIST((int)HELLO, TR_MAP("troupe", 1, "node", 12345)));
}

static void closes_and_lives(struct raw *r)
{
    close(r->fd);
    poll(NULL, 0, -1);
}

// What only a child can do.
static const struct attack childrens[] = {
    {"another node than it was given is refused", says_another_node, REFUSES, TR_EREFUSED},
    {"closes the link and lives", closes_and_lives, CLOSES, 0},
};

static const struct attack *find(const struct attack *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *name = argc == 2 ? argv[1] : "";
    const struct attack *attack = find(attacks, attack_count, name);
    if (attack == NULL)
        attack = find(childrens, sizeof childrens / sizeof *childrens, name);
    if (attack == NULL)
        return 1;
    struct raw r;
    raw_open(&r, LINK_FD, NULL);
    attack->make(&r);
    bool good = attack_answered(attack, &r);
    raw_close(&r);
    return good ? STATUS : 2;
}
