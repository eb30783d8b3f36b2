#include "tests/sgt.h"

#include "base/alloc.h"
#include "base/sys/p11.h"
#include "tests/sgt_softhsm.h"

#define TOKEN "pkcs11:token=node"
#define WAY   "?module-path=" SGT_SOFTHSM_MODULE "&pin-source=right"

static char dir[SGT_DIR_BYTES], memory[1024];
static struct sg_out fault;
static int pins_asked;

/* A source is the PIN itself, or the right one. */
static enum sg_err pin_of(const char *source, uint8_t pin[SG_P11_PIN_BYTES_MAX], size_t *len,
                          struct sg_out *out)
{
    pins_asked++;
    if (strcmp(source, "unreadable") == 0) {
        sg_out_lit(out, "the words of who reads PINs");
        return SG_ENOENT;
    }
    const char *text = strcmp(source, "right") == 0 ? SGT_SOFTHSM_PIN : source;
    *len = strlen(text);
    memcpy(pin, text, *len);
    return SG_OK;
}

static enum sg_err opened(const char *uri, struct sg_p11 **out)
{
    pins_asked = 0;
    fault = sg_out_init(memory, sizeof(memory));
    return sg_p11_open(uri, pin_of, &fault, out);
}

static void refused(const char *uri, enum sg_err err, const char *words)
{
    struct sg_p11 *p11 = NULL;
    assert_int_equal(opened(uri, &p11), err);
    assert_null(p11);
    sg_out_char(&fault, '\0');
    if (strstr(fault.ptr, words) == NULL)
        fail_msg("%s: \"%s\" lacks \"%s\"", uri, fault.ptr, words);
    assert_null(strstr(fault.ptr, SGT_SOFTHSM_PIN));
}

static struct sg_p11 *right(const char *uri)
{
    struct sg_p11 *p11 = NULL;
    if (opened(uri, &p11) != SG_OK)
        fail_msg("%s: %.*s", uri, (int)fault.len, fault.ptr);
    return p11;
}

static const struct sg_str bound = {"bound", 5};

static void seals(struct sg_p11 *p11, struct sg_str plain, uint8_t *nonce, uint8_t *out)
{
    sg_random(nonce, SG_GCM_NONCE_BYTES);
    assert_int_equal(sg_p11_seal(p11, nonce, bound, plain, out, &fault), SG_OK);
}

static struct sg_str str_of(const uint8_t *bytes, size_t len)
{
    return (struct sg_str){(const char *)bytes, len};
}

static void what_a_token_seals_it_opens_and_nothing_that_was_changed(void **fixture)
{
    static char plain[4096];
    static uint8_t sealed[4096 + 16], back[4096 + 16];
    uint8_t nonce[SG_GCM_NONCE_BYTES];
    struct sg_p11 *p11 = right(TOKEN ";object=kept" WAY);
    sg_random(plain, sizeof(plain));
    for (size_t len = 0; len <= sizeof(plain); len = len * 3 + 1) {
        seals(p11, (struct sg_str){plain, len}, nonce, sealed);
        struct sg_str in = str_of(sealed, len + SG_GCM_TAG_BYTES);
        assert_int_equal(sg_p11_unseal(p11, nonce, bound, in, back, &fault), SG_OK);
        assert_memory_equal(back, plain, len);
        assert_int_equal(sg_p11_unseal(p11, nonce, SG_STR("Bound"), in, back, &fault), SG_EAUTH);
        sealed[len * 7 % in.len] ^= 1;
        assert_int_equal(sg_p11_unseal(p11, nonce, bound, in, back, &fault), SG_EAUTH);
    }
    sg_p11_close(p11);
    (void)fixture;
}

/* Two implementations of AES-GCM that have only the key in common. */
static void a_token_seals_as_openssl_does(void **fixture)
{
    static const uint8_t key[32] = "0123456789abcdef0123456789ABCDEF";
    uint8_t nonce[SG_GCM_NONCE_BYTES], sealed[10 + 16], back[10 + 16];
    struct sg_p11 *p11 = right(TOKEN ";object=known" WAY);
    seals(p11, SG_STR("ten bytes!"), nonce, sealed);
    assert_true(sg_gcm_open(key, nonce, bound, str_of(sealed, 10), back, sealed + 10));
    assert_memory_equal(back, "ten bytes!", 10);
    assert_true(sg_gcm_seal(key, nonce, bound, SG_STR("ten other!"), sealed, sealed + 10));
    assert_int_equal(sg_p11_unseal(p11, nonce, bound, str_of(sealed, 26), back, &fault), SG_OK);
    assert_memory_equal(back, "ten other!", 10);
    sg_p11_close(p11);
    (void)fixture;
}

