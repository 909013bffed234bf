// Calls about files, as the world makes them: what the system has, one call each, and nothing on
// top of that. What is made of several of them (file_whole.c) is the same in every world.
#ifndef TROUPE_CORE_FILE_CALL_H
#define TROUPE_CORE_FILE_CALL_H

#include <troupe/file.h>

#include "core/world.h"

typedef enum tr__file_op {
    TR__FILE_OPEN,  // path, flags, mode, info: the descriptor. Never waits for a FIFO's other end
    TR__FILE_CLOSE, // fd
    TR__FILE_READ,  // fd, offset, iov: bytes; 0 at the end
    TR__FILE_WRITE, // fd, offset, iov: bytes
    TR__FILE_MOVE,  // fd, offset, to_fd, to_offset, size: bytes that the system has copied
    TR__FILE_SEND,  // fd, offset, to_fd, size: likewise, into a socket
    TR__FILE_SYNC,  // fd
    TR__FILE_TRUNCATE, // fd, size
    TR__FILE_FSTAT,    // fd, info
    TR__FILE_STAT,     // path, info
    TR__FILE_LSTAT,    // path, info: of a symbolic link itself
    TR__FILE_LIST,     // path, entry, owner
    TR__FILE_ACCESS,   // path, mode: R 4, W 2, X 1
    TR__FILE_CHMOD,    // path, mode
    TR__FILE_MKDIR,    // path, mode
    TR__FILE_RMDIR,    // path
    TR__FILE_UNLINK,   // path
    TR__FILE_RENAME,   // path, to
    TR__FILE_SYMLINK,  // path: what it says; to: where it is
    TR__FILE_READLINK, // path, text, size: the text's length, without a NUL
    TR__FILE_REALPATH, // path, text, size: likewise
    TR__FILE_SYNC_DIR, // path
} tr__file_op;

#define TR__FILE_OPS (TR__FILE_SYNC_DIR + 1)

// offset: where the descriptor stands, for what cannot be read and written anywhere else.
#define TR__FILE_HERE UINT64_MAX

#define TR__PATH_MAX 4096 // with its NUL, as the system's

// All borrowed while the call runs. Unless an op says what it returns, that is 0 or an error.
// A descriptor that is no file of a disk, as a FIFO, may not be ready: TR_EAGAIN.
struct tr__file_call {
    tr__file_op op;
    int fd, to_fd;
    const char *path, *to;
    unsigned flags; // of tr_file_flags
    uint32_t mode;
    uint64_t offset, to_offset, size;
    const tr_iov *iov;
    int count; // 1 to TR__IOV_MAX
    tr_file_info *info;
    char *text;
    void (*entry)(void *owner, const char *name, tr_file_type type);
    void *owner;
};

#endif
