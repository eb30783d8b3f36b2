#include "dataplane/origin/head.h"

/* RFC 9110 section 7.6.1, what is between us and the origin alone (11.7), and framing, which each
 * side makes for itself. The trailer section is dropped, so its announcement is too. */
static const struct sg_str dropped[] = {
    {"connection", 10},
    {"content-length", 14},
    {"keep-alive", 10},
    {"proxy-authenticate", 18},
    {"proxy-authentication-info", 25},
    {"proxy-connection", 16},
    {"te", 2},
    {"trailer", 7},
    {"transfer-encoding", 17},
    {"upgrade", 7},
};

static bool is_token_char(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct sg_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_char((unsigned char)s.ptr[i]))
            return false;
    return s.len > 0;
}

/* HTAB, SP, visible characters and obs-text. */
static bool is_text(struct sg_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

void sgd_head_begin(struct sgd_head *head, char *memory, size_t bytes)
{
    SG_ASSERT(memory != NULL);
    *head = (struct sgd_head){.lines = sg_out_init(memory, bytes)};
}

static bool read_version(struct sgd_head *head, struct sg_str *rest)
{
    static const struct {
        struct sg_str text;
        uint8_t version;
    } known[] = {{{"HTTP/1.1 ", 9}, 11}, {{"HTTP/2 ", 7}, 20}, {{"HTTP/1.0 ", 9}, 10}};
    for (size_t i = 0; i < SG_COUNT(known); i++) {
        if (!sg_str_starts(*rest, known[i].text))
            continue;
        head->version = known[i].version;
        *rest = sg_str_skip(*rest, known[i].text.len);
        return true;
    }
    return false;
}

/* 101 would end HTTP on this connection; nobody asked for it. */
static enum sgd_origin_error read_status(struct sgd_head *head, struct sg_str line)
{
    uint64_t status;
    if (!read_version(head, &line) || line.len < 3 || !is_text(line) ||
        (line.len > 3 && line.ptr[3] != ' ') ||
        !sg_str_to_u64((struct sg_str){line.ptr, 3}, &status))
        return SGD_ORIGIN_protocol;
    if (status < 100 || status > 599 || status == 101)
        return SGD_ORIGIN_protocol;
    head->status = (uint16_t)status;
    head->state = SGD_HEAD_FIELDS;
    return SGD_ORIGIN_none;
}

static enum sgd_origin_error read_length(struct sgd_head *head, struct sg_str value)
{
    uint64_t length;
    if (!sg_str_to_u64(value, &length) || length > INT64_MAX)
        return SGD_ORIGIN_protocol;
    if (head->length_known && head->length != length)
        return SGD_ORIGIN_protocol;
    head->length_known = true;
    head->length = length;
    return SGD_ORIGIN_none;
}

static enum sgd_origin_error read_coding(struct sgd_head *head, struct sg_str value)
{
    if (head->chunked || !sg_str_eq_nocase(value, SG_STR("chunked")))
        return SGD_ORIGIN_transfer_coding;
    head->chunked = true;
    return SGD_ORIGIN_none;
}

static void keep_line(struct sgd_head *head, struct sg_str name, struct sg_str value)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        sg_out_char(&head->lines, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    }
    sg_out_lit(&head->lines, ": ");
    sg_out_str(&head->lines, value);
    sg_out_lit(&head->lines, "\r\n");
}

static enum sgd_origin_error read_field(struct sgd_head *head, struct sg_str line)
{
    const char *colon = memchr(line.ptr, ':', line.len);
    if (colon == NULL) /* a folded line too, mostly */
        return SGD_ORIGIN_protocol;
    struct sg_str name = {line.ptr, (size_t)(colon - line.ptr)};
    struct sg_str value = sg_str_trim(sg_str_skip(line, name.len + 1));
    if (!is_token(name) || !is_text(value)) /* a blank is no token character */
        return SGD_ORIGIN_protocol;
    if (++head->fields_count > SGD_FIELDS_MAX)
        return SGD_ORIGIN_head_too_large;
    enum sgd_origin_error error = SGD_ORIGIN_none;
    if (sg_str_eq_nocase(name, SG_STR("content-length")))
        error = read_length(head, value);
    else if (sg_str_eq_nocase(name, SG_STR("transfer-encoding")))
        error = read_coding(head, value);
    else if (sg_str_eq_nocase(name, SG_STR("connection")))
        head->connection = true;
    keep_line(head, name, value);
    return error != SGD_ORIGIN_none ? error
           : head->lines.full       ? SGD_ORIGIN_head_too_large
                                    : SGD_ORIGIN_none;
}

