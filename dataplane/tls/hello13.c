#include "dataplane/tls/hello13.h"

#include "base/assert.h"

#include <string.h>

#define CLIENT_HELLO   1
#define EXTENSIONS_MAX 32u
#define X25519         0x001d
#define ECDSA_P256     0x0403
#define RSA_PSS        0x0804

enum suite { AES_128_GCM = 0x1301, AES_256_GCM = 0x1302, CHACHA20_POLY1305 = 0x1303 };

enum extension {
    SERVER_NAME = 0,
    MAX_FRAGMENT_LENGTH = 1,
    STATUS_REQUEST = 5,
    SUPPORTED_GROUPS = 10,
    SIGNATURE_ALGORITHMS = 13,
    ALPN = 16,
    PRE_SHARED_KEY = 41,
    EARLY_DATA = 42,
    SUPPORTED_VERSIONS = 43,
    COOKIE = 44,
    PSK_MODES = 45,
    POST_HANDSHAKE_AUTH = 49,
    SIGNATURE_ALGORITHMS_CERT = 50,
    KEY_SHARE = 51,
};

/* Bytes not yet read. */
struct view {
    const uint8_t *at;
    size_t left;
};

/* What was found; views are empty where there was none. */
struct found {
    struct sgd_hello13 hello;
    struct view groups, shares;
    bool versions_13, key_share;
};

static bool take(struct view *view, size_t len, struct view *out)
{
    if (view->left < len)
        return false;
    *out = (struct view){view->at, len};
    view->at += len;
    view->left -= len;
    return true;
}

static bool take_u8(struct view *view, uint8_t *out)
{
    struct view one;
    if (!take(view, 1, &one))
        return false;
    *out = one.at[0];
    return true;
}

static bool take_u16(struct view *view, uint16_t *out)
{
    struct view two;
    if (!take(view, 2, &two))
        return false;
    *out = (uint16_t)(two.at[0] << 8 | two.at[1]);
    return true;
}

static bool take_vector8(struct view *view, struct view *out)
{
    uint8_t len;
    return take_u8(view, &len) && take(view, len, out);
}

static bool take_vector16(struct view *view, struct view *out)
{
    uint16_t len;
    return take_u16(view, &len) && take(view, len, out);
}

/* An extension that is one vector of 16-bit numbers, at least one. */
static bool take_numbers(struct view body, struct view *out)
{
    return take_vector16(&body, out) && body.left == 0 && out->left > 0 && out->left % 2 == 0;
}

static bool has_number(struct view numbers, uint16_t wanted)
{
    uint16_t number;
    while (take_u16(&numbers, &number)) {
        if (number == wanted)
            return true;
    }
    return false;
}

/* AES-128-GCM, but ChaCha20 for who prefers that: it has no AES in hardware. */
static bool choose_suite(struct view suites, enum sgd_tls_aead *out)
{
    uint16_t suite, first = 0;
    if (suites.left == 0 || suites.left % 2 != 0)
        return false;
    for (struct view rest = suites; first == 0 && take_u16(&rest, &suite);)
        first = suite >= AES_128_GCM && suite <= CHACHA20_POLY1305 ? suite : 0;
    bool chacha = has_number(suites, CHACHA20_POLY1305), aes = has_number(suites, AES_128_GCM);
    if (!chacha && !aes)
        return false;
    *out = !aes || first == CHACHA20_POLY1305 ? SGD_TLS_CHACHA20_POLY1305 : SGD_TLS_AES_128_GCM;
    return true;
}

static bool read_server_name(struct view body, struct found *found)
{
    struct view list, name;
    uint8_t type;
    if (!take_vector16(&body, &list) || body.left != 0 || !take_u8(&list, &type) || type != 0 ||
        !take_vector16(&list, &name) || list.left != 0)
        return false;
    if (name.left == 0 || name.left >= sizeof(found->hello.name) ||
        memchr(name.at, 0, name.left) != NULL)
        return false;
    memcpy(found->hello.name, name.at, name.left);
    found->hello.name[name.left] = 0;
    return true;
}

/* A client that offers protocols, but not ours, is told so by OpenSSL. */
static bool read_alpn(struct view body, struct found *found)
{
    struct view list, name;
    if (!take_vector16(&body, &list) || body.left != 0)
        return false;
    while (list.left > 0) {
        if (!take_vector8(&list, &name) || name.left == 0)
            return false;
        if (name.left == 8 && memcmp(name.at, "http/1.1", 8) == 0)
            found->hello.alpn = true;
    }
    return found->hello.alpn;
}

static bool read_status_request(struct view body, struct found *found)
{
    struct view responders, extensions;
    uint8_t type;
    found->hello.staple = true;
    return take_u8(&body, &type) && type == 1 && take_vector16(&body, &responders) &&
           take_vector16(&body, &extensions) && body.left == 0 && responders.left == 0 &&
           extensions.left == 0;
}

