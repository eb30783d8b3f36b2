/* nginx as the origin, on loopback: connections kept, HTTP/2, TLS right and wrong, ranges, uploads.
 * Skipped where nginx or openssl are not installed. */
#include "tests/sgt.h"

#include "tests/sgt_dir.h"
#include "tests/sgt_port.h"
#include "tests/unit/dataplane/origin/rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define FILE_BYTES 3000000

static struct {
    char dir[SGT_DIR_BYTES];
    pid_t pid;
    uint16_t plain, tls, mutual; /* ports */
} nginx;

static const char conf[] =
    "daemon off; pid %1$s/pid; error_log %1$s/error.log; worker_processes 1; user root;\n"
    "events { worker_connections 256; }\n"
    "http { access_log off; root %1$s/www; client_body_temp_path %1$s/b; proxy_temp_path %1$s/p;\n"
    " fastcgi_temp_path %1$s/f; uwsgi_temp_path %1$s/u; scgi_temp_path %1$s/s;\n"
    " ssl_certificate %1$s/cert.pem; ssl_certificate_key %1$s/key.pem;\n"
    " ssl_client_certificate %1$s/cert.pem;\n"
    " map $request_uri $shown { default \"$server_protocol $connection $host $ssl_server_name\"; "
    "}\n"
    " server { listen 127.0.0.1:%2$u; listen 127.0.0.1:%3$u ssl http2;\n"
    "  location = /who { return 200 \"$shown\"; }\n"
    "  location = /gzip { add_header X-Coding \"$http_accept_encoding\"; return 200 ok; }\n"
    "  location /put/ { client_max_body_size 50m; dav_methods PUT; } }\n"
    " server { listen 127.0.0.1:%4$u ssl; ssl_verify_client on;\n"
    "  location / { return 200 \"$ssl_client_s_dn\"; } } }\n";

static bool can_connect(uint16_t port)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    close(fd);
    return ok;
}

static char *in_dir(const char *name)
{
    static char paths[4][SGT_DIR_BYTES + 32];
    static unsigned next;
    char *path = paths[next++ % SG_COUNT(paths)];
    snprintf(path, sizeof(paths[0]), "%s/%s", nginx.dir, name);
    return path;
}

static void make_files(void)
{
    char command[3 * SGT_DIR_BYTES];
    snprintf(command, sizeof(command),
             "cd %s && mkdir -p www/put && openssl req -x509 -newkey ec -pkeyopt "
             "ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 2 "
             "-subj /CN=origin.example -addext subjectAltName=DNS:origin.example 2>error.txt",
             nginx.dir);
    assert_int_equal(system(command), 0);
    FILE *f = fopen(in_dir("www/large"), "wb");
    assert_non_null(f);
    for (uint32_t i = 0; i < FILE_BYTES; i++)
        fputc((int)(i * 7 + i / 253) & 255, f);
    fclose(f);
    f = fopen(in_dir("nginx.conf"), "w");
    assert_non_null(f);
    fprintf(f, conf, nginx.dir, nginx.plain, nginx.tls, nginx.mutual);
    fclose(f);
}

