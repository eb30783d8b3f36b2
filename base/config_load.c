#include "base/alloc.h"
#include "base/config.h"
#include "base/config_check.h"
#include "base/config_report.h"
#include "base/config_shape.h"
#include "base/sys/cyaml.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_BYTES_MAX (4u << 20)
#define LINE_BYTES_MAX 1024

static enum sg_err file_read(const char *path, char **bytes, size_t *len)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return sg_err_from_errno(errno);
    char *memory = sg_boot_alloc(FILE_BYTES_MAX + 1);
    enum sg_err err = memory != NULL ? SG_OK : SG_ENOMEM;
    if (err == SG_OK) {
        *len = fread(memory, 1, FILE_BYTES_MAX + 1, file);
        if (ferror(file))
            err = SG_EIO;
        else if (*len > FILE_BYTES_MAX)
            err = SG_EMSGSIZE;
    }
    fclose(file);
    if (err == SG_OK)
        *bytes = SG_TAKE(memory);
    sg_boot_free(memory);
    return err;
}

/* The folder of `file`, whole, so that a later chdir changes nothing. */
static enum sg_err folder_of(const char *file, char folder[PATH_MAX])
{
    if (realpath(file, folder) == NULL)
        return sg_err_from_errno(errno);
    char *slash = strrchr(folder, '/');
    SG_ASSERT(slash != NULL);
    *slash = '\0';
    return SG_OK;
}

/* The document as text, and from that the structs. */
static enum sg_err config_fill(struct sg_yaml *yaml, struct sg_config **out)
{
    char *text = NULL;
    size_t len = 0;
    void *filled = NULL;
    FILE *memory = open_memstream(&text, &len);
    if (memory == NULL)
        return SG_ENOMEM;
    sg_conf_shape_write(yaml, memory);
    bool failed = ferror(memory) != 0;
    enum sg_err err = fclose(memory) != 0 || failed ? SG_ENOMEM : SG_OK;
    if (err == SG_OK)
        err = sg_cyaml_load(&sg_conf_root, text, len, &filled);
    free(text);
    if (err == SG_OK)
        *out = filled;
    return err;
}

/* Defaults that are not a constant. */
static enum sg_err config_complete(struct sg_config *config)
{
    char text[PATH_MAX];
    if (config->node.name == NULL) {
        if (gethostname(text, sizeof(text)) != 0)
            return sg_err_from_errno(errno);
        text[sizeof(text) - 1] = '\0';
        config->node.name = sg_cyaml_string(text);
    }
    if (config->admin.socket == NULL) {
        int n = snprintf(text, sizeof(text), "%s/admin.sock", config->node.run_dir);
        if (n < 0 || (size_t)n >= sizeof(text))
            return SG_EMSGSIZE;
        config->admin.socket = sg_cyaml_string(text);
    }
    return config->node.name != NULL && config->admin.socket != NULL ? SG_OK : SG_ENOMEM;
}

/* From a document to a configuration that is right, or a report and SG_ECONFIG. */
static enum sg_err config_from(struct sg_conf_report *report, const char *folder,
                               struct sg_config **out)
{
    struct sg_config *config = NULL;
    enum sg_err err = sg_conf_shape(report, folder);
    if (err == SG_OK && sg_yaml_root(report->yaml) != 0)
        err = config_fill(report->yaml, &config);
    if (err == SG_EINVAL && report->mistakes == 0)
        sg_conf_mistake(report, 1, "", "the schema's loader refused it: please report this");
    if (err == SG_OK && config != NULL)
        sg_conf_check(config, report);
    if (report->mistakes != 0)
        err = SG_ECONFIG;
    if (err == SG_OK)
        err = config_complete(config);
    if (err == SG_OK)
        *out = SG_TAKE(config);
    sg_config_free(config);
    return err;
}

