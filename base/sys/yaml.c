#include "base/sys/yaml.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct sg_yaml {
    yaml_document_t document;
};

/* The library's words; of a tab, the commonest of all mistakes, they don't say that it is one. */
static const char *yaml_problem(const yaml_parser_t *parser)
{
    if (parser->problem == NULL)
        return "this is no YAML";
    if (strcmp(parser->problem, "found character that cannot start any token") == 0)
        return "a tab (blanks are right), or @, ` or % without quotes, where a key or value begins";
    return parser->problem;
}

static void yaml_note(const yaml_parser_t *parser, struct sg_yaml_fault *fault)
{
    *fault = (struct sg_yaml_fault){
        yaml_problem(parser),
        (uint32_t)parser->problem_mark.line + 1,
    };
}

/* True: nothing but the end follows the first document. */
static bool yaml_ends(yaml_parser_t *parser, struct sg_yaml_fault *fault)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next)) {
        yaml_note(parser, fault);
        return false;
    }
    bool ends = yaml_document_get_root_node(&next) == NULL;
    if (!ends)
        *fault = (struct sg_yaml_fault){"a second document begins here",
                                        (uint32_t)next.start_mark.line + 1};
    yaml_document_delete(&next);
    return ends;
}

enum sg_err sg_yaml_open(const char *bytes, size_t len, struct sg_yaml_fault *fault,
                         struct sg_yaml **out)
{
    SG_ASSERT(bytes != NULL && out != NULL);
    yaml_parser_t parser;
    struct sg_yaml *yaml = sg_boot_alloc(sizeof(*yaml));
    if (yaml == NULL)
        return SG_ENOMEM;
    if (!yaml_parser_initialize(&parser)) {
        sg_boot_free(yaml);
        return SG_ENOMEM;
    }
    enum sg_err err = SG_ECORRUPT;
    yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, len);
    if (!yaml_parser_load(&parser, &yaml->document)) {
        yaml_note(&parser, fault);
        yaml->document = (yaml_document_t){0};
    } else if (yaml_document_get_root_node(&yaml->document) == NULL || yaml_ends(&parser, fault)) {
        err = SG_OK;
        *out = SG_TAKE(yaml);
    }
    yaml_parser_delete(&parser);
    sg_yaml_close(yaml);
    return err;
}

void sg_yaml_close(struct sg_yaml *yaml)
{
    if (yaml == NULL)
        return;
    if (yaml->document.nodes.start != NULL)
        yaml_document_delete(&yaml->document);
    sg_boot_free(yaml);
}

static yaml_node_t *node_of(struct sg_yaml *yaml, int node)
{
    yaml_node_t *found = yaml_document_get_node(&yaml->document, node);
    SG_ASSERT(found != NULL);
    return found;
}

int sg_yaml_root(struct sg_yaml *yaml)
{
    return yaml_document_get_root_node(&yaml->document) != NULL ? 1 : 0;
}

enum sg_yaml_kind sg_yaml_kind(struct sg_yaml *yaml, int node)
{
    yaml_node_type_t type = node_of(yaml, node)->type;
    SG_ASSERT(type != YAML_NO_NODE);
    return type == YAML_SCALAR_NODE     ? SG_YAML_SCALAR
           : type == YAML_SEQUENCE_NODE ? SG_YAML_LIST
                                        : SG_YAML_MAP;
}

uint32_t sg_yaml_line(struct sg_yaml *yaml, int node)
{
    const yaml_node_t *n = node_of(yaml, node);
    bool added = n->end_mark.index == 0 && n->start_mark.index == 0;
    return added ? 0 : (uint32_t)n->start_mark.line + 1;
}

const char *sg_yaml_text(struct sg_yaml *yaml, int node)
{
    const yaml_node_t *n = node_of(yaml, node);
    SG_ASSERT(n->type == YAML_SCALAR_NODE);
    const char *text = (const char *)n->data.scalar.value;
    return strlen(text) == n->data.scalar.length ? text : NULL;
}

bool sg_yaml_is_null(struct sg_yaml *yaml, int node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    const yaml_node_t *n = node_of(yaml, node);
    if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < SG_COUNT(nulls); i++)
        if (strcmp((const char *)n->data.scalar.value, nulls[i]) == 0)
            return true;
    return false;
}

