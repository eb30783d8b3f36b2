#include "dataplane/tls/ctx.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "dataplane/sys/osslcert.h"
#include "dataplane/sys/osslctx.h"
#include "dataplane/tls/ctx_impl.h"
#include "dataplane/tls/file.h"
#include "dataplane/tls/ktls.h"
#include "dataplane/tls/tickets.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 254
#define STAPLE_MAX   (16u << 10)
#define STAPLE_GRACE (60 * SG_NS_PER_SEC) /* a look at a staple is long over by then */
#define NO_CERT      UINT32_MAX

/* An OCSP response; immutable once it is a certificate's current one. */
struct staple {
    struct staple *retired_next;
    uint64_t retired_ns;
    int64_t until_s;
    size_t len;
    uint8_t der[STAPLE_MAX];
};

struct cert {
    struct sgd_cert *cert;
    char *path;
    char *ocsp_file; /* NULL: none */
    struct sgd_file_stamp ocsp_stamp;
    bool told; /* that the OCSP file can't be used */
    struct staple *_Atomic staple;
};

/* Certificates of different kinds for the same name: at most one of each. */
struct set {
    uint32_t cert[SGD_CERT_KINDS]; /* index or NO_CERT */
    struct sgd_octx *octx;
};

struct name {
    const char *text; /* the certificate's */
    uint32_t set;
};

struct sgd_tls_ctx {
    _Atomic uint32_t refs;
    bool ktls;
    struct sgd_tickets *tickets;
    struct cert *certs;
    uint32_t certs_count;
    struct set *sets;
    uint32_t sets_count;
    uint32_t first_set;
    struct name *names; /* sorted */
    uint32_t names_count;
    struct staple *retired;
};

