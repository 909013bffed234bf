// Files of the real world.
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conform/file_suite.h"
#include "support/cmocka.h"
#include "uv/uv.h"

static char directory[] = "/tmp/troupe-files-XXXXXX";

static tr_world *open_world(void)
{
    tr_world *world = NULL;
    assert_int_equal(0, tr__uv_open(&world));
    return world;
}

static void closed(void)
{
}

// Of files in the directory: loops have others, which come and go with threads.
static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[sizeof directory];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, path, sizeof path);
        count += n == sizeof path && memcmp(path, directory, sizeof path - 1) == 0;
    }
    closedir(dir);
    return count;
}

int main(void)
{
    static const struct file_harness harness = {.name = "uv",
                                                .open = open_world,
                                                .closed = closed,
                                                .directory = directory,
                                                .descriptors = descriptors};
    if (mkdtemp(directory) == NULL)
        return 1;
    return file_suite(&harness);
}
