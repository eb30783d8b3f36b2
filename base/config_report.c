#include "base/config_report.h"

#include "base/config_schema.h"

#include <stdio.h>
#include <stdlib.h>

SG_PRINTF(4, 0)
static void report_line(struct sg_conf_report *report, uint32_t line, const char *path,
                        const char *fmt, va_list args)
{
    char text[1024];
    report->mistakes++;
    if (vsnprintf(text, sizeof(text), fmt, args) < 0)
        return;
    for (char *c = text; *c != '\0'; c++) /* one mistake is one line, whatever a value holds */
        if ((unsigned char)*c < ' ')
            *c = ' ';
    sg_out_fmt(report->out, "%s:%u: %s%s%s\n", report->file, line, path, *path != '\0' ? ": " : "",
               text);
}

void sg_conf_mistake(struct sg_conf_report *report, uint32_t line, const char *path,
                     const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report_line(report, line, path, fmt, args);
    va_end(args);
}

/* One step of a path: the child that `*path` begins with, moving *path past it; 0: none. */
static int report_step(struct sg_yaml *yaml, int node, const char **path)
{
    char key[64];
    if (**path == '[') {
        char *end;
        unsigned long i = strtoul(*path + 1, &end, 10);
        *path = *end == ']' ? end + 1 : end;
        bool list = sg_yaml_kind(yaml, node) == SG_YAML_LIST;
        return list && i < sg_yaml_count(yaml, node) ? sg_yaml_item(yaml, node, (uint32_t)i) : 0;
    }
    *path += **path == '.';
    size_t len = strcspn(*path, ".[");
    if (len >= sizeof(key) || sg_yaml_kind(yaml, node) != SG_YAML_MAP)
        return 0;
    memcpy(key, *path, len);
    key[len] = '\0';
    *path += len;
    return sg_yaml_find(yaml, node, key);
}

static uint32_t report_line_of(struct sg_yaml *yaml, const char *path)
{
    uint32_t line = 1;
    int node = sg_yaml_root(yaml);
    for (int depth = 0; node != 0 && depth < 2 * SG_CONF_DEPTH_MAX; depth++) {
        uint32_t here = sg_yaml_line(yaml, node);
        line = here != 0 ? here : line;
        if (*path == '\0')
            break;
        node = report_step(yaml, node, &path);
    }
    return line;
}

void sg_conf_mistake_at(struct sg_conf_report *report, const char *path, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report_line(report, report_line_of(report->yaml, path), path, fmt, args);
    va_end(args);
}
