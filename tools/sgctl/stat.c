/* sgctl stat: the counters, once. */
#include "base/clock.h"
#include "dataplane/close.h"
#include "dataplane/node/recordjson.h"
#include "tools/sgctl/args.h"
#include "tools/sgctl/commands.h"
#include "tools/sgctl/counters.h"

#include <stdio.h>

static void counters_add(const struct sge_stats *stats, struct sgt_counters *out)
{
    for (int i = 0; i < SGE_STAT_COUNT; i++)
        out->value[i] += atomic_load_explicit(&stats->value[i], memory_order_relaxed);
    for (int i = 0; i < SGE_CLOSE_REASONS_MAX; i++)
        out->close[i] += atomic_load_explicit(&stats->close[i], memory_order_relaxed);
    for (int i = 0; i < SGE_GATE_REASONS_MAX; i++)
        out->gate[i] += atomic_load_explicit(&stats->gate[i], memory_order_relaxed);
}

int sgt_counters_take(const struct sgt_call *call, struct sgt_counters *out)
{
    char path[PATH_MAX];
    struct sge_statsfile *file = NULL;
    if (snprintf(path, sizeof(path), "%s/counters", call->run_dir) >= (int)sizeof(path))
        return SGT_USAGE;
    enum sg_err err = sge_statsfile_open(path, &file);
    if (err != SG_OK) {
        sgt_refuse("%s: %s", path, err == SG_ENOENT ? "no node has run here" : sg_err_text(err));
        return SGT_UNREACHABLE;
    }
    *out = (struct sgt_counters){.taken_ns = sg_clock_mono_ns(),
                                 .workers = sge_statsfile_workers(file)};
    for (uint32_t w = 0; w < out->workers; w++)
        counters_add(sge_statsfile_worker(file, w), out);
    sge_statsfile_close(file);
    return SGT_DONE;
}

static void put(json_t *object, const char *name, uint64_t value)
{
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void print_json(const struct sgt_counters *counters)
{
    json_t *all = json_object(), *close = json_object(), *gate = json_object();
    for (int i = 0; i < SGE_STAT_COUNT; i++)
        put(all, sge_stat_name((enum sge_stat)i), counters->value[i]);
    for (int i = 0; i < SGD_CLOSE_COUNT; i++)
        put(close, sgd_close_name((enum sgd_close)i), counters->close[i]);
    for (int i = 0; i < SGD_GATE_COUNT; i++)
        put(gate, sgd_record_verdict((enum sgd_gate_verdict)i), counters->gate[i]);
    json_object_set_new(all, "close", close);
    json_object_set_new(all, "gate", gate);
    json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(all);
}

/* Reasons that never happened are left out. */
static void print_text(const struct sgt_counters *counters)
{
    for (int i = 0; i < SGE_STAT_COUNT; i++)
        printf("%-26s %20llu  %s\n", sge_stat_name((enum sge_stat)i),
               (unsigned long long)counters->value[i], sge_stat_help((enum sge_stat)i));
    for (int i = 0; i < SGD_CLOSE_COUNT; i++)
        if (counters->close[i] != 0)
            printf("close.%-20s %20llu  %s\n", sgd_close_name((enum sgd_close)i),
                   (unsigned long long)counters->close[i], sgd_close_text((enum sgd_close)i));
    for (int i = 0; i < SGD_GATE_COUNT; i++)
        if (counters->gate[i] != 0)
            printf("gate.%-21s %20llu\n", sgd_record_verdict((enum sgd_gate_verdict)i),
                   (unsigned long long)counters->gate[i]);
}

int sgt_stat_main(const struct sgt_call *call, int argc, char **argv)
{
    struct sgt_counters counters;
    int status = sgt_no_words(argc, argv);
    if (status == SGT_DONE)
        status = sgt_counters_take(call, &counters);
    if (status != SGT_DONE)
        return status;
    if (call->json)
        print_json(&counters);
    else
        print_text(&counters);
    return SGT_DONE;
}
