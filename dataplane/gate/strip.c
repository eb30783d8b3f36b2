#include "base/assert.h"
#include "base/b64url.h"
#include "base/out.h"
#include "dataplane/gate/gate.h"

/* A token is found, and taken out, wherever it may stand. In the path that is the first segment
 * ("cat:" and anything, or what is by its shape a token), and any later segment of that shape: a
 * server that resolves "/x/../" must not meet one behind us. */
#define SHAPE_CHARS_MIN 64

struct strip {
    const struct sgd_request *req;
    struct sg_out memory;
    struct sgd_stripped *out;
};

/* The first token found is the only one judged. */
static void found(struct strip *strip, enum sgd_carrier carrier, struct sg_str token)
{
    if (strip->out->carrier != SGD_CARRIER_NONE)
        return;
    strip->out->carrier = carrier;
    strip->out->token = token.ptr != NULL ? token : SG_STR("");
    if (token.len > SGD_TOKEN_TEXT_MAX)
        strip->memory.full = true; /* nobody's token: refused like what does not fit */
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `s` without percent escapes: itself where it has none, else written to memory. */
static struct sg_str decoded(struct strip *strip, struct sg_str s)
{
    if (s.len == 0 || memchr(s.ptr, '%', s.len) == NULL)
        return s;
    size_t from = strip->memory.len;
    for (size_t i = 0; i < s.len; i++) {
        int high = s.ptr[i] == '%' && i + 2 < s.len ? hex_of(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_of(s.ptr[i + 2]) : -1;
        sg_out_char(&strip->memory, low >= 0 ? (char)(high << 4 | low) : s.ptr[i]);
        i += low >= 0 ? 2 : 0;
    }
    return (struct sg_str){strip->memory.ptr + from, strip->memory.len - from};
}

/* Cuts *rest at the first `at`; what was before it is the answer. */
static struct sg_str cut(struct sg_str *rest, char at)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, at, rest->len);
    struct sg_str part = {rest->ptr, end != NULL ? (size_t)(end - rest->ptr) : rest->len};
    *rest = end != NULL ? (struct sg_str){end + 1, rest->len - part.len - 1} : SG_STR_NONE;
    return part;
}

/* ---- header and cookie ---- */

static void cookie_field(struct strip *strip, struct sg_str rest, size_t from)
{
    while (rest.ptr != NULL) {
        struct sg_str pair = sg_str_trim(cut(&rest, ';')), value = pair;
        struct sg_str name = cut(&value, '=');
        if (sg_str_eq(sg_str_trim(name), SG_STR("CTA-Common-Access-Token"))) {
            value = sg_str_trim(value);
            if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
                value = (struct sg_str){value.ptr + 1, value.len - 2};
            found(strip, SGD_CARRIER_COOKIE, value);
            continue;
        }
        if (pair.len == 0)
            continue;
        if (strip->memory.len > from)
            sg_out_lit(&strip->memory, "; ");
        sg_out_str(&strip->memory, pair);
    }
}

/* Written anew only where there is something to take out or to join. */
static void strip_cookies(struct strip *strip, struct sg_str first, bool several)
{
    static const char name[] = "CTA-Common-Access-Token";
    if (!several && memmem(first.ptr, first.len, name, sizeof(name) - 1) == NULL) {
        strip->out->cookie = first;
        return;
    }
    size_t from = strip->memory.len;
    for (uint16_t i = 0; i < strip->req->fields_count; i++)
        if (sg_str_eq(strip->req->fields[i].name, SG_STR("cookie")))
            cookie_field(strip, strip->req->fields[i].value, from);
    struct sg_str left = {strip->memory.ptr + from, strip->memory.len - from};
    strip->out->cookie = left.len > 0 ? left : SG_STR_NONE;
}

static void strip_fields(struct strip *strip)
{
    struct sg_str cookie = SG_STR_NONE;
    bool several = false;
    for (uint16_t i = 0; i < strip->req->fields_count; i++) {
        const struct sgd_field *field = &strip->req->fields[i];
        if (sg_str_eq(field->name, SG_STR("cta-common-access-token"))) {
            found(strip, SGD_CARRIER_HEADER, field->value);
        } else if (sg_str_eq(field->name, SG_STR("cookie"))) {
            several = cookie.ptr != NULL;
            cookie = field->value;
        }
    }
    if (cookie.ptr != NULL)
        strip_cookies(strip, cookie, several);
}

/* ---- path ---- */

/* What base64url makes of the tags 61(17( and 61(18( that every token begins with. */
static bool token_shaped(struct sg_str s)
{
    return s.len >= SHAPE_CHARS_MIN &&
           (sg_str_starts(s, SG_STR("2D3R")) || sg_str_starts(s, SG_STR("2D3S"))) &&
           sg_b64url_is(s);
}

/* True where `segment` is a token; *token is its text. */
static bool segment_token(struct strip *strip, struct sg_str segment, bool leading,
                          struct sg_str *token)
{
    if (segment.len < 4 || memchr("c2%", segment.ptr[0], 3) == NULL)
        return false;
    size_t mark = strip->memory.len;
    struct sg_str text = decoded(strip, segment);
    bool named = sg_str_starts(text, SG_STR("cat:"));
    *token = named ? (struct sg_str){text.ptr + 4, text.len - 4} : text;
    if ((named && leading) || token_shaped(*token))
        return true;
    strip->memory.len = mark;
    return false;
}

