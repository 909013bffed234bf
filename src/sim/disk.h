// The disk of the simulated machine: what the files of the simulator share of it.
#ifndef TROUPE_SIM_DISK_H
#define TROUPE_SIM_DISK_H

#include "base/list.h"
#include "core/file_call.h"

struct sim_half;
struct sim_process;

// What a file is, with or without a name.
struct sim_file {
    unsigned refs; // names, and descriptors that are open
    tr_file_info info;
    unsigned char *bytes; // of a symbolic link: what it says
    size_t size, capacity;
};

struct sim_name {
    tr__list node; // in disk->names
    struct sim_file *file;
    char path[];
};

#define SIM_FDS 64 // a process's limit, here the machine's

struct sim_disk {
    tr__list names; // full paths: a directory has those that begin with its own and a slash
    tr__list lookouts;
    struct sim_open {
        struct sim_process *process; // whose it is; NULL: it is free
        struct sim_file *file;       // NULL: it is a half's
        struct sim_half *half;
        unsigned flags;
    } open[SIM_FDS];
    unsigned forgotten; // were still open as a test's own world was closed
    uint64_t last_inode, used;
    uint64_t room; // bytes at most; 0: no end of them
    int error;     // of the call that fails
    unsigned error_in;
    bool moves; // it can copy by itself
};

#endif
