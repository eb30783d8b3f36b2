#include "dataplane/engine/portowner.h"

#include "base/assert.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TCP_LISTENING 0x0a
#define INODES_MAX    64

struct inodes {
    unsigned long inode[INODES_MAX];
    size_t count;
};

static void inodes_of(const char *table, unsigned port, struct inodes *out)
{
    char line[512];
    FILE *file = fopen(table, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL && out->count < INODES_MAX) {
        unsigned local_port, state;
        unsigned long inode;
        if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*s %*s %lu",
                   &local_port, &state, &inode) == 3 &&
            local_port == port && state == TCP_LISTENING)
            out->inode[out->count++] = inode;
    }
    fclose(file);
}

static bool link_is_one_of(const char *path, const struct inodes *inodes)
{
    char target[64];
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    unsigned long inode;
    if (len <= 0)
        return false;
    target[len] = '\0';
    if (sscanf(target, "socket:[%lu]", &inode) != 1)
        return false;
    for (size_t i = 0; i < inodes->count; i++)
        if (inodes->inode[i] == inode)
            return true;
    return false;
}

static bool process_has(const char *pid, const struct inodes *inodes)
{
    char path[288];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
        char fd[600];
        snprintf(fd, sizeof(fd), "%s/%s", path, entry->d_name);
        found = link_is_one_of(fd, inodes);
    }
    closedir(dir);
    return found;
}

static void process_name(const char *pid, char *out, size_t cap)
{
    char path[288], name[64] = "a process";
    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(name, sizeof(name), file) != NULL)
            name[strcspn(name, "\n")] = '\0';
        fclose(file);
    }
    snprintf(out, cap, "%s (process %s)", name, pid);
}

bool sgd_portowner_find(const char *port, char *out, size_t cap)
{
    SG_ASSERT(port != NULL && out != NULL);
    struct inodes inodes = {.count = 0};
    unsigned number = (unsigned)strtoul(port, NULL, 10);
    inodes_of("/proc/net/tcp", number, &inodes);
    inodes_of("/proc/net/tcp6", number, &inodes);
    DIR *proc = inodes.count != 0 ? opendir("/proc") : NULL;
    bool found = false;
    if (proc == NULL)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(proc)) != NULL;) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        found = process_has(entry->d_name, &inodes);
        if (found)
            process_name(entry->d_name, out, cap);
    }
    closedir(proc);
    return found;
}
