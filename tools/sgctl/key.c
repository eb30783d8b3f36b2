#include "tools/sgctl/key.h"

#include "base/b64url.h"
#include "base/secret.h"
#include "tools/sgctl/args.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RANDOM_BYTES 32

const char sgt_key_usage[] =
    "sgctl key tenant [--tenant NAME]\n"
    "    Prints K_tenant in hex: all that the tenant's own back end needs to mint edge tokens of\n"
    "    this region, and no more.\n"
    "sgctl key generate FILE\n"
    "    Makes a new secret of 32 random bytes, in hex, mode 0600; sealed where node.seal_key is "
    "set.\n"
    "sgctl key seal FILE\n"
    "    Puts the file's sealed form in its place (AES-256-GCM under node.seal_key): a secret, or "
    "a\n"
    "    PEM private key. What was there is overwritten as well as the file system does that.\n"
    "sgctl key unseal FILE\n"
    "    Prints what is in it.\n";

/* ---- files ---- */

static bool write_all(int fd, struct sg_str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n <= 0)
            return false;
        bytes = sg_str_skip(bytes, (size_t)n);
    }
    return fsync(fd) == 0;
}

/* A whole new file, or none; `like`: whose owner and mode it gets, or NULL: ours, 0600. */
static int file_make(const char *path, const struct stat *like, struct sg_str bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return sgt_refuse("%s: %s", path, sg_err_text(sg_err_from_errno(errno)));
    bool ok = write_all(fd, bytes);
    if (ok && like != NULL)
        ok = fchown(fd, like->st_uid, like->st_gid) == 0 && fchmod(fd, like->st_mode & 0777) == 0;
    int err_no = errno;
    close(fd);
    if (ok)
        return SGT_DONE;
    unlink(path);
    return sgt_refuse("%s: %s", path, sg_err_text(sg_err_from_errno(err_no)));
}

/* Zeros where it was, before its name goes to the new one: for disks that overwrite in place. */
static void overwrite(const char *path, size_t len)
{
    static const char zeros[4096];
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0;
    for (size_t at = 0; ok && at < len; at += sizeof(zeros))
        ok = write_all(fd, (struct sg_str){zeros, SG_MIN(len - at, sizeof(zeros))});
    if (fd >= 0)
        close(fd);
}

/* ---- verbs ---- */

static int sealed_of(struct sg_str plain, struct sg_out *out)
{
    enum sg_err err = sg_secret_seal(plain, out);
    if (err == SG_EACCES)
        return sgt_refuse("node.seal_key is not set: there is nothing to seal under");
    return err == SG_OK ? SGT_DONE : sgt_refuse("not sealed: %s", sg_err_text(err));
}

static int generate(const struct sg_config *config, const char *path)
{
    char text[2 * RANDOM_BYTES + 1], line[1024];
    uint8_t bytes[RANDOM_BYTES];
    struct sg_out plain = sg_out_init(text, sizeof(text)), sealed = sg_out_init(line, sizeof(line));
    int status = SGT_DONE;
    sg_random(bytes, sizeof(bytes));
    sg_out_hex(&plain, bytes, sizeof(bytes));
    sg_out_char(&plain, '\n');
    if (config->node.seal_key != NULL)
        status = sealed_of(sg_out_view(&plain), &sealed);
    if (status == SGT_DONE)
        status =
            file_make(path, NULL, sg_out_view(config->node.seal_key != NULL ? &sealed : &plain));
    sg_wipe(bytes, sizeof(bytes));
    sg_wipe(text, sizeof(text));
    return status;
}

static int seal_into(const char *path, const struct stat *st, struct sg_str plain,
                     struct sg_out *line)
{
    char next[PATH_MAX];
    int status = sealed_of(plain, line);
    if (status != SGT_DONE)
        return status;
    if (snprintf(next, sizeof(next), "%s.sealed", path) >= (int)sizeof(next))
        return sgt_refuse("%s: the name is too long", path);
    status = file_make(next, st, sg_out_view(line));
    if (status != SGT_DONE)
        return status;
    overwrite(path, (size_t)st->st_size);
    if (rename(next, path) == 0)
        return SGT_DONE;
    return sgt_refuse("%s: it is sealed in %s: %s", path, next,
                      sg_err_text(sg_err_from_errno(errno)));
}