static int name_compare(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static struct name *name_find(const struct sgd_tls_ctx *ctx, const char *text)
{
    struct name key = {.text = text};
    return bsearch(&key, ctx->names, ctx->names_count, sizeof(key), name_compare);
}

/* The exact name, else the wildcard for its first label, else what the first certificate has. */
static struct sgd_octx *choose(void *arg, const char *sni)
{
    const struct sgd_tls_ctx *ctx = arg;
    char lower[NAME_MAX_LEN + 1];
    size_t len = sni == NULL ? 0 : strlen(sni);
    struct sgd_octx *first = ctx->sets[ctx->first_set].octx;
    if (len == 0 || len > NAME_MAX_LEN)
        return first;
    for (size_t i = 0; i <= len; i++)
        lower[i] = (char)tolower((unsigned char)sni[i]);
    const struct name *name = name_find(ctx, lower);
    char *dot = strchr(lower, '.');
    if (name == NULL && dot != NULL && dot != lower) {
        dot[-1] = '*';
        name = name_find(ctx, dot - 1);
    }
    return name != NULL ? ctx->sets[name->set].octx : first;
}

static enum sgd_ticket ticket_key(void *arg, const uint8_t *name, struct sgd_ticket_key *out)
{
    struct sgd_tls_ctx *ctx = arg;
    return sgd_tickets_find(ctx->tickets, name, out);
}

static size_t staple_of(void *arg, const struct sgd_cert *cert, const uint8_t **out)
{
    const struct sgd_tls_ctx *ctx = arg;
    for (uint32_t i = 0; i < ctx->certs_count; i++) {
        const struct staple *staple = atomic_load(&ctx->certs[i].staple);
        if (ctx->certs[i].cert != cert || staple == NULL)
            continue;
        *out = staple->der;
        return staple->len;
    }
    return 0;
}

static void staple_swap(struct sgd_tls_ctx *ctx, struct cert *cert, struct staple *staple,
                        uint64_t wall_ns)
{
    struct staple *old = atomic_exchange(&cert->staple, staple);
    if (old == NULL)
        return;
    old->retired_ns = wall_ns;
    old->retired_next = ctx->retired;
    ctx->retired = old;
}

static void staples_free(struct sgd_tls_ctx *ctx, uint64_t before_ns)
{
    struct staple **at = &ctx->retired;
    while (*at != NULL) {
        struct staple *staple = *at;
        if (staple->retired_ns > before_ns) {
            at = &staple->retired_next;
            continue;
        }
        *at = staple->retired_next;
        sg_boot_free(staple);
    }
}

static enum sg_err staple_load(struct sgd_tls_ctx *ctx, struct cert *cert, uint64_t wall_ns)
{
    struct staple *staple = sg_boot_alloc(sizeof(*staple));
    if (staple == NULL)
        return SG_ENOMEM;
    enum sg_err err = sgd_file_read(cert->ocsp_file, staple->der, sizeof(staple->der), &staple->len,
                                    &cert->ocsp_stamp);
    if (err == SG_OK)
        err = sgd_cert_check_ocsp(cert->cert, staple->der, staple->len,
                                  (int64_t)(wall_ns / SG_NS_PER_SEC), &staple->until_s);
    if (err == SG_OK)
        staple_swap(ctx, cert, SG_TAKE(staple), wall_ns);
    sg_boot_free(staple);
    return err;
}

static const char *staple_fault(enum sg_err err)
{
    return err == SG_ECORRUPT   ? "not a DER OCSP response that says successful"
           : err == SG_ENOENT   ? "there is none, or it is about another certificate"
           : err == SG_ESTALE   ? "its time is over"
           : err == SG_EMSGSIZE ? "more than 16 KiB"
                                : sg_err_text(err);
}

/* A missing or bad staple is no reason not to serve: clients that insist will say so. */
static void staple_try(struct sgd_tls_ctx *ctx, struct cert *cert, uint64_t wall_ns)
{
    enum sg_err err = staple_load(ctx, cert, wall_ns);
    if (err != SG_OK && !cert->told)
        sg_warn("%s: not stapled: %s", cert->ocsp_file, staple_fault(err));
    cert->told = err != SG_OK;
}

static void staple_tick(struct sgd_tls_ctx *ctx, struct cert *cert, uint64_t wall_ns)
{
    const struct staple *staple = atomic_load(&cert->staple);
    if (staple != NULL && staple->until_s <= (int64_t)(wall_ns / SG_NS_PER_SEC)) {
        sg_warn("%s: no longer stapled: its time is over", cert->ocsp_file);
        staple_swap(ctx, cert, NULL, wall_ns);
    }
    if (sgd_file_changed(cert->ocsp_file, &cert->ocsp_stamp))
        staple_try(ctx, cert, wall_ns);
}

static char *text_copy(const char *text)
{
    char *copy = sg_boot_alloc(strlen(text) + 1);
    if (copy != NULL)
        memcpy(copy, text, strlen(text));
    return copy;
}

static enum sg_err cert_read(struct sgd_tls_ctx *ctx, struct cert *cert,
                             const struct sg_conf_certificate *conf, uint64_t wall_ns,
                             struct sg_out *report)
{
    cert->path = text_copy(conf->cert_file);
    if (cert->path == NULL)
        return SG_ENOMEM;
    enum sg_err err = sgd_cert_open(conf->cert_file, conf->key_file, report, &cert->cert);
    if (err != SG_OK)
        return err;
    if (sgd_cert_not_after_s(cert->cert) <= (int64_t)(wall_ns / SG_NS_PER_SEC))
        sg_warn("%s: this certificate has expired", conf->cert_file);
    if (conf->ocsp_file == NULL)
        return SG_OK;
    cert->ocsp_file = text_copy(conf->ocsp_file);
    if (cert->ocsp_file == NULL)
        return SG_ENOMEM;
    staple_try(ctx, cert, wall_ns);
    return SG_OK;
}

/* Every file is tried, so that the report has every mistake. */
static enum sg_err certs_read(struct sgd_tls_ctx *ctx, const struct sg_conf_tls *conf,
                              uint64_t wall_ns, struct sg_out *report)
{
    enum sg_err first = SG_OK;
    SG_ASSERT(conf->certificates_count > 0);
    ctx->certs = sg_boot_alloc_array(conf->certificates_count, sizeof(*ctx->certs));
    if (ctx->certs == NULL)
        return SG_ENOMEM;
    ctx->certs_count = conf->certificates_count;
    for (uint32_t i = 0; i < ctx->certs_count; i++) {
        enum sg_err err = cert_read(ctx, &ctx->certs[i], &conf->certificates[i], wall_ns, report);
        if (first == SG_OK)
            first = err;
    }
    return first;
}

/* For each kind the first certificate that has the name. */
static void set_for_name(const struct sgd_tls_ctx *ctx, const char *text, struct set *out)
{
    for (size_t kind = 0; kind < SGD_CERT_KINDS; kind++)
        out->cert[kind] = NO_CERT;
    for (uint32_t i = ctx->certs_count; i-- > 0;) {
        const struct sgd_cert *cert = ctx->certs[i].cert;
        for (size_t n = 0; n < sgd_cert_names_count(cert); n++) {
            if (strcmp(sgd_cert_name(cert, n), text) == 0)
                out->cert[sgd_cert_kind(cert)] = i;
        }
    }
}

static enum sg_err set_open(struct sgd_tls_ctx *ctx, const struct sg_conf_tls *conf,
                            struct set *set)
{
    struct sgd_cert *certs[SGD_CERT_KINDS] = {NULL};
    struct sgd_octx_conf octx_conf = {
        .tls13_only = conf->min_version == SG_CONF_TLS13,
        .ticket_lifetime_s = conf->ticket_lifetime_s,
        .hooks = {.choose = choose, .ticket_key = ticket_key, .staple = staple_of},
        .arg = ctx,
    };
    for (size_t kind = 0; kind < SGD_CERT_KINDS; kind++) {
        if (set->cert[kind] != NO_CERT)
            certs[kind] = ctx->certs[set->cert[kind]].cert;
    }
    return sgd_octx_open(&octx_conf, certs, &set->octx);
}

/* The index of the set that equals `wanted`, made if there is none. */
static enum sg_err set_index(struct sgd_tls_ctx *ctx, const struct sg_conf_tls *conf,
                             const struct set *wanted, uint32_t *index)
{
    for (uint32_t i = 0; i < ctx->sets_count; i++) {
        if (memcmp(ctx->sets[i].cert, wanted->cert, sizeof(wanted->cert)) == 0) {
            *index = i;
            return SG_OK;
        }
    }
    struct set *set = &ctx->sets[ctx->sets_count];
    *set = *wanted;
    enum sg_err err = set_open(ctx, conf, set);
    if (err == SG_OK)
        *index = ctx->sets_count++;
    return err;
}

/* A name that several certificates have stays once. */
static enum sg_err names_make(struct sgd_tls_ctx *ctx, const struct sg_conf_tls *conf)
{
    size_t total = 0;
    for (uint32_t i = 0; i < ctx->certs_count; i++)
        total += sgd_cert_names_count(ctx->certs[i].cert);
    ctx->names = sg_boot_alloc_array(total + 1, sizeof(*ctx->names));
    ctx->sets = sg_boot_alloc_array(total + 1, sizeof(*ctx->sets));
    if (ctx->names == NULL || ctx->sets == NULL)
        return SG_ENOMEM;
    for (uint32_t i = 0; i < ctx->certs_count; i++) {
        for (size_t n = 0; n < sgd_cert_names_count(ctx->certs[i].cert); n++)
            ctx->names[ctx->names_count++].text = sgd_cert_name(ctx->certs[i].cert, n);
    }
    qsort(ctx->names, ctx->names_count, sizeof(*ctx->names), name_compare);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ctx->names_count; i++) {
        struct set wanted = {.octx = NULL};
        struct name name = ctx->names[i];
        if (kept > 0 && strcmp(ctx->names[kept - 1].text, name.text) == 0)
            continue;
        set_for_name(ctx, name.text, &wanted);
        enum sg_err err = set_index(ctx, conf, &wanted, &name.set);
        if (err != SG_OK)
            return err;
        ctx->names[kept++] = name;
    }
    ctx->names_count = kept;
    return SG_OK;
}

