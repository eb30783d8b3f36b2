#include "base/config_shape.h"

#include <limits.h>
#include <stdlib.h>

/* No honest file comes near; a small file whose aliases multiply does. */
#define VISITS_MAX 100000u

struct shape {
    struct sg_conf_report *report;
    struct sg_yaml *yaml;
    const char *folder;
    uint32_t visits, depth;
    enum sg_err err;
    char path[SG_CONF_PATH_BYTES]; /* of the node that is looked at */
};

/* A piece more on the path; returns what shape_leave() takes it back to. */
static size_t shape_enter(struct shape *shape, const char *key, uint32_t index)
{
    size_t was = strlen(shape->path);
    char *at = shape->path + was;
    size_t room = sizeof(shape->path) - was;
    if (key != NULL)
        snprintf(at, room, "%s%s", was != 0 ? "." : "", key);
    else
        snprintf(at, room, "[%u]", index);
    return was;
}

static void shape_leave(struct shape *shape, size_t was)
{
    shape->path[was] = '\0';
}

#define MISTAKE(shape, node, ...)                                                                  \
    sg_conf_mistake((shape)->report, sg_yaml_line((shape)->yaml, node), (shape)->path, __VA_ARGS__)

static void shape_note_err(struct shape *shape, enum sg_err err)
{
    if (shape->err == SG_OK)
        shape->err = err;
}

/* ---- scalars: each returns false for a value that must go ---- */

static void shape_range_text(const struct sg_conf_key *key, char *text, size_t cap)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB", "TiB"};
    uint64_t ends[2] = {key->min, key->max};
    int unit[2] = {0, 0};
    for (int i = 0; i < 2 && key->kind == SG_CONF_SIZE; i++)
        for (; unit[i] < 4 && ends[i] >= 1024 && ends[i] % 1024 == 0; unit[i]++)
            ends[i] /= 1024;
    snprintf(text, cap, "%llu%s to %llu%s", (unsigned long long)ends[0], units[unit[0]],
             (unsigned long long)ends[1], units[unit[1]]);
}

static bool shape_number(struct shape *shape, int node, const struct sg_conf_key *key,
                         const char *text)
{
    char range[64], digits[24];
    unsigned long long n = 0;
    uint64_t plain = 0;
    bool size = key->kind == SG_CONF_SIZE;
    shape_range_text(key, range, sizeof(range));
    if (size ? !sg_conf_size_parse(text, &n) : !sg_str_to_u64(sg_str_from(text), &plain)) {
        MISTAKE(shape, node, "\"%s\" is no %s; right would be %s%s", text,
                size ? "size" : "whole number", range, size ? ", such as \"512MiB\"" : "");
        return false;
    }
    n = size ? n : plain;
    if (n < key->min || n > key->max) {
        MISTAKE(shape, node, "%s is out of range; right would be %s", text, range);
        return false;
    }
    snprintf(digits, sizeof(digits), "%llu", n);
    if (key->form == SG_CONF_FORM_POWER_OF_TWO && sg_conf_form_fault(key->form, digits) != NULL) {
        unsigned long long two = key->min;
        while (two * 2 <= n)
            two *= 2;
        MISTAKE(shape, node, "%s is no power of two; right would be %llu", text, two);
        return false;
    }
    shape_note_err(shape, sg_yaml_set_text(shape->yaml, node, digits));
    return true;
}

static bool shape_bool(struct shape *shape, int node, const char *text)
{
    static const char *const no[] = {"false", "no", "off"}, *const yes[] = {"true", "yes", "on"};
    for (size_t i = 0; i < SG_COUNT(no); i++) {
        bool is_yes = strcasecmp(text, yes[i]) == 0;
        if (!is_yes && strcasecmp(text, no[i]) != 0)
            continue;
        shape_note_err(shape, sg_yaml_set_text(shape->yaml, node, is_yes ? "true" : "false"));
        return true;
    }
    MISTAKE(shape, node, "\"%s\" is neither true nor false", text);
    return false;
}

static void enum_words(const struct sg_conf_key *key, char *words, size_t cap)
{
    struct sg_out out = sg_out_init(words, cap - 1);
    for (uint32_t i = 0; key->names[i] != NULL; i++)
        sg_out_fmt(&out, "%s%s",
                   i == 0                      ? ""
                   : key->names[i + 1] != NULL ? ", "
                                               : " or ",
                   key->names[i]);
    words[out.len] = '\0';
}

