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
#define RESEAL_MAX   256 /* files */

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
    "sgctl key reseal --from SOURCE FILE...\n"
    "    Puts files that are sealed under SOURCE (as node.seal_key names one) under node.seal_key: "
    "all\n"
    "    of them, or none.\n"
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
    if (err == SG_ESEALED)
        return sgt_refuse("node.seal_key is not set: there is nothing to seal under");
    return err == SG_OK ? SGT_DONE : sgt_refuse("not sealed: %s", sg_secret_fault(err));
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

/* Makes FILE.sealed beside it. */
static int seal_beside(const char *path, struct sg_str plain, char next[PATH_MAX])
{
    struct stat st;
    int status = SGT_DONE;
    char *memory = sg_secret_alloc(SG_SECRET_FILE_MAX);
    if (memory == NULL)
        return sgt_refuse("no memory");
    struct sg_out line = sg_out_init(memory, SG_SECRET_FILE_MAX);
    if (snprintf(next, PATH_MAX, "%s.sealed", path) >= PATH_MAX)
        status = sgt_refuse("%s: the name is too long", path);
    else if (lstat(path, &st) != 0)
        status = sgt_refuse("%s: %s", path, sg_err_text(sg_err_from_errno(errno)));
    if (status == SGT_DONE)
        status = sealed_of(plain, &line);
    if (status == SGT_DONE)
        status = file_make(next, &st, sg_out_view(&line));
    sg_secret_free(memory, SG_SECRET_FILE_MAX);
    return status;
}

static int put_in_place(const char *path, const char *next)
{
    if (rename(next, path) == 0)
        return SGT_DONE;
    return sgt_refuse("%s: it is sealed in %s: %s", path, next,
                      sg_err_text(sg_err_from_errno(errno)));
}

/* A file's contents, in secret memory; sg_secret_free(plain.ptr, SG_SECRET_FILE_MAX) ends them. */
static int contents_of(const char *path, struct sg_str *plain)
{
    size_t len = 0;
    char *memory = sg_secret_alloc(SG_SECRET_FILE_MAX);
    enum sg_err err =
        memory == NULL ? SG_ENOMEM : sg_secret_read(path, memory, SG_SECRET_FILE_MAX, &len);
    *plain = (struct sg_str){memory, len};
    return err == SG_OK ? SGT_DONE : sgt_refuse("%s: %s", path, sg_secret_fault(err));
}

static void contents_free(struct sg_str plain)
{
    sg_secret_free((void *)(uintptr_t)plain.ptr, SG_SECRET_FILE_MAX);
}

static int seal(const char *path)
{
    char next[PATH_MAX];
    struct sg_str plain = SG_STR_NONE;
    if (sg_secret_file_is_sealed(path))
        return sgt_refuse("%s: it is sealed already", path);
    int status = contents_of(path, &plain);
    if (status == SGT_DONE)
        status = seal_beside(path, plain, next);
    if (status == SGT_DONE) {
        overwrite(path, plain.len);
        status = put_in_place(path, next);
    }
    contents_free(plain);
    return status;
}

static int unseal(const char *path)
{
    struct sg_str plain = SG_STR_NONE;
    if (!sg_secret_file_is_sealed(path))
        return sgt_refuse("%s: it is not sealed, or can't be read", path);
    int status = contents_of(path, &plain);
    if (status == SGT_DONE && !write_all(STDOUT_FILENO, plain) && errno != EINVAL &&
        errno != EROFS) /* which are fsync's, of what is no file */
        status = sgt_refuse("%s", sg_err_text(sg_err_from_errno(errno)));
    contents_free(plain);
    return status;
}

/* ---- under another key ---- */

static int unlocked(const char *source)
{
    char memory[2048];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    if (sg_secret_unlock(source, &report) == SG_OK)
        return SGT_DONE;
    return sgt_refuse("%.*s", (int)report.len - 1, report.ptr); /* without its newline */
}

static int all_beside(char **files, int count, const struct sg_str *plain)
{
    char next[PATH_MAX];
    int made = 0, status = SGT_DONE;
    while (made < count && status == SGT_DONE) {
        status = seal_beside(files[made], plain[made], next);
        made += status == SGT_DONE;
    }
    while (status != SGT_DONE && made-- > 0)
        if (snprintf(next, sizeof(next), "%s.sealed", files[made]) < PATH_MAX)
            unlink(next);
    return status;
}

static int reseal_all(const struct sg_config *config, const char *from, char **files, int count,
                      struct sg_str *plain)
{
    char next[PATH_MAX];
    int status = unlocked(from);
    for (int i = 0; i < count && status == SGT_DONE; i++)
        status = sg_secret_file_is_sealed(files[i])
                     ? contents_of(files[i], &plain[i])
                     : sgt_refuse("%s: it is not sealed, or can't be read", files[i]);
    if (status == SGT_DONE)
        status = unlocked(config->node.seal_key);
    if (status == SGT_DONE)
        status = all_beside(files, count, plain);
    for (int i = 0; i < count && status == SGT_DONE; i++) {
        (void)snprintf(next, sizeof(next), "%s.sealed", files[i]);
        status = put_in_place(files[i], next);
    }
    return status;
}

static int reseal(const struct sg_config *config, const char *from, char **files, int count)
{
    struct sg_str plain[RESEAL_MAX] = {0};
    if (from == NULL)
        return sgt_refuse("--from SOURCE is missing: what the files are sealed under now");
    int status = reseal_all(config, from, files, count, plain);
    for (int i = 0; i < count; i++)
        contents_free(plain[i]);
    return status;
}

static int tenant_key(const struct sg_config *config, bool json, const char *name)
{
    uint8_t key[SGD_KEY_BYTES];
    const struct sg_conf_tenant *tenant = sgt_tenant_find(config, name);
    if (tenant == NULL || !sgt_tenant_key(tenant->secret_file, sg_str_from(tenant->name), key))
        return SGT_REFUSED;
    sgt_print(json_pack("{s:s, s:s, s:o}", "tenant", tenant->name, "region", config->node.region,
                        "key", sgt_hex_json(key, sizeof(key))),
              json);
    sg_wipe(key, sizeof(key));
    return SGT_DONE;
}

int sgt_key_main(const struct sg_config *config, bool json, int argc, char **argv)
{
    static const struct option options[] = {{"from", required_argument, NULL, 'f'},
                                            {"tenant", required_argument, NULL, 't'},
                                            {NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {
        {"tenant", "", 0, 0, "t"},    {"generate", "FILE", 1, 1, ""},
        {"seal", "FILE", 1, 1, ""},   {"reseal", "FILE...", 1, RESEAL_MAX, "f"},
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
    if (sgt_args_is(&args, "reseal"))
        return reseal(config, args.of[SGT_OPT('f')], args.words, args.count);
    return sgt_args_is(&args, "seal") ? seal(args.words[0]) : unseal(args.words[0]);
}
