/* gate - what the gate costs a request, in nanoseconds, on the core that it runs on:
 *   bench_gate [SECONDS A CASE [CASE]]
 * strip   taking the token out of a request (header, path; and of one that has none)
 * cold    a token never seen: base64url, COSE, MAC, claims, state
 * warm    the same token again: the verdict cache, then all that is judged on every request
 * facts   warm, with two facts
 * public  a site that needs no token
 * Each line: case, median and best of 15 rounds, in CPU time of the thread. */
#include "tests/unit/dataplane/gate_world.h"

#include <stdlib.h>

#define ROUNDS 15
#define TOKENS 4096

static struct world *w;
static const char *only; /* the one case asked for; NULL: all */
static char (*texts)[1024];
static size_t lens[TOKENS];
static struct sgd_gate_answer answer;
static struct sgd_gate_request in;
static char strip_memory[SGD_STRIP_BYTES];

static void mint_all(void)
{
    for (size_t i = 0; i < TOKENS; i++) {
        memcpy(w->claims.cti, &i, sizeof(i));
        world_mint(w);
        lens[i] = w->stripped.token.len;
        memcpy(texts[i], w->stripped.token.ptr, lens[i]);
    }
}

static void decide(size_t i)
{
    w->stripped.token = (struct sg_str){texts[i % TOKENS], lens[i % TOKENS]};
    sgd_gate_decide(w->gate, w->core, w->reader, &w->stats, &in, &answer);
    SG_ASSERT(answer.verdict == SGD_GATE_allowed || answer.verdict == SGD_GATE_public);
}

static void step_cold(size_t i)
{
    decide(i % 256); /* with a cache of 16: each comes back when it is long forgotten */
}

static void step_warm(size_t i)
{
    decide(i % 16);
}

static void step_many(size_t i)
{
    decide(i * 2654435761u % TOKENS);
}

static void step_begin_end(size_t i)
{
    sge_state_end(w->reader);
    SG_ASSERT(sge_state_begin(w->reader) == SG_OK);
    decide(i % 16);
}

static void step_strip(size_t i)
{
    struct sgd_stripped out;
    (void)i;
    SG_ASSERT(sgd_token_strip(&w->req, strip_memory, &out) == SG_OK);
}

/* Of this thread: others may want the core too. */
static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * SG_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(const char *name, void (*step)(size_t), uint64_t round_ns)
{
    double ns[ROUNDS];
    if (only != NULL && strcmp(only, name) != 0)
        return;
    size_t steps = TOKENS, count = 0;
    for (int round = -1; round < ROUNDS; round++) { /* one to warm up */
        uint64_t from = cpu_ns(), now = from;
        for (count = 0; now - from < round_ns || count == 0; count += steps, now = cpu_ns())
            for (size_t i = 0; i < steps; i++)
                step(count + i);
        if (round >= 0)
            ns[round] = (double)(now - from) / (double)count;
    }
    qsort(ns, ROUNDS, sizeof(ns[0]), by_value);
    printf("%-14s %8.1f ns median %8.1f best\n", name, ns[ROUNDS / 2], ns[0]);
}

int main(int argc, char **argv)
{
    void *fixture;
    const uint64_t round_ns =
        (uint64_t)((argc > 1 ? atof(argv[1]) : 1.0) * (double)SG_NS_PER_SEC / (ROUNDS + 1));
    only = argc > 2 ? argv[2] : NULL;
    texts = malloc(TOKENS * sizeof(*texts));
    SG_ASSERT(texts != NULL && world_set_up(&fixture) == 0);
    w = fixture;
    sgd_gate_core_close(w->core);
    SG_ASSERT(sgd_gate_core_open(16, &w->core) == SG_OK);
    mint_all();
    printf("a token of %zu characters\n", lens[0]);
    in = (struct sgd_gate_request){.req = &w->req,
                                   .stripped = &w->stripped,
                                   .path = w->path,
                                   .site = WORLD_GATED,
                                   .wall_ns = w->now_s * SG_NS_PER_SEC};
    SG_ASSERT(sge_state_begin(w->reader) == SG_OK);
    measure("cold", step_cold, round_ns);
    sgd_gate_core_close(w->core);
    SG_ASSERT(sgd_gate_core_open(2 * TOKENS, &w->core) == SG_OK);
    measure("warm", step_warm, round_ns);
    measure("warm, 4096", step_many, round_ns);
    measure("warm + txn", step_begin_end, round_ns);
    in.site = WORLD_PUBLIC;
    measure("public", step_warm, round_ns);
    struct sgd_field fields[] = {{SG_STR("accept"), SG_STR("*/*")},
                                 {SG_STR("user-agent"), SG_STR("player")},
                                 {SG_STR("accept-encoding"), SG_STR("gzip")},
                                 {SG_STR("cta-common-access-token"), {texts[0], lens[0]}}};
    w->req.fields = fields;
    w->req.fields_count = 3;
    measure("strip, none", step_strip, round_ns);
    w->req.fields_count = 4;
    measure("strip, header", step_strip, round_ns);
    char path[2048];
    w->req.fields_count = 3;
    w->req.path.ptr = path;
    w->req.path.len =
        (size_t)snprintf(path, sizeof(path), "/cat:%.*s/asset/seg1.m4s", (int)lens[0], texts[0]);
    measure("strip, path", step_strip, round_ns);
    sge_state_end(w->reader);
    free(texts);
    return world_tear_down(&fixture);
}
