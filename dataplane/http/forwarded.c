#include "dataplane/http/forwarded.h"

#include "base/out.h"
#include "dataplane/engine/network.h"
#include "dataplane/http/token.h"

#include <arpa/inet.h>

#define HOPS_MAX 16 /* the last ones: nobody has more proxies of his own */
#define NODE_MAX 64

/* Who asked each proxy, the last HOPS_MAX of all. */
struct hops {
    struct sockaddr_in6 from[HOPS_MAX];
    bool known[HOPS_MAX];
    uint32_t count;
};

static void skip_blanks(struct sg_str *s)
{
    while (s->len > 0 && (s->ptr[0] == ' ' || s->ptr[0] == '\t'))
        *s = sg_str_skip(*s, 1);
}

static bool take(struct sg_str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = sg_str_skip(*s, 1);
    return true;
}

static struct sg_str take_token(struct sg_str *s)
{
    size_t n = 0;
    while (n < s->len && sgd_token_lower[(uint8_t)s->ptr[n]] != 0)
        n++;
    struct sg_str token = {s->ptr, n};
    *s = sg_str_skip(*s, n);
    return token;
}

/* A token, or what is quoted; no address needs an escape. */
static bool take_value(struct sg_str *s, struct sg_str *value)
{
    if (!take(s, '"')) {
        *value = take_token(s);
        return value->len > 0;
    }
    const char *end = s->len == 0 ? NULL : memchr(s->ptr, '"', s->len);
    if (end == NULL)
        return false;
    *value = (struct sg_str){s->ptr, (size_t)(end - s->ptr)};
    *s = sg_str_skip(*s, value->len + 1);
    return memchr(value->ptr, '\\', value->len) == NULL;
}

static bool read_port(struct sg_str text, struct sockaddr_in6 *out)
{
    uint64_t port;
    out->sin6_port = 0;
    if (text.len == 0)
        return true;
    if (!take(&text, ':') || (text.len > 0 && text.ptr[0] == '_')) /* an obfuscated port */
        return text.len > 1;
    if (!sg_str_to_u64(text, &port) || port > UINT16_MAX)
        return false;
    out->sin6_port = htons((uint16_t)port);
    return true;
}

/* "192.0.2.1:80", "[2001:db8::1]:80", each with or without port. */
static bool read_node(struct sg_str node, struct sockaddr_in6 *out)
{
    bool v6 = take(&node, '[');
    const char *end = node.len == 0 ? NULL : memchr(node.ptr, v6 ? ']' : ':', node.len);
    size_t n = end != NULL ? (size_t)(end - node.ptr) : node.len;
    char text[NODE_MAX];
    struct sg_out written = sg_out_init(text, sizeof(text));
    if (v6 && end == NULL)
        return false;
    if (!v6)
        sg_out_lit(&written, "::ffff:");
    sg_out_str(&written, (struct sg_str){node.ptr, n});
    sg_out_char(&written, '\0');
    *out = (struct sockaddr_in6){.sin6_family = AF_INET6};
    return !written.full && inet_pton(AF_INET6, text, &out->sin6_addr) == 1 &&
           read_port(sg_str_skip(node, n + (v6 ? 1 : 0)), out);
}

/* One proxy's element: pairs between semicolons, of which `for` counts. */
static bool take_element(struct sg_str *s, struct hops *hops)
{
    uint32_t at = hops->count++ % HOPS_MAX;
    bool seen = false;
    hops->known[at] = false;
    do {
        struct sg_str value;
        skip_blanks(s);
        struct sg_str name = take_token(s);
        if (name.len == 0)
            continue; /* an empty pair */
        if (!take(s, '=') || !take_value(s, &value))
            return false;
        skip_blanks(s);
        if (!sg_str_eq_nocase(name, SG_STR("for")))
            continue;
        if (seen)
            return false;
        seen = true;
        hops->known[at] = read_node(value, &hops->from[at]);
    } while (take(s, ';'));
    return true;
}

static bool read_line(struct sg_str line, struct hops *hops)
{
    do {
        if (!take_element(&line, hops))
            return false;
        skip_blanks(&line);
    } while (take(&line, ','));
    return line.len == 0;
}

bool sgd_forwarded_for(const struct sgd_request *req, const char *const *trusted, uint32_t count,
                       struct sockaddr_in6 *out)
{
    static const struct sockaddr_in6 nobody = {.sin6_family = AF_INET6};
    struct hops hops = {.count = 0};
    const struct sockaddr_in6 *from = &nobody;
    bool there = false, whole = true;
    for (uint16_t i = 0; i < req->fields_count && whole; i++) {
        if (!sg_str_eq(req->fields[i].name, SG_STR("forwarded")))
            continue;
        there = true;
        whole = read_line(req->fields[i].value, &hops);
    }
    uint32_t most = whole ? SG_MIN(hops.count, (uint32_t)HOPS_MAX) : 0;
    for (uint32_t i = 0; i < most; i++) {
        uint32_t at = (hops.count - 1 - i) % HOPS_MAX;
        from = hops.known[at] ? &hops.from[at] : &nobody;
        if (!hops.known[at] || !sgd_network_any(trusted, count, &from->sin6_addr))
            break;
    }
    if (there)
        *out = *from;
    return there;
}
