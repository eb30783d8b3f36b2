#include "tools/sgctl/access.h"

#include "base/clock.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>

int sgt_refuse(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fputs("sgctl: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    return SGT_REFUSED;
}

const struct sg_conf_tenant *sgt_tenant_find(const struct sg_config *config, const char *name)
{
    if (name == NULL && config->tenants_count == 1)
        return &config->tenants[0];
    for (uint32_t i = 0; name != NULL && i < config->tenants_count; i++)
        if (strcmp(config->tenants[i].name, name) == 0)
            return &config->tenants[i];
    if (name == NULL)
        sgt_refuse("which tenant? The configuration has %u: say --tenant NAME",
                   config->tenants_count);
    else
        sgt_refuse("the configuration has no tenant %s", name);
    return NULL;
}

bool sgt_tenant_key(const char *secret_file, struct sg_str tenant, uint8_t out[SGD_KEY_BYTES])
{
    if (secret_file == NULL) {
        sgt_refuse("tenant %.*s has no secret_file: it has no tokens", (int)tenant.len, tenant.ptr);
        return false;
    }
    enum sg_err err = sgd_key_tenant_load(secret_file, tenant, out);
    if (err == SG_ERANGE)
        sgt_refuse("%s must hold 32 to 1024 bytes", secret_file);
    else if (err != SG_OK)
        sgt_refuse("%s: %s", secret_file, sg_secret_fault(err));
    return err == SG_OK;
}

struct sge_state *sgt_state_open(const struct sg_config *config)
{
    struct sge_state *state = NULL;
    enum sg_err err = sge_state_open(config->node.state_dir, true, &state);
    if (err != SG_OK)
        sgt_refuse("the state in %s: %s", config->node.state_dir, sg_err_text(err));
    return state;
}

struct sge_state_reader *sgt_reader_open(struct sge_state *state)
{
    struct sge_state_reader *reader = NULL;
    enum sg_err err = sge_state_reader_open(state, &reader);
    if (err == SG_OK) {
        err = sge_state_begin(reader);
        if (err != SG_OK)
            sge_state_reader_close(SG_TAKE(reader));
    }
    if (err != SG_OK)
        sgt_refuse("the state can't be read: %s", sg_err_text(err));
    return reader;
}

void sgt_reader_close(struct sge_state_reader *reader)
{
    if (reader != NULL)
        sge_state_end(reader);
    sge_state_reader_close(reader);
}

bool sgt_hex_read(const char *text, uint8_t *out, size_t bytes)
{
    if (strlen(text) != bytes * 2 || strspn(text, "0123456789abcdefABCDEF") != bytes * 2)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

json_t *sgt_hex_json(const void *bytes, size_t len)
{
    char memory[256];
    struct sg_out out = sg_out_init(memory, sizeof(memory));
    sg_out_hex(&out, bytes, len);
    return json_stringn(out.ptr, out.len);
}

json_t *sgt_time_json(uint64_t seconds)
{
    char text[32];
    time_t t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return json_integer((json_int_t)seconds);
    return json_string(text);
}

void sgt_print(json_t *object, bool json)
{
    const char *key;
    json_t *value;
    if (json) {
        json_dumpf(object, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    json_object_foreach(object, key, value)
    {
        if (json)
            break;
        printf("%s: ", key);
        if (json_is_string(value))
            fputs(json_string_value(value), stdout);
        else
            json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
        putchar('\n');
    }
    json_decref(object);
}
