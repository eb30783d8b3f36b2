#include "dataplane/origin/sign.h"

#include "base/sys/crypto.h"

#include <stdlib.h>
#include <time.h>

#define QUERY_BYTES 8192 /* of the canonical query */
#define PARAMS_MAX  64
#define FIELDS_MAX  16
#define ALGORITHM   "AWS4-HMAC-SHA256"

struct sign_field {
    struct sg_str name, value;
};

/* A request on its way to its signature. */
struct sign {
    const struct sgd_sign_key *key;
    const struct sgd_sign_request *req;
    bool s3;
    char time[20]; /* 20150830T123600Z; its first 8 are the date */
    struct sign_field fields[FIELDS_MAX];
    size_t fields_count;
    char names[512]; /* a;b;c */
    size_t names_len;
};

static void hash_str(struct sg_sha256 *hash, struct sg_str s)
{
    sg_sha256_add(hash, s.ptr, s.len);
}

static void hash_line(struct sg_sha256 *hash, struct sg_str s)
{
    hash_str(hash, s);
    sg_sha256_add(hash, "\n", 1);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at s[*at], percent-decoded; *at moves behind it. */
static unsigned char decode_next(struct sg_str s, size_t *at)
{
    int hi, lo;
    if (s.ptr[*at] == '%' && s.len - *at > 2 && (hi = hex_digit(s.ptr[*at + 1])) >= 0 &&
        (lo = hex_digit(s.ptr[*at + 2])) >= 0) {
        *at += 3;
        return (unsigned char)(hi << 4 | lo);
    }
    return (unsigned char)s.ptr[(*at)++];
}

static void encode_byte(struct sg_out *out, unsigned char c, bool keep_slash)
{
    static const char hex[] = "0123456789ABCDEF";
    bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                 c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
        sg_out_char(out, (char)c);
        return;
    }
    const char escaped[3] = {'%', hex[c >> 4], hex[c & 15]};
    sg_out_bytes(out, escaped, 3);
}

/* S3 encodes the path once, the other services what is encoded already. */
static void hash_path(const struct sign *sign, struct sg_sha256 *hash, struct sg_str path)
{
    for (size_t at = 0; at < path.len;) {
        char piece[3];
        struct sg_out out = sg_out_init(piece, sizeof(piece));
        encode_byte(&out, sign->s3 ? decode_next(path, &at) : (unsigned char)path.ptr[at++], true);
        sg_sha256_add(hash, piece, out.len);
    }
    sg_sha256_add(hash, "\n", 1);
}

/* "name=value", each part decoded and encoded anew; '+' is a blank there. */
static void encode_param(struct sg_out *out, struct sg_str param)
{
    const char *equals = memchr(param.ptr, '=', param.len);
    size_t name_len = equals != NULL ? (size_t)(equals - param.ptr) : param.len;
    for (size_t at = 0; at < param.len;) {
        if (at == name_len) {
            sg_out_char(out, '=');
            at++;
        } else if (param.ptr[at] == '+') {
            encode_byte(out, ' ', false);
            at++;
        } else {
            encode_byte(out, decode_next(param, &at), false);
        }
    }
    if (equals == NULL)
        sg_out_char(out, '=');
}

static int compare_str(const void *a, const void *b)
{
    const struct sg_str *x = a, *y = b;
    int order = memcmp(x->ptr, y->ptr, SG_MIN(x->len, y->len));
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* By name, then by value: '=' sorts before all else, so that "a=1" is before "a-b=1". */
static int compare_param(const void *a, const void *b)
{
    const struct sg_str *x = a, *y = b;
    for (size_t i = 0; i < SG_MIN(x->len, y->len); i++) {
        int left = x->ptr[i] == '=' ? 0 : x->ptr[i], right = y->ptr[i] == '=' ? 0 : y->ptr[i];
        if (left != right)
            return left - right;
    }
    return (x->len > y->len) - (x->len < y->len);
}

static bool hash_query(struct sg_sha256 *hash, struct sg_str query)
{
    char memory[QUERY_BYTES];
    struct sg_str params[PARAMS_MAX];
    size_t count = 0;
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    while (query.len > 0) {
        const char *amp = memchr(query.ptr, '&', query.len);
        struct sg_str param = {query.ptr, amp != NULL ? (size_t)(amp - query.ptr) : query.len};
        query = sg_str_skip(query, param.len + 1);
        if (param.len == 0)
            continue;
        size_t begin = out.len;
        encode_param(&out, param);
        if (out.full || count == PARAMS_MAX)
            return false;
        params[count++] = (struct sg_str){memory + begin, out.len - begin};
    }
    qsort(params, count, sizeof(*params), compare_param);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            sg_sha256_add(hash, "&", 1);
        hash_str(hash, params[i]);
    }
    sg_sha256_add(hash, "\n", 1);
    return true;
}

static int compare_field(const void *a, const void *b)
{
    return compare_str(&((const struct sign_field *)a)->name,
                       &((const struct sign_field *)b)->name);
}

