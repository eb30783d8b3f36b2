#include "tools/sgctl/client.h"

#include "base/assert.h"
#include "base/str.h"
#include "base/sys/yaml.h"
#include "tools/sgctl/access.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FILE_BYTES_MAX (4u << 20)
#define RUN_DIR        "/run/streamgate"
#define PATIENCE_S     30

/* ---- where the node is ---- */

static const char *text_at(struct sg_yaml *yaml, const char *group, const char *key)
{
    int root = sg_yaml_root(yaml);
    if (root == 0 || sg_yaml_kind(yaml, root) != SG_YAML_MAP)
        return NULL;
    int map = sg_yaml_find(yaml, root, group);
    if (map == 0 || sg_yaml_kind(yaml, map) != SG_YAML_MAP)
        return NULL;
    int node = sg_yaml_find(yaml, map, key);
    if (node == 0 || sg_yaml_kind(yaml, node) != SG_YAML_SCALAR || sg_yaml_is_null(yaml, node))
        return NULL;
    return sg_yaml_text(yaml, node);
}

static struct sg_yaml *config_open(const char *file)
{
    struct sg_yaml *yaml = NULL;
    struct sg_yaml_fault fault;
    FILE *stream = fopen(file, "re");
    char *bytes = stream != NULL ? malloc(FILE_BYTES_MAX) : NULL;
    if (bytes != NULL) {
        size_t len = fread(bytes, 1, FILE_BYTES_MAX, stream);
        if (sg_yaml_open(bytes, len, &fault, &yaml) != SG_OK)
            yaml = NULL;
    }
    free(bytes);
    if (stream != NULL)
        fclose(stream);
    return yaml;
}

/* As the loader does: relative to the file's folder. */
static void put_path(const char *file, const char *path, char out[PATH_MAX])
{
    char whole[PATH_MAX], *slash = NULL;
    if (path[0] != '/' && realpath(file, whole) != NULL)
        slash = strrchr(whole, '/');
    if (slash != NULL)
        *slash = '\0';
    int n = slash != NULL ? snprintf(out, PATH_MAX, "%s/%s", whole, path)
                          : snprintf(out, PATH_MAX, "%s", path);
    if (n < 0 || n >= PATH_MAX)
        out[0] = '\0';
}

int sgt_call_find(struct sgt_call *call, const char *socket)
{
    struct sg_yaml *yaml = config_open(call->config);
    if (yaml == NULL && call->config_named && socket == NULL) {
        bool readable = access(call->config, R_OK) == 0;
        return sgt_refuse("%s: %s, so where its node is can't be known; --socket PATH tells it",
                          call->config, readable ? "no YAML" : strerrordesc_np(errno));
    }
    const char *run_dir = yaml != NULL ? text_at(yaml, "node", "run_dir") : NULL;
    const char *named = yaml != NULL ? text_at(yaml, "admin", "socket") : NULL;
    put_path(call->config, run_dir != NULL ? run_dir : RUN_DIR, call->run_dir);
    if (socket != NULL)
        snprintf(call->socket, sizeof(call->socket), "%s", socket);
    else if (named != NULL)
        put_path(call->config, named, call->socket);
    else if (snprintf(call->socket, sizeof(call->socket), "%s/admin.sock", call->run_dir) >=
             (int)sizeof(call->socket))
        call->socket[0] = '\0';
    sg_yaml_close(yaml);
    return SGT_DONE;
}

/* ---- talking to it ---- */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 &&
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Everything up to the peer's end, NUL-terminated; NULL on failure. */
static char *read_all(int fd, size_t *len)
{
    char *bytes = NULL;
    FILE *stream = open_memstream(&bytes, len);
    char piece[16384];
    ssize_t n = -1;
    while (stream != NULL && (n = recv(fd, piece, sizeof(piece), 0)) > 0)
        fwrite(piece, 1, (size_t)n, stream);
    if (stream != NULL)
        fclose(stream);
    if (n == 0)
        return bytes;
    free(bytes);
    return NULL;
}

static char *exchange(const struct sgt_call *call, bool post, const char *target, size_t *len)
{
    char *answer = NULL;
    int fd = connect_to(call->socket);
    if (fd < 0)
        return NULL;
    if (dprintf(fd, "%s %s HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n",
                post ? "POST" : "GET", target) > 0)
        answer = read_all(fd, len);
    int err_no = errno;
    close(fd);
    errno = err_no;
    return answer;
}

int sgt_call_ask(const struct sgt_call *call, bool post, const char *target, json_t **out)
{
    size_t len = 0;
    int status = 0;
    if (target[0] == '\0') {
        sgt_refuse("that is more than a node can be asked");
        return SGT_USAGE;
    }
    char *answer = exchange(call, post, target, &len);
    if (answer == NULL) {
        if (!call->quiet)
            sgt_refuse("no node answers at %s: %s", call->socket, strerrordesc_np(errno));
        return SGT_UNREACHABLE;
    }
    const char *body = strstr(answer, "\r\n\r\n");
    if (body == NULL || sscanf(answer, "HTTP/1.1 %d", &status) != 1) {
        free(answer);
        sgt_refuse("what answers at %s is no node", call->socket);
        return SGT_UNREACHABLE;
    }
    *out = json_loads(body + 4, 0, NULL);
    free(answer);
    if (status == 200 && *out != NULL)
        return SGT_DONE;
    if (*out == NULL)
        sgt_refuse("the node answered %d", status);
    return status == 400 ? SGT_USAGE : SGT_REFUSED;
}

void sgt_call_param(char *target, size_t cap, const char *name, const char *value)
{
    size_t at = strlen(target);
    if (value == NULL || at == 0)
        return;
    at += (size_t)snprintf(target + at, cap - at, "%c%s=", strchr(target, '?') != NULL ? '&' : '?',
                           name);
    for (; *value != '\0' && at + 4 < cap; value++) {
        unsigned char c = (unsigned char)*value;
        bool plain = isalnum(c) || strchr("-._~/:", c) != NULL;
        at += (size_t)snprintf(target + at, cap - at, plain ? "%c" : "%%%02X", c);
    }
    if (*value != '\0') /* half of a URL would be another's */
        target[0] = '\0';
}

void sgt_call_complain(const json_t *answer)
{
    size_t i;
    json_t *line;
    const char *error = json_string_value(json_object_get(answer, "error"));
    json_array_foreach(json_object_get(answer, "report"), i, line)
        fprintf(stderr, "%s\n", json_string_value(line));
    if (error != NULL)
        sgt_refuse("%s", error);
}
