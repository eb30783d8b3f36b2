#include "tools/sgctl/names.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct sgt_names {
    const char *run_dir;
    uint32_t serial; /* 0: none is read */
    json_t *known;   /* NULL: that serial's file can't be read */
};

struct sgt_names *sgt_names_open(const char *run_dir)
{
    struct sgt_names *names = calloc(1, sizeof(*names));
    if (names != NULL)
        names->run_dir = run_dir;
    return names;
}

void sgt_names_close(struct sgt_names *names)
{
    if (names == NULL)
        return;
    json_decref(names->known);
    free(names);
}

void sgt_names_forget(struct sgt_names *names)
{
    json_decref(names->known);
    names->known = NULL;
    names->serial = 0;
}

static void names_read(struct sgt_names *names, uint32_t serial)
{
    char path[PATH_MAX];
    json_decref(names->known);
    names->known = NULL;
    names->serial = serial;
    if (snprintf(path, sizeof(path), "%s/names.%u.json", names->run_dir, serial) < PATH_MAX)
        names->known = json_load_file(path, 0, NULL);
}

static const char *name_of(const json_t *known, const char *list, uint16_t index)
{
    return json_string_value(json_array_get(json_object_get(known, list), index));
}

struct sgd_record_names sgt_names_of(struct sgt_names *names, const struct sge_record *record)
{
    if (record->config_serial != names->serial)
        names_read(names, record->config_serial);
    return (struct sgd_record_names){
        .site = name_of(names->known, "sites", record->site),
        .tenant = name_of(names->known, "tenants", record->tenant),
        .listener = name_of(names->known, "listeners", record->listener),
    };
}