static bool collect_fields(struct sign *sign)
{
    struct sg_str rest = sign->req->fields;
    sign->fields[sign->fields_count++] = (struct sign_field){SG_STR("host"), sign->req->host};
    sign->fields[sign->fields_count++] =
        (struct sign_field){SG_STR("x-amz-date"), sg_str_from(sign->time)};
    if (sign->s3)
        sign->fields[sign->fields_count++] =
            (struct sign_field){SG_STR("x-amz-content-sha256"), sign->req->payload_hash};
    while (rest.len > 0) {
        const char *end = memmem(rest.ptr, rest.len, "\r\n", 2);
        const char *colon = end != NULL ? memchr(rest.ptr, ':', (size_t)(end - rest.ptr)) : NULL;
        if (colon == NULL || sign->fields_count == FIELDS_MAX)
            return false;
        struct sg_str name = {rest.ptr, (size_t)(colon - rest.ptr)};
        struct sg_str value = {colon + 1, (size_t)(end - colon) - 1};
        sign->fields[sign->fields_count++] = (struct sign_field){name, sg_str_trim(value)};
        rest = sg_str_skip(rest, (size_t)(end - rest.ptr) + 2);
    }
    qsort(sign->fields, sign->fields_count, sizeof(*sign->fields), compare_field);
    struct sg_out names = sg_out_init(sign->names, sizeof(sign->names));
    for (size_t i = 0; i < sign->fields_count; i++) {
        if (i > 0)
            sg_out_char(&names, ';');
        sg_out_str(&names, sign->fields[i].name);
    }
    sign->names_len = names.len;
    return !names.full;
}

static bool hash_request(const struct sign *sign, uint8_t out[SG_SHA256_BYTES])
{
    const struct sgd_sign_request *req = sign->req;
    const char *mark = memchr(req->target.ptr, '?', req->target.len);
    size_t path_len = mark != NULL ? (size_t)(mark - req->target.ptr) : req->target.len;
    struct sg_sha256 hash;
    sg_sha256_init(&hash);
    hash_line(&hash, req->method);
    hash_path(sign, &hash, (struct sg_str){req->target.ptr, path_len});
    if (!hash_query(&hash, sg_str_skip(req->target, path_len + 1)))
        return false;
    for (size_t i = 0; i < sign->fields_count; i++) {
        hash_str(&hash, sign->fields[i].name);
        sg_sha256_add(&hash, ":", 1);
        hash_line(&hash, sign->fields[i].value);
    }
    sg_sha256_add(&hash, "\n", 1);
    hash_line(&hash, (struct sg_str){sign->names, sign->names_len});
    hash_str(&hash, req->payload_hash);
    sg_sha256_final(&hash, out);
    return true;
}

static void mac(const uint8_t *key, size_t key_len, struct sg_str text,
                uint8_t out[SG_SHA256_BYTES])
{
    struct sg_hmac_key prepared;
    sg_hmac_key_init(&prepared, key, key_len);
    sg_hmac(&prepared, text.ptr, text.len, out);
    sg_wipe(&prepared, sizeof(prepared));
}

/* Fails never: longer secrets are cut out at load. */
static void derive_key(const struct sign *sign, uint8_t key[SG_SHA256_BYTES])
{
    char secret[4 + SGD_SIGN_SECRET_BYTES];
    struct sg_out out = sg_out_init(secret, sizeof(secret));
    sg_out_lit(&out, "AWS4");
    sg_out_str(&out, sg_str_from(sign->key->secret_key));
    SG_ASSERT(!out.full);
    mac((const uint8_t *)secret, out.len, (struct sg_str){sign->time, 8}, key);
    mac(key, SG_SHA256_BYTES, sg_str_from(sign->key->region), key);
    mac(key, SG_SHA256_BYTES, sg_str_from(sign->key->service), key);
    mac(key, SG_SHA256_BYTES, SG_STR("aws4_request"), key);
    sg_wipe(secret, sizeof(secret));
}

static void put_scope(const struct sign *sign, struct sg_out *out)
{
    sg_out_bytes(out, sign->time, 8);
    sg_out_fmt(out, "/%s/%s/aws4_request", sign->key->region, sign->key->service);
}

bool sgd_sign(const struct sgd_sign_key *key, const struct sgd_sign_request *req,
              struct sg_out *out)
{
    struct sign sign = {.key = key, .req = req, .s3 = strcmp(key->service, "s3") == 0};
    time_t seconds = (time_t)req->wall_s;
    struct tm tm;
    uint8_t digest[SG_SHA256_BYTES], signing_key[SG_SHA256_BYTES];
    char text[512];
    struct sg_out to_sign = sg_out_init(text, sizeof(text));
    gmtime_r(&seconds, &tm);
    strftime(sign.time, sizeof(sign.time), "%Y%m%dT%H%M%SZ", &tm);
    if (!collect_fields(&sign) || !hash_request(&sign, digest))
        return false;
    sg_out_fmt(&to_sign, ALGORITHM "\n%s\n", sign.time);
    put_scope(&sign, &to_sign);
    sg_out_char(&to_sign, '\n');
    sg_out_hex(&to_sign, digest, sizeof(digest));
    derive_key(&sign, signing_key);
    mac(signing_key, sizeof(signing_key), sg_out_view(&to_sign), digest);
    sg_wipe(signing_key, sizeof(signing_key));
    sg_out_fmt(out, "x-amz-date: %s\r\n", sign.time);
    if (sign.s3)
        sg_out_fmt(out, "x-amz-content-sha256: %.*s\r\n", SG_STR_ARG(req->payload_hash));
    sg_out_fmt(out, "authorization: " ALGORITHM " Credential=%s/", key->access_key);
    put_scope(&sign, out);
    sg_out_fmt(out, ", SignedHeaders=%.*s, Signature=", (int)sign.names_len, sign.names);
    sg_out_hex(out, digest, sizeof(digest));
    sg_out_lit(out, "\r\n");
    return !out->full && !to_sign.full;
}
