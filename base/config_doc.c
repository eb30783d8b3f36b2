#include "base/config_doc.h"

#include "base/assert.h"
#include "base/config_schema.h"

#include <string.h>

static const char intro[] =
    "# The configuration\n"
    "\n"
    "One YAML file, `/etc/streamgate/streamgate.yaml` unless `--config` says otherwise. This page "
    "is\n"
    "written by `streamgated --config-doc` from the table that also checks and loads the file\n"
    "([base/config_schema.c](../base/config_schema.c)); a test compares the two. "
    "[example.yaml](example.yaml) is a real one.\n"
    "\n"
    "- `streamgated --check --config FILE` names file, line and key of **every** mistake, with "
    "the\n"
    "  value that would be right. It opens the certificates, secrets and databases too.\n"
    "- `sgctl reload` (or SIGHUP) applies the file without dropping a connection: requests that "
    "begin\n"
    "  from then on follow it. A file with a mistake changes nothing, and the answer says why.\n"
    "- Keys marked *at start* count from the next start; a reload that changes one says so.\n"
    "- A listener is known by its address: a reload adds, takes away and reorders listeners, and "
    "changes\n"
    "  what they do ([operations.md](operations.md)).\n"
    "- Sizes are bytes, or a number with KiB, MiB, GiB or TiB. Times carry their unit in the key.\n"
    "- File names that do not begin with `/` begin at the configuration's own folder.\n"
    "- A key that is left out, empty or `~` has its default. Unknown keys are mistakes. Anchors "
    "and\n"
    "  aliases work; merge keys (`<<`) do not.\n"
    "- Files that are named must be readable to the user in `node.user`: they are read again at a\n"
    "  reload, after root was dropped.\n"
    "\n"
    "The smallest useful file:\n"
    "\n"
    "```yaml\n"
    "listeners:\n"
    "  - address: 0.0.0.0:8080\n"
    "tenants:\n"
    "  - name: films\n"
    "origins:\n"
    "  - name: studio\n"
    "    urls: [{url: \"https://origin.example.org\"}]\n"
    "sites:\n"
    "  - name: films\n"
    "    tenant: films\n"
    "    hosts: [\"*\"]\n"
    "    origin: studio\n"
    "    access: public\n"
    "```\n"
    "\n"
    "It serves GET and HEAD, and tells the origin little of the viewer. A plain reverse proxy, "
    "which\n"
    "passes every method and field on and stores what Cache-Control allows, has this site "
    "instead:\n"
    "\n"
    "```yaml\n"
    "sites:\n"
    "  - name: films\n"
    "    tenant: films\n"
    "    hosts: [\"*\"]\n"
    "    origin: studio\n"
    "    access: public\n"
    "    methods: [\"*\"]\n"
    "    forward_headers: [\"*\", authorization, cookie]\n"
    "```\n"
    "\n"
    "The origin sees its own name as `Host` (`host_header` changes that), and never a field that "
    "claims\n"
    "another host, path, method or sender ([delivery.md](delivery.md)).\n";

static void put_size(FILE *to, uint64_t bytes)
{
    static const char *const units[] = {"", " KiB", " MiB", " GiB", " TiB"};
    int unit = 0;
    for (; unit < 4 && bytes >= 1024 && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    fprintf(to, "%llu%s", (unsigned long long)bytes, units[unit]);
}

static void put_words(const struct sg_conf_key *key, FILE *to)
{
    for (uint32_t i = 0; key->names[i] != NULL; i++)
        fprintf(to, "%s`%s`", i != 0 ? ", " : "", key->names[i]);
}

static void put_range(const struct sg_conf_key *key, FILE *to)
{
    bool size = key->kind == SG_CONF_SIZE;
    if (size)
        put_size(to, key->min);
    else
        fprintf(to, "%llu", (unsigned long long)key->min);
    if (!size && key->max == UINT32_MAX) {
        fputs(" or more", to);
        return;
    }
    fputs(" to ", to);
    if (size)
        put_size(to, key->max);
    else
        fprintf(to, "%llu", (unsigned long long)key->max);
}

static void put_value(const struct sg_conf_key *key, FILE *to)
{
    switch (key->kind) {
    case SG_CONF_UINT:
    case SG_CONF_SIZE:
        put_range(key, to);
        if (key->form == SG_CONF_FORM_POWER_OF_TWO)
            fputs(", a power of two", to);
        break;
    case SG_CONF_BOOL:
        fputs("`true`, `false`", to);
        break;
    case SG_CONF_ENUM:
        put_words(key, to);
        break;
    case SG_CONF_STRING:
        fputs(sg_conf_form_right(key->form), to);
        break;
    case SG_CONF_PATH:
        fputs(key->form == SG_CONF_FORM_ANY ? "a file's or folder's name"
                                            : sg_conf_form_right(key->form),
              to);
        break;
    case SG_CONF_STRINGS:
        fprintf(to, "list of: %s", sg_conf_form_right(key->form));
        break;
    case SG_CONF_MAP:
    case SG_CONF_MAP_PTR:
        fputs("group, below", to);
        break;
    case SG_CONF_MAPS:
        fputs("list of groups, below", to);
        break;
    }
}

static void put_default(const struct sg_conf_key *key, FILE *to)
{
    if (key->required)
        fputs("**required**", to);
    else if (key->fallback != NULL)
        fprintf(to, "`%s`", key->fallback);
    else
        fputs("-", to);
}

static void put_keys(const struct sg_conf_map *map, FILE *to)
{
    fputs("\n| key | value | default | |\n|---|---|---|---|\n", to);
    for (uint32_t i = 0; i < map->count; i++) {
        const struct sg_conf_key *key = &map->keys[i];
        fprintf(to, "| `%s` | ", key->name);
        put_value(key, to);
        fputs(" | ", to);
        put_default(key, to);
        fprintf(to, " | %s%s |\n", key->doc, key->fixed ? " *At start.*" : "");
    }
}

/* As deep as the schema, which has no cycle. */
static void put_map(const struct sg_conf_map *map, const char *path, FILE *to)
{
    if (path[0] != '\0')
        fprintf(to, "\n## %s\n\n%s\n", path, map->doc);
    else
        fputs("\n## The whole file\n", to);
    put_keys(map, to);
    for (uint32_t i = 0; i < map->count; i++) {
        const struct sg_conf_key *key = &map->keys[i];
        char below[128];
        if (key->map == NULL)
            continue;
        int n = snprintf(below, sizeof(below), "%s%s%s%s", path, path[0] != '\0' ? "." : "",
                         key->name, key->kind == SG_CONF_MAPS ? "[]" : "");
        SG_ASSERT(n > 0 && (size_t)n < sizeof(below));
        put_map(key->map, below, to);
    }
}

void sg_conf_doc_write(FILE *to)
{
    fputs(intro, to);
    put_map(&sg_conf_root, "", to);
}
