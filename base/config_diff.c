#include "base/config_diff.h"

#include "base/config_report.h"
#include "base/config_schema.h"

struct diff {
    struct sg_out *out;
    uint32_t count;
};

static const char *string_at(const void *member)
{
    const char *text;
    memcpy(&text, member, sizeof(text));
    return text;
}

static const void *pointer_at(const void *member)
{
    const void *pointer;
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

static uint32_t count_at(const struct sg_conf_key *key, const char *group)
{
    uint32_t count;
    memcpy(&count, group + key->count_offset, sizeof(count));
    return count;
}

static void diff_map(struct diff *diff, const struct sg_conf_map *map, const char *path,
                     const char *a, const char *b);

/* What an item is known by: its first key, where that is required text, such as a name or an
 * address. NULL: only by its place. */
static const char *item_identity(const struct sg_conf_map *map, const char *item)
{
    const struct sg_conf_key *first = &map->keys[0];
    bool text = first->kind == SG_CONF_STRING || first->kind == SG_CONF_PATH;
    return text && first->required ? string_at(item + first->offset) : NULL;
}

/* The item in b's list that is the one at place `i` of a's, or NULL. */
static const char *item_again(const struct sg_conf_key *key, const char *item, uint32_t i,
                              const char *items_b, uint32_t count_b)
{
    const char *name = item_identity(key->map, item);
    if (name == NULL)
        return i < count_b ? items_b + (size_t)i * key->map->bytes : NULL;
    for (uint32_t j = 0; j < count_b; j++) {
        const char *other = items_b + (size_t)j * key->map->bytes;
        if (same_text(name, item_identity(key->map, other)))
            return other;
    }
    return NULL;
}

static void diff_items(struct diff *diff, const struct sg_conf_key *key, const char *path,
                       const char *a, const char *b)
{
    const char *items_a = pointer_at(a + key->offset), *items_b = pointer_at(b + key->offset);
    uint32_t count_a = count_at(key, a), count_b = count_at(key, b);
    for (uint32_t i = 0; i < count_a; i++) {
        char item[SG_CONF_PATH_BYTES] = "";
        struct sg_out out = sg_out_init(item, sizeof(item) - 1);
        sg_out_fmt(&out, "%s[%u]", path, i);
        const char *old = items_a + (size_t)i * key->map->bytes;
        const char *again = item_again(key, old, i, items_b, count_b);
        if (again != NULL)
            diff_map(diff, key->map, item, old, again);
    }
}

static void diff_key(struct diff *diff, const struct sg_conf_key *key, const char *path,
                     const char *a, const char *b)
{
    const char *at_a = a + key->offset, *at_b = b + key->offset;
    if (key->kind == SG_CONF_MAP) {
        diff_map(diff, key->map, path, at_a, at_b);
    } else if (key->kind == SG_CONF_MAP_PTR) {
        if (pointer_at(at_a) != NULL && pointer_at(at_b) != NULL)
            diff_map(diff, key->map, path, pointer_at(at_a), pointer_at(at_b));
    } else if (key->kind == SG_CONF_MAPS) {
        diff_items(diff, key, path, a, b);
    } else if (key->fixed && !same_value(key, at_a, at_b)) {
        sg_out_fmt(diff->out, "%s: counts from the next start\n", path);
        diff->count++;
    }
}

/* As deep as the schema, which has no cycle. */
static void diff_map(struct diff *diff, const struct sg_conf_map *map, const char *path,
                     const char *a, const char *b)
{
    for (uint32_t i = 0; i < map->count; i++) {
        char key[SG_CONF_PATH_BYTES] = "";
        struct sg_out out = sg_out_init(key, sizeof(key) - 1);
        sg_out_fmt(&out, "%s%s%s", path, path[0] != '\0' ? "." : "", map->keys[i].name);
        diff_key(diff, &map->keys[i], key, a, b);
    }
}

uint32_t sg_conf_diff_fixed(const struct sg_config *now, const struct sg_config *next,
                            struct sg_out *out)
{
    SG_ASSERT(now != NULL && next != NULL);
    struct diff diff = {out, 0};
    diff_map(&diff, &sg_conf_root, "", (const char *)now, (const char *)next);
    return diff.count;
}