/* For clients that ask for no name or one that nobody has: what stands first in the file. */
static enum sg_err first_set_make(struct sgd_tls_ctx *ctx, const struct sg_conf_tls *conf)
{
    struct set wanted = {.octx = NULL};
    const struct sgd_cert *cert = ctx->certs[0].cert;
    if (sgd_cert_names_count(cert) > 0) {
        ctx->first_set = name_find(ctx, sgd_cert_name(cert, 0))->set;
        return SG_OK;
    }
    for (size_t kind = 0; kind < SGD_CERT_KINDS; kind++)
        wanted.cert[kind] = NO_CERT;
    wanted.cert[sgd_cert_kind(cert)] = 0;
    return set_index(ctx, conf, &wanted, &ctx->first_set);
}

/* A set that OpenSSL refuses is no file's fault alone: all that can be said is which listener. */
static enum sg_err sets_make(struct sgd_tls_ctx *ctx, const struct sg_conf_tls *conf,
                             struct sg_out *report)
{
    enum sg_err err = names_make(ctx, conf);
    if (err == SG_OK)
        err = first_set_make(ctx, conf);
    if (err == SG_ETLS)
        sg_out_fmt(report,
                   "%s: the TLS library refuses this certificate or one beside it (its key "
                   "is too short, or its signature too weak)\n",
                   ctx->certs[0].path);
    return err == SG_ETLS ? SG_ECONFIG : err;
}

