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

/* Items that stand at the same place. */
static void diff_items(struct diff *diff, const struct sg_conf_key *key, const char *path,
                       const char *a, const char *b)
{
    const char *items_a = pointer_at(a + key->offset), *items_b = pointer_at(b + key->offset);
    uint32_t count_a = count_at(key, a), count_b = count_at(key, b);
    for (uint32_t i = 0; i < count_a && i < count_b; i++) {
        char item[SG_CONF_PATH_BYTES] = "";
        struct sg_out out = sg_out_init(item, sizeof(item) - 1);
        sg_out_fmt(&out, "%s[%u]", path, i);
        size_t at = (size_t)i * key->map->bytes;
        diff_map(diff, key->map, item, items_a + at, items_b + at);
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
