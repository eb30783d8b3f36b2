/* yaml - the door to libyaml: one YAML document as a tree of numbered nodes, each with its line,
 * that can be corrected and written again. Control threads only. */
#ifndef SG_BASE_SYS_YAML_H
#define SG_BASE_SYS_YAML_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sg_yaml;
enum sg_yaml_kind { SG_YAML_SCALAR, SG_YAML_LIST, SG_YAML_MAP };

/* What kept a text from being a document; static text. */
struct sg_yaml_fault {
    const char *text;
    uint32_t line;
};

/* SG_ECORRUPT: it is no YAML, or more than one document; *fault says where. */
SG_MUST_USE enum sg_err sg_yaml_open(const char *bytes, size_t len, struct sg_yaml_fault *fault,
                                     struct sg_yaml **out);
void sg_yaml_close(struct sg_yaml *yaml);

/* Nodes are numbers from 1. An empty document has no root: 0. An alias is the node it names, so a
 * tree may have cycles: bound the depth and the count of what you visit. */
int sg_yaml_root(struct sg_yaml *yaml);
enum sg_yaml_kind sg_yaml_kind(struct sg_yaml *yaml, int node);
/* 0 for a node that the file does not have. */
uint32_t sg_yaml_line(struct sg_yaml *yaml, int node);
/* A scalar's text; NULL when it has a NUL in it. Good until the scalar is set. */
const char *sg_yaml_text(struct sg_yaml *yaml, int node);
/* Empty, ~ or null without quotes: as good as absent. */
bool sg_yaml_is_null(struct sg_yaml *yaml, int node);
uint32_t sg_yaml_count(struct sg_yaml *yaml, int node);       /* items or pairs */
int sg_yaml_item(struct sg_yaml *yaml, int node, uint32_t i); /* of a list, or a map's value */
int sg_yaml_key(struct sg_yaml *yaml, int node, uint32_t i);
/* The value of `key`, or 0. */
int sg_yaml_find(struct sg_yaml *yaml, int node, const char *key);

SG_MUST_USE enum sg_err sg_yaml_set_text(struct sg_yaml *yaml, int node, const char *text);
/* Removes item or pair i. */
void sg_yaml_drop(struct sg_yaml *yaml, int node, uint32_t i);
/* New values at a map's or (key NULL) a list's end; the new node in *out. */
SG_MUST_USE enum sg_err sg_yaml_add_text(struct sg_yaml *yaml, int node, const char *key,
                                         const char *text, int *out);
SG_MUST_USE enum sg_err sg_yaml_add(struct sg_yaml *yaml, int node, const char *key,
                                    enum sg_yaml_kind kind, int *out);

#endif
