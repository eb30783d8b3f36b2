#include "dataplane/http/sfv.h"

#include "base/assert.h"

/* What is still to be read. `bad` sticks, and then nothing is left. */
struct reader {
    const char *at, *end;
    bool bad;
};

static int peek(const struct reader *r)
{
    return r->at < r->end ? (uint8_t)*r->at : -1;
}

static void spoil(struct reader *r)
{
    r->bad = true;
    r->at = r->end;
}

static bool take(struct reader *r, char c)
{
    if (peek(r) != c)
        return false;
    r->at++;
    return true;
}

static void skip_blanks(struct reader *r, bool tabs)
{
    while (peek(r) == ' ' || (tabs && peek(r) == '\t'))
        r->at++;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(int c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_alpha(int c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(int c, const char *set)
{
    return c > 0 && strchr(set, c) != NULL;
}

static struct sg_str read_key(struct reader *r)
{
    const char *start = r->at;
    if (!is_lower(peek(r)) && peek(r) != '*') {
        spoil(r);
        return SG_STR_NONE;
    }
    while (is_lower(peek(r)) || is_digit(peek(r)) || is_one_of(peek(r), "_-.*"))
        r->at++;
    return (struct sg_str){start, (size_t)(r->at - start)};
}

/* 15 digits, or 12 and 1 to 3 behind the point. */
static void read_number(struct reader *r, struct sgd_sfv_item *item)
{
    bool minus = take(r, '-');
    uint32_t whole = 0, fraction = 0;
    for (; is_digit(peek(r)) && whole <= 15; whole++)
        item->integer = item->integer * 10 + (*r->at++ - '0');
    item->type = SGD_SFV_INTEGER;
    if (whole != 0 && take(r, '.')) {
        item->type = SGD_SFV_DECIMAL;
        for (; is_digit(peek(r)) && fraction <= 3; fraction++)
            r->at++;
        if (whole > 12 || fraction == 0 || fraction > 3)
            spoil(r);
    }
    if (whole == 0 || whole > 15)
        spoil(r);
    if (minus)
        item->integer = -item->integer;
}

static void read_string(struct reader *r, struct sgd_sfv_item *item)
{
    const char *start = ++r->at;
    item->type = SGD_SFV_STRING;
    while (peek(r) >= 0x20 && peek(r) < 0x7f && peek(r) != '"') {
        if (take(r, '\\') && !is_one_of(peek(r), "\"\\"))
            spoil(r);
        else
            r->at++;
    }
    item->text = (struct sg_str){start, (size_t)(r->at - start)};
    if (!take(r, '"'))
        spoil(r);
}

static void read_token(struct reader *r, struct sgd_sfv_item *item)
{
    item->type = SGD_SFV_TOKEN;
    while (is_alpha(peek(r)) || is_digit(peek(r)) || is_one_of(peek(r), "!#$%&'*+-.^_`|~:/"))
        r->at++;
}

static void read_bytes(struct reader *r, struct sgd_sfv_item *item)
{
    item->type = SGD_SFV_BYTES;
    r->at++;
    while (is_alpha(peek(r)) || is_digit(peek(r)) || is_one_of(peek(r), "+/="))
        r->at++;
    if (!take(r, ':'))
        spoil(r);
}

static void read_boolean(struct reader *r, struct sgd_sfv_item *item)
{
    item->type = SGD_SFV_BOOLEAN;
    r->at++;
    item->integer = peek(r) == '1';
    if (!take(r, '0') && !take(r, '1'))
        spoil(r);
}

static void read_bare(struct reader *r, struct sgd_sfv_item *item)
{
    int c = peek(r);
    *item = (struct sgd_sfv_item){.type = SGD_SFV_TOKEN};
    if (c == '-' || is_digit(c))
        read_number(r, item);
    else if (c == '"')
        read_string(r, item);
    else if (c == ':')
        read_bytes(r, item);
    else if (c == '?')
        read_boolean(r, item);
    else if (c == '*' || is_alpha(c))
        read_token(r, item);
    else
        spoil(r);
}

static void read_parameters(struct reader *r)
{
    struct sgd_sfv_item ignored;
    while (take(r, ';')) {
        skip_blanks(r, false);
        read_key(r);
        if (take(r, '='))
            read_bare(r, &ignored);
    }
}

static void read_list(struct reader *r)
{
    struct sgd_sfv_item ignored;
    r->at++;
    while (!r->bad) {
        skip_blanks(r, false);
        if (take(r, ')'))
            return;
        read_bare(r, &ignored);
        read_parameters(r);
        if (peek(r) != ' ' && peek(r) != ')')
            spoil(r);
    }
}

static void read_member(struct reader *r, struct sgd_sfv_item *item)
{
    *item = (struct sgd_sfv_item){.type = SGD_SFV_BOOLEAN, .integer = 1};
    if (take(r, '=')) {
        if (peek(r) == '(') {
            *item = (struct sgd_sfv_item){.type = SGD_SFV_LIST};
            read_list(r);
        } else {
            read_bare(r, item);
        }
    }
    read_parameters(r);
}

enum sgd_sfv_next sgd_sfv_dict_next(struct sg_str *rest, struct sg_str *key,
                                    struct sgd_sfv_item *item)
{
    SG_ASSERT(rest != NULL);
    SG_ASSERT(key != NULL);
    SG_ASSERT(item != NULL);
    if (rest->len == 0)
        return SGD_SFV_END;
    struct reader r = {rest->ptr, rest->ptr + rest->len, false};
    *key = read_key(&r);
    read_member(&r, item);
    skip_blanks(&r, true);
    if (r.at < r.end) {
        if (!take(&r, ','))
            return SGD_SFV_BAD;
        skip_blanks(&r, true);
        if (r.at == r.end)
            return SGD_SFV_BAD; /* a comma with nothing behind it */
    }
    *rest = (struct sg_str){r.at, (size_t)(r.end - r.at)};
    return r.bad ? SGD_SFV_BAD : SGD_SFV_MEMBER;
}