static bool shape_enum(struct shape *shape, int node, const struct sg_conf_key *key,
                       const char *text)
{
    char words[128];
    for (uint32_t i = 0; key->names[i] != NULL; i++)
        if (strcmp(key->names[i], text) == 0)
            return true;
    enum_words(key, words, sizeof(words));
    MISTAKE(shape, node, "\"%s\" is not known; right would be %s", text, words);
    return false;
}

static bool shape_form(struct shape *shape, int node, enum sg_conf_form form, const char *text)
{
    const char *fault = sg_conf_form_fault(form, text);
    if (fault == NULL)
        return true;
    MISTAKE(shape, node, "\"%s\" %s; right would be %s", text, fault, sg_conf_form_right(form));
    return false;
}

static bool shape_path(struct shape *shape, int node, const struct sg_conf_key *key,
                       const char *text)
{
    char whole[PATH_MAX];
    if (text[0] != '/' && text[0] != '\0') {
        int n = snprintf(whole, sizeof(whole), "%s/%s", shape->folder, text);
        if (n < 0 || (size_t)n >= sizeof(whole)) {
            MISTAKE(shape, node, "\"%s\" is too long for a file's name", text);
            return false;
        }
        shape_note_err(shape, sg_yaml_set_text(shape->yaml, node, whole));
        text = sg_yaml_text(shape->yaml, node);
    }
    (void)shape_form(shape, node, key->form, text);
    return true; /* it stays, so that nobody complains that it is missing */
}

static bool shape_scalar(struct shape *shape, int node, const struct sg_conf_key *key)
{
    if (sg_yaml_kind(shape->yaml, node) != SG_YAML_SCALAR) {
        MISTAKE(shape, node, "a single value belongs here, not a %s",
                sg_yaml_kind(shape->yaml, node) == SG_YAML_LIST ? "list" : "group of keys");
        return false;
    }
    const char *text = sg_yaml_text(shape->yaml, node);
    if (text == NULL) {
        MISTAKE(shape, node, "the value has a NUL in it");
        return false;
    }
    switch (key->kind) {
    case SG_CONF_UINT:
    case SG_CONF_SIZE:
        return shape_number(shape, node, key, text);
    case SG_CONF_BOOL:
        return shape_bool(shape, node, text);
    case SG_CONF_ENUM:
        return shape_enum(shape, node, key, text);
    case SG_CONF_PATH:
        return shape_path(shape, node, key, text);
    case SG_CONF_STRING:
    case SG_CONF_STRINGS:
        return shape_form(shape, node, key->form, text);
    case SG_CONF_MAP:
    case SG_CONF_MAP_PTR:
    case SG_CONF_MAPS:
        break;
    }
    SG_UNREACHABLE();
}

/* ---- lists and groups ---- */

static bool shape_value(struct shape *shape, int node, const struct sg_conf_key *key);

/* How many single edits lie between two words; bounded, as keys are short. */
static uint32_t edit_distance(const char *a, const char *b)
{
    uint32_t row[64];
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len >= SG_COUNT(row) || b_len >= SG_COUNT(row))
        return UINT32_MAX;
    for (uint32_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (uint32_t i = 1; i <= a_len; i++) {
        uint32_t corner = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b_len; j++) {
            uint32_t swap = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            uint32_t gap = SG_MIN(row[j], row[j - 1]) + 1;
            row[j] = SG_MIN(swap, gap);
        }
    }
    return row[b_len];
}

static void shape_unknown_key(struct shape *shape, int key_node, const struct sg_conf_map *map,
                              const char *text)
{
    uint32_t best = UINT32_MAX, nearest = 0;
    char known[768];
    struct sg_out out = sg_out_init(known, sizeof(known) - 1);
    for (uint32_t i = 0; i < map->count; i++) {
        uint32_t distance = edit_distance(text, map->keys[i].name);
        if (distance < best) {
            best = distance;
            nearest = i;
        }
        sg_out_fmt(&out, "%s%s", i != 0 ? ", " : "", map->keys[i].name);
    }
    known[out.len] = '\0';
    if (best <= 1 + strlen(text) / 3)
        MISTAKE(shape, key_node, "there is no such key; did you mean \"%s\"?",
                map->keys[nearest].name);
    else
        MISTAKE(shape, key_node, "there is no such key; known are %s", known);
}

static const struct sg_conf_key *map_key(const struct sg_conf_map *map, const char *name)
{
    for (uint32_t i = 0; i < map->count; i++)
        if (strcmp(map->keys[i].name, name) == 0)
            return &map->keys[i];
    return NULL;
}

