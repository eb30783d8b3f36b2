#include "dataplane/http/head1.h"

#include "base/assert.h"
#include "dataplane/http/authority.h"
#include "dataplane/http/scan.h"
#include "dataplane/http/token.h"

/* What a target may hold: RFC 3986, and beside it what browsers leave as it is (the sets of the URL
 * standard), since refusing that would refuse people. */
enum { IN_PATH = 1, IN_QUERY = 2 };
#define BOTH (IN_PATH | IN_QUERY)
static const uint8_t target_classes[256] = {
    ['a' ... 'z'] = BOTH, ['A' ... 'Z'] = BOTH, ['0' ... '9'] = BOTH, ['-'] = BOTH,
    ['.'] = BOTH,         ['_'] = BOTH,         ['~'] = BOTH,         ['!'] = BOTH,
    ['$'] = BOTH,         ['&'] = BOTH,         ['\''] = BOTH,        ['('] = BOTH,
    [')'] = BOTH,         ['*'] = BOTH,         ['+'] = BOTH,         [','] = BOTH,
    [';'] = BOTH,         ['='] = BOTH,         [':'] = BOTH,         ['@'] = BOTH,
    ['/'] = BOTH,         ['%'] = BOTH,         ['['] = BOTH,         [']'] = BOTH,
    ['|'] = BOTH,         ['^'] = BOTH,         ['?'] = IN_QUERY,     ['\\'] = IN_QUERY,
    ['`'] = IN_QUERY,     ['{'] = IN_QUERY,     ['}'] = IN_QUERY,
};

void sgd_head1_begin(struct sgd_head1 *head, const struct sgd_head1_limits *limits)
{
    SG_ASSERT(head != NULL);
    SG_ASSERT(limits != NULL && limits->fields <= SGD_FIELDS_MAX);
    memset(head, 0, offsetof(struct sgd_head1, fields));
    head->limits = *limits;
}

/* Every reader below returns SGD_CLOSE_none when all is well. */

/* ---- the request line ---- */

static size_t span_of(struct sg_str s, size_t at, uint8_t class)
{
    while (at < s.len && (target_classes[(uint8_t)s.ptr[at]] & class))
        at++;
    return at;
}

/* "/path", "/path?query"; what has no path yet, "" and "?query", has the path "/". */
static enum sgd_close read_path(struct sgd_head1 *head, struct sg_str s)
{
    size_t path = span_of(s, 0, IN_PATH);
    head->path = path != 0 ? (struct sg_str){s.ptr, path} : SG_STR("/");
    if (path == s.len)
        return SGD_CLOSE_none;
    if (s.ptr[path] != '?' || span_of(s, path + 1, IN_QUERY) != s.len)
        return SGD_CLOSE_http_bad_target;
    head->query = (struct sg_str){s.ptr + path + 1, s.len - path - 1};
    return SGD_CLOSE_none;
}

static bool starts_nocase(struct sg_str s, struct sg_str prefix)
{
    return s.len >= prefix.len && strncasecmp(s.ptr, prefix.ptr, prefix.len) == 0;
}

static enum sgd_close read_absolute(struct sgd_head1 *head)
{
    struct sg_str s = head->target;
    head->absolute = true;
    head->absolute_https = starts_nocase(s, SG_STR("https://"));
    if (!head->absolute_https && !starts_nocase(s, SG_STR("http://")))
        return SGD_CLOSE_http_bad_target;
    s = sg_str_skip(s, head->absolute_https ? 8 : 7);
    size_t host = 0;
    while (host < s.len && s.ptr[host] != '/' && s.ptr[host] != '?' && s.ptr[host] != '#')
        host++;
    head->authority = (struct sg_str){s.ptr, host};
    if (host == s.len && head->method == SGD_METHOD_OPTIONS) {
        head->path = SG_STR("*"); /* RFC 9112 section 3.2.4 */
        return SGD_CLOSE_none;
    }
    return read_path(head, sg_str_skip(s, host));
}

static enum sgd_close read_target(struct sgd_head1 *head)
{
    if (sg_str_eq(head->method_text, SG_STR("CONNECT")))
        return SGD_CLOSE_http_connect;
    if (head->target.ptr[0] == '/')
        return read_path(head, head->target);
    if (!sg_str_eq(head->target, SG_STR("*")))
        return read_absolute(head);
    head->path = head->target;
    return head->method == SGD_METHOD_OPTIONS ? SGD_CLOSE_none : SGD_CLOSE_http_bad_target;
}