static int start_nginx(void **fixture)
{
    (void)fixture;
    sgt_dir_make(nginx.dir);
    nginx.plain = sgt_port_free();
    nginx.tls = sgt_port_free();
    nginx.mutual = sgt_port_free();
    make_files();
    nginx.pid = fork();
    if (nginx.pid == 0) {
        execl("/usr/sbin/nginx", "nginx", "-e", in_dir("error.log"), "-c", in_dir("nginx.conf"),
              NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && !can_connect(nginx.mutual); i++)
        usleep(10000);
    return can_connect(nginx.plain) && can_connect(nginx.tls) ? 0 : -1;
}

static int stop_nginx(void **fixture)
{
    (void)fixture;
    kill(nginx.pid, SIGTERM);
    waitpid(nginx.pid, NULL, 0);
    sgt_dir_remove(nginx.dir);
    return 0;
}

static void rig_to(struct sgt_rig *rig, const char *scheme, uint16_t port)
{
    sgt_rig_open(rig, 1, 256);
    rig->origin.connect_timeout_ms = rig->origin.first_byte_timeout_ms = 3000;
    rig->origin.idle_timeout_ms = 5000; /* twenty streams share a connection and a busy machine */
    sgt_rig_url(rig, scheme, port);
}

static void assert_body(const struct sgt_get *get, const char *text)
{
    if (get->got != strlen(text) || memcmp(get->body, text, get->got) != 0)
        fail_msg("error %s, status %u, body %.*s", sgd_origin_error_type(get->fetch.error),
                 get->fetch.status, (int)get->got, get->body);
}

static void a_file_comes_whole_and_in_part(void **fixture)
{
    struct sgt_rig rig;
    rig_to(&rig, "http", nginx.plain);
    sgt_rig_pools(&rig);
    struct sgt_get *get = sgt_get_run(&rig, "GET", "/large");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_int_equal(get->got, FILE_BYTES);
    for (uint32_t i = 0; i < FILE_BYTES; i++)
        if (get->body[i] != (uint8_t)(i * 7 + i / 253))
            fail_msg("byte %u is wrong", i);
    sgt_get_free(get);
    get = sgt_get_make(&rig, "GET", "/large");
    get->fetch.fields = SG_STR("range: bytes=1000-1999\r\n");
    sgt_get_start(get);
    assert_true(sgt_rig_run(&rig, get, 3000));
    assert_int_equal(get->fetch.status, 206);
    assert_int_equal(get->got, 1000);
    assert_true(sgt_get_has_line(get, "content-range: bytes 1000-1999/3000000"));
    sgt_get_free(get);
    sgt_rig_close(&rig);
    (void)fixture;
}

static void http2_shares_one_connection_among_many(void **fixture)
{
    struct sgt_rig rig;
    struct sgt_get *gets[20];
    char first[128];
    rig_to(&rig, "https", nginx.tls);
    rig.origin.ca_file = in_dir("cert.pem");
    rig.origin.host_header = "origin.example"; /* what SNI and the certificate must be */
    sgt_rig_pools(&rig);
    struct sgt_get *get = sgt_get_run(&rig, "GET", "/who");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    snprintf(first, sizeof(first), "%.*s", (int)get->got, get->body);
    assert_memory_equal(first, "HTTP/2.0 ", 9);
    assert_non_null(strstr(first, " origin.example origin.example"));
    sgt_get_free(get);
    for (size_t i = 0; i < SG_COUNT(gets); i++) {
        gets[i] = sgt_get_make(&rig, "GET", i % 2 == 0 ? "/large" : "/who");
        sgt_get_start(gets[i]);
    }
    for (size_t i = 0; i < SG_COUNT(gets); i++) {
        assert_true(gets[i]->dones > 0 || sgt_rig_run(&rig, gets[i], 8000));
        assert_int_equal(gets[i]->fetch.error, SGD_ORIGIN_none);
        if (i % 2 == 0)
            assert_int_equal(gets[i]->got, FILE_BYTES);
        else
            assert_body(gets[i], first); /* the same connection's number */
        sgt_get_free(gets[i]);
    }
    sgt_rig_close(&rig);
    (void)fixture;
}

static void a_stalled_reader_does_not_stall_its_neighbours_on_http2(void **fixture)
{
    struct sgt_rig rig;
    rig_to(&rig, "https", nginx.tls);
    rig.origin.ca_file = in_dir("cert.pem");
    rig.origin.host_header = "origin.example";
    sgt_rig_pools(&rig);
    sgt_get_free(sgt_get_run(&rig, "GET", "/who"));
    struct sgt_get *held = sgt_get_make(&rig, "GET", "/large");
    held->window_bytes = 10000;
    sgt_get_start(held);
    while (held->got < 100000)
        sgt_rig_run(&rig, held, 1);
    held->hold = true;
    for (int i = 0; i < 5; i++) {
        struct sgt_get *get = sgt_get_run(&rig, "GET", "/large");
        assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
        assert_int_equal(get->got, FILE_BYTES);
        sgt_get_free(get);
    }
    held->hold = false;
    assert_true(sgt_rig_run(&rig, held, 8000));
    assert_int_equal(held->fetch.error, SGD_ORIGIN_none);
    assert_int_equal(held->got, FILE_BYTES);
    sgt_get_free(held);
    sgt_rig_close(&rig);
    (void)fixture;
}

static void a_certificate_that_does_not_hold_is_refused(void **fixture)
{
    static const struct {
        bool ca, named, verify;
        enum sgd_origin_error error;
    } rows[] = {
        {true, true, true, SGD_ORIGIN_none},
        {false, true, true, SGD_ORIGIN_tls_certificate}, /* nobody we know signed it */
        {true, false, true, SGD_ORIGIN_tls_certificate}, /* another's name */
        {false, false, false, SGD_ORIGIN_none},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        struct sgt_rig rig;
        rig_to(&rig, "https", nginx.tls);
        rig.origin.ca_file = rows[i].ca ? in_dir("cert.pem") : NULL;
        rig.origin.host_header = rows[i].named ? "origin.example" : NULL;
        rig.origin.tls_verify = rows[i].verify;
        sgt_rig_pools(&rig);
        struct sgt_get *get = sgt_get_run(&rig, "GET", "/who");
        if (get->fetch.error != rows[i].error)
            fail_msg("row %zu: %s", i, sgd_origin_error_type(get->fetch.error));
        assert_int_equal(get->heads, rows[i].error == SGD_ORIGIN_none);
        sgt_get_free(get);
        sgt_rig_close(&rig);
    }
    (void)fixture;
}

static void plain_http_where_tls_is_due_is_a_tls_error(void **fixture)
{
    struct sgt_rig rig;
    rig_to(&rig, "https", nginx.plain);
    sgt_rig_pools(&rig);
    struct sgt_get *get = sgt_get_run(&rig, "GET", "/who");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_tls_protocol);
    sgt_get_free(get);
    sgt_rig_close(&rig);
    (void)fixture;
}

