/* view - reads TLS's bytes from the front: numbers and vectors, as RFC 8446 section 3 writes them,
 * and a ClientHello's outline. After a false what was read so far is of no use. Pure. */
#ifndef SGD_TLS_VIEW_H
#define SGD_TLS_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SGD_TLS_CLIENT_HELLO 1

/* Bytes not yet read. */
struct sgd_view {
    const uint8_t *at;
    size_t left;
};

/* Extensions that somebody here reads. */
enum sgd_tls_extension {
    SGD_TLSEXT_SERVER_NAME = 0,
    SGD_TLSEXT_MAX_FRAGMENT_LENGTH = 1,
    SGD_TLSEXT_STATUS_REQUEST = 5,
    SGD_TLSEXT_SUPPORTED_GROUPS = 10,
    SGD_TLSEXT_POINT_FORMATS = 11,
    SGD_TLSEXT_SIGNATURE_ALGORITHMS = 13,
    SGD_TLSEXT_ALPN = 16,
    SGD_TLSEXT_EXTENDED_MASTER_SECRET = 23,
    SGD_TLSEXT_RECORD_SIZE_LIMIT = 28,
    SGD_TLSEXT_PRE_SHARED_KEY = 41,
    SGD_TLSEXT_EARLY_DATA = 42,
    SGD_TLSEXT_SUPPORTED_VERSIONS = 43,
    SGD_TLSEXT_COOKIE = 44,
    SGD_TLSEXT_PSK_MODES = 45,
    SGD_TLSEXT_POST_HANDSHAKE_AUTH = 49,
    SGD_TLSEXT_SIGNATURE_ALGORITHMS_CERT = 50,
    SGD_TLSEXT_KEY_SHARE = 51,
};

static inline bool sgd_view_take(struct sgd_view *view, size_t len, struct sgd_view *out)
{
    if (view->left < len)
        return false;
    *out = (struct sgd_view){view->at, len};
    view->at += len;
    view->left -= len;
    return true;
}

static inline bool sgd_view_u8(struct sgd_view *view, uint8_t *out)
{
    struct sgd_view one;
    if (!sgd_view_take(view, 1, &one))
        return false;
    *out = one.at[0];
    return true;
}

static inline bool sgd_view_u16(struct sgd_view *view, uint16_t *out)
{
    struct sgd_view two;
    if (!sgd_view_take(view, 2, &two))
        return false;
    *out = (uint16_t)(two.at[0] << 8 | two.at[1]);
    return true;
}

static inline bool sgd_view_vector8(struct sgd_view *view, struct sgd_view *out)
{
    uint8_t len;
    return sgd_view_u8(view, &len) && sgd_view_take(view, len, out);
}

static inline bool sgd_view_vector16(struct sgd_view *view, struct sgd_view *out)
{
    uint16_t len;
    return sgd_view_u16(view, &len) && sgd_view_take(view, len, out);
}

/* An extension that is one vector of 16-bit numbers, at least one. */
static inline bool sgd_view_numbers(struct sgd_view body, struct sgd_view *out)
{
    return sgd_view_vector16(&body, out) && body.left == 0 && out->left > 0 && out->left % 2 == 0;
}

static inline bool sgd_view_has(struct sgd_view numbers, uint16_t wanted)
{
    uint16_t number;
    while (sgd_view_u16(&numbers, &number)) {
        if (number == wanted)
            return true;
    }
    return false;
}

/* A host's name as SNI may have it: of visible ASCII, not empty. */
static inline bool sgd_view_is_name(struct sgd_view name)
{
    size_t good = 0;
    while (good < name.left && name.at[good] > ' ' && name.at[good] < 0x7f)
        good++;
    return good > 0 && good == name.left;
}

/* A ClientHello, of any version. */
struct sgd_view_hello {
    uint16_t version;
    struct sgd_view session_id, suites, compressions;
    struct sgd_view extensions; /* empty where there are none */
};

/* `message` is the whole handshake message with its header. */
static inline bool sgd_view_client_hello(const uint8_t *message, size_t len,
                                         struct sgd_view_hello *out)
{
    struct sgd_view body = {message, len}, head, random;
    if (!sgd_view_take(&body, 4, &head) || head.at[0] != SGD_TLS_CLIENT_HELLO ||
        ((size_t)head.at[1] << 16 | (size_t)head.at[2] << 8 | head.at[3]) != body.left)
        return false;
    if (!sgd_view_u16(&body, &out->version) || !sgd_view_take(&body, 32, &random) ||
        !sgd_view_vector8(&body, &out->session_id) || out->session_id.left > 32 ||
        !sgd_view_vector16(&body, &out->suites) || !sgd_view_vector8(&body, &out->compressions))
        return false;
    out->extensions = (struct sgd_view){NULL, 0};
    return body.left == 0 || (sgd_view_vector16(&body, &out->extensions) && body.left == 0);
}

#endif
