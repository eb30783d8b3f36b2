#include "dataplane/node/trust.h"

#include "base/alloc.h"
#include "base/out.h"
#include "base/sys/crypto.h"
#include "dataplane/sys/osslsig.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SIGNATURE_BYTES 64

struct sgd_trust {
    struct sgd_osig_public key;
    uint8_t loaded[SG_SHA256_BYTES]; /* what of the last file that was judged */
};

/* What is kept; the file has it as text: "REVISION SHA256\n". */
struct kept {
    uint32_t revision; /* 0: none was */
    uint8_t digest[SG_SHA256_BYTES];
};

enum sg_err sgd_trust_open(const char *key_file, struct sg_out *report, struct sgd_trust **out)
{
    SG_ASSERT(report != NULL);
    SG_ASSERT(out != NULL);
    *out = NULL;
    if (key_file == NULL)
        return SG_OK;
    struct sgd_trust *trust = sg_boot_alloc(sizeof(*trust));
    enum sg_err err = trust == NULL ? SG_ENOMEM : sgd_osig_load(key_file, &trust->key);
    if (err == SG_OK && trust->key.kind != SGD_OSIG_ED25519)
        err = SG_ENOTSUP;
    if (err == SG_OK)
        *out = SG_TAKE(trust);
    else
        sg_out_fmt(report,
                   "--trust %s: %s; right would be an Ed25519 public key in PEM: sgctl "
                   "config keygen makes one\n",
                   key_file, sg_err_text(err));
    sgd_trust_close(trust);
    return err;
}

void sgd_trust_close(struct sgd_trust *trust)
{
    sg_boot_free(trust);
}

/* What is wrong with FILE.sig; NULL: it is there, and has the length of a signature. */
static const char *signature_read(const char *file, uint8_t out[SIGNATURE_BYTES])
{
    char path[PATH_MAX + sizeof(".sig")];
    uint8_t bytes[SIGNATURE_BYTES + 1];
    if (realpath(file, path) == NULL) /* as a reload finds it, whatever the working folder is */
        return "the file's own name can't be resolved";
    strcat(path, ".sig");
    FILE *stream = fopen(path, "re");
    if (stream == NULL)
        return "there is none that can be read";
    size_t len = fread(bytes, 1, sizeof(bytes), stream);
    fclose(stream);
    if (len != SIGNATURE_BYTES)
        return "it is not 64 bytes long";
    memcpy(out, bytes, SIGNATURE_BYTES);
    return NULL;
}

struct judging {
    struct sgd_trust *trust;
    const char *file;
};

static enum sg_err judge(void *ctx, struct sg_str bytes, struct sg_out *report)
{
    const struct judging *judging = ctx;
    uint8_t signature[SIGNATURE_BYTES];
    const char *fault = signature_read(judging->file, signature);
    if (fault == NULL && !sgd_osig_ed25519(judging->trust->key.bytes, bytes, signature))
        fault = "it is not of this file by the trusted key";
    if (fault == NULL) {
        sg_sha256(bytes.ptr, bytes.len, judging->trust->loaded);
        return SG_OK;
    }
    sg_out_fmt(report,
               "%s.sig: the configuration is not signed: %s; right would be: sgctl config "
               "sign --key PRIVATE.pem %s\n",
               judging->file, fault, judging->file);
    return SG_EAUTH;
}

/* ---- revisions ---- */

static enum sg_err kept_path(const struct sgd_trust *trust, const struct sg_config *config,
                             const char *end, char out[PATH_MAX])
{
    uint8_t digest[SG_SHA256_BYTES];
    char hex[17];
    struct sg_out name = sg_out_init(hex, sizeof(hex) - 1);
    sg_sha256(trust->key.bytes, 32, digest);
    sg_out_hex(&name, digest, 8);
    hex[name.len] = '\0';
    return snprintf(out, PATH_MAX, "%s/trusted-%s%s", config->node.state_dir, hex, end) < PATH_MAX
               ? SG_OK
               : SG_EMSGSIZE;
}