/* The first line of *rest, cut in name and value; every line was written by keep_line(). */
static struct sg_str next_line(struct sg_str *rest, struct sg_str *name, struct sg_str *value)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    SG_ASSERT(end != NULL);
    struct sg_str line = {rest->ptr, (size_t)(end - rest->ptr) + 1};
    const char *colon = memchr(line.ptr, ':', line.len);
    SG_ASSERT(colon != NULL);
    *name = (struct sg_str){line.ptr, (size_t)(colon - line.ptr)};
    *value = (struct sg_str){colon + 2, line.len - name->len - 4};
    *rest = sg_str_skip(*rest, line.len);
    return line;
}

static bool list_has(struct sg_str list, struct sg_str name)
{
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        size_t len = comma != NULL ? (size_t)(comma - list.ptr) : list.len;
        if (sg_str_eq_nocase(sg_str_trim((struct sg_str){list.ptr, len}), name))
            return true;
        list = sg_str_skip(list, len + 1);
    }
    return false;
}

static bool connection_names(const struct sgd_head *head, struct sg_str name)
{
    struct sg_str rest = sg_out_view(&head->lines), field, value;
    while (head->connection && rest.len > 0) {
        next_line(&rest, &field, &value);
        if (sg_str_eq(field, SG_STR("connection")) && list_has(value, name))
            return true;
    }
    return false;
}

static bool is_dropped(const struct sgd_head *head, struct sg_str name)
{
    for (size_t i = 0; i < SG_COUNT(dropped); i++)
        if (sg_str_eq(name, dropped[i]))
            return true;
    return connection_names(head, name);
}

/* Two passes, because Connection may come after what it names: first what is dropped is marked by
 * an empty name, so that the lines stay where they are while Connection is still read. */
static void drop_hop_by_hop(struct sgd_head *head)
{
    struct sg_str rest = sg_out_view(&head->lines), name, value;
    uint32_t marks[SGD_FIELDS_MAX / 32 + 1] = {0};
    for (uint32_t i = 0; rest.len > 0; i++) {
        next_line(&rest, &name, &value);
        if (is_dropped(head, name))
            marks[i / 32] |= SG_BIT(i % 32);
    }
    rest = sg_out_view(&head->lines);
    head->lines.len = 0;
    for (uint32_t i = 0; rest.len > 0; i++) {
        struct sg_str line = next_line(&rest, &name, &value);
        if (marks[i / 32] & SG_BIT(i % 32))
            continue;
        memmove(head->lines.ptr + head->lines.len, line.ptr, line.len);
        head->lines.len += line.len;
    }
}

/* RFC 8297: what it says may be passed on. */
static void finish_interim(struct sgd_head *head)
{
    struct sg_out hints = head->hints;
    drop_hop_by_hop(head);
    if (head->status == 103 && hints.len == 0 && head->lines.len <= hints.cap)
        sg_out_str(&hints, sg_out_view(&head->lines));
    sgd_head_begin(head, head->lines.ptr, head->lines.cap);
    head->hints = hints;
}

static enum sgd_origin_error finish(struct sgd_head *head)
{
    if (head->status < 200) {
        finish_interim(head);
        return SGD_ORIGIN_none;
    }
    /* RFC 9112 section 6.3: both is an attempt to smuggle or a broken sender; and HTTP/1.0 and
     * HTTP/2 know no transfer coding (section 6.1, RFC 9113 section 8.2.2). */
    if (head->chunked && (head->length_known || head->version != 11))
        return SGD_ORIGIN_protocol;
    drop_hop_by_hop(head);
    head->state = SGD_HEAD_WHOLE;
    return SGD_ORIGIN_none;
}

enum sgd_origin_error sgd_head_line(struct sgd_head *head, const char *line, size_t len)
{
    if (head->state == SGD_HEAD_WHOLE)
        return SGD_ORIGIN_none;
    if (len < 2 || line[len - 1] != '\n' || line[len - 2] != '\r')
        return SGD_ORIGIN_protocol;
    struct sg_str text = {line, len - 2};
    if (head->state == SGD_HEAD_STATUS)
        return read_status(head, text);
    return text.len == 0 ? finish(head) : read_field(head, text);
}
