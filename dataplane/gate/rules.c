#include "dataplane/gate/rules.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "edgecache/state/state.h"

#define REPORT_MAX 512

struct sgd_rules {
    const struct sg_config *config;
    struct sgd_rule **compiled; /* beside config->rules; NULL: it can't be */
};

static enum sg_err rule_open(const struct sg_config *config, uint32_t i, struct sg_out *report,
                             struct sgd_rule **out)
{
    char memory[REPORT_MAX];
    struct sg_out why = sg_out_init(memory, sizeof(memory));
    const struct sg_conf_rule *conf = &config->rules[i];
    uint32_t tenant = sge_tenant_id(sg_str_from(conf->tenant));
    enum sg_err err = sgd_rule_compile(sg_str_from(conf->require), tenant, &why, out);
    if (err == SG_ECONFIG)
        sg_out_fmt(report, "rules[%u].require: rule %s: %.*s\n", i, conf->name, (int)why.len,
                   why.ptr);
    return err == SG_ECONFIG ? SG_OK : err;
}

enum sg_err sgd_rules_open(const struct sg_config *config, struct sg_out *report,
                           struct sgd_rules **out)
{
    SG_ASSERT(config != NULL && report != NULL);
    SG_ASSERT(out != NULL);
    enum sg_err err = SG_OK;
    struct sgd_rules *rules = sg_boot_alloc(sizeof(*rules));
    if (rules == NULL)
        return SG_ENOMEM;
    rules->config = config;
    rules->compiled = sg_boot_alloc_array(config->rules_count, sizeof(*rules->compiled));
    if (rules->compiled == NULL && config->rules_count > 0)
        err = SG_ENOMEM;
    for (uint32_t i = 0; i < config->rules_count && err == SG_OK; i++)
        err = rule_open(config, i, report, &rules->compiled[i]);
    if (err == SG_OK)
        *out = SG_TAKE(rules);
    sgd_rules_close(rules);
    return err;
}

void sgd_rules_close(struct sgd_rules *rules)
{
    if (rules == NULL)
        return;
    for (uint32_t i = 0; rules->compiled != NULL && i < rules->config->rules_count; i++)
        sgd_rule_free(rules->compiled[i]);
    sg_boot_free(rules->compiled);
    sg_boot_free(rules);
}

const struct sgd_rule *sgd_rules_of(const struct sgd_rules *rules, const struct sg_conf_site *site,
                                    bool country_db, uint32_t *version, const char **fault)
{
    SG_ASSERT(rules != NULL && site->rule != NULL);
    const struct sg_config *config = rules->config;
    uint32_t i = 0;
    while (i < config->rules_count && strcmp(config->rules[i].name, site->rule) != 0)
        i++;
    const struct sgd_rule *rule = i < config->rules_count ? rules->compiled[i] : NULL;
    *fault = NULL;
    if (i == config->rules_count)
        *fault = "its rule is not in rules";
    else if (strcmp(config->rules[i].tenant, site->tenant) != 0)
        *fault = "its rule is another tenant's";
    else if (rule == NULL)
        *fault = "its rule can't be compiled";
    else if (sgd_rule_asks_place(rule) && !country_db)
        *fault = "country() in its rule needs a readable gate.country_db";
    if (*fault != NULL)
        return NULL;
    *version = config->rules[i].version;
    return rule;
}