/* A higher minor version is served as 1.1 (RFC 9110 section 2.5). */
static enum sgd_close read_version(struct sgd_head1 *head, struct sg_str s)
{
    if (s.len == 0 || memchr(s.ptr, ' ', s.len) != NULL)
        return SGD_CLOSE_http_bad_request_line;
    if (s.len != 8 || memcmp(s.ptr, "HTTP/", 5) != 0 || s.ptr[6] != '.')
        return SGD_CLOSE_http_bad_version;
    unsigned major = (uint8_t)s.ptr[5] - '0', minor = (uint8_t)s.ptr[7] - '0';
    if (major > 9 || minor > 9)
        return SGD_CLOSE_http_bad_version;
    if (major != 1)
        return SGD_CLOSE_http_version_unsupported;
    head->minor = (uint8_t)minor;
    return SGD_CLOSE_none;
}

static struct sg_str until_blank(struct sg_str s)
{
    const char *blank = s.len != 0 ? memchr(s.ptr, ' ', s.len) : NULL;
    return blank != NULL ? (struct sg_str){s.ptr, (size_t)(blank - s.ptr)} : s;
}

static enum sgd_close read_request_line(struct sgd_head1 *head, struct sg_str line)
{
    head->begun = true;
    head->method_text = until_blank(line);
    if (!sgd_token_is(head->method_text))
        return SGD_CLOSE_http_bad_method;
    struct sg_str rest = sg_str_skip(line, head->method_text.len + 1);
    head->target = until_blank(rest);
    rest = sg_str_skip(rest, head->target.len + 1);
    if (head->target.len == 0)
        return SGD_CLOSE_http_bad_request_line;
    enum sgd_close why = read_version(head, rest);
    if (why != SGD_CLOSE_none)
        return why;
    if (head->method_text.len > SGD_HEAD1_METHOD_MAX)
        return SGD_CLOSE_http_method_too_long;
    head->method = sgd_method_of(head->method_text);
    return read_target(head);
}

/* ---- fields that mean something to the connection ---- */

static bool member_next(struct sg_str *rest, struct sg_str *member)
{
    if (rest->len == 0)
        return false;
    const char *comma = memchr(rest->ptr, ',', rest->len);
    size_t n = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
    *member = sg_str_trim((struct sg_str){rest->ptr, n});
    *rest = sg_str_skip(*rest, n + 1);
    return true;
}

static enum sgd_close read_host(struct sgd_head1 *head, struct sg_str value)
{
    if (head->has_host)
        return SGD_CLOSE_http_bad_host;
    head->has_host = true;
    head->host = value;
    return SGD_CLOSE_none;
}

/* One line, digits only: a list of equal lengths is as much a sign of smuggling as any. */
static enum sgd_close read_length(struct sgd_head1 *head, struct sg_str value)
{
    if (head->has_length || !sg_str_to_u64(value, &head->length) ||
        head->length == SGD_LENGTH_UNKNOWN)
        return SGD_CLOSE_http_bad_length;
    head->has_length = true;
    return SGD_CLOSE_none;
}

static enum sgd_close read_codings(struct sgd_head1 *head, struct sg_str value)
{
    struct sg_str coding;
    head->has_coding = true;
    if (value.len == 0 || value.ptr[value.len - 1] == ',')
        return SGD_CLOSE_http_bad_transfer_encoding;
    while (member_next(&value, &coding)) {
        if (!sgd_token_is(coding) || head->chunked)
            return SGD_CLOSE_http_bad_transfer_encoding; /* nothing may follow chunked */
        head->chunked = sg_str_eq_nocase(coding, SG_STR("chunked"));
        head->coding_unknown |= !head->chunked;
    }
    return SGD_CLOSE_none;
}

/* True: it names other fields, so it is needed until the end. */
static bool read_connection(struct sgd_head1 *head, struct sg_str value)
{
    struct sg_str option;
    bool names = false;
    while (member_next(&value, &option)) {
        if (sg_str_eq_nocase(option, SG_STR("close")))
            head->close = true;
        else if (sg_str_eq_nocase(option, SG_STR("keep-alive")))
            head->keep_alive = true;
        else
            names |= option.len != 0;
    }
    head->options_other |= names;
    return names;
}

