#include "dataplane/engine/network.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <string.h>

bool sgd_network_has(const struct sgd_network *network, const struct in6_addr *address)
{
    const uint8_t *a = network->base.s6_addr, *b = address->s6_addr;
    size_t whole = network->bits / 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    uint8_t rest = network->bits % 8;
    return rest == 0 || (uint8_t)((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool nothing_behind(const struct sgd_network *network)
{
    for (unsigned bit = network->bits; bit < 128; bit++)
        if ((network->base.s6_addr[bit / 8] & (0x80u >> (bit % 8))) != 0)
            return false;
    return true;
}

enum sg_err sgd_network_parse(const char *text, struct sgd_network *out)
{
    struct sgd_network network = {.bits = 128};
    char host[INET6_ADDRSTRLEN];
    struct in_addr in4;
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (len >= sizeof(host))
        return SG_EINVAL;
    memcpy(host, text, len);
    host[len] = '\0';
    bool v4 = inet_pton(AF_INET, host, &in4) == 1;
    if (v4) {
        network.base.s6_addr[10] = network.base.s6_addr[11] = 0xff;
        memcpy(&network.base.s6_addr[12], &in4, sizeof(in4));
    } else if (inet_pton(AF_INET6, host, &network.base) != 1) {
        return SG_EINVAL;
    }
    if (slash != NULL) {
        uint64_t bits;
        if (!sg_str_to_u64(sg_str_from(slash + 1), &bits) || bits > (v4 ? 32u : 128u))
            return SG_EINVAL;
        network.bits = (uint8_t)(bits + (v4 ? 96 : 0));
    }
    if (!nothing_behind(&network))
        return SG_EINVAL;
    *out = network;
    return SG_OK;
}

bool sgd_network_any(const char *const *texts, uint32_t count, const struct in6_addr *address)
{
    struct sgd_network network;
    for (uint32_t i = 0; i < count; i++)
        if (sgd_network_parse(texts[i], &network) == SG_OK && sgd_network_has(&network, address))
            return true;
    return false;
}
