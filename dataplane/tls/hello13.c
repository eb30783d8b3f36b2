#include "dataplane/tls/hello13.h"

#include "base/assert.h"
#include "dataplane/tls/view.h"

#include <string.h>

#define EXTENSIONS_MAX 32u
#define X25519         0x001d
#define ECDSA_P256     0x0403
#define RSA_PSS        0x0804

enum suite { AES_128_GCM = 0x1301, AES_256_GCM = 0x1302, CHACHA20_POLY1305 = 0x1303 };

/* What was found; views are empty where there was none. */
struct found {
    struct sgd_hello13 hello;
    struct sgd_view groups, shares;
    bool versions_13, key_share;
};

/* AES-128-GCM, but ChaCha20 for who prefers that: it has no AES in hardware. */
static bool choose_suite(struct sgd_view suites, enum sgd_tls_aead *out)
{
    uint16_t suite, first = 0;
    if (suites.left == 0 || suites.left % 2 != 0)
        return false;
    for (struct sgd_view rest = suites; first == 0 && sgd_view_u16(&rest, &suite);)
        first = suite >= AES_128_GCM && suite <= CHACHA20_POLY1305 ? suite : 0;
    bool chacha = sgd_view_has(suites, CHACHA20_POLY1305), aes = sgd_view_has(suites, AES_128_GCM);
    if (!chacha && !aes)
        return false;
    *out = !aes || first == CHACHA20_POLY1305 ? SGD_TLS_CHACHA20_POLY1305 : SGD_TLS_AES_128_GCM;
    return true;
}

static bool read_server_name(struct sgd_view body, struct found *found)
{
    struct sgd_view list, name;
    uint8_t type;
    if (!sgd_view_vector16(&body, &list) || body.left != 0 || !sgd_view_u8(&list, &type) ||
        type != 0 || !sgd_view_vector16(&list, &name) || list.left != 0)
        return false;
    if (name.left >= sizeof(found->hello.name) || !sgd_view_is_name(name))
        return false;
    memcpy(found->hello.name, name.at, name.left);
    found->hello.name[name.left] = 0;
    return true;
}

/* A client that offers protocols, but not ours, is told so by OpenSSL. */
static bool read_alpn(struct sgd_view body, struct found *found)
{
    struct sgd_view list, name;
    if (!sgd_view_vector16(&body, &list) || body.left != 0)
        return false;
    while (list.left > 0) {
        if (!sgd_view_vector8(&list, &name) || name.left == 0)
            return false;
        if (name.left == 8 && memcmp(name.at, "http/1.1", 8) == 0)
            found->hello.alpn = true;
    }
    return found->hello.alpn;
}

static bool read_status_request(struct sgd_view body, struct found *found)
{
    struct sgd_view responders, extensions;
    uint8_t type;
    found->hello.staple = true;
    return sgd_view_u8(&body, &type) && type == 1 && sgd_view_vector16(&body, &responders) &&
           sgd_view_vector16(&body, &extensions) && body.left == 0 && responders.left == 0 &&
           extensions.left == 0;
}

static bool read_signature_algorithms(struct sgd_view body, struct found *found)
{
    struct sgd_view numbers;
    if (!sgd_view_numbers(body, &numbers))
        return false;
    found->hello.ecdsa_p256 = sgd_view_has(numbers, ECDSA_P256);
    found->hello.rsa_pss = sgd_view_has(numbers, RSA_PSS);
    return true;
}

static bool read_versions(struct sgd_view body, struct found *found)
{
    struct sgd_view versions;
    if (!sgd_view_vector8(&body, &versions) || body.left != 0 || versions.left % 2 != 0)
        return false;
    found->versions_13 = sgd_view_has(versions, 0x0304);
    return true;
}

/* RFC 8449; a very small one is OpenSSL's. */
static bool read_size_limit(struct sgd_view body, struct found *found)
{
    return sgd_view_u16(&body, &found->hello.size_limit) && body.left == 0 &&
           found->hello.size_limit > SGD_HELLO13_PLAIN_MIN;
}

