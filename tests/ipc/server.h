// A node that strangers may talk to, in a process of its own: this program again, with arguments.
#ifndef TROUPE_TESTS_IPC_SERVER_H
#define TROUPE_TESTS_IPC_SERVER_H

#include <sys/types.h>

#include "ipc/raw.h"

// Its actor 1 knows
//   "echo"   replies with the same body
//   "burst"  sends its sender `count` numbered messages of 64 KiB (small ones when the count is
//            negative) or as many as are accepted, and then tells the witness "sent"
//   "quit"   does the same, and exits in that turn
// and counts everything else as unknown.

// The main of a program that was started as one; -1 when it was not.
int server_main(int argc, char **argv);

// Other nodes may spawn "square" there, which sends its parent the square of its argument. It has
// the name "server". Over TCP it has this secret; it bears silence for so long.
#define SERVER_SECRET     RAW_SECRET
#define SERVER_SILENCE_MS 3000

// Certificates for it and for who dials it, as options of links; made when they are wanted first,
// in the test's directory. A url with TLS has them in place of the secret.
struct server_papers {
    char ca[256], cert[256], key[256];
};
const struct server_papers *server_papers(void);
bool server_has_tls(const char *url);
void server_use_libnng(void); // which has descriptors of its own from its first use on

// Start one that listens at the path or url, with at most so many descriptors (0: no limit);
// returns when it does.
pid_t server_start(const char *path, unsigned descriptors);
const char *server_url(void);      // of the last one, with its true port
void server_log(const char *path); // where the next ones' warnings go; NULL: to stderr

// Have it exit, and return its status as waitpid gives it.
int server_stop(pid_t pid, const char *path);

#endif
