#include "base/json.h"

#include "base/clock.h"

static void json_escaped(struct sg_out *out, struct sg_str s);

static void json_begin(struct sg_json *json, const char *key)
{
    if (json->comma)
        sg_out_char(json->out, ',');
    json->comma = true;
    if (key != NULL) {
        json_escaped(json->out, sg_str_from(key));
        sg_out_char(json->out, ':');
    }
}

static void json_open(struct sg_json *json, const char *key, char bracket)
{
    json_begin(json, key);
    sg_out_char(json->out, bracket);
    json->comma = false;
}

static void json_close(struct sg_json *json, char bracket)
{
    sg_out_char(json->out, bracket);
    json->comma = true;
}

void sg_json_object(struct sg_json *json, const char *key)
{
    json_open(json, key, '{');
}

void sg_json_object_end(struct sg_json *json)
{
    json_close(json, '}');
}

void sg_json_array(struct sg_json *json, const char *key)
{
    json_open(json, key, '[');
}

void sg_json_array_end(struct sg_json *json)
{
    json_close(json, ']');
}

/* How many bytes of well-formed UTF-8 stand at the front: 0 for none (RFC 3629: no surrogates, no
 * overlong forms, nothing past U+10FFFF). */
static size_t utf8_at(struct sg_str s)
{
    const uint8_t *b = (const uint8_t *)s.ptr;
    size_t len = b[0] < 0x80             ? 1
                 : b[0] >> 5 == 6        ? 2
                 : b[0] >> 4 == 14       ? 3
                 : (b[0] & 0xf8) == 0xf0 ? 4
                                         : 0;
    if (len == 0 || len > s.len)
        return 0;
    uint32_t point = len == 1 ? b[0] : b[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (b[i] >> 6 != 2)
            return 0;
        point = point << 6 | (b[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    return len;
}

static void json_escaped(struct sg_out *out, struct sg_str s)
{
    sg_out_char(out, '"');
    while (s.len > 0) {
        unsigned char c = (unsigned char)s.ptr[0];
        size_t len = utf8_at(s);
        if (len == 0)
            sg_out_lit(out, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            sg_out_fmt(out, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            sg_out_fmt(out, "\\u%04x", c);
        else
            sg_out_bytes(out, s.ptr, len);
        s = sg_str_skip(s, SG_MAX(len, (size_t)1));
    }
    sg_out_char(out, '"');
}

void sg_json_str(struct sg_json *json, const char *key, struct sg_str value)
{
    json_begin(json, key);
    json_escaped(json->out, value);
}

void sg_json_text(struct sg_json *json, const char *key, const char *value)
{
    json_begin(json, key);
    if (value == NULL)
        sg_out_lit(json->out, "null");
    else
        json_escaped(json->out, sg_str_from(value));
}

void sg_json_u64(struct sg_json *json, const char *key, uint64_t value)
{
    json_begin(json, key);
    sg_out_u64(json->out, value);
}

void sg_json_i64(struct sg_json *json, const char *key, int64_t value)
{
    json_begin(json, key);
    if (value < 0)
        sg_out_char(json->out, '-');
    sg_out_u64(json->out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void sg_json_bool(struct sg_json *json, const char *key, bool value)
{
    json_begin(json, key);
    sg_out_str(json->out, value ? SG_STR("true") : SG_STR("false"));
}

void sg_json_hex(struct sg_json *json, const char *key, const void *bytes, size_t len)
{
    json_begin(json, key);
    sg_out_char(json->out, '"');
    sg_out_hex(json->out, bytes, len);
    sg_out_char(json->out, '"');
}

void sg_json_time(struct sg_json *json, const char *key, uint64_t wall_ns)
{
    struct tm tm;
    time_t seconds = (time_t)(wall_ns / SG_NS_PER_SEC);
    gmtime_r(&seconds, &tm);
    json_begin(json, key);
    sg_out_fmt(json->out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03uZ\"", tm.tm_year + 1900,
               tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
               (unsigned)(wall_ns / SG_NS_PER_MS % 1000));
}
