#include "dataplane/node/trust.h"

#include "base/alloc.h"
#include "dataplane/sys/osslsig.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#define SIGNATURE_BYTES 64

struct sgd_trust {
    struct sgd_osig_public key;
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
    const struct sgd_trust *trust;
    const char *file;
};

static enum sg_err judge(void *ctx, struct sg_str bytes, struct sg_out *report)
{
    const struct judging *judging = ctx;
    uint8_t signature[SIGNATURE_BYTES];
    const char *fault = signature_read(judging->file, signature);
    if (fault == NULL && !sgd_osig_ed25519(judging->trust->key.bytes, bytes, signature))
        fault = "it is not of this file by the trusted key";
    if (fault == NULL)
        return SG_OK;
    sg_out_fmt(report,
               "%s.sig: the configuration is not signed: %s; right would be: sgctl config "
               "sign --key PRIVATE.pem %s\n",
               judging->file, fault, judging->file);
    return SG_EAUTH;
}

enum sg_err sgd_trust_load(const struct sgd_trust *trust, const char *file, struct sg_out *report,
                           struct sg_config **out)
{
    struct judging judging = {trust, file};
    if (trust == NULL)
        return sg_config_load(file, report, out);
    return sg_config_load_judged(file, judge, &judging, report, out);
}
