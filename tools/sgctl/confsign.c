#include "tools/sgctl/confsign.h"

#include "base/assert.h"
#include "controlplane/sys/ed25519.h"
#include "dataplane/node/trust.h"
#include "tools/sgctl/args.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (4u << 20) /* as base/config_load.c */

const char sgt_confsign_usage[] =
    "sgctl config keygen PRIVATE.pem PUBLIC.pem\n"
    "    Makes an Ed25519 key: the private one stays where configurations are written, the public\n"
    "    one goes to the nodes: streamgated --trust PUBLIC.pem.\n"
    "sgctl config sign --key PRIVATE.pem FILE\n"
    "    Writes FILE.sig, the 64 bytes of the signature over FILE's bytes.\n"
    "sgctl config verify --key PUBLIC.pem FILE\n"
    "    Whether a node that trusts that key would take FILE: its signature, and that it is "
    "right.\n";

static int keygen(const char *private_file, const char *public_file)
{
    enum sg_err err = sgc_ed25519_make(private_file, public_file);
    if (err == SG_EEXIST)
        return sgt_refuse("%s or %s is there already, and is not written over", private_file,
                          public_file);
    return err == SG_OK ? SGT_DONE : sgt_refuse("%s: %s", private_file, sg_err_text(err));
}

static bool file_read(const char *file, char **bytes, size_t *len)
{
    FILE *stream = fopen(file, "re");
    *bytes = stream != NULL ? malloc(FILE_BYTES_MAX + 1) : NULL;
    *len = *bytes != NULL ? fread(*bytes, 1, FILE_BYTES_MAX + 1, stream) : 0;
    bool good = *bytes != NULL && !ferror(stream) && *len <= FILE_BYTES_MAX;
    if (stream != NULL)
        fclose(stream);
    if (!good)
        sgt_refuse("%s can't be read, or is larger than 4 MiB", file);
    return good;
}

/* In a file of another name first: a node that reads in between sees the old one or the new. */
static int signature_write(const char *file, const uint8_t signature[64])
{
    char path[PATH_MAX], fresh[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s.sig", file) >= (int)sizeof(path) ||
        snprintf(fresh, sizeof(fresh), "%s.sig.new", file) >= (int)sizeof(fresh))
        return sgt_refuse("%s: too long a name", file);
    FILE *stream = fopen(fresh, "we");
    bool good = stream != NULL && fwrite(signature, 64, 1, stream) == 1;
    if (stream != NULL)
        good = fclose(stream) == 0 && good;
    if (!good || rename(fresh, path) != 0)
        return sgt_refuse("%s: %s", path, strerror(errno));
    return SGT_DONE;
}

static int sign(const char *key_file, const char *file)
{
    struct sgc_ed25519 *key = NULL;
    char *bytes = NULL;
    size_t len;
    uint8_t signature[64];
    int status = SGT_REFUSED;
    enum sg_err err = sgc_ed25519_load(key_file, &key);
    if (err != SG_OK)
        return sgt_refuse("%s: %s", key_file,
                          err == SG_EPERM ? "others than its owner may read it: chmod 600"
                                          : sg_err_text(err));
    if (file_read(file, &bytes, &len)) {
        err = sgc_ed25519_sign(key, (struct sg_str){bytes, len}, signature);
        status = err == SG_OK ? signature_write(file, signature)
                              : sgt_refuse("%s: %s", file, sg_err_text(err));
    }
    free(bytes);
    sgc_ed25519_close(key);
    return status;
}

static int verify(const char *key_file, const char *file, bool json)
{
    static char memory[65536];
    struct sg_out report = sg_out_init(memory, sizeof(memory));
    struct sgd_trust *trust = NULL;
    struct sg_config *config = NULL;
    enum sg_err err = sgd_trust_open(key_file, &report, &trust);
    if (err == SG_OK)
        err = sgd_trust_load(trust, file, &report, &config);
    fwrite(report.ptr, 1, report.len, stderr);
    if (err == SG_OK && json)
        sgt_print(json_pack("{s:s, s:b}", "file", file, "right", true), true);
    else if (err == SG_OK)
        printf("%s: signed, and right\n", file);
    else if (report.len == 0)
        sgt_refuse("%s: %s", file, sg_err_text(err));
    sg_config_free(config);
    sgd_trust_close(trust);
    return err == SG_OK ? SGT_DONE : SGT_REFUSED;
}

int sgt_confsign_main(const struct sgt_call *call, int argc, char **argv)
{
    static const struct option options[] = {{"key", required_argument, NULL, 'k'},
                                            {NULL, 0, NULL, 0}};
    static const struct sgt_verb verbs[] = {
        {"keygen", "PRIVATE.pem PUBLIC.pem", 2, 2, ""},
        {"sign", "--key PRIVATE.pem FILE", 1, 1, "k"},
        {"verify", "--key PUBLIC.pem FILE", 1, 1, "k"},
    };
    static const struct sgt_syntax syntax = {verbs, SG_COUNT(verbs), options};
    struct sgt_args args;
    int status = sgt_args_read(&syntax, argc, argv, &args);
    if (status != SGT_DONE)
        return status;
    if (sgt_args_is(&args, "keygen"))
        return keygen(args.words[0], args.words[1]);
    const char *key = args.of[SGT_OPT('k')];
    if (key == NULL)
        return sgt_refuse("config %s: --key is missing", args.verb->name), SGT_USAGE;
    return sgt_args_is(&args, "sign") ? sign(key, args.words[0])
                                      : verify(key, args.words[0], call->json);
}
