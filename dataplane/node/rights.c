#include "dataplane/node/rights.h"

#include "base/assert.h"
#include "base/log.h"
#include "dataplane/sys/cap.h"

#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* For all but the RAM tier: seen with two workers and 16,384 connections, 98 MiB. */
#define MEMORY_BESIDE      (64ull << 20)
#define MEMORY_CONNECTION  4096ull
#define DESCRIPTORS_BESIDE 1024u /* origins, files, rings */

static void raise_limit(__rlimit_resource_t which, const char *name, rlim_t wanted)
{
    struct rlimit limit;
    if (getrlimit(which, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= wanted)
        return;
    struct rlimit raised = {wanted, limit.rlim_max};
    if (raised.rlim_max != RLIM_INFINITY && raised.rlim_max < wanted)
        raised.rlim_max = wanted;
    if (setrlimit(which, &raised) == 0)
        return;
    raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
    (void)setrlimit(which, &raised);
    sg_warn("%s is limited to %llu, %llu would be right: raise it in the unit or limits.conf", name,
            (unsigned long long)limit.rlim_max, (unsigned long long)wanted);
}

void sgd_rights_raise_limits(const struct sg_config *config, uint32_t workers)
{
    raise_limit(RLIMIT_NOFILE, "the number of descriptors",
                (rlim_t)config->limits.connections + DESCRIPTORS_BESIDE);
    /* The arena is registered once a worker's ring, and each registration is counted. */
    raise_limit(RLIMIT_MEMLOCK, "locked memory",
                (rlim_t)config->cache.ram_bytes * workers + (1ull << 30));
}

static uint64_t limit_in(const char *file)
{
    uint64_t limit = UINT64_MAX;
    FILE *stream = fopen(file, "re");
    if (stream == NULL)
        return UINT64_MAX;
    if (fscanf(stream, "%" SCNu64, &limit) != 1) /* "max" */
        limit = UINT64_MAX;
    fclose(stream);
    return limit;
}

/* The least of a cgroup's limit and those above it. */
static uint64_t limit_up(const char *root, char *path, const char *file)
{
    char name[PATH_MAX];
    uint64_t least = UINT64_MAX;
    for (;;) {
        if (snprintf(name, sizeof(name), "%s%s/%s", root, path, file) < (int)sizeof(name))
            least = SG_MIN(least, limit_in(name));
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

static uint64_t memory_limit(void)
{
    char line[PATH_MAX];
    uint64_t least = UINT64_MAX;
    FILE *stream = fopen("/proc/self/cgroup", "re");
    while (stream != NULL && fgets(line, sizeof(line), stream) != NULL) {
        char *kind = strchr(line, ':'), *path = kind != NULL ? strchr(kind + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = '\0';
        path[strcspn(path, "\n")] = '\0';
        if (kind[1] == '\0')
            least = SG_MIN(least, limit_up("/sys/fs/cgroup", path, "memory.max"));
        else if (strcmp(kind + 1, "memory") == 0)
            least = SG_MIN(least, limit_up("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
    }
    if (stream != NULL)
        fclose(stream);
    return least;
}

enum sg_err sgd_rights_check_memory(const struct sg_config *config, struct sg_out *report)
{
    uint64_t limit = memory_limit();
    uint64_t beside = MEMORY_BESIDE + config->limits.connections * MEMORY_CONNECTION;
    if (config->cache.hugepages || limit >= config->cache.ram_bytes + beside)
        return SG_OK;
    sg_out_fmt(report,
               "cache.ram_bytes: %llu MiB, and this process may have %llu MiB in all (its memory "
               "cgroup): the kernel would kill it; leave %llu MiB beside the RAM tier, or raise "
               "the limit\n",
               (unsigned long long)(config->cache.ram_bytes >> 20),
               (unsigned long long)(limit >> 20), (unsigned long long)(beside >> 20));
    return SG_ENOMEM;
}

static const struct passwd *user_of(const struct sg_config *config)
{
    return config->node.user != NULL && geteuid() == 0 ? getpwnam(config->node.user) : NULL;
}

enum sg_err sgd_rights_make_dir(const struct sg_config *config, const char *dir)
{
    char path[PATH_MAX];
    size_t len = strlen(dir);
    SG_ASSERT(len > 0 && dir[0] == '/');
    if (len >= sizeof(path))
        return SG_EMSGSIZE;
    memcpy(path, dir, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        path[i] = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return sg_err_from_errno(errno);
        path[i] = dir[i];
    }
    const struct passwd *user = user_of(config);
    if (user != NULL && chown(dir, user->pw_uid, user->pw_gid) != 0)
        return sg_err_from_errno(errno);
    return access(dir, W_OK | X_OK) == 0 ? SG_OK : sg_err_from_errno(errno);
}

enum sg_err sgd_rights_give(const struct sg_config *config, int fd)
{
    const struct passwd *user = user_of(config);
    if (user == NULL || fchown(fd, user->pw_uid, user->pw_gid) == 0)
        return SG_OK;
    return sg_err_from_errno(errno);
}

static enum sg_err become(const struct passwd *user)
{
    bool ok = prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
              initgroups(user->pw_name, user->pw_gid) == 0 &&
              setresgid(user->pw_gid, user->pw_gid, user->pw_gid) == 0 &&
              setresuid(user->pw_uid, user->pw_uid, user->pw_uid) == 0;
    return ok ? SG_OK : sg_err_from_errno(errno);
}

enum sg_err sgd_rights_drop(const struct sg_config *config, const struct sgd_listen *listen)
{
    const struct passwd *user = user_of(config);
    if (user == NULL) {
        if (geteuid() == 0)
            sg_warn("running as root: set node.user");
        else if (config->node.user != NULL)
            sg_info("not root: node.user is not changed to");
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? SG_OK : sg_err_from_errno(errno);
    }
    enum sg_err err = sgd_listen_give(listen, user->pw_uid, user->pw_gid);
    if (err == SG_OK)
        err = sgd_cap_bound();
    if (err == SG_OK)
        err = become(user);
    if (err == SG_OK)
        err = sgd_cap_keep();
    if (err == SG_OK && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        err = sg_err_from_errno(errno);
    SG_ASSERT(err != SG_OK || setuid(0) != 0); /* there is no way back */
    return err;
}
