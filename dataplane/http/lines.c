#include "dataplane/http/lines.h"

#include "base/assert.h"

bool sgd_lines_next(struct sg_str *rest, struct sgd_field *field)
{
    SG_ASSERT(rest != NULL);
    SG_ASSERT(field != NULL);
    while (rest->len != 0) {
        const char *end = memchr(rest->ptr, '\n', rest->len);
        size_t used = end != NULL ? (size_t)(end - rest->ptr) + 1 : rest->len;
        struct sg_str line = {rest->ptr, used - (end != NULL)};
        *rest = sg_str_skip(*rest, used);
        if (line.len != 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        const char *colon = line.len != 0 ? memchr(line.ptr, ':', line.len) : NULL;
        if (colon == NULL)
            continue;
        field->name = (struct sg_str){line.ptr, (size_t)(colon - line.ptr)};
        field->value = sg_str_trim((struct sg_str){colon + 1, line.len - field->name.len - 1});
        return true;
    }
    return false;
}

struct sg_str sgd_lines_field(struct sg_str lines, struct sg_str name, bool *repeated)
{
    SG_ASSERT(name.len != 0);
    struct sg_str found = SG_STR_NONE;
    struct sgd_field field;
    bool again = false;
    while (sgd_lines_next(&lines, &field)) {
        if (!sg_str_eq_nocase(field.name, name))
            continue;
        if (found.ptr == NULL)
            found = field.value;
        else
            again = true;
    }
    if (repeated != NULL)
        *repeated = again;
    return found;
}