static enum sgd_close read_expect(struct sgd_head1 *head, struct sg_str value)
{
    if (head->minor == 0)
        return SGD_CLOSE_none; /* RFC 9110 section 10.1.1 */
    if (!sg_str_eq_nocase(value, SG_STR("100-continue")))
        return SGD_CLOSE_http_expectation;
    head->expect_continue = true;
    return SGD_CLOSE_none;
}

enum field_kind { OWN, HOST, LENGTH, CODING, CONNECTION, EXPECT, HOP };

static enum field_kind kind_of(struct sg_str name)
{
#define IS(text) (memcmp(name.ptr, text, sizeof(text) - 1) == 0)
    switch (name.len) {
    case 2:
        return IS("te") ? HOP : OWN;
    case 4:
        return IS("host") ? HOST : OWN;
    case 6:
        return IS("expect") ? EXPECT : OWN;
    case 7:
        return IS("upgrade") || IS("trailer") ? HOP : OWN;
    case 10:
        return IS("connection") ? CONNECTION : IS("keep-alive") ? HOP : OWN;
    case 14:
        return IS("content-length") ? LENGTH : OWN;
    case 16:
        return IS("proxy-connection") ? HOP : OWN;
    case 17:
        return IS("transfer-encoding") ? CODING : OWN;
    default:
        return OWN;
    }
#undef IS
}

static void keep_field(struct sgd_head1 *head, const struct sgd_field *field)
{
    head->fields[head->fields_count++] = *field;
}

static enum sgd_close sort_field(struct sgd_head1 *head, const struct sgd_field *field)
{
    switch (kind_of(field->name)) {
    case OWN:
        keep_field(head, field);
        return SGD_CLOSE_none;
    case HOST:
        return read_host(head, field->value);
    case LENGTH:
        return read_length(head, field->value);
    case CODING:
        return read_codings(head, field->value);
    case CONNECTION:
        if (read_connection(head, field->value))
            keep_field(head, field);
        return SGD_CLOSE_none;
    case EXPECT:
        return read_expect(head, field->value);
    case HOP:
        return SGD_CLOSE_none;
    }
    SG_UNREACHABLE();
}

static enum sgd_close read_field_line(struct sgd_head1 *head, char *line, size_t len)
{
    size_t n = 0;
    if (line[0] == ' ' || line[0] == '\t')
        return SGD_CLOSE_http_obs_fold;
    if (++head->lines_count > head->limits.fields)
        return SGD_CLOSE_http_too_many_fields;
    for (char c; n < len && (c = sgd_token_lower[(uint8_t)line[n]]) != 0; n++)
        line[n] = c;
    if (n == 0 || n == len || line[n] != ':')
        return SGD_CLOSE_http_bad_field_name;
    struct sgd_field field = {
        .name = {line, n},
        .value = sg_str_trim((struct sg_str){line + n + 1, len - n - 1}),
    };
    return sort_field(head, &field);
}

/* ---- the whole ---- */

static bool is_named_by_connection(const struct sgd_head1 *head, struct sg_str name)
{
    struct sg_str option;
    for (uint32_t i = 0; i < head->fields_count; i++) {
        struct sg_str value = head->fields[i].value;
        if (kind_of(head->fields[i].name) != CONNECTION)
            continue;
        while (member_next(&value, &option)) {
            if (sg_str_eq_nocase(option, name))
                return true;
        }
    }
    return false;
}

/* Connection's fields end here (RFC 9110 section 7.6.1). They are marked first, since what names
 * them is among them. */
static void drop_named_fields(struct sgd_head1 *head)
{
    bool drop[SGD_FIELDS_MAX];
    uint16_t kept = 0;
    for (uint32_t i = 0; i < head->fields_count; i++) {
        struct sg_str name = head->fields[i].name;
        drop[i] = kind_of(name) == CONNECTION || is_named_by_connection(head, name);
    }
    for (uint32_t i = 0; i < head->fields_count; i++) {
        if (!drop[i])
            head->fields[kept++] = head->fields[i];
    }
    head->fields_count = kept;
}

/* `text` lies in the caller's bytes, which are ours to change. */
static bool read_authority(struct sgd_head1 *head, struct sg_str text, struct sg_str *out)
{
    return text.len != 0 &&
           sgd_authority_read((char *)(uintptr_t)text.ptr, text.len, head->limits.https, out);
}

