#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "dataplane/tls/ctx.h"
#include "dataplane/tls/handshake.h"
#include "tests/unit/dataplane/tls/fakeconn.h"
#include "tests/unit/dataplane/tls/tlspeer.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[64];
static struct sge_stats stats;
static struct sgd_worker worker;
static struct sgd_conn conn;

/* What comes after the handshake in these tests: answers every input with itself. */
static uint8_t echoed[4096];
static size_t echoed_len;

static size_t echo_input(void *self, const uint8_t *bytes, size_t len, uint64_t now_ns)
{
    memcpy(echoed + echoed_len, bytes, len);
    echoed_len += len;
    sgd_conn_want_send(self);
    return len;
    (void)now_ns;
}

static size_t echo_pull(void *self, size_t budget, struct sg_slice *out, size_t max,
                        enum sgd_pull_more *more, uint64_t now_ns)
{
    *more = SGD_PULL_IDLE;
    if (echoed_len == 0)
        return 0;
    out[0] = (struct sg_slice){echoed, (uint32_t)echoed_len, NULL};
    echoed_len = 0;
    return 1;
    (void)budget;
    (void)max;
    (void)now_ns;
    (void)self;
}

static void echo_event(void *self, uint64_t now_ns)
{
    (void)now_ns;
    (void)self;
}

static void echo_closed(void *self, enum sgd_close why)
{
    (void)self;
    (void)why;
}

static const struct sgd_proto echo = {
    .name = "echo",
    .input = echo_input,
    .pull = echo_pull,
    .input_end = echo_event,
    .wake = echo_event,
    .closed = echo_closed,
};

static bool echo_start(struct sgd_worker *w, struct sgd_conn *c)
{
    assert_ptr_equal(w, &worker);
    sgd_conn_set_proto(c, &echo, c);
    return true;
}

static bool refuse_start(struct sgd_worker *w, struct sgd_conn *c)
{
    return false;
    (void)c;
    (void)w;
}

static const struct sgd_handshake_next next = {echo_start}, next_refuses = {refuse_start};

/* Paths of files in the folder, from a ring of buffers. */
static const char *in_folder(const char *name, const char *ending)
{
    static char paths[16][128];
    static unsigned at;
    char *path = paths[at++ % 16];
    snprintf(path, 128, "%s/%s%s", folder, name, ending);
    return path;
}

static struct sg_conf_certificate certificate(const char *name)
{
    return (struct sg_conf_certificate){in_folder(name, ".crt"), in_folder(name, ".key"), NULL};
}

static struct sgd_tls_ctx *ctx_of(const struct sg_conf_tls *conf, struct sgd_tls_ctx *before)
{
    char text[1024];
    struct sg_out report = sg_out_init(text, sizeof(text));
    struct sgd_tls_ctx *ctx = NULL;
    enum sg_err err = sgd_tls_ctx_open(conf, before, &report, &ctx);
    if (err != SG_OK)
        fail_msg("%.*s", (int)report.len, report.ptr);
    return ctx;
}

static struct sg_conf_tls conf_of(struct sg_conf_certificate *certs, uint32_t count)
{
    return (struct sg_conf_tls){.certificates = certs,
                                .certificates_count = count,
                                .ticket_rotate_s = 3600,
                                .ticket_lifetime_s = 7200};
}

static struct sgd_tls_ctx *ctx_of_one(const char *name)
{
    struct sg_conf_certificate cert = certificate(name);
    struct sg_conf_tls conf = conf_of(&cert, 1);
    return ctx_of(&conf, NULL);
}

static void start(struct sgd_tls_ctx *ctx)
{
    worker.wall_ns = sg_clock_wall_ns();
    sgt_conn_begin(&conn, &worker);
    assert_true(sgd_handshake_start(worker.handshakes, &conn, ctx, &next, 0, 5 * SG_NS_PER_SEC));
    assert_int_equal(conn.wake_at_ns, 5 * SG_NS_PER_SEC);
    echoed_len = 0;
}