enum sg_err sg_config_parse(const char *file, const char *folder, struct sg_str bytes,
                            struct sg_out *report, struct sg_config **out)
{
    SG_ASSERT(file != NULL && folder != NULL);
    SG_ASSERT(report != NULL && out != NULL);
    struct sg_conf_report mistakes = {.file = file, .out = report};
    struct sg_yaml_fault fault = {0};
    enum sg_err err = sg_yaml_open(bytes.ptr, bytes.len, &fault, &mistakes.yaml);
    if (err == SG_ECORRUPT) {
        sg_conf_mistake(&mistakes, fault.line, "", "%s", fault.text);
        return SG_ECONFIG;
    }
    if (err == SG_OK)
        err = config_from(&mistakes, folder, out);
    sg_yaml_close(mistakes.yaml);
    return err;
}

static enum sg_err anything_goes(void *ctx, struct sg_str bytes, struct sg_out *report)
{
    (void)ctx;
    (void)bytes;
    (void)report;
    return SG_OK;
}

enum sg_err sg_config_load(const char *file, struct sg_out *report, struct sg_config **out)
{
    return sg_config_load_judged(file, anything_goes, NULL, report, out);
}

enum sg_err sg_config_load_judged(const char *file,
                                  enum sg_err (*judge)(void *ctx, struct sg_str bytes,
                                                       struct sg_out *report),
                                  void *ctx, struct sg_out *report, struct sg_config **out)
{
    SG_ASSERT(file != NULL && report != NULL);
    SG_ASSERT(out != NULL);
    char *bytes = NULL, folder[PATH_MAX];
    size_t len = 0;
    enum sg_err err = folder_of(file, folder);
    if (err == SG_OK)
        err = file_read(file, &bytes, &len);
    if (err != SG_OK) {
        sg_out_fmt(report, "%s: %s\n", file, sg_err_text(err));
        return err;
    }
    err = judge(ctx, (struct sg_str){bytes, len}, report);
    if (err == SG_OK)
        err = sg_config_parse(file, folder, (struct sg_str){bytes, len}, report, out);
    explicit_bzero(bytes, len);
    sg_boot_free(bytes);
    return err;
}

void sg_config_free(struct sg_config *config)
{
    sg_cyaml_free(&sg_conf_root, config);
}

/* "KEY: text", KEY being one that the file has, or an item of it. */
static void place_line(struct sg_conf_report *report, const char *line)
{
    char path[SG_CONF_PATH_BYTES], top[SG_CONF_PATH_BYTES];
    size_t path_len = strcspn(line, ": "), top_len = strcspn(line, ".[: ");
    int root = report->yaml != NULL ? sg_yaml_root(report->yaml) : 0;
    if (path_len < sizeof(path) && root != 0 && strncmp(line + path_len, ": ", 2) == 0) {
        snprintf(path, sizeof(path), "%.*s", (int)path_len, line);
        snprintf(top, sizeof(top), "%.*s", (int)top_len, line);
        if (sg_yaml_kind(report->yaml, root) == SG_YAML_MAP &&
            sg_yaml_find(report->yaml, root, top) != 0) {
            sg_conf_mistake_at(report, path, "%s", line + path_len + 2);
            return;
        }
    }
    sg_out_fmt(report->out, "%s\n", line);
}

void sg_config_place(const char *file, struct sg_str found, struct sg_out *report)
{
    SG_ASSERT(file != NULL && report != NULL);
    char *bytes = NULL;
    size_t len = 0;
    struct sg_yaml_fault fault;
    struct sg_conf_report lines = {.file = file, .out = report};
    if (found.len != 0 && (file_read(file, &bytes, &len) != SG_OK ||
                           sg_yaml_open(bytes, len, &fault, &lines.yaml) != SG_OK))
        lines.yaml = NULL; /* it has gone or changed: then the key alone must do */
    while (found.len != 0) {
        char line[LINE_BYTES_MAX];
        const char *end = memchr(found.ptr, '\n', found.len);
        size_t line_len = end != NULL ? (size_t)(end - found.ptr) : found.len;
        snprintf(line, sizeof(line), "%.*s", (int)line_len, found.ptr);
        place_line(&lines, line);
        found = sg_str_skip(found, SG_MIN(line_len + 1, found.len));
    }
    sg_yaml_close(lines.yaml);
    sg_boot_free(bytes);
}