static void a_key_is_found_by_every_way_a_uri_has(void **fixture)
{
    static const char *const uris[] = {
        TOKEN ";object=kept" WAY,
        TOKEN ";id=%01" WAY,
        TOKEN ";object=kept;id=%01;type=secret-key" WAY,
        "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;token=node;object=kept" WAY,
        TOKEN ";object=kept?module-name=softhsm2&pin-source=right",
        TOKEN ";object=kept;library-description=Implementation%20of%20PKCS11" WAY,
        TOKEN ";object=two%20words" WAY,
    };
    for (size_t i = 0; i < SG_COUNT(uris); i++) {
        sg_p11_close(right(uris[i]));
        assert_int_equal(pins_asked, 1);
    }
    (void)fixture;
}

static void what_a_uri_should_not_say_is_told(void **fixture)
{
    refused("pkcs11:token=node;object=kept?pin-value=" SGT_SOFTHSM_PIN, SG_EINVAL, "pin-source");
    refused("pkcs11:token=node;object=kept;colour=red", SG_EINVAL, "not known");
    refused("pkcs11:token=node;object=kept;type=private", SG_EINVAL, "secret-key");
    refused("pkcs11:object=kept", SG_EINVAL, "which token");
    refused("pkcs11:token=node", SG_EINVAL, "which key");
    refused("pkcs11:token=no%2", SG_EINVAL, "URI");
    refused("pkcs11:token=node;token=node;object=%", SG_EINVAL, "URI");
    refused("pkcs11", SG_EINVAL, "URI");
    assert_int_equal(pins_asked, 0);
    (void)fixture;
}

static void what_is_not_there_is_told(void **fixture)
{
    refused(TOKEN ";object=kept?module-path=/nowhere/at/all.so", SG_ENOENT, "/nowhere/at/all.so");
    refused(TOKEN ";object=kept?module-path=/etc/passwd", SG_ENOENT, "can't be loaded");
    refused(TOKEN ";object=kept?module-name=nosuch", SG_ENOENT, "module of that name");
    refused("pkcs11:token=other;object=kept" WAY, SG_ENOENT, "no such token: there is");
    refused("pkcs11:token=other;object=kept" WAY, SG_ENOENT, "\"node\"");
    refused("pkcs11:slot-id=4711;object=kept" WAY, SG_ENOENT, "no such token");
    assert_int_equal(pins_asked, 0);
    refused(TOKEN ";object=nosuch" WAY, SG_ENOENT, "no such AES key");
    refused(TOKEN ";object=kept;id=%02" WAY, SG_ENOENT, "no such AES key");
    (void)fixture;
}

static void what_could_be_meant_twice_is_told(void **fixture)
{
    refused(TOKEN ";object=twin" WAY, SG_ENOENT, "more than one AES key");
    sg_p11_close(right(TOKEN ";object=twin;id=%06" WAY));
    refused("pkcs11:token=twins;object=kept" WAY, SG_ENOENT, "more than one token");
    assert_int_equal(pins_asked, 0);
    (void)fixture;
}

static void a_key_of_another_length_is_told(void **fixture)
{
    refused(TOKEN ";object=short" WAY, SG_ENOTSUP, "128 bits");
    (void)fixture;
}

static void a_pin_is_tried_once_and_a_wrong_one_is_told(void **fixture)
{
    static const char way[] = TOKEN ";object=kept?module-path=" SGT_SOFTHSM_MODULE;
    char uri[512];
    refused(way, SG_EACCES, "pin-source");
    snprintf(uri, sizeof(uri), "%s&pin-source=4321-wrong", way);
    refused(uri, SG_EACCES, "is wrong. It was tried once");
    assert_int_equal(pins_asked, 1);
    snprintf(uri, sizeof(uri), "%s&pin-source=12", way);
    refused(uri, SG_EACCES, "4 to 255 bytes");
    snprintf(uri, sizeof(uri), "%s&pin-source=unreadable", way);
    refused(uri, SG_ENOENT, "the words of who reads PINs");
    sg_p11_close(right(TOKEN ";object=kept" WAY));
    (void)fixture;
}

static void a_token_without_gcm_is_told(void **fixture)
{
    sgt_softhsm_begin(dir, "CKM_AES_CBC,CKM_AES_CBC_PAD");
    refused(TOKEN ";object=kept" WAY, SG_ENOTSUP, "CKM_AES_GCM");
    assert_int_equal(pins_asked, 0);
    sgt_softhsm_begin(dir, "ALL");
    (void)fixture;
}

static void a_shim_of_ours_says_what_softhsm_never_says(void **fixture)
{
    static const char uri[] = TOKEN ";object=kept?module-path=" SGT_SHIM_TOKEN "&pin-source=right";
    static const struct {
        const char *shim, *words;
        enum sg_err err;
        int pins;
    } rows[] = {
        {"locked", "is locked", SG_EACCES, 0},
        {"final-try", "none was tried", SG_EACCES, 0},
        {"keypad", "its own keypad", SG_EACCES, 0},
        {"locks", "is locked", SG_EACCES, 1},
        {"expired", "has expired", SG_EACCES, 1},
        {"no-decrypt", "CKA_DECRYPT is false", SG_ENOTSUP, 1},
    };
    for (size_t i = 0; i < SG_COUNT(rows); i++) {
        setenv("SGT_TOKEN", rows[i].shim, 1);
        refused(uri, rows[i].err, rows[i].words);
        assert_int_equal(pins_asked, rows[i].pins);
    }
    unsetenv("SGT_TOKEN");
    (void)fixture;
}