uint32_t sg_yaml_count(struct sg_yaml *yaml, int node)
{
    const yaml_node_t *n = node_of(yaml, node);
    SG_ASSERT(n->type != YAML_SCALAR_NODE);
    if (n->type == YAML_SEQUENCE_NODE)
        return (uint32_t)(n->data.sequence.items.top - n->data.sequence.items.start);
    return (uint32_t)(n->data.mapping.pairs.top - n->data.mapping.pairs.start);
}

int sg_yaml_item(struct sg_yaml *yaml, int node, uint32_t i)
{
    const yaml_node_t *n = node_of(yaml, node);
    SG_ASSERT(i < sg_yaml_count(yaml, node));
    if (n->type == YAML_SEQUENCE_NODE)
        return n->data.sequence.items.start[i];
    return n->data.mapping.pairs.start[i].value;
}

int sg_yaml_key(struct sg_yaml *yaml, int node, uint32_t i)
{
    const yaml_node_t *n = node_of(yaml, node);
    SG_ASSERT(n->type == YAML_MAPPING_NODE);
    SG_ASSERT(i < sg_yaml_count(yaml, node));
    return n->data.mapping.pairs.start[i].key;
}

int sg_yaml_find(struct sg_yaml *yaml, int node, const char *key)
{
    for (uint32_t i = 0; i < sg_yaml_count(yaml, node); i++) {
        int at = sg_yaml_key(yaml, node, i);
        const char *text = sg_yaml_kind(yaml, at) == SG_YAML_SCALAR ? sg_yaml_text(yaml, at) : NULL;
        if (text != NULL && strcmp(text, key) == 0)
            return sg_yaml_item(yaml, node, i);
    }
    return 0;
}

enum sg_err sg_yaml_set_text(struct sg_yaml *yaml, int node, const char *text)
{
    char *copy = strdup(text); /* libyaml frees it: its memory is malloc's */
    yaml_node_t *n = node_of(yaml, node);
    SG_ASSERT(n->type == YAML_SCALAR_NODE);
    if (copy == NULL)
        return SG_ENOMEM;
    free(n->data.scalar.value);
    n->data.scalar.value = (yaml_char_t *)copy;
    n->data.scalar.length = strlen(copy);
    n->data.scalar.style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    return SG_OK;
}

void sg_yaml_drop(struct sg_yaml *yaml, int node, uint32_t i)
{
    yaml_node_t *n = node_of(yaml, node);
    SG_ASSERT(i < sg_yaml_count(yaml, node));
    if (n->type == YAML_SEQUENCE_NODE) {
        yaml_node_item_t *at = n->data.sequence.items.start + i;
        memmove(at, at + 1, (size_t)(n->data.sequence.items.top - at - 1) * sizeof(*at));
        n->data.sequence.items.top--;
    } else {
        yaml_node_pair_t *at = n->data.mapping.pairs.start + i;
        memmove(at, at + 1, (size_t)(n->data.mapping.pairs.top - at - 1) * sizeof(*at));
        n->data.mapping.pairs.top--;
    }
}

static int yaml_new_scalar(struct sg_yaml *yaml, const char *text)
{
    return yaml_document_add_scalar(&yaml->document, NULL, (const yaml_char_t *)text, -1,
                                    YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

static enum sg_err yaml_attach(struct sg_yaml *yaml, int node, const char *key, int value, int *out)
{
    int ok;
    if (value == 0)
        return SG_ENOMEM;
    if (key == NULL) {
        ok = yaml_document_append_sequence_item(&yaml->document, node, value);
    } else {
        int key_node = yaml_new_scalar(yaml, key);
        ok = key_node != 0 &&
             yaml_document_append_mapping_pair(&yaml->document, node, key_node, value);
    }
    if (!ok)
        return SG_ENOMEM;
    *out = value;
    return SG_OK;
}

enum sg_err sg_yaml_add_text(struct sg_yaml *yaml, int node, const char *key, const char *text,
                             int *out)
{
    return yaml_attach(yaml, node, key, yaml_new_scalar(yaml, text), out);
}

enum sg_err sg_yaml_add(struct sg_yaml *yaml, int node, const char *key, enum sg_yaml_kind kind,
                        int *out)
{
    SG_ASSERT(kind != SG_YAML_SCALAR);
    int value = kind == SG_YAML_MAP
                    ? yaml_document_add_mapping(&yaml->document, NULL, YAML_FLOW_MAPPING_STYLE)
                    : yaml_document_add_sequence(&yaml->document, NULL, YAML_FLOW_SEQUENCE_STYLE);
    return yaml_attach(yaml, node, key, value, out);
}
