#include "conform/isolation_suite.h"

static int suite(void)
{
    return isolation_messages() + isolation_ends() + isolation_asks() + isolation_work() +
           isolation_streams() + isolation_handles();
}

int isolation_main(int argc, char **argv, const struct theatre *at)
{
    return play_main(argc, argv, at,
                     TR_APP(&first, &counter, &sender, &mirror, &schooled, &selfish, &sink, &twin,
                            &mortal, &punctual, &asked, &asker, &full, &dropping, &reckoner,
                            &spring, &guest, &keeper),
                     suite);
}
