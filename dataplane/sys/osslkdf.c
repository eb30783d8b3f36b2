#include "dataplane/sys/osslkdf.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/sys/crypto.h"
#include "dataplane/sys/osslhmac.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#define SECRET_MAX 64 /* sgd_hmac()'s limit; a secret of the schedule is as long as its hash */
#define LABEL_MAX  249
#define HASH_MAX   48

static _Thread_local struct sgd_okdf_secrets *kept;

void sgd_okdf_keep(struct sgd_okdf_secrets *secrets)
{
    kept = secrets;
}

/* One derivation's parameters: borrowed from the caller for the call. */
struct inputs {
    int mode; /* EVP_KDF_HKDF_MODE_... */
    uint8_t hash_len;
    struct sgd_span key, salt, data, prefix, label;
};

static bool read_span(const OSSL_PARAM *param, struct sgd_span *out)
{
    const void *bytes = NULL;
    size_t len = 0;
    if (OSSL_PARAM_get_octet_string_ptr(param, &bytes, &len) != 1)
        return false;
    *out = (struct sgd_span){bytes, len};
    return true;
}

/* "SHA256" and "SHA2-256" name the same. */
static uint8_t hash_len_of(const OSSL_PARAM *param)
{
    const char *name = param->data;
    if (param->data_type != OSSL_PARAM_UTF8_STRING || name == NULL)
        return 0;
    if (OPENSSL_strcasecmp(name, "SHA256") == 0 || OPENSSL_strcasecmp(name, "SHA2-256") == 0)
        return 32;
    return OPENSSL_strcasecmp(name, "SHA384") == 0 || OPENSSL_strcasecmp(name, "SHA2-384") == 0 ? 48
                                                                                                : 0;
}

static bool read_one(const OSSL_PARAM *param, struct inputs *in)
{
    const char *key = param->key;
    if (strcmp(key, OSSL_KDF_PARAM_MODE) == 0)
        return OSSL_PARAM_get_int(param, &in->mode) == 1;
    if (strcmp(key, OSSL_KDF_PARAM_DIGEST) == 0)
        return (in->hash_len = hash_len_of(param)) != 0;
    struct sgd_span *span = strcmp(key, OSSL_KDF_PARAM_KEY) == 0      ? &in->key
                            : strcmp(key, OSSL_KDF_PARAM_SALT) == 0   ? &in->salt
                            : strcmp(key, OSSL_KDF_PARAM_DATA) == 0   ? &in->data
                            : strcmp(key, OSSL_KDF_PARAM_PREFIX) == 0 ? &in->prefix
                            : strcmp(key, OSSL_KDF_PARAM_LABEL) == 0  ? &in->label
                                                                      : NULL;
    return span == NULL || read_span(param, span); /* others are not for this algorithm */
}

/* HKDF-Expand-Label of at most one block of the hash, which is all that TLS asks for. */
static bool expand(const struct inputs *in, struct sgd_span secret, struct sgd_span context,
                   uint8_t *out, size_t out_len)
{
    uint8_t head[3] = {(uint8_t)(out_len >> 8), (uint8_t)out_len,
                       (uint8_t)(in->prefix.len + in->label.len)};
    uint8_t context_len = (uint8_t)context.len, counter = 1, block[HASH_MAX];
    struct sgd_span info[] = {{head, 3},         in->prefix, in->label,
                              {&context_len, 1}, context,    {&counter, 1}};
    if (out_len > in->hash_len || in->prefix.len + in->label.len > LABEL_MAX ||
        context.len > UINT8_MAX || secret.len > SECRET_MAX)
        return false;
    sgd_hmac(in->hash_len, secret, info, SG_COUNT(info), block);
    memcpy(out, block, out_len);
    sg_wipe(block, sizeof(block));
    return true;
}

static bool label_is(const struct inputs *in, const char *label)
{
    return in->label.len == strlen(label) && memcmp(in->label.bytes, label, in->label.len) == 0;
}

static void keep_if_wanted(const struct inputs *in, const uint8_t *out, size_t len)
{
    if (kept == NULL || len > sizeof(kept->server))
        return;
    if (label_is(in, "s ap traffic")) {
        memcpy(kept->server, out, len);
        kept->server_len = (uint8_t)len;
    } else if (label_is(in, "c ap traffic")) {
        memcpy(kept->client, out, len);
        kept->client_len = (uint8_t)len;
    }
}

