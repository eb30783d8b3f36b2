#include "tests/sgt.h"

#include "base/secret.h"
#include "base/sys/crypto.h"
#include "tests/sgt_softhsm.h"

#include <sys/stat.h>

#define PATH_BYTES (SGT_DIR_BYTES + 64)

static char dir[SGT_DIR_BYTES], report_memory[1024];

static const char *file_of(const char *name, const char *bytes, size_t len)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
    return path;
}

static enum sg_err unlock_with(const char *bytes)
{
    char source[SGT_DIR_BYTES + 80];
    struct sg_out report = sg_out_init(report_memory, sizeof(report_memory));
    snprintf(source, sizeof(source), "file:%s", file_of("seal", bytes, strlen(bytes)));
    return sg_secret_unlock(source, &report);
}

static struct sg_str sealed(const char *text, size_t len)
{
    static char line[SG_SECRET_FILE_MAX];
    struct sg_out out = sg_out_init(line, sizeof(line));
    assert_int_equal(sg_secret_seal((struct sg_str){text, len}, &out), SG_OK);
    return sg_out_view(&out);
}

static const char KEY_A[] = "0123456789abcdef0123456789abcdef\n";
static const char KEY_B[] = "0123456789abcdef0123456789abcdeF\n";

static void a_file_in_the_clear_is_read_as_it_is(void **fixture)
{
    char bytes[64];
    size_t len;
    const char *path = file_of("clear", "a\0b\n", 4);
    assert_int_equal(sg_secret_read(path, bytes, sizeof(bytes), &len), SG_OK);
    assert_int_equal(len, 4);
    assert_memory_equal(bytes, "a\0b\n", 4);
    assert_int_equal(sg_secret_read(path, bytes, 3, &len), SG_EMSGSIZE);
    assert_int_equal(sg_secret_read("/nowhere/at/all", bytes, sizeof(bytes), &len), SG_ENOENT);
    (void)fixture;
}

static void what_is_sealed_is_read_under_the_same_key_alone(void **fixture)
{
    char bytes[64];
    size_t len;
    assert_int_equal(unlock_with(KEY_A), SG_OK);
    struct sg_str line = sealed("the secret", 10);
    assert_null(memmem(line.ptr, line.len, "secret", 6));
    const char *path = file_of("sealed", line.ptr, line.len);
    assert_int_equal(sg_secret_read(path, bytes, sizeof(bytes), &len), SG_OK);
    assert_int_equal(len, 10);
    assert_memory_equal(bytes, "the secret", 10);
    char kept[PATH_BYTES];
    snprintf(kept, sizeof(kept), "%s", path);
    assert_int_equal(unlock_with(KEY_B), SG_OK);
    assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_EAUTH);
    assert_int_equal(sg_secret_unlock(NULL, NULL), SG_OK);
    assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_ESEALED);
    assert_non_null(strstr(sg_secret_fault(SG_ESEALED), "node.seal_key is not set"));
    (void)fixture;
}

static void every_change_of_a_sealed_line_is_seen(void **fixture)
{
    char changed[256], plain[256];
    assert_int_equal(unlock_with(KEY_A), SG_OK);
    struct sg_str line = sealed("the secret", 10);
    for (size_t i = 0; i < line.len; i++) {
        struct sg_out out = sg_out_init(plain, sizeof(plain));
        memcpy(changed, line.ptr, line.len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(sg_secret_unseal((struct sg_str){changed, line.len}, &out), SG_OK);
        assert_int_equal(out.len, 0);
        out = sg_out_init(plain, sizeof(plain));
        if (i + 1 < line.len)
            assert_int_not_equal(sg_secret_unseal((struct sg_str){line.ptr, i}, &out), SG_OK);
    }
    (void)fixture;
}

static void the_same_secret_is_sealed_differently_each_time(void **fixture)
{
    char first[256];
    assert_int_equal(unlock_with(KEY_A), SG_OK);
    struct sg_str line = sealed("x", 1);
    size_t len = line.len;
    memcpy(first, line.ptr, len);
    assert_memory_not_equal(first, sealed("x", 1).ptr, len);
    (void)fixture;
}

static void what_is_no_source_of_a_key_is_told(void **fixture)
{
    const struct {
        const char *source;
        enum sg_err err;
    } rows[] = {{"pkcs11:token=x", SG_EINVAL},
                {"/some/path", SG_EINVAL},
                {"credential:../x", SG_EINVAL},
                {"file:/nowhere/at/all", SG_ENOENT}};
    unsetenv("CREDENTIALS_DIRECTORY");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sg_out report = sg_out_init(report_memory, sizeof(report_memory));
        assert_int_equal(sg_secret_unlock(rows[i].source, &report), rows[i].err);
        assert_true(report.len > 0);
    }
    assert_int_equal(unlock_with("short"), SG_ERANGE);
    setenv("CREDENTIALS_DIRECTORY", dir, 1);
    struct sg_out report = sg_out_init(report_memory, sizeof(report_memory));
    (void)file_of("cred", KEY_A, strlen(KEY_A));
    assert_int_equal(sg_secret_unlock("credential:cred", &report), SG_OK);
    (void)fixture;
}