static void a_token_that_is_pulled_out_under_a_shim_of_ours_is_told(void **fixture)
{
    uint8_t nonce[SG_GCM_NONCE_BYTES], sealed[1 + 16], back[1 + 16];
    struct sg_p11 *p11 =
        right(TOKEN ";object=kept?module-path=" SGT_SHIM_TOKEN "&pin-source=right");
    seals(p11, SG_STR("x"), nonce, sealed);
    setenv("SGT_TOKEN", "removed", 1);
    assert_int_equal(sg_p11_unseal(p11, nonce, bound, str_of(sealed, 17), back, &fault), SG_EIO);
    assert_non_null(memmem(fault.ptr, fault.len, "does not unseal", 15));
    assert_int_equal(sg_p11_seal(p11, nonce, bound, SG_STR("x"), sealed, &fault), SG_EIO);
    unsetenv("SGT_TOKEN");
    sg_p11_close(p11);
    (void)fixture;
}

static void a_key_that_may_only_open_under_a_shim_of_ours_seals_nothing(void **fixture)
{
    uint8_t nonce[SG_GCM_NONCE_BYTES], sealed[1 + 16];
    setenv("SGT_TOKEN", "no-encrypt", 1);
    struct sg_p11 *p11 =
        right(TOKEN ";object=kept?module-path=" SGT_SHIM_TOKEN "&pin-source=right");
    assert_int_equal(sg_p11_seal(p11, nonce, bound, SG_STR("x"), sealed, &fault), SG_ENOTSUP);
    assert_non_null(memmem(fault.ptr, fault.len, "CKA_ENCRYPT", 11));
    unsetenv("SGT_TOKEN");
    sg_p11_close(p11);
    (void)fixture;
}

static void open_fails_where_there_is_no_memory(void **fixture)
{
    struct sg_p11 *p11 = NULL;
    sg_alloc_fail_nth(0);
    assert_int_equal(opened(TOKEN ";object=kept" WAY, &p11), SG_ENOMEM);
    assert_null(p11);
    sg_alloc_fail_nth(UINT32_MAX);
    (void)fixture;
}

static int begin(void **fixture)
{
    char words[SGT_DIR_BYTES + 128];
    sgt_dir_make(dir);
    sgt_softhsm_begin(dir, "ALL");
    sgt_softhsm_token("node");
    sgt_softhsm_token("twins");
    sgt_softhsm_token("twins");
    sgt_softhsm_tool("node", "--keygen --key-type AES:32 --label kept --id 01 --sensitive");
    sgt_softhsm_tool("node", "--keygen --key-type AES:32 --label 'two words' --id 03 --sensitive");
    sgt_softhsm_tool("node", "--keygen --key-type AES:16 --label short --id 04");
    sgt_softhsm_tool("node", "--keygen --key-type AES:32 --label twin --id 05");
    sgt_softhsm_tool("node", "--keygen --key-type AES:32 --label twin --id 06");
    snprintf(words, sizeof(words),
             "--write-object %s/key --type secrkey --key-type AES:32 --label known --id 08", dir);
    sgt_softhsm_run("printf 0123456789abcdef0123456789ABCDEF >%s/key", dir);
    sgt_softhsm_tool("node", words);
    (void)fixture;
    return 0;
}

static int end(void **fixture)
{
    sgt_dir_remove(dir);
    (void)fixture;
    return 0;
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_a_token_seals_it_opens_and_nothing_that_was_changed),
    cmocka_unit_test(a_token_seals_as_openssl_does),
    cmocka_unit_test(a_key_is_found_by_every_way_a_uri_has),
    cmocka_unit_test(what_a_uri_should_not_say_is_told),
    cmocka_unit_test(what_is_not_there_is_told),
    cmocka_unit_test(what_could_be_meant_twice_is_told),
    cmocka_unit_test(a_key_of_another_length_is_told),
    cmocka_unit_test(a_pin_is_tried_once_and_a_wrong_one_is_told),
    cmocka_unit_test(a_token_without_gcm_is_told),
    cmocka_unit_test(a_shim_of_ours_says_what_softhsm_never_says),
    cmocka_unit_test(a_token_that_is_pulled_out_under_a_shim_of_ours_is_told),
    cmocka_unit_test(a_key_that_may_only_open_under_a_shim_of_ours_seals_nothing),
    cmocka_unit_test(open_fails_where_there_is_no_memory),
};

int main(void)
{
    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 0);
    if (!sgt_softhsm_here())
        return SGT_SKIP;
    return cmocka_run_group_tests(tests, begin, end);
}
