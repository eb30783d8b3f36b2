#include "dataplane/node/load.h"

#include "base/alloc.h"
#include "dataplane/delivery/route.h"
#include "dataplane/gate/gate.h"
#include "dataplane/origin/fetch.h"
#include "dataplane/tls/ctx.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define NAMES_KEPT  8
#define FOUND_BYTES 8192

static struct sgd_tls_ctx *tls_before(const struct sgd_snapshot *before, const char *address)
{
    for (uint32_t i = 0; before != NULL && i < before->config->listeners_count; i++)
        if (strcmp(before->config->listeners[i].address, address) == 0)
            return before->tls[i];
    return NULL;
}

static enum sg_err load_tls(struct sgd_snapshot *parts, const struct sgd_snapshot *before,
                            struct sg_out *report)
{
    const struct sg_config *config = parts->config;
    parts->tls = sg_boot_alloc_array(config->listeners_count, sizeof(struct sgd_tls_ctx *));
    if (parts->tls == NULL)
        return SG_ENOMEM;
    enum sg_err worst = SG_OK; /* goes on after a mistake: all are reported */
    for (uint32_t i = 0; i < config->listeners_count; i++) {
        if (config->listeners[i].tls == NULL)
            continue;
        const struct sg_conf_listener *listener = &config->listeners[i];
        enum sg_err err = sgd_tls_ctx_open(listener->tls, tls_before(before, listener->address),
                                           report, &parts->tls[i]);
        if (err != SG_OK)
            sg_out_fmt(report, "listeners[%u].tls: can't be used as it is\n", i);
        worst = err != SG_OK ? err : worst;
    }
    return worst;
}

static enum sg_err load_parts(struct sg_config *config, struct sgd_fetchers *fetchers,
                              const struct sgd_snapshot *before, struct sg_out *report,
                              struct sgd_snapshot **out)
{
    SG_ASSERT(config != NULL && out != NULL);
    struct sgd_snapshot parts = {.config = config}, *snapshot = NULL;
    enum sg_err tls = load_tls(&parts, before, report);
    enum sg_err err = sgd_gate_open(config, report, &parts.gate);
    if (err == SG_OK)
        err = tls;
    if (err == SG_OK)
        err = sgd_routes_open(config, &parts.routes);
    if (err == SG_OK && fetchers != NULL)
        err = sgd_pools_open(fetchers, config, before != NULL ? before->pools : NULL, report,
                             &parts.pools);
    uint32_t serial = before != NULL ? before->serial + 1 : 1;
    enum sg_err opened = sgd_snapshot_open(&parts, serial, &snapshot); /* owns the parts now */
    if (err == SG_OK && opened == SG_OK)
        *out = SG_TAKE(snapshot);
    if (snapshot != NULL)
        sgd_snapshot_unref(snapshot);
    return err != SG_OK ? err : opened;
}

enum sg_err sgd_load_snapshot(const char *file, struct sg_config *config,
                              struct sgd_fetchers *fetchers, const struct sgd_snapshot *before,
                              struct sg_out *report, struct sgd_snapshot **out)
{
    char memory[FOUND_BYTES];
    struct sg_out found = sg_out_init(memory, sizeof(memory));
    enum sg_err err = load_parts(config, fetchers, before, &found, out);
    sg_config_place(file, sg_out_view(&found), report);
    return err;
}

static void write_list(FILE *file, const char *what, const char *const *names, uint32_t count)
{
    fprintf(file, "\"%s\":[", what);
    for (uint32_t i = 0; i < count; i++) /* names are of a form that needs no escapes */
        fprintf(file, "%s\"%s\"", i != 0 ? "," : "", names[i]);
    fputc(']', file);
}

static void write_names(const struct sg_config *config, FILE *file, const char **names)
{
    for (uint32_t i = 0; i < config->sites_count; i++)
        names[i] = config->sites[i].name;
    fputc('{', file);
    write_list(file, "sites", names, config->sites_count);
    for (uint32_t i = 0; i < config->tenants_count; i++)
        names[i] = config->tenants[i].name;
    fputc(',', file);
    write_list(file, "tenants", names, config->tenants_count);
    for (uint32_t i = 0; i < config->listeners_count; i++)
        names[i] = config->listeners[i].address;
    fputc(',', file);
    write_list(file, "listeners", names, config->listeners_count);
    fputs("}\n", file);
}

enum sg_err sgd_load_write_names(const struct sgd_snapshot *snapshot)
{
    char path[PATH_MAX], fresh[PATH_MAX + 8];
    const struct sg_config *config = snapshot->config;
    uint32_t most = SG_MAX(config->sites_count, config->tenants_count);
    most = SG_MAX(most, config->listeners_count);
    const char **names = sg_boot_alloc_array(most, sizeof(*names));
    if (names == NULL)
        return SG_ENOMEM;
    snprintf(path, sizeof(path), "%s/names.%u.json", config->node.run_dir, snapshot->serial);
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    FILE *file = fopen(fresh, "we");
    if (file != NULL)
        write_names(config, file, names);
    bool ok = file != NULL && fclose(file) == 0 && rename(fresh, path) == 0;
    enum sg_err err = ok ? SG_OK : sg_err_from_errno(errno);
    sg_boot_free(names);
    if (snapshot->serial > NAMES_KEPT) {
        snprintf(path, sizeof(path), "%s/names.%u.json", config->node.run_dir,
                 snapshot->serial - NAMES_KEPT);
        unlink(path);
    }
    return err;
}
