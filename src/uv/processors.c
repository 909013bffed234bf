// How many processors this process may use: those of its affinity, but no more than the quotas of
// its control group, and of those above it, amount to. A quota is so many microseconds in each
// period; part of a processor counts as one.
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "uv/uv.h"

#define PATH_SIZE 4096

static uint32_t affinity(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (uint32_t)count : 1;
}

// returns: how many numbers there are at the beginning of the file, of at most two
static int numbers_read(const char *path, long long *a, long long *b)
{
    FILE *file = fopen(path, "re");
    int count = file == NULL ? 0 : fscanf(file, "%lld %lld", a, b);
    if (file != NULL)
        fclose(file);
    return count;
}

// Version 2: "max 100000", or a quota and its period.
static bool quota_v2(const char *dir, long long *ret_quota, long long *ret_period)
{
    char path[PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/cpu.max", dir);
    return numbers_read(path, ret_quota, ret_period) == 2;
}

// Version 1: a quota of -1 is none.
static bool quota_v1(const char *dir, long long *ret_quota, long long *ret_period)
{
    char quota[PATH_SIZE + 32], period[PATH_SIZE + 32];
    long long none;
    snprintf(quota, sizeof quota, "%s/cpu.cfs_quota_us", dir);
    snprintf(period, sizeof period, "%s/cpu.cfs_period_us", dir);
    return numbers_read(quota, ret_quota, &none) > 0 && numbers_read(period, ret_period, &none) > 0;
}

typedef bool (*quota_fn)(const char *dir, long long *ret_quota, long long *ret_period);

// The least of a group and those above it, up to where all of them are.
static uint32_t groups_least(char *dir, size_t root, quota_fn quota_of, uint32_t most)
{
    long long quota = 0, period = 0;
    if (quota_of(dir, &quota, &period) && quota > 0 && period > 0) {
        long long count = (quota + period - 1) / period;
        most = count < most ? (uint32_t)count : most;
    }
    char *slash = strrchr(dir, '/');
    if (slash == NULL || (size_t)(slash - dir) < root)
        return most;
    *slash = '\0';
    return groups_least(dir, root, quota_of, most);
}

static bool controllers_have_cpu(const char *list)
{
    size_t len;
    for (;; list += len + 1) {
        len = strcspn(list, ",");
        if (len == 3 && strncmp(list, "cpu", 3) == 0)
            return true;
        if (list[len] == '\0')
            return false;
    }
}

// A line is "0::/path" for version 2, "4:cpu,cpuacct:/path" for version 1.
static uint32_t line_least(char *line, const char *mount, uint32_t most)
{
    char dir[PATH_SIZE];
    char *list = strchr(line, ':'), *path = list == NULL ? NULL : strchr(list + 1, ':');
    if (path == NULL || path[1] != '/')
        return most;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    if (strcmp(path, "/") == 0)
        *path = '\0';
    bool v2 = *++list == '\0';
    if (!v2 && !controllers_have_cpu(list))
        return most;
    int root = snprintf(dir, sizeof dir, "%s%s%s", mount, v2 ? "" : "/", list);
    if (root < 0 || strlen(path) >= sizeof dir - (size_t)root)
        return most;
    memcpy(dir + root, path, strlen(path) + 1);
    return groups_least(dir, (size_t)root, v2 ? quota_v2 : quota_v1, most);
}

uint32_t tr__uv_processors(const char *groups, const char *mount)
{
    char line[PATH_SIZE];
    uint32_t most = affinity();
    FILE *file = fopen(groups, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        most = line_least(line, mount, most);
    if (file != NULL)
        fclose(file);
    return most;
}