static bool read_signature_algorithms(struct view body, struct found *found)
{
    struct view numbers;
    if (!take_numbers(body, &numbers))
        return false;
    found->hello.ecdsa_p256 = has_number(numbers, ECDSA_P256);
    found->hello.rsa_pss = has_number(numbers, RSA_PSS);
    return true;
}

static bool read_versions(struct view body, struct found *found)
{
    struct view versions;
    if (!take_vector8(&body, &versions) || body.left != 0 || versions.left % 2 != 0)
        return false;
    found->versions_13 = has_number(versions, 0x0304);
    return true;
}

static bool read_psk_modes(struct view body, struct found *found)
{
    struct view modes;
    if (!take_vector8(&body, &modes) || body.left != 0 || modes.left == 0)
        return false;
    found->hello.tickets = memchr(modes.at, 1, modes.left) != NULL; /* psk_dhe_ke */
    return true;
}

static bool read_extension(uint16_t type, struct view body, struct found *found)
{
    switch (type) {
    case SERVER_NAME:
        return read_server_name(body, found);
    case STATUS_REQUEST:
        return read_status_request(body, found);
    case SUPPORTED_GROUPS:
        return take_numbers(body, &found->groups);
    case SIGNATURE_ALGORITHMS:
        return read_signature_algorithms(body, found);
    case ALPN:
        return read_alpn(body, found);
    case SUPPORTED_VERSIONS:
        return read_versions(body, found);
    case PSK_MODES:
        return read_psk_modes(body, found);
    case KEY_SHARE:
        found->key_share = true;
        return take_vector16(&body, &found->shares) && body.left == 0;
    case POST_HANDSHAKE_AUTH:
        return body.left == 0;
    case MAX_FRAGMENT_LENGTH:
    case PRE_SHARED_KEY:
    case EARLY_DATA:
    case COOKIE:
    case SIGNATURE_ALGORITHMS_CERT:
        return false;
    default: /* not ours to judge: of TLS 1.2, or unknown */
        return true;
    }
}

static bool read_extensions(struct view extensions, struct found *found)
{
    uint16_t seen[EXTENSIONS_MAX];
    for (size_t count = 0; extensions.left > 0; count++) {
        struct view body;
        if (count == EXTENSIONS_MAX || !take_u16(&extensions, &seen[count]) ||
            !take_vector16(&extensions, &body))
            return false;
        for (size_t i = 0; i < count; i++) {
            if (seen[i] == seen[count])
                return false;
        }
        if (!read_extension(seen[count], body, found))
            return false;
    }
    return true;
}

/* Every share is of a group that the client named, and none comes twice. */
static bool read_shares(struct found *found)
{
    struct view shares = found->shares, key;
    uint16_t group, other;
    while (shares.left > 0) {
        if (!take_u16(&shares, &group) || !take_vector16(&shares, &key) || key.left == 0 ||
            !has_number(found->groups, group))
            return false;
        for (struct view rest = shares; take_u16(&rest, &other);) {
            struct view skipped;
            if (other == group || !take_vector16(&rest, &skipped))
                return false;
        }
        if (group == X25519 && key.left == SGD_HELLO13_SHARE_BYTES)
            found->hello.share = key.at;
    }
    return found->hello.share != NULL;
}

static bool read_body(struct view body, struct found *found)
{
    struct view random, session_id, suites, compressions, extensions;
    uint16_t version;
    if (!take_u16(&body, &version) || version != 0x0303 || !take(&body, 32, &random) ||
        !take_vector8(&body, &session_id) || session_id.left > 32 ||
        !take_vector16(&body, &suites) || !take_vector8(&body, &compressions) ||
        !take_vector16(&body, &extensions) || body.left != 0)
        return false;
    if (compressions.left != 1 || compressions.at[0] != 0)
        return false;
    found->hello.session_id = (struct sgd_span){session_id.at, session_id.left};
    return choose_suite(suites, &found->hello.aead) && read_extensions(extensions, found);
}

bool sgd_hello13_read(const uint8_t *message, size_t len, struct sgd_hello13 *out)
{
    SG_ASSERT(message != NULL && out != NULL);
    struct view body = {message, len}, head;
    struct found found = {.versions_13 = false};
    if (!take(&body, 4, &head) || head.at[0] != CLIENT_HELLO ||
        ((size_t)head.at[1] << 16 | (size_t)head.at[2] << 8 | head.at[3]) != body.left)
        return false;
    if (!read_body(body, &found) || !found.versions_13 || !found.key_share || !read_shares(&found))
        return false;
    if (!found.hello.ecdsa_p256 && !found.hello.rsa_pss)
        return false;
    *out = found.hello;
    return true;
}