/* True: the pair may stay. *seen: which of the map's keys the file has, right or wrong. */
static bool shape_pair(struct shape *shape, int node, uint32_t i, const struct sg_conf_map *map,
                       uint64_t *seen)
{
    int key_node = sg_yaml_key(shape->yaml, node, i), value = sg_yaml_item(shape->yaml, node, i);
    const char *text = sg_yaml_kind(shape->yaml, key_node) == SG_YAML_SCALAR
                           ? sg_yaml_text(shape->yaml, key_node)
                           : NULL;
    if (text == NULL) {
        MISTAKE(shape, key_node, "a key must be a single word");
        return false;
    }
    size_t was = shape_enter(shape, text, 0);
    const struct sg_conf_key *key = map_key(map, text);
    bool stays = false;
    if (key == NULL) {
        shape_unknown_key(shape, key_node, map, text);
    } else if (sg_yaml_find(shape->yaml, node, text) != value) {
        MISTAKE(shape, key_node, "the key stands here twice");
    } else if (!sg_yaml_is_null(shape->yaml, value)) {
        *seen |= 1ull << (key - map->keys);
        stays = shape_value(shape, value, key);
    }
    shape_leave(shape, was);
    return stays;
}

static void shape_missing(struct shape *shape, int node, const struct sg_conf_key *key)
{
    char text[128];
    const char *right = sg_conf_form_right(key->form);
    if (key->kind == SG_CONF_ENUM) {
        enum_words(key, text, sizeof(text));
        right = text;
    } else if (key->kind == SG_CONF_UINT) {
        shape_range_text(key, text, sizeof(text));
        right = text;
    } else if (key->kind == SG_CONF_MAPS) {
        right = "a list with at least one group of keys";
    }
    MISTAKE(shape, node, "is missing; right would be %s", right);
}

static void shape_default_list(struct shape *shape, int node, const struct sg_conf_key *key)
{
    char items[256], *rest = NULL;
    int list, item;
    SG_ASSERT(strlen(key->fallback) < sizeof(items));
    memcpy(items, key->fallback, strlen(key->fallback) + 1);
    enum sg_err err = sg_yaml_add(shape->yaml, node, key->name, SG_YAML_LIST, &list);
    for (char *word = strtok_r(items, ", ", &rest); word != NULL && err == SG_OK;
         word = strtok_r(NULL, ", ", &rest))
        err = sg_yaml_add_text(shape->yaml, list, NULL, word, &item);
    shape_note_err(shape, err);
}

/* Puts in what an absent key means. */
static void shape_default(struct shape *shape, int node, const struct sg_conf_key *key)
{
    int added = 0;
    enum sg_err err = SG_OK;
    if (key->kind == SG_CONF_MAP)
        err = sg_yaml_add(shape->yaml, node, key->name, SG_YAML_MAP, &added);
    else if (key->fallback != NULL && key->kind == SG_CONF_STRINGS)
        shape_default_list(shape, node, key);
    else if (key->fallback != NULL)
        err = sg_yaml_add_text(shape->yaml, node, key->name, key->fallback, &added);
    shape_note_err(shape, err);
    if (err == SG_OK && added != 0)
        (void)shape_value(shape, added, key);
}

/* `was_wrong`: the file has it, and has been complained of. */
static void shape_absent(struct shape *shape, int node, const struct sg_conf_key *key,
                         bool was_wrong)
{
    size_t was = shape_enter(shape, key->name, 0);
    if (!key->required)
        shape_default(shape, node, key);
    else if (!was_wrong)
        shape_missing(shape, node, key);
    shape_leave(shape, was);
}

static bool shape_map(struct shape *shape, int node, const struct sg_conf_map *map)
{
    uint64_t seen = 0;
    SG_ASSERT(map->count <= 64);
    if (sg_yaml_kind(shape->yaml, node) != SG_YAML_MAP) {
        MISTAKE(shape, node, "a group of keys belongs here");
        return false;
    }
    for (uint32_t i = 0; i < sg_yaml_count(shape->yaml, node);) {
        if (shape_pair(shape, node, i, map, &seen))
            i++;
        else if (i < sg_yaml_count(shape->yaml, node)) /* an alias may have emptied it meanwhile */
            sg_yaml_drop(shape->yaml, node, i);
    }
    for (uint32_t i = 0; i < map->count && shape->err == SG_OK; i++)
        if (sg_yaml_find(shape->yaml, node, map->keys[i].name) == 0)
            shape_absent(shape, node, &map->keys[i], seen & 1ull << i);
    return true;
}

