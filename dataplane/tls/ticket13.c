#include "dataplane/tls/ticket13.h"

#include "base/assert.h"
#include "base/sys/crypto.h"
#include "dataplane/sys/osslctx.h"
#include "dataplane/sys/osslkx.h"

#include <string.h>

#define SESSION_BYTES_MAX 128u
#define WEEK_S            604800u /* RFC 8446 section 4.6.1: no ticket lives longer */
#define TIME_TAG          0xa1
#define TIMEOUT_TAG       0xa2
#define CONTEXT_TAG       0xa4
#define AGE_ADD_TAG       0xae

enum der { INTEGER = 0x02, OCTETS = 0x04, SEQUENCE = 0x30 };

struct writer {
    uint8_t bytes[SESSION_BYTES_MAX];
    size_t len;
};

static void put(struct writer *out, const void *bytes, size_t len)
{
    SG_ASSERT(out->len + len <= sizeof(out->bytes));
    if (len != 0)
        memcpy(out->bytes + out->len, bytes, len);
    out->len += len;
}

static void put_value(struct writer *out, uint8_t tag, const void *bytes, size_t len)
{
    SG_ASSERT(len < 128);
    put(out, (uint8_t[2]){tag, (uint8_t)len}, 2);
    put(out, bytes, len);
}

/* As short as DER wants it, and positive. */
static void put_integer(struct writer *out, uint64_t value)
{
    uint8_t bytes[9] = {0};
    size_t first = 0;
    value = __builtin_bswap64(value);
    memcpy(bytes + 1, &value, sizeof(value));
    while (first < 8 && bytes[first] == 0 && bytes[first + 1] < 0x80)
        first++;
    put_value(out, INTEGER, bytes + first, sizeof(bytes) - first);
}

static void put_tagged_integer(struct writer *out, uint8_t tag, uint64_t value)
{
    struct writer inner = {.len = 0};
    put_integer(&inner, value);
    put_value(out, tag, inner.bytes, inner.len);
}

/* i2d_SSL_SESSION()'s structure; what is optional and not used here is left out. */
static void put_session(struct writer *out, const struct sgd_ticket13 *ticket, uint32_t lifetime_s)
{
    struct writer body = {.len = 0};
    uint8_t suite[2] = {0x13, ticket->aead == SGD_TLS_CHACHA20_POLY1305 ? 0x03 : 0x01};
    put_integer(&body, 1);      /* the structure's version */
    put_integer(&body, 0x0304); /* TLS's */
    put_value(&body, OCTETS, suite, sizeof(suite));
    put_value(&body, OCTETS, NULL, 0); /* the session's id */
    put_value(&body, OCTETS, ticket->psk, sizeof(ticket->psk));
    put_tagged_integer(&body, TIME_TAG, ticket->now_s);
    put_tagged_integer(&body, TIMEOUT_TAG, lifetime_s);
    put_value(&body, CONTEXT_TAG, (uint8_t[2]){OCTETS, 0}, 2);
    put_tagged_integer(&body, AGE_ADD_TAG, ticket->age_add);
    put_value(out, SEQUENCE, body.bytes, body.len);
    sg_wipe(&body, sizeof(body));
}

size_t sgd_ticket13_seal(const struct sgd_ticket13 *ticket, struct sgd_okx *okx,
                         const struct sgd_octx *octx, uint8_t out[SGD_TICKET13_BYTES_MAX],
                         uint32_t *lifetime_s)
{
    struct sgd_ticket_key key;
    struct sg_hmac_key hmac;
    struct writer session = {.len = 0};
    uint8_t *iv = out + sizeof(key.name), *body = iv + 16;
    SG_ASSERT(ticket->aead != SGD_TLS_AES_256_GCM);
    *lifetime_s = SG_MIN(sgd_octx_ticket_key(octx, &key), WEEK_S);
    put_session(&session, ticket, *lifetime_s);
    memcpy(out, key.name, sizeof(key.name));
    memcpy(iv, ticket->iv, 16);
    size_t len = sgd_okx_encrypt_cbc(okx, key.aes, iv, session.bytes, session.len, body);
    if (len != 0) {
        len += (size_t)(body - out);
        SG_ASSERT(len + SG_SHA256_BYTES <= SGD_TICKET13_BYTES_MAX);
        sg_hmac_key_init(&hmac, key.hmac, sizeof(key.hmac));
        sg_hmac(&hmac, out, len, out + len);
        len += SG_SHA256_BYTES;
        sg_wipe(&hmac, sizeof(hmac));
    }
    sg_wipe(&key, sizeof(key));
    sg_wipe(&session, sizeof(session));
    return len;
}
