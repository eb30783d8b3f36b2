#include "dataplane/http/params.h"

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(struct sg_str text, struct sg_out *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i] == '+' ? ' ' : text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_of(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_of(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0')
            return false;
        sg_out_char(out, c);
    }
    return !out->full;
}

/* Takes the piece up to the next "&" off the front. */
static struct sg_str piece_next(struct sg_str *query)
{
    const char *end = memchr(query->ptr, '&', query->len);
    size_t len = end != NULL ? (size_t)(end - query->ptr) : query->len;
    struct sg_str piece = {query->ptr, len};
    *query = sg_str_skip(*query, len + 1);
    return piece;
}

enum sgd_param sgd_param_get(struct sg_str query, struct sg_str name, struct sg_out *out,
                             struct sg_str *value)
{
    SG_ASSERT(out != NULL && value != NULL);
    size_t mark = out->len;
    bool found = false;
    while (query.len > 0) {
        struct sg_str piece = piece_next(&query);
        if (!sg_str_starts(piece, name) || (piece.len > name.len && piece.ptr[name.len] != '='))
            continue;
        struct sg_str text = sg_str_skip(piece, name.len + 1);
        if (found || !decode(text, out))
            return SGD_PARAM_BAD;
        found = true;
    }
    if (!found)
        return SGD_PARAM_ABSENT;
    *value = (struct sg_str){out->ptr + mark, out->len - mark};
    return SGD_PARAM_FOUND;
}
