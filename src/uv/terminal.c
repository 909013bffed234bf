// Terminals: their size, and raw mode, which outlives whoever sets it.
//
// So how a terminal was before is kept for the process, and set again when the last endpoint that
// made it raw closes, or when the process exits. There is one such terminal at a time: the one that
// controls the process, whatever descriptor it is known by.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "uv/inside.h"

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    struct termios was;
    int fd; // our own, as long as there are users
    unsigned users;
} terminal = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

static struct real_endpoint *endpoint_of(tr_endpoint *base)
{
    return (struct real_endpoint *)base;
}

int tr__uv_terminal_size(tr_endpoint *base, unsigned *ret_columns, unsigned *ret_rows)
{
    struct winsize size;
    if (ioctl(endpoint_of(base)->fd, TIOCGWINSZ, &size) < 0)
        return errno == EINVAL || errno == EOPNOTSUPP ? -ENOTTY : -errno;
    *ret_columns = size.ws_col;
    *ret_rows = size.ws_row;
    return 0;
}

static void terminal_at_exit(void)
{
    pthread_mutex_lock(&terminal.lock);
    if (terminal.users > 0)
        tcsetattr(terminal.fd, TCSANOW, &terminal.was);
    terminal.users = 0;
    pthread_mutex_unlock(&terminal.lock);
}

static void terminal_register(void)
{
    atexit(terminal_at_exit);
}

static void terminal_set_back(void)
{
    if (terminal.users == 0 || --terminal.users > 0)
        return;
    tcsetattr(terminal.fd, TCSADRAIN, &terminal.was);
    close(terminal.fd);
}

static int terminal_set_raw(int fd)
{
    if (terminal.users == 0) {
        if (tcgetattr(fd, &terminal.was) < 0)
            return -errno;
        terminal.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (terminal.fd < 0)
            return -errno;
    }
    struct termios mode = terminal.was;
    cfmakeraw(&mode);
    mode.c_oflag |= OPOST; // lines that are printed still begin at the left, as in Node
    terminal.users++;
    if (tcsetattr(fd, TCSADRAIN, &mode) == 0)
        return 0;
    int rc = -errno;
    terminal_set_back();
    return rc;
}

int tr__uv_terminal_raw(tr_endpoint *base, bool raw)
{
    struct real_endpoint *endpoint = endpoint_of(base);
    if (raw == endpoint->raw)
        return 0;
    pthread_once(&terminal.once, terminal_register);
    pthread_mutex_lock(&terminal.lock);
    int rc = 0;
    if (raw)
        rc = terminal_set_raw(endpoint->fd);
    else
        terminal_set_back();
    pthread_mutex_unlock(&terminal.lock);
    endpoint->raw = raw && rc == 0;
    return rc;
}