static void a_client_certificate_is_shown(void **fixture)
{
    struct sgt_rig rig;
    rig_to(&rig, "https", nginx.mutual);
    rig.origin.ca_file = in_dir("cert.pem");
    rig.origin.host_header = "origin.example";
    rig.origin.client_cert_file = in_dir("cert.pem");
    rig.origin.client_key_file = in_dir("key.pem");
    sgt_rig_pools(&rig);
    struct sgt_get *get = sgt_get_run(&rig, "GET", "/");
    assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
    assert_body(get, "CN=origin.example");
    sgt_get_free(get);
    sgt_rig_close(&rig);
    (void)fixture;
}

static void a_file_is_put_over_http1_and_http2(void **fixture)
{
    static uint8_t bytes[500000];
    for (int tls = 0; tls < 2; tls++) {
        struct sgt_rig rig;
        rig_to(&rig, tls ? "https" : "http", tls ? nginx.tls : nginx.plain);
        rig.origin.tls_verify = false;
        sgt_rig_pools(&rig);
        for (int i = 0; i < 2; i++) {
            struct sgt_get *get = sgt_get_make(&rig, "PUT", "/put/file");
            get->fetch.body_bytes = i == 0 ? sizeof(bytes) : SGD_LENGTH_UNKNOWN;
            sgt_get_start(get);
            assert_true(sgd_fetch_body(rig.fetchers, &get->fetch, bytes, sizeof(bytes), true));
            assert_true(sgt_rig_run(&rig, get, 3000));
            assert_int_equal(get->fetch.error, SGD_ORIGIN_none);
            assert_true(get->fetch.status == 201 || get->fetch.status == 204);
            assert_int_equal(get->taken_bytes, sizeof(bytes));
            sgt_get_free(get);
        }
        sgt_rig_close(&rig);
    }
    (void)fixture;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_file_comes_whole_and_in_part),
    cmocka_unit_test(http2_shares_one_connection_among_many),
    cmocka_unit_test(a_stalled_reader_does_not_stall_its_neighbours_on_http2),
    cmocka_unit_test(a_certificate_that_does_not_hold_is_refused),
    cmocka_unit_test(plain_http_where_tls_is_due_is_a_tls_error),
    cmocka_unit_test(a_client_certificate_is_shown),
    cmocka_unit_test(a_file_is_put_over_http1_and_http2),
};

int main(void)
{
    if (access("/usr/sbin/nginx", X_OK) != 0 || system("openssl version >/dev/null 2>&1") != 0)
        return SGT_SKIP;
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests_name("nginx", tests, start_nginx, stop_nginx);
}