enum sg_err sgd_tls_ctx_open(const struct sg_conf_tls *conf, struct sgd_tls_ctx *before,
                             struct sg_out *report, struct sgd_tls_ctx **out)
{
    SG_ASSERT(conf != NULL && report != NULL);
    SG_ASSERT(out != NULL);
    uint64_t wall_ns = sg_clock_wall_ns();
    struct sgd_tickets_conf tickets = {conf->ticket_key_file, conf->ticket_rotate_s,
                                       conf->ticket_lifetime_s};
    struct sgd_tls_ctx *ctx = sg_boot_alloc(sizeof(*ctx));
    if (ctx == NULL)
        return SG_ENOMEM;
    atomic_init(&ctx->refs, 1);
    ctx->ktls = conf->ktls != SG_CONF_KTLS_OFF;
    enum sg_err err = certs_read(ctx, conf, wall_ns, report);
    enum sg_err tickets_err = sgd_tickets_open(&tickets, before == NULL ? NULL : before->tickets,
                                               wall_ns, report, &ctx->tickets);
    if (err == SG_OK)
        err = tickets_err;
    if (err == SG_OK)
        err = sets_make(ctx, conf, report);
    if (err == SG_OK)
        *out = SG_TAKE(ctx);
    sgd_tls_ctx_unref(ctx);
    return err;
}

static void ctx_free(struct sgd_tls_ctx *ctx)
{
    for (uint32_t i = 0; i < ctx->sets_count; i++)
        sgd_octx_close(ctx->sets[i].octx);
    for (uint32_t i = 0; i < ctx->certs_count; i++) {
        sgd_cert_close(ctx->certs[i].cert);
        sg_boot_free(atomic_load(&ctx->certs[i].staple));
        sg_boot_free(ctx->certs[i].path);
        sg_boot_free(ctx->certs[i].ocsp_file);
    }
    staples_free(ctx, UINT64_MAX);
    sgd_tickets_close(ctx->tickets);
    sg_boot_free(ctx->sets);
    sg_boot_free(ctx->names);
    sg_boot_free(ctx->certs);
    sg_boot_free(ctx);
}

void sgd_tls_ctx_ref(struct sgd_tls_ctx *ctx)
{
    uint32_t was = atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    SG_ASSERT(was != 0);
}

void sgd_tls_ctx_unref(struct sgd_tls_ctx *ctx)
{
    if (ctx == NULL)
        return;
    uint32_t was = atomic_fetch_sub_explicit(&ctx->refs, 1, memory_order_acq_rel);
    SG_ASSERT(was != 0);
    if (was == 1)
        ctx_free(ctx);
}

void sgd_tls_ctx_tick(struct sgd_tls_ctx *ctx, uint64_t wall_ns)
{
    SG_ASSERT(ctx != NULL);
    sgd_tickets_tick(ctx->tickets, wall_ns);
    staples_free(ctx, wall_ns - SG_MIN(wall_ns, STAPLE_GRACE));
    for (uint32_t i = 0; i < ctx->certs_count; i++) {
        if (ctx->certs[i].ocsp_file != NULL)
            staple_tick(ctx, &ctx->certs[i], wall_ns);
    }
}

struct sgd_octx *sgd_tls_ctx_first(struct sgd_tls_ctx *ctx)
{
    return ctx->sets[ctx->first_set].octx;
}

bool sgd_tls_ctx_ktls(const struct sgd_tls_ctx *ctx)
{
    return ctx->ktls;
}

uint32_t sgd_tls_ctx_certs(const struct sgd_tls_ctx *ctx)
{
    return ctx->certs_count;
}

void sgd_tls_ctx_cert(const struct sgd_tls_ctx *ctx, uint32_t index, struct sgd_tls_cert_info *out)
{
    static const char *const kinds[] = {
        [SGD_CERT_ECDSA] = "ecdsa", [SGD_CERT_RSA] = "rsa", [SGD_CERT_ED25519] = "ed25519"};
    SG_ASSERT(index < ctx->certs_count);
    const struct cert *cert = &ctx->certs[index];
    *out = (struct sgd_tls_cert_info){
        .path = cert->path,
        .subject = sgd_cert_subject(cert->cert),
        .kind = kinds[sgd_cert_kind(cert->cert)],
        .not_after_s = sgd_cert_not_after_s(cert->cert),
        .stapled = atomic_load(&cert->staple) != NULL,
    };
}
