// Files of the real world.
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
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

// Of files: loops have others, which come and go with threads.
static unsigned descriptors(void)
{
    unsigned count = 0;
    for (int fd = 3; fd < 1024; fd++) {
        struct stat st;
        count += fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    }
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
