/* config_schema - the one table of everything that may stand in a configuration file: from it the
 * file is checked, completed, loaded (base/sys/cyaml.h) and documented (docs/configuration.md). */
#ifndef SG_BASE_CONFIG_SCHEMA_H
#define SG_BASE_CONFIG_SCHEMA_H

#include "base/config_form.h"

#include <stdbool.h>
#include <stdint.h>

enum sg_conf_kind {
    SG_CONF_UINT,    /* a whole number */
    SG_CONF_SIZE,    /* bytes, or with B, KiB, MiB, GiB, TiB */
    SG_CONF_BOOL,    /* true, false */
    SG_CONF_ENUM,    /* one of `names` */
    SG_CONF_STRING,  /* text of `form` */
    SG_CONF_PATH,    /* a file's name: relative ones begin at the configuration's folder */
    SG_CONF_STRINGS, /* a list of text of `form` */
    SG_CONF_MAP,     /* a group of keys, always there: `map` */
    SG_CONF_MAP_PTR, /* a group of keys that may be absent: a pointer */
    SG_CONF_MAPS,    /* a list of groups */
};

struct sg_conf_map;

/* One key. */
struct sg_conf_key {
    const char *name;
    enum sg_conf_kind kind;
    enum sg_conf_form form;
    bool required;
    bool fixed;               /* a reload does not change it: it counts from the next start */
    uint32_t offset;          /* of the member in the map's struct */
    uint32_t count_offset;    /* lists: of the member that counts */
    uint32_t bytes;           /* of the member, for numbers and enums */
    uint64_t min, max;        /* numbers: of the value; lists: of the count */
    const char *fallback;     /* what an absent key means; lists: items by a comma; NULL: nothing */
    const char *const *names; /* enums, by value; NULL ends */
    const struct sg_conf_map *map;
    const char *doc;
};

/* One group of keys. */
struct sg_conf_map {
    const char *name; /* of the struct, for the documentation's anchors */
    uint32_t bytes;   /* of the struct */
    const struct sg_conf_key *keys;
    uint32_t count;
    const char *doc;
};

/* struct sg_config. */
extern const struct sg_conf_map sg_conf_root;

/* The nesting of the schema is finite and known: no walk over it goes deeper. */
#define SG_CONF_DEPTH_MAX 8

#endif
