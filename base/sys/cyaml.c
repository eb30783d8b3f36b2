#include "base/sys/cyaml.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/log.h"

#include <cyaml/cyaml.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 256
#define VALUES_MAX 64
#define NAMES_MAX  64

/* libcyaml's own form of the table, built for one call. */
struct schema {
    cyaml_schema_field_t fields[FIELDS_MAX];
    cyaml_schema_value_t values[VALUES_MAX];
    cyaml_strval_t names[NAMES_MAX];
    uint32_t fields_used, values_used, names_used;
};

static const cyaml_schema_value_t string_entry = {
    .type = CYAML_STRING,
    .flags = CYAML_FLAG_POINTER,
    .data_size = sizeof(char),
    .string = {0, CYAML_UNLIMITED},
};

/* libcyaml's realloc, over the allocator whose failures the tests choose. */
static void *schema_memory(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    if (bytes == 0) {
        sg_boot_free(ptr);
        return NULL;
    }
    void *larger = sg_boot_alloc(bytes);
    if (larger != NULL && ptr != NULL) {
        memcpy(larger, ptr, SG_MIN(bytes, malloc_usable_size(ptr)));
        sg_boot_free(ptr);
    }
    return larger;
}

SG_PRINTF(3, 0) static void schema_log(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
    char line[256];
    (void)ctx;
    if (level < CYAML_LOG_ERROR || vsnprintf(line, sizeof(line), fmt, args) < 0)
        return;
    sg_debug("configuration schema: %s", line);
}

static const cyaml_config_t library = {
    .log_fn = schema_log,
    .mem_fn = schema_memory,
    .log_level = CYAML_LOG_ERROR,
    .flags = CYAML_CFG_NO_ALIAS,
};

static const cyaml_schema_field_t *schema_fields(struct schema *schema,
                                                 const struct sg_conf_map *map);

static void schema_names(struct schema *schema, const struct sg_conf_key *key,
                         cyaml_schema_value_t *value)
{
    value->enumeration.strings = &schema->names[schema->names_used];
    for (uint32_t i = 0; key->names[i] != NULL; i++) {
        SG_ASSERT(schema->names_used < NAMES_MAX);
        schema->names[schema->names_used++] = (cyaml_strval_t){key->names[i], i};
        value->enumeration.count++;
    }
}

static void schema_list(struct schema *schema, const struct sg_conf_key *key,
                        cyaml_schema_value_t *value)
{
    value->type = CYAML_SEQUENCE;
    value->flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
    value->sequence.max = CYAML_UNLIMITED;
    if (key->kind == SG_CONF_STRINGS) {
        value->data_size = sizeof(char *);
        value->sequence.entry = &string_entry;
        return;
    }
    SG_ASSERT(schema->values_used < VALUES_MAX);
    cyaml_schema_value_t *entry = &schema->values[schema->values_used++];
    *entry = (cyaml_schema_value_t){.type = CYAML_MAPPING, .data_size = key->map->bytes};
    entry->mapping.fields = schema_fields(schema, key->map);
    value->data_size = key->map->bytes;
    value->sequence.entry = entry;
}

static void schema_value(struct schema *schema, const struct sg_conf_key *key,
                         cyaml_schema_value_t *value)
{
    value->flags = CYAML_FLAG_OPTIONAL;
    value->data_size = key->bytes;
    switch (key->kind) {
    case SG_CONF_UINT:
    case SG_CONF_SIZE:
        value->type = CYAML_UINT;
        break;
    case SG_CONF_BOOL:
        value->type = CYAML_BOOL;
        break;
    case SG_CONF_ENUM:
        value->type = CYAML_ENUM;
        value->flags |= CYAML_FLAG_STRICT;
        schema_names(schema, key, value);
        break;
    case SG_CONF_STRING:
    case SG_CONF_PATH:
        *value = string_entry;
        value->flags |= CYAML_FLAG_OPTIONAL;
        break;
    case SG_CONF_STRINGS:
    case SG_CONF_MAPS:
        schema_list(schema, key, value);
        break;
    case SG_CONF_MAP_PTR:
        value->flags |= CYAML_FLAG_POINTER;
        __attribute__((fallthrough));
    case SG_CONF_MAP:
        value->type = CYAML_MAPPING;
        value->data_size = key->map->bytes;
        value->mapping.fields = schema_fields(schema, key->map);
        break;
    }
}

/* The depth is the table's own: it has no cycle. */
static const cyaml_schema_field_t *schema_fields(struct schema *schema,
                                                 const struct sg_conf_map *map)
{
    cyaml_schema_field_t *fields = &schema->fields[schema->fields_used];
    schema->fields_used += map->count + 1; /* the last stays zero: it ends the list */
    SG_ASSERT(schema->fields_used <= FIELDS_MAX);
    for (uint32_t i = 0; i < map->count; i++) {
        fields[i].key = map->keys[i].name;
        fields[i].data_offset = map->keys[i].offset;
        fields[i].count_offset = map->keys[i].count_offset;
        fields[i].count_size = sizeof(uint32_t);
        schema_value(schema, &map->keys[i], &fields[i].value);
    }
    return fields;
}

static struct schema *schema_of(const struct sg_conf_map *map, cyaml_schema_value_t *root)
{
    struct schema *schema = sg_boot_alloc(sizeof(*schema));
    if (schema == NULL)
        return NULL;
    *root = (cyaml_schema_value_t){
        .type = CYAML_MAPPING, .flags = CYAML_FLAG_POINTER, .data_size = map->bytes};
    root->mapping.fields = schema_fields(schema, map);
    return schema;
}

enum sg_err sg_cyaml_load(const struct sg_conf_map *map, const char *text, size_t len, void **out)
{
    SG_ASSERT(map != NULL && text != NULL);
    SG_ASSERT(out != NULL);
    cyaml_schema_value_t root;
    struct schema *schema = schema_of(map, &root);
    if (schema == NULL)
        return SG_ENOMEM;
    cyaml_data_t *filled = NULL;
    cyaml_err_t result =
        cyaml_load_data((const uint8_t *)text, len, &library, &root, &filled, NULL);
    sg_boot_free(schema);
    if (result == CYAML_OK) {
        *out = filled;
        return SG_OK;
    }
    return result == CYAML_ERR_OOM ? SG_ENOMEM : SG_EINVAL;
}

void sg_cyaml_free(const struct sg_conf_map *map, void *filled)
{
    cyaml_schema_value_t root;
    if (filled == NULL)
        return;
    struct schema *schema = schema_of(map, &root);
    if (schema == NULL)
        return; /* no memory to give memory back: it stays */
    cyaml_free(&library, &root, filled, 0);
    sg_boot_free(schema);
}

const char *sg_cyaml_string(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = sg_boot_alloc(bytes);
    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

enum sg_err sg_cyaml_string_set(void *at, const char *text)
{
    SG_ASSERT(at != NULL);
    char *before;
    const char *copy = text != NULL ? sg_cyaml_string(text) : NULL;
    if (text != NULL && copy == NULL)
        return SG_ENOMEM;
    memcpy(&before, at, sizeof(before));
    memcpy(at, &copy, sizeof(copy));
    sg_boot_free(before);
    return SG_OK;
}
