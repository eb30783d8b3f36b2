#include "dataplane/tls/hellofault.h"

#include "base/assert.h"
#include "dataplane/tls/view.h"

#include <string.h>

#define SSL_30       0x0300
#define TLS_12       0x0303
#define TLS_13       0x0304
#define HOST_NAME    0
#define NO_LIMIT     64 /* RFC 8449: a smaller one is none */
#define UNCOMPRESSED 0

enum alert { NONE = 0, ILLEGAL_PARAMETER = 47, DECODE_ERROR = 50, PROTOCOL_VERSION = 70 };

/* Numbers of 16 bits that were seen. */
struct marks {
    uint64_t bits[UINT16_MAX / 64 + 1];
};

struct found {
    struct sgd_hellofault *out;
    struct sgd_view versions, groups, shares;
    bool has_versions, compressed_points_only;
    struct marks extensions;
};

/* False: it was marked already. */
static bool mark(struct marks *marks, uint16_t number)
{
    uint64_t bit = 1ull << (number % 64), *word = &marks->bits[number / 64];
    bool fresh = (*word & bit) == 0;
    *word |= bit;
    return fresh;
}

static enum alert read_name(struct sgd_view body, struct sgd_hellofault *out)
{
    struct sgd_view list, name;
    uint8_t type;
    if (!sgd_view_vector16(&body, &list) || !sgd_view_u8(&list, &type) || type != HOST_NAME ||
        !sgd_view_vector16(&list, &name) || name.left >= sizeof(out->name))
        return NONE;
    if (name.left == 0)
        return DECODE_ERROR;
    if (!sgd_view_is_name(name))
        return ILLEGAL_PARAMETER;
    memcpy(out->name, name.at, name.left);
    out->name[name.left] = 0;
    return NONE;
}

static enum alert read_versions(struct sgd_view body, struct found *found)
{
    found->has_versions = true;
    if (!sgd_view_vector8(&body, &found->versions) || body.left != 0 || found->versions.left == 0 ||
        found->versions.left % 2 != 0)
        return DECODE_ERROR;
    found->out->offers_13 = sgd_view_has(found->versions, TLS_13);
    return NONE;
}

static enum alert read_size_limit(struct sgd_view body, struct sgd_hellofault *out)
{
    if (!sgd_view_u16(&body, &out->size_limit) || body.left != 0)
        return DECODE_ERROR;
    return out->size_limit < NO_LIMIT ? ILLEGAL_PARAMETER : NONE;
}

static enum alert read_extension(uint16_t type, struct sgd_view body, struct found *found)
{
    struct sgd_view view;
    switch (type) {
    case SGD_TLSEXT_SERVER_NAME:
        return read_name(body, found->out);
    case SGD_TLSEXT_SUPPORTED_VERSIONS:
        return read_versions(body, found);
    case SGD_TLSEXT_RECORD_SIZE_LIMIT:
        return read_size_limit(body, found->out);
    case SGD_TLSEXT_MAX_FRAGMENT_LENGTH:
        found->out->max_fragment_length = true;
        return NONE;
    case SGD_TLSEXT_EXTENDED_MASTER_SECRET:
        found->out->extended_master_secret = true;
        return body.left == 0 ? NONE : DECODE_ERROR;
    case SGD_TLSEXT_POINT_FORMATS:
        found->compressed_points_only = sgd_view_vector8(&body, &view) && view.left > 0 &&
                                        memchr(view.at, UNCOMPRESSED, view.left) == NULL;
        return NONE;
    case SGD_TLSEXT_SUPPORTED_GROUPS:
        if (sgd_view_numbers(body, &view))
            found->groups = view;
        return NONE;
    case SGD_TLSEXT_KEY_SHARE:
        if (sgd_view_vector16(&body, &view) && body.left == 0)
            found->shares = view;
        return NONE;
    default:
        return NONE;
    }
}

static enum alert read_extensions(struct sgd_view extensions, struct found *found)
{
    enum alert alert = NONE;
    while (alert == NONE && extensions.left > 0) {
        struct sgd_view body;
        uint16_t type;
        if (!sgd_view_u16(&extensions, &type) || !sgd_view_vector16(&extensions, &body))
            return NONE;
        alert =
            mark(&found->extensions, type) ? read_extension(type, body, found) : ILLEGAL_PARAMETER;
    }
    return alert;
}

/* RFC 8446 4.2.8: each share is of a group that the client named, and none comes twice. */
static enum alert check_shares(struct sgd_view groups, struct sgd_view shares)
{
    struct marks named = {{0}}, seen = {{0}};
    struct sgd_view key;
    uint16_t group;
    while (sgd_view_u16(&groups, &group))
        (void)mark(&named, group);
    while (sgd_view_u16(&shares, &group) && sgd_view_vector16(&shares, &key)) {
        if (mark(&named, group) || !mark(&seen, group))
            return ILLEGAL_PARAMETER;
    }
    return NONE;
}

/* RFC 8446 4.1.2 and D.5. OpenSSL finds out too, but would look at what the old versions lack
 * first. */
static enum alert check_version(uint16_t version, const struct found *found)
{
    bool known = found->has_versions
                     ? found->out->offers_13 || sgd_view_has(found->versions, TLS_12)
                     : version >= TLS_12;
    return version <= SSL_30 || !known ? PROTOCOL_VERSION : NONE;
}

static enum alert check_compressions(struct sgd_view methods, bool offers_13)
{
    if (methods.left == 0)
        return DECODE_ERROR;
    bool none = memchr(methods.at, 0, methods.left) != NULL;
    return none && (!offers_13 || methods.left == 1) ? NONE : ILLEGAL_PARAMETER;
}

void sgd_hellofault_read(const uint8_t *message, size_t len, struct sgd_hellofault *out)
{
    SG_ASSERT(message != NULL && out != NULL);
    struct found found = {.out = out};
    struct sgd_view_hello hello;
    *out = (struct sgd_hellofault){.alert = NONE};
    if (!sgd_view_client_hello(message, len, &hello))
        return; /* OpenSSL's to tell */
    enum alert alert = read_extensions(hello.extensions, &found);
    if (alert == NONE)
        alert = check_version(hello.version, &found);
    if (alert == NONE)
        alert = check_compressions(hello.compressions, out->offers_13);
    if (alert == NONE && out->offers_13 && found.groups.left > 0)
        alert = check_shares(found.groups, found.shares);
    if (alert == NONE && !out->offers_13 && found.compressed_points_only)
        alert = ILLEGAL_PARAMETER;
    out->alert = (uint8_t)alert;
}
