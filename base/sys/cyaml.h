/* cyaml - the door to libcyaml: fills the configuration's structs from text by the schema's table
 * (base/config_schema.h). What comes here was checked and completed: a refusal is a bug of ours.
 * Control threads only. */
#ifndef SG_BASE_SYS_CYAML_H
#define SG_BASE_SYS_CYAML_H

#include "base/config_schema.h"
#include "base/err.h"

#include <stddef.h>

/* The struct of `map` in *out; the caller ends it with sg_cyaml_free(). Strings in it may be
 * replaced by others from strdup-like sg_cyaml_string(). */
SG_MUST_USE enum sg_err sg_cyaml_load(const struct sg_conf_map *map, const char *text, size_t len,
                                      void **out);
/* Accepts NULL. */
void sg_cyaml_free(const struct sg_conf_map *map, void *filled);
/* A copy that sg_cyaml_free() can end; NULL: no memory. */
const char *sg_cyaml_string(const char *text);
/* Puts such a copy in the place of the string at `at`; `text` may be NULL, and so may that. */
SG_MUST_USE enum sg_err sg_cyaml_string_set(void *at, const char *text);

#endif
