#include "base/config_form.h"

#include "base/assert.h"
#include "base/caip.h"
#include "base/secret.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS     "0123456789"
#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TOKEN      DIGITS LETTERS "!#$%&'*+-.^_`|~"
#define NAME_MAX_  64
#define HOST_BYTES 253

static bool only_of(const char *text, size_t len, const char *set)
{
    return strspn(text, set) >= len;
}

static const char *form_any(const char *text)
{
    return *text != '\0' ? NULL : "is empty";
}

static const char *form_name(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > NAME_MAX_)
        return len == 0 ? "is empty" : "is too long";
    return only_of(text, len, DIGITS LETTERS "._-") ? NULL : "has a character that no name has";
}

/* `port` with what precedes it cut off; true for 1 .. 65535. */
static bool port_ok(const char *port)
{
    uint64_t n;
    return sg_str_to_u64(sg_str_from(port), &n) && n >= 1 && n <= 65535;
}

/* Splits "a.b.c.d:port" or "[v6]:port" into a numeric address. */
static const char *address_split(const char *text, uint8_t address[16], int *family)
{
    char host[INET6_ADDRSTRLEN];
    bool v6 = text[0] == '[';
    const char *end = v6 ? strchr(text, ']') : strrchr(text, ':');
    const char *port = end == NULL ? NULL : v6 ? end + 1 : end;
    if (port == NULL || *port != ':')
        return "has no port";
    if (!port_ok(port + 1))
        return "has a port that is not 1 to 65535";
    size_t len = (size_t)(end - text) - (v6 ? 1 : 0);
    if (len == 0 || len >= sizeof(host))
        return "is no numeric address";
    memcpy(host, text + (v6 ? 1 : 0), len);
    host[len] = '\0';
    *family = v6 ? AF_INET6 : AF_INET;
    return inet_pton(*family, host, address) == 1 ? NULL : "is no numeric address";
}

static const char *form_address(const char *text)
{
    uint8_t address[16];
    int family;
    return address_split(text, address, &family);
}

static const char *form_loopback(const char *text)
{
    uint8_t address[16];
    int family;
    const char *fault = address_split(text, address, &family);
    if (fault != NULL)
        return fault;
    bool loopback = family == AF_INET ? address[0] == 127
                                      : memcmp(address, &in6addr_loopback, sizeof(address)) == 0;
    return loopback ? NULL : "is not a loopback address";
}

static const char *form_network(const char *text)
{
    char host[INET6_ADDRSTRLEN];
    uint8_t address[16];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    if (len == 0 || len >= sizeof(host))
        return "is no numeric network";
    memcpy(host, text, len);
    host[len] = '\0';
    bool v4 = inet_pton(AF_INET, host, address) == 1;
    if (!v4 && inet_pton(AF_INET6, host, address) != 1)
        return "is no numeric network";
    uint64_t bits = 0, most = v4 ? 32 : 128;
    if (slash == NULL)
        return NULL;
    if (!sg_str_to_u64(sg_str_from(slash + 1), &bits) || bits > most)
        return v4 ? "has a prefix length that is not 0 to 32"
                  : "has a prefix length that is not 0 to 128";
    for (uint64_t bit = bits; bit < most; bit++)
        if (address[bit / 8] & (0x80 >> bit % 8))
            return "has address bits behind its prefix length";
    return NULL;
}

static bool host_ok(const char *host, size_t len)
{
    if (len == 0 || len > HOST_BYTES || host[0] == '.' || host[0] == '-')
        return false;
    for (size_t i = 1; i < len; i++)
        if (host[i] == '.' && host[i - 1] == '.')
            return false;
    return only_of(host, len, DIGITS LETTERS ".-_");
}