/* Is it sealed already? Its first bytes say. */
static bool is_sealed(const char *path)
{
    char first[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, first, sizeof(first)) : -1;
    if (fd >= 0)
        close(fd);
    return n > 0 && sg_secret_is_sealed((struct sg_str){first, (size_t)n});
}

static int seal(const char *path)
{
    struct stat st;
    size_t len = 0;
    if (lstat(path, &st) != 0)
        return sgt_refuse("%s: %s", path, sg_err_text(sg_err_from_errno(errno)));
    if (is_sealed(path))
        return sgt_refuse("%s: it is sealed already", path);
    char *memory = sg_secret_alloc(2 * SG_SECRET_FILE_MAX);
    if (memory == NULL)
        return sgt_refuse("no memory");
    struct sg_out line = sg_out_init(memory + SG_SECRET_FILE_MAX, SG_SECRET_FILE_MAX);
    enum sg_err err = sg_secret_read(path, memory, SG_SECRET_FILE_MAX, &len);
    int status = err == SG_OK ? seal_into(path, &st, (struct sg_str){memory, len}, &line)
                              : sgt_refuse("%s: %s", path, sg_err_text(err));
    sg_secret_free(memory, 2 * SG_SECRET_FILE_MAX);
    return status;
}

static int unseal(const char *path)
{
    size_t len = 0;
    char *memory = sg_secret_alloc(SG_SECRET_FILE_MAX);
    if (memory == NULL)
        return sgt_refuse("no memory");
    enum sg_err err =
        is_sealed(path) ? sg_secret_read(path, memory, SG_SECRET_FILE_MAX, &len) : SG_ECORRUPT;
    if (err == SG_OK && !write_all(STDOUT_FILENO, (struct sg_str){memory, len}) &&
        errno != EINVAL && errno != EROFS) /* which are fsync's, of what is no file */
        err = sg_err_from_errno(errno);
    sg_secret_free(memory, SG_SECRET_FILE_MAX);
    if (err == SG_OK)
        return SGT_DONE;
    return sgt_refuse("%s: %s", path,
                      err == SG_EAUTH      ? "sealed under another key, or changed"
                      : err == SG_ECORRUPT ? "it is not sealed"
                                           : sg_err_text(err));
}

static int tenant_key(const struct sg_config *config, bool json, const char *name)
{
    uint8_t key[SGD_KEY_BYTES];
    const struct sg_conf_tenant *tenant = sgt_tenant_find(config, name);
    if (tenant == NULL || !sgt_tenant_key(tenant, key))
        return SGT_REFUSED;
    sgt_print(json_pack("{s:s, s:s, s:o}", "tenant", tenant->name, "region", config->node.region,
                        "key", sgt_hex_json(key, sizeof(key))),
              json);
    sg_wipe(key, sizeof(key));
    return SGT_DONE;
}

int sgt_key_main(const struct sg_config *config, bool json, int argc, char **argv)
{
    static const struct option options[] = {{"tenant", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {
        {"tenant", "", 0, 0, "t"},
        {"generate", "FILE", 1, 1, ""},
        {"seal", "FILE", 1, 1, ""},
        {"unseal", "FILE", 1, 1, ""},
    };
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), options};
    struct sgt_args args;
    int status = sgt_args_read(&syntax, argc, argv, &args);
    if (status != SGT_DONE)
        return status;
    if (sgt_args_is(&args, "tenant"))
        return tenant_key(config, json, args.of[SGT_OPT('t')]);
    if (sgt_args_is(&args, "generate"))
        return generate(config, args.words[0]);
    return sgt_args_is(&args, "seal") ? seal(args.words[0]) : unseal(args.words[0]);
}