static bool shape_list(struct shape *shape, int node, const struct sg_conf_key *key)
{
    if (sg_yaml_kind(shape->yaml, node) != SG_YAML_LIST) {
        MISTAKE(shape, node, "a list belongs here%s",
                key->kind == SG_CONF_STRINGS ? ", such as [a, b]" : "");
        return false;
    }
    uint32_t count = sg_yaml_count(shape->yaml, node);
    if (count < key->min || count > key->max)
        MISTAKE(shape, node, "the list has %u items; right would be %llu to %llu", count,
                (unsigned long long)key->min, (unsigned long long)key->max);
    for (uint32_t i = 0, number = 0; i < sg_yaml_count(shape->yaml, node); number++) {
        size_t was = shape_enter(shape, NULL, number);
        int item = sg_yaml_item(shape->yaml, node, i);
        bool stays = key->kind == SG_CONF_STRINGS ? shape_scalar(shape, item, key)
                                                  : shape_map(shape, item, key->map);
        shape_leave(shape, was);
        if (++shape->visits > VISITS_MAX || shape->err != SG_OK)
            return false;
        if (stays)
            i++;
        else if (i < sg_yaml_count(shape->yaml, node)) /* as in shape_map() */
            sg_yaml_drop(shape->yaml, node, i);
    }
    return true;
}

/* True: the value may stay. The schema has no cycle, so neither has this. */
static bool shape_value(struct shape *shape, int node, const struct sg_conf_key *key)
{
    if (++shape->visits > VISITS_MAX || shape->err != SG_OK)
        return false;
    SG_ASSERT(shape->depth < SG_CONF_DEPTH_MAX);
    shape->depth++;
    bool stays;
    if (key->kind == SG_CONF_MAP || key->kind == SG_CONF_MAP_PTR)
        stays = shape_map(shape, node, key->map);
    else if (key->kind == SG_CONF_STRINGS || key->kind == SG_CONF_MAPS)
        stays = shape_list(shape, node, key);
    else
        stays = shape_scalar(shape, node, key);
    shape->depth--;
    return stays;
}

enum sg_err sg_conf_shape(struct sg_conf_report *report, const char *folder)
{
    SG_ASSERT(report != NULL && report->yaml != NULL);
    SG_ASSERT(folder != NULL);
    struct shape shape = {.report = report, .yaml = report->yaml, .folder = folder};
    int root = sg_yaml_root(shape.yaml);
    if (root == 0)
        sg_conf_mistake(report, 1, "",
                        "the file is empty; docs/configuration.md shows a small one");
    else
        (void)shape_map(&shape, root, &sg_conf_root);
    if (shape.visits > VISITS_MAX)
        sg_conf_mistake(report, 1, "", "the file has more than %u values", VISITS_MAX);
    return shape.err;
}

/* ---- writing ---- */

static void write_text(const char *text, FILE *to)
{
    fputc('"', to);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(to, "\\%c", *c);
        else if ((unsigned char)*c < ' ' || *c == 0x7f)
            fprintf(to, "\\x%02x", (unsigned char)*c);
        else
            fputc(*c, to);
    }
    fputc('"', to);
}

static void write_node(struct sg_yaml *yaml, int node, FILE *to, uint32_t depth)
{
    enum sg_yaml_kind kind = sg_yaml_kind(yaml, node);
    if (kind == SG_YAML_SCALAR) {
        write_text(sg_yaml_text(yaml, node), to);
        return;
    }
    if (depth > 2 * SG_CONF_DEPTH_MAX)
        return; /* aliases made a cycle: what is left out here, the loader refuses */
    fputc(kind == SG_YAML_LIST ? '[' : '{', to);
    for (uint32_t i = 0; i < sg_yaml_count(yaml, node); i++) {
        fputs(i != 0 ? ", " : "", to);
        if (kind == SG_YAML_MAP) {
            write_text(sg_yaml_text(yaml, sg_yaml_key(yaml, node, i)), to);
            fputs(": ", to);
        }
        write_node(yaml, sg_yaml_item(yaml, node, i), to, depth + 1);
    }
    fputc(kind == SG_YAML_LIST ? ']' : '}', to);
}

void sg_conf_shape_write(struct sg_yaml *yaml, FILE *to)
{
    write_node(yaml, sg_yaml_root(yaml), to, 0);
}