static void a_key_that_was_not_right_after_all_is_put_back(void **fixture)
{
    char bytes[64], kept[PATH_BYTES];
    size_t len;
    assert_int_equal(unlock_with(KEY_A), SG_OK);
    struct sg_str line = sealed("the secret", 10);
    snprintf(kept, sizeof(kept), "%s", file_of("kept", line.ptr, line.len));
    assert_int_equal(unlock_with(KEY_B), SG_OK);
    sg_secret_settle(false);
    assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_OK);
    assert_int_equal(unlock_with(KEY_B), SG_OK);
    sg_secret_settle(true);
    assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_EAUTH);
    assert_int_equal(unlock_with("short"), SG_ERANGE); /* changes nothing */
    (void)sealed("x", 1);
    (void)fixture;
}

/* ---- a key in a token ---- */

/* The PIN is in a file that only we may read, unless `mode` says otherwise. */
static enum sg_err unlock_token(const char *pin, mode_t mode)
{
    char source[2 * SGT_DIR_BYTES];
    const char *path = file_of("pin", pin, strlen(pin));
    assert_int_equal(chmod(path, mode), 0);
    snprintf(source, sizeof(source),
             "pkcs11:token=node;object=seal?module-path=" SGT_SOFTHSM_MODULE "&pin-source=file:%s",
             path);
    struct sg_out report = sg_out_init(report_memory, sizeof(report_memory));
    enum sg_err err = sg_secret_unlock(source, &report);
    sg_out_char(&report, '\0');
    return err;
}

static void a_key_in_a_token_seals_and_unseals_and_is_left_in_between(void **fixture)
{
    char bytes[64], kept[PATH_BYTES];
    size_t len;
    if (!sgt_softhsm_here())
        SGT_LEAVE("there is no SoftHSM");
    assert_int_equal(unlock_token(SGT_SOFTHSM_PIN "\n", 0600), SG_OK);
    struct sg_str line = sealed("the secret", 10);
    snprintf(kept, sizeof(kept), "%s", file_of("kept", line.ptr, line.len));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_OK);
        assert_int_equal(len, 10);
        assert_memory_equal(bytes, "the secret", 10);
        sg_secret_rest();
    }
    assert_int_equal(unlock_with(KEY_A), SG_OK);
    assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_EAUTH);
    sg_secret_settle(false);
    assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_OK);
    (void)fixture;
}

static void a_token_that_does_not_let_us_in_again_is_not_asked_twice(void **fixture)
{
    char bytes[64], kept[PATH_BYTES];
    size_t len;
    if (!sgt_softhsm_here())
        SGT_LEAVE("there is no SoftHSM");
    assert_int_equal(unlock_token(SGT_SOFTHSM_PIN, 0600), SG_OK);
    struct sg_str line = sealed("the secret", 10);
    snprintf(kept, sizeof(kept), "%s", file_of("kept", line.ptr, line.len));
    sg_secret_rest();
    (void)file_of("pin", "4321-wrong", 10);
    assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_ENOTCONN);
    assert_non_null(strstr(sg_secret_fault(SG_ENOTCONN), "is wrong. It was tried once"));
    (void)file_of("pin", SGT_SOFTHSM_PIN, strlen(SGT_SOFTHSM_PIN));
    assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_ENOTCONN);
    assert_int_equal(unlock_token(SGT_SOFTHSM_PIN, 0600), SG_OK);
    assert_int_equal(sg_secret_read(kept, bytes, sizeof(bytes), &len), SG_OK);
    (void)fixture;
}