/* What follows "scheme://" up to the path: host or [v6], and maybe a port. */
static const char *authority_fault(const char *text, size_t len)
{
    char authority[HOST_BYTES + 8];
    if (len == 0 || len >= sizeof(authority))
        return "has no host";
    memcpy(authority, text, len);
    authority[len] = '\0';
    if (strchr(authority, '@') != NULL)
        return "has a user or password in it";
    char *end = authority[0] == '[' ? strchr(authority, ']') : NULL;
    char *port = strchr(end != NULL ? end : authority, ':');
    if (port != NULL) {
        *port = '\0';
        if (!port_ok(port + 1))
            return "has a port that is not 1 to 65535";
    }
    if (end != NULL) {
        uint8_t address[16];
        *end = '\0';
        return inet_pton(AF_INET6, authority + 1, address) == 1 ? NULL : "is no numeric address";
    }
    return host_ok(authority, strlen(authority)) ? NULL : "has a malformed host";
}

static const char *form_origin_url(const char *text)
{
    const char *rest = strstr(text, "://");
    if (strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0)
        return "does not begin with http:// or https://";
    rest += 3;
    if (strpbrk(rest, "?# \t\\") != NULL)
        return "has a query, a fragment, a backslash or a blank";
    return authority_fault(rest, strcspn(rest, "/"));
}

static const char *form_host(const char *text)
{
    return authority_fault(text, strlen(text));
}

static const char *form_host_pattern(const char *text)
{
    if (strcmp(text, "*") == 0)
        return NULL;
    const char *host = strncmp(text, "*.", 2) == 0 ? text + 2 : text;
    for (const char *c = host; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            return "has upper-case letters: hosts are compared in lower case";
    return host_ok(host, strlen(host)) ? NULL : "is no host name, and no port belongs here";
}

static const char *form_url_path(const char *text)
{
    if (text[0] != '/')
        return "does not begin with '/'";
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("?#\\", *c) != NULL)
            return "has a character that no path has";
    if (strstr(text, "/../") != NULL || strstr(text, "/./") != NULL || strstr(text, "//") != NULL)
        return "has an empty or dot segment";
    return NULL;
}

static const char *form_field_name(const char *text)
{
    return *text != '\0' && only_of(text, strlen(text), TOKEN) ? NULL : "is no field name";
}

