#include "dataplane/http/authority.h"

#include "base/assert.h"

#include <arpa/inet.h>

/* A host name's characters: RFC 3986's unreserved, upper case mapped to lower; 0: not one. */
static const char name_chars[256] = {
    ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g',
    ['h'] = 'h', ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n',
    ['o'] = 'o', ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u',
    ['v'] = 'v', ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b',
    ['C'] = 'c', ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i',
    ['J'] = 'j', ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p',
    ['Q'] = 'q', ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w',
    ['X'] = 'x', ['Y'] = 'y', ['Z'] = 'z', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3',
    ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['-'] = '-',
    ['.'] = '.', ['_'] = '_', ['~'] = '~',
};

/* "[...]" with its brackets; its length, or 0. */
static size_t literal_len(char *text, size_t len)
{
    char inner[INET6_ADDRSTRLEN];
    struct in6_addr ignored;
    char *end = memchr(text, ']', len);
    size_t n = end != NULL ? (size_t)(end - text) - 1 : 0;
    if (n == 0 || n >= sizeof(inner))
        return 0;
    for (size_t i = 1; i <= n; i++) {
        if (text[i] >= 'A' && text[i] <= 'F')
            text[i] = (char)(text[i] | 0x20);
    }
    memcpy(inner, text + 1, n);
    inner[n] = 0;
    return inet_pton(AF_INET6, inner, &ignored) == 1 ? n + 2 : 0;
}

static size_t name_len(char *text, size_t len)
{
    size_t n = 0;
    for (; n < len && name_chars[(uint8_t)text[n]] != 0; n++)
        text[n] = name_chars[(uint8_t)text[n]];
    return n;
}

bool sgd_authority_read(char *text, size_t len, bool https, struct sg_str *out)
{
    SG_ASSERT(text != NULL);
    SG_ASSERT(out != NULL);
    uint64_t port;
    size_t host = len != 0 && text[0] == '[' ? literal_len(text, len) : name_len(text, len);
    if (host == 0 || (host < len && text[host] != ':'))
        return false;
    struct sg_str digits = sg_str_skip((struct sg_str){text, len}, host + 1);
    if (digits.len == 0) {
        *out = (struct sg_str){text, host};
        return true;
    }
    if (digits.ptr[0] == '0' || !sg_str_to_u64(digits, &port) || port > 65535)
        return false;
    *out = (struct sg_str){text, port == (https ? 443 : 80) ? host : len};
    return true;
}