/* Segments that vanish when the path is normalised leave the next one leading. */
static bool segment_vanishes(struct sg_str segment)
{
    return segment.len == 0 || sg_str_eq(segment, SG_STR(".")) ||
           sg_str_eq_nocase(segment, SG_STR("%2e"));
}

/* What of the path is taken out: each a slash and the segment after it. */
struct cuts {
    struct {
        size_t from, to;
    } at[4];
    size_t count;
};

static void find_in_path(struct strip *strip, struct sg_str path, struct cuts *cuts)
{
    bool leading = true;
    for (size_t from = 0; from < path.len;) {
        struct sg_str rest = {path.ptr + from + 1, path.len - from - 1}, token;
        struct sg_str segment = cut(&rest, '/');
        size_t to = from + 1 + segment.len;
        if (segment_token(strip, segment, leading, &token)) {
            if (cuts->count == SG_COUNT(cuts->at)) {
                strip->memory.full = true; /* nobody means this */
                return;
            }
            found(strip, SGD_CARRIER_PATH, token);
            cuts->at[cuts->count].from = from;
            cuts->at[cuts->count++].to = to;
        } else {
            leading = leading && segment_vanishes(segment);
        }
        from = to;
    }
}

static void strip_path(struct strip *strip)
{
    struct sg_str path = strip->req->path;
    struct cuts cuts = {.count = 0};
    strip->out->path = path;
    if (path.len == 0 || path.ptr[0] != '/')
        return;
    find_in_path(strip, path, &cuts);
    if (cuts.count == 0)
        return;
    size_t mark = strip->memory.len, from = 0;
    for (size_t i = 0; i < cuts.count; i++) {
        sg_out_bytes(&strip->memory, path.ptr + from, cuts.at[i].from - from);
        from = cuts.at[i].to;
    }
    sg_out_bytes(&strip->memory, path.ptr + from, path.len - from);
    if (strip->memory.len == mark)
        sg_out_char(&strip->memory, '/');
    strip->out->path = (struct sg_str){strip->memory.ptr + mark, strip->memory.len - mark};
}

/* ---- query ---- */

/* The value of a parameter CAT, however its name is spelt; ptr NULL: another parameter. */
static struct sg_str query_token(struct strip *strip, struct sg_str param)
{
    struct sg_str value = param, name = cut(&value, '=');
    if (name.len < 3 || name.len > 9)
        return SG_STR_NONE;
    size_t mark = strip->memory.len;
    bool ours = sg_str_eq(decoded(strip, name), SG_STR("CAT"));
    strip->memory.len = mark;
    if (!ours)
        return SG_STR_NONE;
    return value.ptr != NULL ? decoded(strip, value) : SG_STR("");
}

static void strip_query(struct strip *strip)
{
    struct sg_str query = strip->req->query, rest = query;
    bool any = false;
    strip->out->query = query;
    if (query.len < 3 || (memmem(query.ptr, query.len, "CAT", 3) == NULL &&
                          memchr(query.ptr, '%', query.len) == NULL))
        return;
    while (rest.ptr != NULL) {
        struct sg_str token = query_token(strip, cut(&rest, '&'));
        if (token.ptr != NULL) {
            found(strip, SGD_CARRIER_QUERY, token);
            any = true;
        }
    }
    if (!any)
        return;
    size_t mark = strip->memory.len;
    for (rest = query; rest.ptr != NULL;) {
        struct sg_str param = cut(&rest, '&');
        size_t before = strip->memory.len;
        bool ours = query_token(strip, param).ptr != NULL;
        strip->memory.len = before;
        if (ours)
            continue;
        if (strip->memory.len > mark)
            sg_out_char(&strip->memory, '&');
        sg_out_str(&strip->memory, param);
    }
    size_t len = strip->memory.len - mark;
    strip->out->query = len > 0 ? (struct sg_str){strip->memory.ptr + mark, len} : SG_STR_NONE;
}

/* Only what can be a token goes into a header of ours. */
static void redirect_to_path(struct strip *strip)
{
    struct sgd_stripped *out = strip->out;
    if (out->carrier != SGD_CARRIER_QUERY || !sg_b64url_is(out->token) ||
        !sg_str_starts(out->path, SG_STR("/")))
        return;
    size_t from = strip->memory.len;
    sg_out_lit(&strip->memory, "/cat:");
    sg_out_str(&strip->memory, out->token);
    sg_out_str(&strip->memory, out->path);
    if (out->query.ptr != NULL) {
        sg_out_char(&strip->memory, '?');
        sg_out_str(&strip->memory, out->query);
    }
    out->redirect = true;
    out->location = (struct sg_str){strip->memory.ptr + from, strip->memory.len - from};
}

enum sg_err sgd_token_strip(const struct sgd_request *req, char *memory, struct sgd_stripped *out)
{
    SG_ASSERT(req != NULL && memory != NULL);
    SG_ASSERT(out != NULL);
    struct sgd_stripped stripped = {.carrier = SGD_CARRIER_NONE};
    struct strip strip = {req, sg_out_init(memory, SGD_STRIP_BYTES), &stripped};
    strip_fields(&strip);
    strip_path(&strip);
    strip_query(&strip);
    redirect_to_path(&strip);
    if (strip.memory.full)
        return SG_EMSGSIZE;
    *out = stripped;
    return SG_OK;
}