/* HKDF-Extract; what came before goes through Derive-Secret(., "derived", "") first. */
static bool extract(const struct inputs *in, uint8_t *out, size_t out_len)
{
    static const uint8_t zeros[HASH_MAX],
        sha384_of_nothing[48] = {0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9,
                                 0x32, 0x7e, 0xb1, 0xb1, 0xe3, 0x6a, 0x21, 0xfd, 0xb7, 0x11,
                                 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6,
                                 0xe1, 0xda, 0x27, 0x4e, 0xde, 0xbf, 0xe7, 0x6f, 0x65, 0xfb,
                                 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b};
    static const uint8_t sha256_of_nothing[32] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
                                                  0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
                                                  0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
                                                  0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55};
    size_t hash_len = in->hash_len;
    struct sgd_span nothing = {hash_len == 32 ? sha256_of_nothing : sha384_of_nothing, hash_len};
    struct sgd_span input = in->key.bytes == NULL ? (struct sgd_span){zeros, hash_len} : in->key;
    uint8_t salt[HASH_MAX] = {0};
    if (out_len != hash_len)
        return false;
    if (in->salt.bytes != NULL && !expand(in, in->salt, nothing, salt, hash_len))
        return false;
    sgd_hmac(in->hash_len, (struct sgd_span){salt, hash_len}, &input, 1, out);
    sg_wipe(salt, sizeof(salt));
    return true;
}

static int derive(void *ctx, unsigned char *out, size_t out_len, const OSSL_PARAM params[])
{
    struct inputs *in = ctx;
    for (const OSSL_PARAM *param = params; param != NULL && param->key != NULL; param++) {
        if (!read_one(param, in))
            return 0;
    }
    if (in->hash_len == 0)
        return 0;
    if (in->mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
        return extract(in, out, out_len);
    if (in->mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY || !expand(in, in->key, in->data, out, out_len))
        return 0;
    keep_if_wanted(in, out, out_len);
    return 1;
}

static void *ctx_new(void *provider)
{
    (void)provider;
    return OPENSSL_zalloc(sizeof(struct inputs));
}

static void ctx_free(void *ctx)
{
    OPENSSL_free(ctx);
}

static void ctx_reset(void *ctx)
{
    memset(ctx, 0, sizeof(struct inputs));
}

static const OSSL_PARAM *settable(void *ctx, void *provider)
{
    (void)ctx;
    (void)provider;
    static const OSSL_PARAM params[] = {
        OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, NULL),
        OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PREFIX, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_LABEL, NULL, 0),
        OSSL_PARAM_octet_string(OSSL_KDF_PARAM_DATA, NULL, 0),
        OSSL_PARAM_END,
    };
    return params;
}

#define FUNCTION(id, f)                                                                            \
    {                                                                                              \
        id, (void (*)(void))f                                                                      \
    }

static const OSSL_DISPATCH kdf_functions[] = {
    FUNCTION(OSSL_FUNC_KDF_NEWCTX, ctx_new),
    FUNCTION(OSSL_FUNC_KDF_FREECTX, ctx_free),
    FUNCTION(OSSL_FUNC_KDF_RESET, ctx_reset),
    FUNCTION(OSSL_FUNC_KDF_DERIVE, derive),
    FUNCTION(OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, settable),
    {0, NULL},
};

static const OSSL_ALGORITHM kdfs[] = {
    {"TLS13-KDF", "provider=streamgate", kdf_functions, "TLS 1.3's key schedule"},
    {NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
    (void)provider;
    *no_cache = 0;
    return operation == OSSL_OP_KDF ? kdfs : NULL;
}

static const OSSL_DISPATCH provider_functions[] = {
    FUNCTION(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
    {0, NULL},
};

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **provider)
{
    (void)handle;
    (void)in;
    static int here; /* a context that is not NULL, of which there is nothing to say */
    *provider = &here;
    *out = provider_functions;
    return 1;
}

static OSSL_PROVIDER *others, *ours; /* loaded for as long as the process lives */

/* The default one by name too: it comes by itself only where no other is loaded. */
static void load(void)
{
    if (OSSL_PROVIDER_add_builtin(NULL, "streamgate", provider_init) != 1)
        return;
    others = OSSL_PROVIDER_load(NULL, "default");
    ours = OSSL_PROVIDER_load(NULL, "streamgate");
}

enum sg_err sgd_okdf_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return others != NULL && ours != NULL ? SG_OK : SG_ETLS;
}