static int digest_put(char *text, size_t cap, const struct kept *kept)
{
    char hex[2 * SG_SHA256_BYTES + 1];
    struct sg_out out = sg_out_init(hex, sizeof(hex) - 1);
    sg_out_hex(&out, kept->digest, sizeof(kept->digest));
    hex[out.len] = '\0';
    return snprintf(text, cap, "%u %s\n", kept->revision, hex);
}

/* SG_ECORRUPT: something else is in it, so that nobody knows what was taken. */
static enum sg_err kept_read(const char *path, struct kept *out, char text[96])
{
    *out = (struct kept){.revision = 0};
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? SG_OK : sg_err_from_errno(errno);
    bool good = fgets(text, 96, file) != NULL && sscanf(text, "%u ", &out->revision) == 1 &&
                out->revision > 0;
    fclose(file);
    return good ? SG_OK : SG_ECORRUPT;
}

static enum sg_err revision_check(const struct sgd_trust *trust, const struct sg_config *config,
                                  const char *file, struct sg_out *report)
{
    struct kept kept, now = {.revision = config->revision};
    char path[PATH_MAX], text[96] = "", same[96];
    memcpy(now.digest, trust->loaded, sizeof(now.digest));
    digest_put(same, sizeof(same), &now);
    enum sg_err err = kept_path(trust, config, "", path);
    if (err == SG_OK)
        err = kept_read(path, &kept, text);
    if (err != SG_OK) {
        sg_out_fmt(report, "%s: %s: no signed configuration is taken\n", path, sg_err_text(err));
        return err;
    }
    if (now.revision > kept.revision || (now.revision == kept.revision && kept.revision == 0) ||
        strcmp(text, same) == 0)
        return SG_OK;
    sg_out_fmt(report,
               "%s: revision: %u is signed, but %s; right would be a higher one, signed again "
               "(docs/operations.md tells how to go back on purpose)\n",
               file, now.revision,
               now.revision == kept.revision ? "another file of this revision was taken before"
                                             : "a higher one was taken before");
    return SG_ESTALE;
}

/* Whole and durable, or not at all: another name first. */
static enum sg_err text_keep(const char *path, const char *fresh, const char *text, int dir_fd)
{
    size_t len = strlen(text);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return sg_err_from_errno(errno);
    bool good = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    good = good && rename(fresh, path) == 0 && fsync(dir_fd) == 0;
    return good ? SG_OK : sg_err_from_errno(errno);
}

enum sg_err sgd_trust_keep(struct sgd_trust *trust, const struct sg_config *config,
                           struct sg_out *report)
{
    struct kept now;
    char path[PATH_MAX], fresh[PATH_MAX], text[96];
    if (trust == NULL || config->revision == 0)
        return SG_OK;
    now.revision = config->revision;
    memcpy(now.digest, trust->loaded, sizeof(now.digest));
    digest_put(text, sizeof(text), &now);
    enum sg_err err = kept_path(trust, config, "", path);
    if (err == SG_OK)
        err = kept_path(trust, config, ".new", fresh);
    int dir_fd = open(config->node.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (err == SG_OK)
        err = dir_fd < 0 ? sg_err_from_errno(errno) : text_keep(path, fresh, text, dir_fd);
    if (dir_fd >= 0)
        close(dir_fd);
    if (err != SG_OK)
        sg_out_fmt(report, "%s: %s: the revision can't be kept\n", path, sg_err_text(err));
    return err;
}

enum sg_err sgd_trust_load(struct sgd_trust *trust, const char *file, struct sg_out *report,
                           struct sg_config **out)
{
    struct judging judging = {trust, file};
    struct sg_config *config = NULL;
    if (trust == NULL)
        return sg_config_load(file, report, out);
    enum sg_err err = sg_config_load_judged(file, judge, &judging, report, &config);
    if (err == SG_OK)
        err = revision_check(trust, config, file, report);
    if (err == SG_OK)
        *out = SG_TAKE(config);
    sg_config_free(config);
    return err;
}