static bool read_psk_modes(struct sgd_view body, struct found *found)
{
    struct sgd_view modes;
    if (!sgd_view_vector8(&body, &modes) || body.left != 0 || modes.left == 0)
        return false;
    found->hello.tickets = memchr(modes.at, 1, modes.left) != NULL; /* psk_dhe_ke */
    return true;
}

static bool read_extension(uint16_t type, struct sgd_view body, struct found *found)
{
    switch (type) {
    case SGD_TLSEXT_SERVER_NAME:
        return read_server_name(body, found);
    case SGD_TLSEXT_STATUS_REQUEST:
        return read_status_request(body, found);
    case SGD_TLSEXT_SUPPORTED_GROUPS:
        return sgd_view_numbers(body, &found->groups);
    case SGD_TLSEXT_SIGNATURE_ALGORITHMS:
        return read_signature_algorithms(body, found);
    case SGD_TLSEXT_ALPN:
        return read_alpn(body, found);
    case SGD_TLSEXT_RECORD_SIZE_LIMIT:
        return read_size_limit(body, found);
    case SGD_TLSEXT_SUPPORTED_VERSIONS:
        return read_versions(body, found);
    case SGD_TLSEXT_PSK_MODES:
        return read_psk_modes(body, found);
    case SGD_TLSEXT_KEY_SHARE:
        found->key_share = true;
        return sgd_view_vector16(&body, &found->shares) && body.left == 0;
    case SGD_TLSEXT_EXTENDED_MASTER_SECRET:
    case SGD_TLSEXT_POST_HANDSHAKE_AUTH:
        return body.left == 0;
    case SGD_TLSEXT_MAX_FRAGMENT_LENGTH:
    case SGD_TLSEXT_PRE_SHARED_KEY:
    case SGD_TLSEXT_EARLY_DATA:
    case SGD_TLSEXT_COOKIE:
    case SGD_TLSEXT_SIGNATURE_ALGORITHMS_CERT:
        return false;
    default: /* not ours to judge: of TLS 1.2, or unknown */
        return true;
    }
}

static bool read_extensions(struct sgd_view extensions, struct found *found)
{
    uint16_t seen[EXTENSIONS_MAX];
    for (size_t count = 0; extensions.left > 0; count++) {
        struct sgd_view body;
        if (count == EXTENSIONS_MAX || !sgd_view_u16(&extensions, &seen[count]) ||
            !sgd_view_vector16(&extensions, &body))
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
    struct sgd_view shares = found->shares, key;
    uint16_t group, other;
    while (shares.left > 0) {
        if (!sgd_view_u16(&shares, &group) || !sgd_view_vector16(&shares, &key) || key.left == 0 ||
            !sgd_view_has(found->groups, group))
            return false;
        for (struct sgd_view rest = shares; sgd_view_u16(&rest, &other);) {
            struct sgd_view skipped;
            if (other == group || !sgd_view_vector16(&rest, &skipped))
                return false;
        }
        if (group == X25519 && key.left == SGD_HELLO13_SHARE_BYTES)
            found->hello.share = key.at;
    }
    return found->hello.share != NULL;
}

static bool read_outline(const struct sgd_view_hello *outline, struct found *found)
{
    if (outline->version != 0x0303 || outline->compressions.left != 1 ||
        outline->compressions.at[0] != 0)
        return false;
    found->hello.session_id = (struct sgd_span){outline->session_id.at, outline->session_id.left};
    return choose_suite(outline->suites, &found->hello.aead) &&
           read_extensions(outline->extensions, found);
}

bool sgd_hello13_read(const uint8_t *message, size_t len, struct sgd_hello13 *out)
{
    SG_ASSERT(message != NULL && out != NULL);
    struct sgd_view_hello outline;
    struct found found = {.versions_13 = false};
    if (!sgd_view_client_hello(message, len, &outline) || !read_outline(&outline, &found))
        return false;
    if (!found.versions_13 || !found.key_share || !read_shares(&found))
        return false;
    if (!found.hello.ecdsa_p256 && !found.hello.rsa_pss)
        return false;
    *out = found.hello;
    return true;
}