static const char *form_field_line(const char *text)
{
    size_t name = strspn(text, TOKEN);
    if (name == 0 || text[name] != ':')
        return "is no field line";
    for (const char *c = text + name; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return "has a control character";
    return NULL;
}

static const char *form_country(const char *text)
{
    bool two = strlen(text) == 2 && only_of(text, 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return two ? NULL : "is no country in two upper-case letters";
}

#define METHOD_BYTES_MAX 32 /* what the dataplane reads */
static const char *form_method(const char *text)
{
    static const char *const own[] = {"GET", "HEAD", "CONNECT", "TRACE"};
    for (size_t i = 0; i < SG_COUNT(own); i++)
        if (strcmp(text, own[i]) == 0)
            return "is no method that can be passed through";
    bool fits = text[0] != 0 && strlen(text) <= METHOD_BYTES_MAX;
    return fits && only_of(text, strlen(text), TOKEN) ? NULL : "is no method";
}

static const char *form_cors_origin(const char *text)
{
    if (strcmp(text, "*") == 0)
        return NULL;
    const char *fault = form_origin_url(text);
    if (fault == NULL && strchr(strstr(text, "://") + 3, '/') != NULL)
        return "has a path, which no origin has";
    return fault;
}

static const char *form_log_level(const char *text)
{
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    for (size_t i = 0; i < SG_COUNT(levels); i++)
        if (strcmp(text, levels[i]) == 0)
            return NULL;
    return "is no level";
}

static const char *form_power_of_two(const char *text)
{
    unsigned long long n;
    return sg_conf_size_parse(text, &n) && n != 0 && (n & (n - 1)) == 0 ? NULL
                                                                        : "is no power of two";
}

/* Reads the beginning of a file; what is wrong when that fails. */
static const char *file_begin(const char *path, char *bytes, size_t cap)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return strerrordesc_np(errno) != NULL ? strerrordesc_np(errno) : "cannot be read";
    size_t len = fread(bytes, 1, cap - 1, file);
    bool failed = ferror(file) != 0; /* a folder opens, and then does not read */
    fclose(file);
    bytes[len] = '\0';
    return failed ? "cannot be read" : NULL;
}

static const char *form_file(const char *text)
{
    char bytes[2];
    return file_begin(text, bytes, sizeof(bytes));
}

#define PEM_BYTES 65536

static const char *pem_fault(const char *path, const char *label, const char *absent)
{
    static _Thread_local char bytes[PEM_BYTES]; /* comments may precede what is looked for */
    const char *fault = file_begin(path, bytes, sizeof(bytes));
    /* what a sealed file holds is seen when it is opened */
    if (fault == NULL && !sg_secret_is_sealed(sg_str_from(bytes)) && strstr(bytes, label) == NULL)
        fault = absent;
    explicit_bzero(bytes, sizeof(bytes)); /* it may have been a private key */
    return fault;
}

static const char *form_certificate(const char *text)
{
    return pem_fault(text, "-----BEGIN CERTIFICATE-----", "has no PEM certificate in it");
}

static const char *form_private_key(const char *text)
{
    return pem_fault(text, "PRIVATE KEY-----", "has no PEM private key in it");
}

static const char *form_chain(const char *text)
{
    struct sg_caip_chain chain;
    return sg_caip_chain_read(sg_str_from(text), &chain) ? NULL : "is no CAIP-2 name";
}

static const char *form_evm_address(const char *text)
{
    char account[128];
    struct sg_caip_account read;
    int len = snprintf(account, sizeof(account), "eip155:1:%s", text);
    bool right = len < (int)sizeof(account) && sg_caip_account_read(sg_str_from(account), &read);
    return right ? NULL : "is no address";
}

static const char *form_slot(const char *text)
{
    struct sg_u256 slot;
    return sg_u256_read(sg_str_from(text), &slot) ? NULL : "is no number of 256 bits";
}

static const char *form_ws_url(const char *text)
{
    struct sg_str rest = sg_str_from(text);
    size_t scheme = sg_str_starts(rest, SG_STR("ws://"))    ? 5
                    : sg_str_starts(rest, SG_STR("wss://")) ? 6
                                                            : 0;
    if (scheme == 0)
        return "is no ws:// or wss:// URL";
    size_t host_len = strcspn(text + scheme, "/");
    if (host_len == 0 || strcspn(text + scheme, "@?#") < host_len)
        return "has no host, or more than a host and a port in its place";
    return strpbrk(text, " \t\r\n#") != NULL ? "has blanks or a fragment" : NULL;
}

static const char *form_contract(const char *text)
{
    struct sg_caip_asset asset;
    if (!sg_caip_asset_read(sg_str_from(text), &asset))
        return "is no CAIP-19 name";
    return asset.has_id ? "names one token: contracts are followed whole" : NULL;
}

static const struct {
    const char *(*fault)(const char *text);
    const char *right;
} forms[] = {
#define FORM_ROW(name, check, right) [SG_CONF_FORM_##name] = {check, right},
    SG_CONF_FORMS(FORM_ROW)
#undef FORM_ROW
};

const char *sg_conf_form_fault(enum sg_conf_form form, const char *text)
{
    SG_ASSERT((size_t)form < SG_COUNT(forms));
    SG_ASSERT(text != NULL);
    return forms[form].fault(text);
}

const char *sg_conf_form_right(enum sg_conf_form form)
{
    SG_ASSERT((size_t)form < SG_COUNT(forms));
    return forms[form].right;
}

bool sg_conf_size_parse(const char *text, unsigned long long *bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    uint64_t n;
    size_t digits = strspn(text, DIGITS);
    const char *unit = text + digits + strspn(text + digits, " ");
    if (!sg_str_to_u64((struct sg_str){text, digits}, &n))
        return false;
    if (*unit == '\0') {
        *bytes = n;
        return true;
    }
    for (size_t i = 0; i < SG_COUNT(units); i++) {
        if (strcmp(unit, units[i]) != 0)
            continue;
        if (n > UINT64_MAX >> (10 * i))
            return false;
        *bytes = n << (10 * i);
        return true;
    }
    return false;
}