static void what_is_wrong_with_a_pin_is_told_without_it(void **fixture)
{
    if (!sgt_softhsm_here())
        SGT_LEAVE("there is no SoftHSM");
    assert_int_equal(unlock_token(SGT_SOFTHSM_PIN, 0604), SG_EPERM);
    assert_non_null(strstr(report_memory, "chmod o= "));
    assert_int_equal(unlock_token("4321-wrong", 0600), SG_EACCES);
    assert_non_null(strstr(report_memory, "tried once"));
    assert_null(strstr(report_memory, "4321-wrong"));
    struct sg_out report = sg_out_init(report_memory, sizeof(report_memory));
    assert_int_equal(
        sg_secret_unlock("pkcs11:token=node;object=seal?pin-value=4321-right", &report), SG_EINVAL);
    assert_null(memmem(report.ptr, report.len, "4321", 4));
    report.len = 0;
    assert_int_equal(
        sg_secret_unlock("pkcs11:token=node;object=seal?module-path=" SGT_SOFTHSM_MODULE
                         "&pin-source=pin",
                         &report),
        SG_EINVAL);
    assert_non_null(memmem(report.ptr, report.len, "whole name", 10));
    (void)fixture;
}

/* NIST's GCM test case 16 (AES-256, 20 bytes of additional data). */
static void gcm_gives_the_published_answer(void **fixture)
{
    static const uint8_t key[] = {0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c, 0x6d, 0x6a, 0x8f,
                                  0x94, 0x67, 0x30, 0x83, 0x08, 0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65,
                                  0x73, 0x1c, 0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08};
    static const uint8_t nonce[] = {0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce,
                                    0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88};
    static const uint8_t aad[] = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
                                  0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2};
    static const uint8_t plain[] = {
        0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5, 0x26,
        0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31,
        0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49,
        0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39};
    static const uint8_t tag[] = {0x76, 0xfc, 0x6e, 0xce, 0x0f, 0x4e, 0x17, 0x68,
                                  0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d, 0x55, 0x1b};
    uint8_t out[sizeof(plain)], back[sizeof(plain)], made[SG_GCM_TAG_BYTES];
    const struct sg_str more = {(const char *)aad, sizeof(aad)};
    assert_true(sg_gcm_seal(key, nonce, more, (struct sg_str){(const char *)plain, sizeof(plain)},
                            out, made));
    assert_memory_equal(made, tag, sizeof(tag));
    assert_true(
        sg_gcm_open(key, nonce, more, (struct sg_str){(const char *)out, sizeof(out)}, back, made));
    assert_memory_equal(back, plain, sizeof(plain));
    made[0] ^= 1;
    assert_false(
        sg_gcm_open(key, nonce, more, (struct sg_str){(const char *)out, sizeof(out)}, back, made));
    (void)fixture;
}

static int begin(void **fixture)
{
    sgt_dir_make(dir);
    if (sgt_softhsm_here()) {
        sgt_softhsm_begin(dir, "ALL");
        sgt_softhsm_token("node");
        sgt_softhsm_tool("node", "--keygen --key-type AES:32 --label seal --sensitive");
    }
    (void)fixture;
    return 0;
}

static int end(void **fixture)
{
    enum sg_err err = sg_secret_unlock(NULL, NULL);
    sg_secret_settle(true);
    sgt_dir_remove(dir);
    (void)fixture;
    return err;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_file_in_the_clear_is_read_as_it_is),
    cmocka_unit_test(what_is_sealed_is_read_under_the_same_key_alone),
    cmocka_unit_test(every_change_of_a_sealed_line_is_seen),
    cmocka_unit_test(the_same_secret_is_sealed_differently_each_time),
    cmocka_unit_test(what_is_no_source_of_a_key_is_told),
    cmocka_unit_test(gcm_gives_the_published_answer),
    cmocka_unit_test(a_key_that_was_not_right_after_all_is_put_back),
    cmocka_unit_test(a_key_in_a_token_seals_and_unseals_and_is_left_in_between),
    cmocka_unit_test(a_token_that_does_not_let_us_in_again_is_not_asked_twice),
    cmocka_unit_test(what_is_wrong_with_a_pin_is_told_without_it),
};

int main(void)
{
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    return cmocka_run_group_tests(tests, begin, end);
}