/* The target's word and Host's must be one (RFC 9112 section 3.2). */
static enum sgd_close settle_authority(struct sgd_head1 *head, struct sg_str *out)
{
    struct sg_str host = SG_STR_NONE, target = SG_STR_NONE;
    if (!head->has_host && head->minor != 0)
        return SGD_CLOSE_http_no_host;
    if (head->has_host && !read_authority(head, head->host, &host))
        return SGD_CLOSE_http_bad_host;
    *out = host;
    if (!head->absolute)
        return SGD_CLOSE_none;
    if (!read_authority(head, head->authority, &target))
        return SGD_CLOSE_http_bad_target;
    if (head->has_host && !sg_str_eq(host, target))
        return SGD_CLOSE_http_bad_host;
    *out = target;
    return head->absolute_https == head->limits.https ? SGD_CLOSE_none : SGD_CLOSE_http_misdirected;
}

/* RFC 9112 section 6.3, and 6.1 for HTTP/1.0. */
static enum sgd_close settle_framing(const struct sgd_head1 *head)
{
    if (!head->has_coding)
        return SGD_CLOSE_none;
    if (head->has_length)
        return SGD_CLOSE_http_length_and_chunked;
    if (!head->chunked || head->minor == 0)
        return SGD_CLOSE_http_bad_transfer_encoding;
    return head->coding_unknown ? SGD_CLOSE_http_coding_unknown : SGD_CLOSE_none;
}

static enum sgd_close finish(struct sgd_head1 *head, struct sgd_request *req)
{
    struct sg_str authority = SG_STR_NONE;
    enum sgd_close why = settle_framing(head);
    if (why == SGD_CLOSE_none)
        why = settle_authority(head, &authority);
    if (why != SGD_CLOSE_none)
        return why;
    if (head->options_other)
        drop_named_fields(head);
    *req = (struct sgd_request){
        .method = head->method,
        .method_text = head->method_text,
        .https = head->limits.https,
        .authority = authority,
        .path = head->path,
        .query = head->query,
        .fields = head->fields,
        .fields_count = head->fields_count,
        .has_body = head->chunked || head->length != 0,
        .body_bytes = head->chunked ? SGD_LENGTH_UNKNOWN : head->length,
        .expect_continue = head->expect_continue && (head->chunked || head->length != 0),
        .version = head->minor == 0 ? "1.0" : "1.1",
    };
    return SGD_CLOSE_none;
}

/* What a control character at `stop`, in the line from head->at on, is. */
static enum sgd_close name_control(const struct sgd_head1 *head, const char *bytes, size_t stop)
{
    if (bytes[stop] == '\n')
        return SGD_CLOSE_http_bare_lf;
    if (!head->begun)
        return SGD_CLOSE_http_bad_request_line;
    return memchr(bytes + head->at, ':', stop - head->at) != NULL ? SGD_CLOSE_http_bad_field_value
                                                                  : SGD_CLOSE_http_bad_field_name;
}

/* One line that ended. */
static enum sgd_close read_line(struct sgd_head1 *head, char *line, size_t len)
{
    if (head->begun)
        return read_field_line(head, line, len);
    if (len == 0 && !head->empty_line) {
        head->empty_line = true; /* RFC 9112 section 2.2: at least one is passed over; one is */
        return SGD_CLOSE_none;
    }
    return read_request_line(head, (struct sg_str){line, len});
}

enum sgd_head1_result sgd_head1_read(struct sgd_head1 *head, char *bytes, size_t len,
                                     struct sgd_request *req, enum sgd_close *why)
{
    SG_ASSERT(head != NULL);
    SG_ASSERT(len >= head->scanned);
    for (;;) {
        size_t stop = sgd_scan_control(bytes, head->scanned, len), start = head->at;
        head->scanned = (uint32_t)stop;
        if (stop + 2 > head->limits.head_bytes) {
            *why = head->begun ? SGD_CLOSE_http_head_too_large : SGD_CLOSE_http_uri_too_long;
            return SGD_HEAD1_BAD;
        }
        if (stop == len || (bytes[stop] == '\r' && stop + 1 == len))
            return SGD_HEAD1_MORE;
        if (bytes[stop] != '\r' || bytes[stop + 1] != '\n') {
            *why = name_control(head, bytes, stop);
            return SGD_HEAD1_BAD;
        }
        head->at = head->scanned = (uint32_t)stop + 2;
        bool last = head->begun && stop == start;
        *why = last ? finish(head, req) : read_line(head, bytes + start, stop - start);
        if (*why != SGD_CLOSE_none)
            return SGD_HEAD1_BAD;
        if (last)
            return SGD_HEAD1_DONE;
    }
}
