#include "base/config_keep.h"

#include "base/config_report.h"
#include "base/config_schema.h"
#include "base/sys/cyaml.h"

struct keep {
    struct sg_out *out;
    enum sg_err err;
};

static const char *string_at(const void *member)
{
    const char *text;
    memcpy(&text, member, sizeof(text));
    return text;
}

static void *pointer_at(const void *member)
{
    void *pointer;
    memcpy(&pointer, member, sizeof(pointer));
    return pointer;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_value(const struct sg_conf_key *key, const void *a, const void *b)
{
    if (key->kind == SG_CONF_STRING || key->kind == SG_CONF_PATH)
        return same_text(string_at(a), string_at(b));
    return memcmp(a, b, key->bytes) == 0;
}

static enum sg_err take_value(const struct sg_conf_key *key, const void *from, void *to)
{
    if (key->kind == SG_CONF_STRING || key->kind == SG_CONF_PATH)
        return sg_cyaml_string_set(to, string_at(from));
    memcpy(to, from, key->bytes);
    return SG_OK;
}

static uint32_t count_at(const struct sg_conf_key *key, const char *group)
{
    uint32_t count;
    memcpy(&count, group + key->count_offset, sizeof(count));
    return count;
}

static void keep_map(struct keep *keep, const struct sg_conf_map *map, const char *path,
                     const char *a, char *b);

/* What an item is known by: its first key, where that is required text, such as a name or an
 * address. NULL: only by its place. */
static const char *item_identity(const struct sg_conf_map *map, const char *item)
{
    const struct sg_conf_key *first = &map->keys[0];
    bool text = first->kind == SG_CONF_STRING || first->kind == SG_CONF_PATH;
    return text && first->required ? string_at(item + first->offset) : NULL;
}

/* The item in b's list that is the one at place `i` of a's, or NULL. */
static char *item_again(const struct sg_conf_key *key, const char *item, uint32_t i, char *items_b,
                        uint32_t count_b)
{
    const char *name = item_identity(key->map, item);
    if (name == NULL)
        return i < count_b ? items_b + (size_t)i * key->map->bytes : NULL;
    for (uint32_t j = 0; j < count_b; j++) {
        char *other = items_b + (size_t)j * key->map->bytes;
        if (same_text(name, item_identity(key->map, other)))
            return other;
    }
    return NULL;
}

static void keep_items(struct keep *keep, const struct sg_conf_key *key, const char *path,
                       const char *a, char *b)
{
    const char *items_a = pointer_at(a + key->offset);
    char *items_b = pointer_at(b + key->offset);
    uint32_t count_a = count_at(key, a), count_b = count_at(key, b);
    for (uint32_t i = 0; i < count_a; i++) {
        char item[SG_CONF_PATH_BYTES] = "";
        struct sg_out out = sg_out_init(item, sizeof(item) - 1);
        sg_out_fmt(&out, "%s[%u]", path, i);
        const char *old = items_a + (size_t)i * key->map->bytes;
        char *again = item_again(key, old, i, items_b, count_b);
        if (again != NULL)
            keep_map(keep, key->map, item, old, again);
    }
}

static void keep_key(struct keep *keep, const struct sg_conf_key *key, const char *path,
                     const char *a, char *b)
{
    const char *at_a = a + key->offset;
    char *at_b = b + key->offset;
    if (key->kind == SG_CONF_MAP) {
        keep_map(keep, key->map, path, at_a, at_b);
    } else if (key->kind == SG_CONF_MAP_PTR) {
        if (pointer_at(at_a) != NULL && pointer_at(at_b) != NULL)
            keep_map(keep, key->map, path, pointer_at(at_a), pointer_at(at_b));
    } else if (key->kind == SG_CONF_MAPS) {
        keep_items(keep, key, path, a, b);
    } else if (key->fixed && !same_value(key, at_a, at_b)) {
        sg_out_fmt(keep->out, "%s: counts from the next start\n", path);
        if (keep->err == SG_OK)
            keep->err = take_value(key, at_a, at_b);
    }
}

/* As deep as the schema, which has no cycle. */
static void keep_map(struct keep *keep, const struct sg_conf_map *map, const char *path,
                     const char *a, char *b)
{
    for (uint32_t i = 0; i < map->count; i++) {
        char key[SG_CONF_PATH_BYTES] = "";
        struct sg_out out = sg_out_init(key, sizeof(key) - 1);
        sg_out_fmt(&out, "%s%s%s", path, path[0] != '\0' ? "." : "", map->keys[i].name);
        keep_key(keep, &map->keys[i], key, a, b);
    }
}

enum sg_err sg_conf_keep_fixed(const struct sg_config *now, struct sg_config *next,
                               struct sg_out *out)
{
    SG_ASSERT(now != NULL && next != NULL);
    struct keep keep = {out, SG_OK};
    keep_map(&keep, &sg_conf_root, "", (const char *)now, (char *)next);
    return keep.err;
}