/* Moves bytes both ways, `step` at a time, until neither has anything to say. */
static void shuttle(struct sgt_tls *client, size_t step)
{
    for (int turn = 0; turn < 20000; turn++) {
        char *bytes;
        SSL_do_handshake(client->ssl);
        size_t len = (size_t)BIO_get_mem_data(client->wbio, &bytes);
        if (len == 0 && conn.out_len == 0)
            return;
        len = SG_MIN(len, step);
        uint8_t piece[1 << 14];
        assert_int_equal(len == 0 ? 0 : BIO_read(client->wbio, piece, (int)len), len);
        if (len > 0)
            sgt_conn_give(&conn, piece, len, 0);
        if (conn.out_len > 0)
            BIO_write(client->rbio, conn.out, (int)conn.out_len);
        conn.out_len = 0;
    }
    fail();
}

static void says_hello_and_hears_it(struct sgt_tls *client)
{
    char got[16];
    assert_true(SSL_is_init_finished(client->ssl));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_write(client->ssl, "hello", 5), 5);
        shuttle(client, 1 << 14);
        assert_int_equal(SSL_read(client->ssl, got, sizeof(got)), 5);
        assert_memory_equal(got, "hello", 5);
    }
    assert_int_equal(sgd_handshakes_under_way(worker.handshakes), 0);
}

