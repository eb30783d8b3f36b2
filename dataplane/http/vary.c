#include "dataplane/http/vary.h"

#include "dataplane/http/lines.h"

#define VARY_NAMES_MAX 32

/* Up to the next comma; with `quotes`, one that is not inside of quotes. Blanks around are trimmed.
 * False at the end. */
static bool member_next(struct sg_str *rest, bool quotes, struct sg_str *member)
{
    if (rest->len == 0)
        return false;
    size_t n = 0;
    for (bool quoted = false; n < rest->len && (quoted || rest->ptr[n] != ','); n++)
        quoted ^= quotes && rest->ptr[n] == '"';
    *member = sg_str_trim((struct sg_str){rest->ptr, n});
    *rest = sg_str_skip(*rest, n + 1);
    return true;
}

/* ---- names ---- */

struct names {
    struct sg_str at[VARY_NAMES_MAX];
    uint32_t count;
    bool star; /* "*", or more than we can hold: nothing will ever match */
};

static int compare_nocase(struct sg_str a, struct sg_str b)
{
    int order = strncasecmp(a.ptr, b.ptr, SG_MIN(a.len, b.len));
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static void name_add(struct names *names, struct sg_str name)
{
    uint32_t at = names->count;
    while (at > 0 && compare_nocase(names->at[at - 1], name) > 0)
        at--;
    if (at > 0 && compare_nocase(names->at[at - 1], name) == 0)
        return;
    if (names->count == VARY_NAMES_MAX || sg_str_eq(name, SG_STR("*"))) {
        names->star = true;
        return;
    }
    memmove(&names->at[at + 1], &names->at[at], (names->count - at) * sizeof(name));
    names->at[at] = name;
    names->count++;
}

static void write_lower(struct sg_out *out, struct sg_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        sg_out_char(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
}

bool sgd_vary_names(struct sg_str lines, struct sg_out *out, bool *star)
{
    SG_ASSERT(out != NULL);
    SG_ASSERT(star != NULL);
    struct names names = {.count = 0};
    struct sgd_field field;
    struct sg_str name;
    while (sgd_lines_next(&lines, &field)) {
        if (!sg_str_eq_nocase(field.name, SG_STR("vary")))
            continue;
        while (member_next(&field.value, false, &name)) {
            if (name.len != 0)
                name_add(&names, name);
        }
    }
    *star = names.star;
    for (uint32_t i = 0; i < names.count && !names.star; i++) {
        if (i != 0)
            sg_out_char(out, ',');
        write_lower(out, names.at[i]);
    }
    return names.star || names.count != 0;
}

/* ---- values ---- */

static const struct coding {
    struct sg_str name, alias;
} codings[] = {
    {{"br", 2}, {NULL, 0}},
    {{"gzip", 4}, {"x-gzip", 6}},
    {{"zstd", 4}, {NULL, 0}},
};

/* "q=0", "q=0.", "q=0.000": not acceptable. */
static bool weight_is_zero(struct sg_str parameters)
{
    struct sg_str q = sg_str_trim(parameters);
    if (q.len < 3 || (q.ptr[0] | 0x20) != 'q' || q.ptr[1] != '=' || q.ptr[2] != '0')
        return false;
    for (size_t i = 3; i < q.len; i++) {
        if (q.ptr[i] != '0' && q.ptr[i] != '.')
            return false;
    }
    return true;
}

/* Bits of the codings above that a member names; all of them for "*". */
static uint32_t coding_bits(struct sg_str name)
{
    if (sg_str_eq(name, SG_STR("*")))
        return SG_BIT(SG_COUNT(codings)) - 1;
    for (uint32_t i = 0; i < SG_COUNT(codings); i++) {
        if (sg_str_eq_nocase(name, codings[i].name) || sg_str_eq_nocase(name, codings[i].alias))
            return SG_BIT(i);
    }
    return 0;
}

/* "*" speaks only for what no other member names. */
static void coding_read(struct sg_str member, uint32_t *named, uint32_t *wanted, uint32_t *others)
{
    const char *semicolon = member.len != 0 ? memchr(member.ptr, ';', member.len) : NULL;
    struct sg_str name = member, weight = SG_STR_NONE;
    if (semicolon != NULL) {
        name.len = (size_t)(semicolon - member.ptr);
        weight = sg_str_skip(member, name.len + 1);
    }
    name = sg_str_trim(name);
    uint32_t bits = coding_bits(name);
    bool wants = !weight_is_zero(weight);
    if (sg_str_eq(name, SG_STR("*"))) {
        *others = wants ? bits : 0;
        return;
    }
    *named |= bits;
    *wanted = wants ? *wanted | bits : *wanted & ~bits;
}

void sgd_vary_accept_encoding(const struct sgd_request *req, struct sg_out *out)
{
    SG_ASSERT(req != NULL);
    SG_ASSERT(out != NULL);
    uint32_t named = 0, wanted = 0, others = 0;
    struct sg_str member;
    bool first = true;
    for (uint32_t i = 0; i < req->fields_count; i++) {
        struct sg_str value = req->fields[i].value;
        if (!sg_str_eq(req->fields[i].name, SG_STR("accept-encoding")))
            continue;
        while (member_next(&value, false, &member))
            coding_read(member, &named, &wanted, &others);
    }
    wanted |= others & ~named;
    for (uint32_t i = 0; i < SG_COUNT(codings); i++) {
        if (!(wanted & SG_BIT(i)))
            continue;
        if (!first)
            sg_out_lit(out, ", ");
        first = false;
        sg_out_str(out, codings[i].name);
    }
}

/* All lines of the field as one list without blanks around its commas; nothing when it is absent,
 * which is not the same as empty. Of languages the case says nothing (RFC 5646 section 2.1.1);
 * their order may (RFC 9110 section 12.5.4). */
static void write_value(const struct sgd_request *req, struct sg_str name, struct sg_out *out)
{
    struct sg_str member;
    bool first = true, languages = sg_str_eq(name, SG_STR("accept-language"));
    for (uint32_t i = 0; i < req->fields_count; i++) {
        struct sg_str value = req->fields[i].value;
        if (!sg_str_eq(req->fields[i].name, name))
            continue;
        if (first)
            sg_out_char(out, ':');
        else
            sg_out_char(out, ',');
        first = false;
        for (bool inner = false; member_next(&value, true, &member); inner = true) {
            if (inner)
                sg_out_char(out, ',');
            if (languages)
                write_lower(out, member);
            else
                sg_out_str(out, member);
        }
    }
}

void sgd_vary_key(const struct sgd_request *req, struct sg_str names, struct sg_out *out)
{
    SG_ASSERT(req != NULL);
    SG_ASSERT(out != NULL);
    struct sg_str name;
    while (member_next(&names, false, &name)) {
        sg_out_char(out, '\n');
        sg_out_str(out, name);
        if (sg_str_eq(name, SG_STR("accept-encoding"))) {
            sg_out_char(out, ':');
            sgd_vary_accept_encoding(req, out);
        } else if (sg_str_eq(name, SG_STR("host"))) { /* it is no field any more */
            sg_out_char(out, ':');
            sg_out_str(out, req->authority);
        } else {
            write_value(req, name, out);
        }
    }
}
