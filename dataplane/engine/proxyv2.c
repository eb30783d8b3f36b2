#include "dataplane/engine/proxyv2.h"

#include "base/assert.h"

#include <string.h>

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { FAMILY_UNSPEC = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21 };
enum { ADDRESSES_TCP4 = 12, ADDRESSES_TCP6 = 36 };

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static void put_v4(struct sockaddr_in6 *out, const uint8_t *address, const uint8_t *port)
{
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6};
    out->sin6_addr.s6_addr[10] = out->sin6_addr.s6_addr[11] = 0xff;
    memcpy(&out->sin6_addr.s6_addr[12], address, 4);
    memcpy(&out->sin6_port, port, 2); /* network order on both sides */
}

static void put_v6(struct sockaddr_in6 *out, const uint8_t *address, const uint8_t *port)
{
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6};
    memcpy(&out->sin6_addr, address, 16);
    memcpy(&out->sin6_port, port, 2);
}

/* Only streams over IP reach a TCP listener; UNSPEC is a proxied connection of unknown origin,
 * which the protocol says to take as LOCAL. */
static enum sg_err parse_addresses(uint8_t family, const uint8_t *at, size_t len,
                                   struct sgd_proxyv2 *out)
{
    if (family == FAMILY_UNSPEC) {
        out->local = true;
        return SG_OK;
    }
    if (family == FAMILY_TCP4 && len >= ADDRESSES_TCP4) {
        put_v4(&out->remote, at, at + 8);
        put_v4(&out->local_address, at + 4, at + 10);
        return SG_OK;
    }
    if (family == FAMILY_TCP6 && len >= ADDRESSES_TCP6) {
        put_v6(&out->remote, at, at + 32);
        put_v6(&out->local_address, at + 16, at + 34);
        return SG_OK;
    }
    return SG_EPROTO;
}

enum sg_err sgd_proxyv2_parse(const uint8_t *bytes, size_t len, struct sgd_proxyv2 *out,
                              size_t *header_len)
{
    SG_ASSERT(out != NULL && header_len != NULL);
    struct sgd_proxyv2 parsed = {0};
    if (memcmp(bytes, signature, SG_MIN(len, sizeof(signature))) != 0)
        return SG_EPROTO;
    if (len > 12 && bytes[12] != COMMAND_LOCAL && bytes[12] != COMMAND_PROXY)
        return SG_EPROTO;
    if (len < SGD_PROXYV2_HEAD_BYTES)
        return SG_EAGAIN;
    size_t rest = (size_t)bytes[14] << 8 | bytes[15];
    if (rest > SGD_PROXYV2_BYTES_MAX - SGD_PROXYV2_HEAD_BYTES)
        return SG_EPROTO;
    if (len < SGD_PROXYV2_HEAD_BYTES + rest)
        return SG_EAGAIN;
    parsed.local = bytes[12] == COMMAND_LOCAL;
    if (!parsed.local) {
        enum sg_err err = parse_addresses(bytes[13], bytes + SGD_PROXYV2_HEAD_BYTES, rest, &parsed);
        if (err != SG_OK)
            return err;
    }
    *out = parsed;
    *header_len = SGD_PROXYV2_HEAD_BYTES + rest;
    return SG_OK;
}