static void every_suite_hands_on_to_the_record_layer(void **fixture)
{
    static const struct {
        int version;
        const char *ciphers, *cert;
    } rows[] = {
        {TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256", "ec"},
        {TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384", "rsa"},
        {TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", "ed25519"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", "ec"},
        {TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", "rsa"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", "ec"},
        {TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", "rsa"},
        {TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", "ec"},
        {TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", "rsa"},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgd_tls_ctx *ctx = ctx_of_one(rows[i].cert);
        struct sgt_tls client;
        sgt_tls_client(&client, &(struct sgt_tls_options){rows[i].version, rows[i].ciphers,
                                                          .alpn = "\x02h2\x08http/1.1"});
        start(ctx);
        shuttle(&client, 1 << 14);
        says_hello_and_hears_it(&client);
        const unsigned char *alpn;
        unsigned alpn_len;
        SSL_get0_alpn_selected(client.ssl, &alpn, &alpn_len);
        assert_int_equal(alpn_len, 8);
        assert_int_equal(conn.wake_at_ns, SG_NEVER);
        sgt_conn_end(&conn);
        sgt_tls_end(&client);
        sgd_tls_ctx_unref(ctx);
    }
    (void)fixture;
}

static void a_handshake_may_come_byte_by_byte_and_leave_so(void **fixture)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct sgd_tls_ctx *ctx = ctx_of_one("ec");
    for (size_t i = 0; i < 2; i++) {
        struct sgt_tls client;
        sgt_tls_client(&client, &(struct sgt_tls_options){.version = versions[i]});
        start(ctx);
        conn.pull_budget = 1;
        shuttle(&client, 1);
        conn.pull_budget = 0;
        says_hello_and_hears_it(&client);
        sgt_conn_end(&conn);
        sgt_tls_end(&client);
    }
    sgd_tls_ctx_unref(ctx);
    (void)fixture;
}

static void a_request_right_behind_the_finished_is_not_lost(void **fixture)
{
    struct sgd_tls_ctx *ctx = ctx_of_one("ec");
    struct sgt_tls client;
    char got[16];
    sgt_tls_client(&client, &(struct sgt_tls_options){.version = TLS1_3_VERSION});
    start(ctx);
    for (int turn = 0; turn < 2; turn++) {
        char *bytes;
        if (SSL_do_handshake(client.ssl) == 1) /* before the server saw its Finished */
            assert_int_equal(SSL_write(client.ssl, "early", 5), 5);
        long len = BIO_get_mem_data(client.wbio, &bytes);
        sgt_conn_give(&conn, bytes, (size_t)len, 0);
        (void)BIO_reset(client.wbio);
        BIO_write(client.rbio, conn.out, (int)conn.out_len);
        conn.out_len = 0;
    }
    assert_int_equal(SSL_read(client.ssl, got, sizeof(got)), 5);
    assert_memory_equal(got, "early", 5);
    sgt_conn_end(&conn);
    sgt_tls_end(&client);
    sgd_tls_ctx_unref(ctx);
    (void)fixture;
}

static const char *name_served(struct sgd_tls_ctx *ctx, const char *sni, const char *sigalgs)
{
    static char name[64];
    struct sgt_tls client;
    sgt_tls_client(&client, &(struct sgt_tls_options){.sni = sni});
    if (sigalgs != NULL)
        assert_int_equal(SSL_set1_sigalgs_list(client.ssl, sigalgs), 1);
    start(ctx);
    shuttle(&client, 1 << 14);
    says_hello_and_hears_it(&client);
    X509 *cert = SSL_get1_peer_certificate(client.ssl);
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    EVP_PKEY *key = X509_get0_pubkey(cert);
    snprintf(name, sizeof(name), "%s %s", EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? "rsa" : "ec",
             (const char *)ASN1_STRING_get0_data(sk_GENERAL_NAME_value(names, 0)->d.dNSName));
    GENERAL_NAMES_free(names);
    X509_free(cert);
    sgt_conn_end(&conn);
    sgt_tls_end(&client);
    return name;
}

static void certificates_are_chosen_by_name_and_by_what_the_client_can(void **fixture)
{
    struct sg_conf_certificate certs[] = {certificate("ec"), certificate("rsa"),
                                          certificate("wild")};
    struct sg_conf_tls conf = conf_of(certs, 3);
    struct sgd_tls_ctx *ctx = ctx_of(&conf, NULL);
    assert_string_equal(name_served(ctx, "a.example", NULL), "ec a.example");
    assert_string_equal(name_served(ctx, "A.Example", NULL), "ec a.example");
    assert_string_equal(name_served(ctx, "a.example", "rsa_pss_rsae_sha256"), "rsa a.example");
    assert_string_equal(name_served(ctx, NULL, "rsa_pss_rsae_sha256"), "rsa a.example");
    assert_string_equal(name_served(ctx, "x.wild.example", NULL), "ec *.wild.example");
    assert_string_equal(name_served(ctx, "x.y.wild.example", NULL), "ec a.example");
    assert_string_equal(name_served(ctx, "nobody.example", NULL), "ec a.example");
    assert_string_equal(name_served(ctx, NULL, NULL), "ec a.example");
    sgd_tls_ctx_unref(ctx);
    (void)fixture;
}

/* A first handshake; the session it leaves. */
static SSL_SESSION *session_of(struct sgd_tls_ctx *ctx, int version, SSL_SESSION *before,
                               bool *resumed)
{
    struct sgt_tls client;
    sgt_tls_client(&client, &(struct sgt_tls_options){.version = version, .session = before});
    start(ctx);
    shuttle(&client, 1 << 14);
    says_hello_and_hears_it(&client);
    *resumed = SSL_session_reused(client.ssl);
    SSL_SESSION *session = SSL_get1_session(client.ssl);
    SSL_shutdown(client.ssl);
    sgt_conn_end(&conn);
    sgt_tls_end(&client);
    return session;
}

static bool resumes(struct sgd_tls_ctx *first, struct sgd_tls_ctx *second, int version)
{
    bool resumed;
    SSL_SESSION *one = session_of(first, version, NULL, &resumed);
    assert_false(resumed);
    SSL_SESSION *two = session_of(second, version, one, &resumed);
    SSL_SESSION_free(one);
    SSL_SESSION_free(two);
    return resumed;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

static void a_ticket_is_good_on_the_node_that_gave_it(void **fixture)
{
    struct sgd_tls_ctx *one = ctx_of_one("ec"), *two = ctx_of_one("ec");
    assert_true(resumes(one, one, TLS1_3_VERSION));
    assert_true(resumes(one, one, TLS1_2_VERSION));
    assert_false(resumes(one, two, TLS1_3_VERSION));
    assert_false(resumes(one, two, TLS1_2_VERSION));
    assert_int_equal(stats.value[SGE_STAT_handshakes_resumed], 2);
    sgd_tls_ctx_unref(one);
    sgd_tls_ctx_unref(two);
    (void)fixture;
}

static void nodes_with_the_same_key_file_take_each_others_tickets(void **fixture)
{
    uint8_t keys[160];
    const char *path = in_folder("tickets", "");
    struct sg_conf_certificate cert = certificate("ec");
    struct sg_conf_tls conf = conf_of(&cert, 1);
    conf.ticket_key_file = path;
    memset(keys, 7, 80);
    write_file(path, keys, 80);
    struct sgd_tls_ctx *one = ctx_of(&conf, NULL);
    memset(keys, 9, 80);
    memset(keys + 80, 7, 80);
    write_file(path, keys, 160); /* the second node has a newer key too */
    struct sgd_tls_ctx *two = ctx_of(&conf, NULL);
    assert_true(resumes(one, two, TLS1_3_VERSION));
    assert_true(resumes(one, two, TLS1_2_VERSION));
    assert_false(resumes(two, one, TLS1_3_VERSION));
    sgd_tls_ctx_tick(one, sg_clock_wall_ns()); /* the first reads the file again */
    assert_true(resumes(two, one, TLS1_3_VERSION));
    write_file(path, keys, 81);
    sgd_tls_ctx_tick(one, sg_clock_wall_ns()); /* a bad one changes nothing */
    assert_true(resumes(two, one, TLS1_3_VERSION));
    sgd_tls_ctx_unref(one);
    sgd_tls_ctx_unref(two);
    (void)fixture;
}

static void keys_drawn_at_start_rotate_and_survive_a_reload(void **fixture)
{
    bool resumed;
    struct sg_conf_certificate cert = certificate("ec");
    struct sg_conf_tls conf = conf_of(&cert, 1);
    struct sgd_tls_ctx *one = ctx_of(&conf, NULL);
    uint64_t now = sg_clock_wall_ns();
    SSL_SESSION *session = session_of(one, TLS1_2_VERSION, NULL, &resumed), *other;
    struct sgd_tls_ctx *two = ctx_of(&conf, one);
    sgd_tls_ctx_unref(one);
    for (int rotation = 1; rotation <= 5; rotation++) {
        other = session_of(two, TLS1_2_VERSION, session, &resumed);
        SSL_SESSION_free(other);
        assert_int_equal(resumed,
                         rotation <= 4); /* 7200 s of 3600 s each, and the two at the ends */
        sgd_tls_ctx_tick(two, now + (uint64_t)rotation * 3601 * SG_NS_PER_SEC);
    }
    SSL_SESSION_free(session);
    sgd_tls_ctx_unref(two);
    (void)fixture;
}

static void write_staple(const char *cert_name, const char *path, long next_s)
{
    FILE *f = fopen(in_folder(cert_name, ".crt"), "r");
    X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
    fclose(f);
    f = fopen(in_folder(cert_name, ".key"), "r");
    EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, cert, cert);
    ASN1_TIME *this_update = X509_gmtime_adj(NULL, -100),
              *next_update = X509_gmtime_adj(NULL, next_s);
    assert_non_null(OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, this_update,
                                           next_update));
    assert_int_equal(OCSP_basic_sign(basic, cert, key, EVP_sha256(), NULL, 0), 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    uint8_t *der = NULL;
    int len = i2d_OCSP_RESPONSE(response, &der);
    write_file(path, der, (size_t)len);
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(this_update);
    ASN1_TIME_free(next_update);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static bool staple_comes(struct sgd_tls_ctx *ctx, int version)
{
    struct sgt_tls client;
    const unsigned char *der;
    sgt_tls_client(&client, &(struct sgt_tls_options){.version = version});
    SSL_set_tlsext_status_type(client.ssl, TLSEXT_STATUSTYPE_ocsp);
    start(ctx);
    shuttle(&client, 1 << 14);
    says_hello_and_hears_it(&client);
    long len = SSL_get_tlsext_status_ocsp_resp(client.ssl, &der);
    sgt_conn_end(&conn);
    sgt_tls_end(&client);
    return len > 0;
}

static void an_ocsp_response_is_stapled_while_it_is_good(void **fixture)
{
    struct sg_conf_certificate cert = certificate("ec");
    struct sg_conf_tls conf = conf_of(&cert, 1);
    struct sgd_tls_cert_info info;
    cert.ocsp_file = in_folder("ec", ".ocsp");
    write_staple("ec", cert.ocsp_file, 3600);
    struct sgd_tls_ctx *ctx = ctx_of(&conf, NULL);
    assert_true(staple_comes(ctx, TLS1_3_VERSION));
    assert_true(staple_comes(ctx, TLS1_2_VERSION));
    sgd_tls_ctx_cert(ctx, 0, &info);
    assert_true(info.stapled);
    sgd_tls_ctx_tick(ctx, sg_clock_wall_ns() + 3700 * SG_NS_PER_SEC);
    assert_false(staple_comes(ctx, TLS1_3_VERSION)); /* its time is over */
    write_staple("ec", cert.ocsp_file, 7200);
    sgd_tls_ctx_tick(ctx, sg_clock_wall_ns());
    assert_true(staple_comes(ctx, TLS1_3_VERSION)); /* a newer file was there */
    write_file(cert.ocsp_file, "no response", 11);
    sgd_tls_ctx_tick(ctx, sg_clock_wall_ns());
    assert_true(staple_comes(ctx, TLS1_3_VERSION)); /* what can't be read changes nothing */
    sgd_tls_ctx_unref(ctx);
    (void)fixture;
}

static enum sgd_close refused(struct sgd_tls_ctx *ctx, const struct sgt_tls_options *options)
{
    struct sgt_tls client;
    sgt_tls_client(&client, options);
    start(ctx);
    shuttle(&client, 1 << 14);
    assert_false(SSL_is_init_finished(client.ssl));
    assert_null(conn.proto);
    assert_int_equal(sgd_handshakes_under_way(worker.handshakes), 0);
    sgt_conn_end(&conn);
    sgt_tls_end(&client);
    return conn.why;
}

static void what_is_too_old_is_refused(void **fixture)
{
    struct sg_conf_certificate cert = certificate("rsa");
    struct sg_conf_tls conf = conf_of(&cert, 1);
    struct sgd_tls_ctx *ctx = ctx_of(&conf, NULL);
    conf.min_version = SG_CONF_TLS13;
    struct sgd_tls_ctx *only13 = ctx_of(&conf, NULL);
    struct sgt_tls_options tls11 = {.version = TLS1_1_VERSION, .ciphers = "ALL:@SECLEVEL=0"};
    struct sgt_tls_options tls12 = {.version = TLS1_2_VERSION};
    struct sgt_tls_options cbc = {.version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-SHA256"};
    struct sgt_tls_options rsa = {.version = TLS1_2_VERSION, .ciphers = "AES128-GCM-SHA256"};
    struct sgt_tls_options h2 = {.alpn = "\x02h2"};
    assert_int_equal(refused(ctx, &tls11), SGD_CLOSE_tls_handshake);
    assert_int_equal(refused(ctx, &cbc), SGD_CLOSE_tls_handshake);
    assert_int_equal(refused(ctx, &rsa), SGD_CLOSE_tls_handshake);
    assert_int_equal(refused(ctx, &h2), SGD_CLOSE_tls_handshake);
    assert_int_equal(refused(only13, &tls12), SGD_CLOSE_tls_handshake);
    sgd_tls_ctx_unref(ctx);
    sgd_tls_ctx_unref(only13);
    (void)fixture;
}

static void plain_http_is_told_so_in_plain_text(void **fixture)
{
    struct sgd_tls_ctx *ctx = ctx_of_one("ec");
    start(ctx);
    sgt_conn_give(&conn, "GET / HTTP/1.1\r\n\r\n", 18, 0);
    assert_int_equal(conn.why, SGD_CLOSE_tls_plain_http);
    conn.out[conn.out_len] = 0;
    const char *body = strstr((char *)conn.out, "\r\n\r\n") + 4;
    assert_memory_equal(conn.out, "HTTP/1.1 400 ", 13);
    assert_int_equal(atoi(strstr((char *)conn.out, "Content-Length: ") + 16), strlen(body));
    sgt_conn_end(&conn);
    sgd_tls_ctx_unref(ctx);
    (void)fixture;
}

static void garbage_silence_and_a_protocol_that_cant_start_end_it(void **fixture)
{
    struct sgd_tls_ctx *ctx = ctx_of_one("ec");
    struct sgt_tls client;
    start(ctx);
    sgt_conn_give(&conn, "\x16\x03\x01\x00\x04gunk", 9, 0);
    assert_int_equal(conn.why, SGD_CLOSE_tls_handshake);
    assert_int_equal(conn.out[0], 21); /* an alert tells */
    sgt_conn_end(&conn);
    start(ctx);
    sgt_conn_wake(&conn, 5 * SG_NS_PER_SEC);
    assert_int_equal(conn.why, SGD_CLOSE_handshake_timeout);
    sgt_conn_end(&conn);
    sgt_tls_client(&client, &(struct sgt_tls_options){.version = TLS1_3_VERSION});
    sgt_conn_begin(&conn, &worker);
    assert_true(sgd_handshake_start(worker.handshakes, &conn, ctx, &next_refuses, 0, 1));
    shuttle(&client, 1 << 14);
    assert_int_equal(conn.why, SGD_CLOSE_no_memory);
    sgt_conn_end(&conn);
    sgt_tls_end(&client);
    assert_int_equal(sgd_handshakes_under_way(worker.handshakes), 0);
    sgd_tls_ctx_unref(ctx);
    (void)fixture;
}

static void a_drain_ends_those_who_said_nothing_and_lets_others_finish(void **fixture)
{
    struct sgd_tls_ctx *ctx = ctx_of_one("ec");
    struct sgt_tls client;
    start(ctx);
    conn.proto->drain(conn.self, 0);
    assert_true(conn.gone);
    assert_int_equal(conn.why, SGD_CLOSE_drained);
    sgt_conn_end(&conn);
    sgt_tls_client(&client, &(struct sgt_tls_options){.version = TLS1_3_VERSION});
    start(ctx);
    SSL_do_handshake(client.ssl);
    sgt_conn_give(&conn, "\x16", 1, 0);
    conn.proto->drain(conn.self, 0);
    assert_false(conn.gone);
    sgt_conn_end(&conn);
    sgt_tls_end(&client);
    sgd_tls_ctx_unref(ctx);
    (void)fixture;
}

static void handshakes_beyond_the_limit_are_refused(void **fixture)
{
    static struct sgd_conn conns[9];
    struct sgd_tls_ctx *ctx = ctx_of_one("ec");
    for (int i = 0; i < 9; i++) {
        sgt_conn_begin(&conns[i], &worker);
        assert_int_equal(sgd_handshake_start(worker.handshakes, &conns[i], ctx, &next, 0, 1),
                         i < 8);
    }
    for (int i = 0; i < 9; i++)
        sgt_conn_end(&conns[i]);
    assert_int_equal(sgd_handshakes_under_way(worker.handshakes), 0);
    sgd_tls_ctx_unref(ctx);
    (void)fixture;
}

static void a_bad_file_is_named_with_what_is_wrong_with_it(void **fixture)
{
    struct sg_conf_certificate certs[] = {certificate("ec"), certificate("rsa"),
                                          certificate("none"), certificate("junk")};
    struct sg_conf_tls conf = conf_of(certs, 4);
    struct sgd_tls_ctx *ctx = NULL;
    char text[2048];
    struct sg_out report = sg_out_init(text, sizeof(text) - 1);
    certs[0].key_file = certs[1].key_file;
    conf.ticket_key_file = in_folder("short", "");
    write_file(conf.ticket_key_file, "short", 5);
    write_file(certs[3].cert_file, "junk", 4);
    assert_int_equal(sgd_tls_ctx_open(&conf, NULL, &report, &ctx), SG_ECONFIG);
    text[report.len] = 0;
    assert_null(ctx);
    assert_non_null(strstr(text, "rsa.key: not the key of the certificate in "));
    assert_non_null(strstr(text, "none.crt: cannot be read: No such file or directory\n"));
    assert_non_null(strstr(text, "junk.crt: no certificate in it: "));
    assert_non_null(strstr(text, "short: ticket keys: its length is not a multiple of 80"));
    (void)fixture;
}

static void certificates_can_be_looked_at(void **fixture)
{
    struct sgd_tls_ctx *ctx = ctx_of_one("ec");
    struct sgd_tls_cert_info info;
    assert_int_equal(sgd_tls_ctx_certs(ctx), 1);
    sgd_tls_ctx_cert(ctx, 0, &info);
    assert_string_equal(info.kind, "ecdsa");
    assert_string_equal(info.subject, "ec");
    assert_true(info.not_after_s > (int64_t)(sg_clock_wall_ns() / SG_NS_PER_SEC) + 89 * 86400);
    assert_false(info.stapled);
    sgd_tls_ctx_unref(ctx);
    (void)fixture;
}

static void open_undoes_itself_at_every_failing_allocation(void **fixture)
{
    struct sg_conf_certificate certs[] = {certificate("ec"), certificate("rsa")};
    struct sg_conf_tls conf = conf_of(certs, 2);
    enum sg_err err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        char text[256];
        struct sg_out report = sg_out_init(text, sizeof(text));
        struct sgd_tls_ctx *ctx = NULL;
        assert_true(nth < 64); /* bound: open() must stop allocating some day */
        sg_alloc_fail_nth(nth);
        err = sgd_tls_ctx_open(&conf, NULL, &report, &ctx);
        assert_true(err == SG_OK ? ctx != NULL : ctx == NULL && err == SG_ENOMEM);
        sgd_tls_ctx_unref(ctx);
    }
    err = SG_ENOMEM;
    for (uint32_t nth = 0; err != SG_OK; nth++) {
        struct sgd_handshakes *handshakes = NULL;
        assert_true(nth < 64);
        sg_alloc_fail_nth(nth);
        err = sgd_handshakes_open(&worker, 8, &handshakes);
        assert_true(err == SG_OK ? handshakes != NULL : handshakes == NULL);
        sgd_handshakes_close(handshakes);
    }
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_suite_hands_on_to_the_record_layer),
    cmocka_unit_test(a_handshake_may_come_byte_by_byte_and_leave_so),
    cmocka_unit_test(a_request_right_behind_the_finished_is_not_lost),
    cmocka_unit_test(certificates_are_chosen_by_name_and_by_what_the_client_can),
    cmocka_unit_test(a_ticket_is_good_on_the_node_that_gave_it),
    cmocka_unit_test(nodes_with_the_same_key_file_take_each_others_tickets),
    cmocka_unit_test(keys_drawn_at_start_rotate_and_survive_a_reload),
    cmocka_unit_test(an_ocsp_response_is_stapled_while_it_is_good),
    cmocka_unit_test(what_is_too_old_is_refused),
    cmocka_unit_test(plain_http_is_told_so_in_plain_text),
    cmocka_unit_test(garbage_silence_and_a_protocol_that_cant_start_end_it),
    cmocka_unit_test(a_drain_ends_those_who_said_nothing_and_lets_others_finish),
    cmocka_unit_test(handshakes_beyond_the_limit_are_refused),
    cmocka_unit_test(a_bad_file_is_named_with_what_is_wrong_with_it),
    cmocka_unit_test(certificates_can_be_looked_at),
    cmocka_unit_test(open_undoes_itself_at_every_failing_allocation),
};

int main(void)
{
    sgt_folder_make(folder);
    sgt_cert_write(folder, "ec", &(struct sgt_cert){.kind = "EC", .names = "DNS:a.example"});
    sgt_cert_write(folder, "rsa", &(struct sgt_cert){.kind = "RSA", .names = "DNS:a.example"});
    sgt_cert_write(folder, "ed25519", &(struct sgt_cert){.kind = "ED25519"});
    sgt_cert_write(folder, "wild", &(struct sgt_cert){.kind = "EC", .names = "DNS:*.wild.example"});
    worker.stats = &stats;
    if (sgd_tlscrypto_open(SG_CONF_CRYPTO_AUTO, 8, &worker.tls_crypto) != SG_OK ||
        sgd_handshakes_open(&worker, 8, &worker.handshakes) != SG_OK)
        return 1;
    int failed = sgt_main("tls_handshake", tests, SG_COUNT(tests));
    sgd_handshakes_close(worker.handshakes);
    sgd_tlscrypto_close(worker.tls_crypto);
    sgt_folder_remove(folder);
    return failed;
}
