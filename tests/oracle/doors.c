/* doors - the doors to cryptography, and the readers of others' formats, asked line by line by the
 * published vectors (vectors.mjs, wycheproof.mjs). A line in is a command and its words, bytes in
 * hex ("-": none); a line out the answer, "no" where it was refused:
 *   keccak BYTES                     sha256 BYTES            hmac KEY BYTES
 *   hkdf SECRET SALT INFO LENGTH     gcm KEY NONCE AAD SEALED TAG
 *   aead KEY NONCE AAD SEALED TAG    as TLS records, by each library that is there; ChaCha20:
 * chacha p256 POINT MESSAGE RS            secp256k1 POINT MESSAGE RS       ed25519 KEY MESSAGE
 * SIGNATURE signer DIGEST SIGNATURE          whose address it recovers x25519 SECRET the public
 * half agree PUBLIC                     whether a secret is agreed on with that peer personal TEXT
 * EIP-191's hash cbor BYTES                       whether it is one item rlp BYTES what is in it:
 * [aa,[],-] abi TYPES BYTES                  what is in it, and whether writing it anew gives the
 * same trie ROOT KEY NODE...            what the proof shows of the key: found, absent, wrong, more
 *   chain TEXT, account TEXT, asset TEXT    in their normal form (CAIP-2, 10, 19)
 *   base58 BYTES, unbase58 LENGTH TEXT, base64url BYTES, unbase64url TEXT, base64 TEXT (undone) */
#include "base/b64url.h"
#include "base/caip.h"
#include "base/cbor.h"
#include "base/keccak.h"
#include "base/sys/crypto.h"
#include "controlplane/chain/abi.h"
#include "controlplane/chain/rlp.h"
#include "controlplane/chain/trie.h"
#include "dataplane/gate/evmsig.h"
#include "dataplane/sys/osslkx.h"
#include "dataplane/sys/osslsig.h"
#include "dataplane/sys/secp256k1.h"
#include "dataplane/tls/aead.h"
#include "dataplane/tls/x25519.h"
#include "tests/sgt_hex.h"

#include <stdio.h>

#define LINE_BYTES (1u << 20)
#define WORDS_MAX  80

static char *words[WORDS_MAX];
static uint8_t arena[LINE_BYTES]; /* the bytes of a line's words */
static size_t arena_used;
static char text_memory[LINE_BYTES];

/* The nth word's bytes. */
static struct sg_str bytes_of(unsigned nth)
{
    uint8_t *at = arena + arena_used;
    SG_ASSERT(words[nth] != NULL);
    size_t len =
        strcmp(words[nth], "-") == 0 ? 0 : sgt_hex(words[nth], at, LINE_BYTES - arena_used);
    arena_used += len;
    return (struct sg_str){(const char *)at, len};
}

/* ... which are `len`. False: the vector is of another length, which our types don't let through.
 */
static bool exactly(unsigned nth, size_t len, const uint8_t **out)
{
    struct sg_str bytes = bytes_of(nth);
    *out = (const uint8_t *)bytes.ptr;
    return bytes.len == len;
}

static void say(bool yes)
{
    puts(yes ? "yes" : "no");
}

static void put_hex(const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        printf("%02x", ((const uint8_t *)bytes)[i]);
    if (len == 0)
        putchar('-');
}

static void say_hex(const void *bytes, size_t len)
{
    put_hex(bytes, len);
    putchar('\n');
}

/* ---- hashes, keys, ciphers ---- */

static void ask_keccak(void)
{
    uint8_t hash[SG_KECCAK256_BYTES], in_pieces[SG_KECCAK256_BYTES];
    struct sg_keccak256 sponge;
    struct sg_str bytes = bytes_of(1);
    sg_keccak256(bytes.ptr, bytes.len, hash);
    sg_keccak256_init(&sponge);
    for (size_t i = 0; i < bytes.len; i++)
        sg_keccak256_add(&sponge, bytes.ptr + i, 1);
    sg_keccak256_final(&sponge, in_pieces);
    SG_ASSERT(memcmp(hash, in_pieces, sizeof(hash)) == 0);
    say_hex(hash, sizeof(hash));
}

static void ask_sha256(void)
{
    uint8_t hash[SG_SHA256_BYTES];
    struct sg_str bytes = bytes_of(1);
    sg_sha256(bytes.ptr, bytes.len, hash);
    say_hex(hash, sizeof(hash));
}

static void ask_hmac(void)
{
    struct sg_hmac_key key;
    uint8_t mac[SG_SHA256_BYTES];
    struct sg_str secret = bytes_of(1), bytes = bytes_of(2);
    sg_hmac_key_init(&key, secret.ptr, secret.len);
    sg_hmac(&key, bytes.ptr, bytes.len, mac);
    say_hex(mac, sizeof(mac));
}

static void ask_hkdf(void)
{
    uint8_t out[255 * SG_SHA256_BYTES];
    struct sg_str secret = bytes_of(1), salt = bytes_of(2), info = bytes_of(3);
    size_t len = strtoul(words[4], NULL, 10);
    if (len > sizeof(out)) { /* our callers' lengths are constants */
        say(false);
        return;
    }
    sg_hkdf(salt.ptr, salt.len, secret.ptr, secret.len, info.ptr, info.len, out, len);
    say_hex(out, len);
}

static void ask_gcm(void)
{
    static uint8_t plain[LINE_BYTES], sealed[LINE_BYTES];
    const uint8_t *key, *nonce, *tag;
    uint8_t copy[SG_GCM_TAG_BYTES], made[SG_GCM_TAG_BYTES];
    bool fits = exactly(1, 32, &key) && exactly(2, SG_GCM_NONCE_BYTES, &nonce);
    struct sg_str aad = bytes_of(3), ciphertext = bytes_of(4);
    if (!(exactly(5, SG_GCM_TAG_BYTES, &tag) && fits)) {
        say(false);
        return;
    }
    memcpy(copy, tag, sizeof(copy));
    if (!sg_gcm_open(key, nonce, aad, ciphertext, plain, copy)) {
        say(false);
        return;
    }
    SG_ASSERT(sg_gcm_seal(key, nonce, aad, (struct sg_str){(const char *)plain, ciphertext.len},
                          sealed, made));
    SG_ASSERT(memcmp(sealed, ciphertext.ptr, ciphertext.len) == 0);
    SG_ASSERT(memcmp(made, tag, sizeof(made)) == 0);
    say_hex(plain, ciphertext.len);
}

/* What a record's reader makes of it; and what is opened is sealed to the same again. */
static bool unseal(struct sgd_aead *aead, struct sgd_aead_use *use, struct sg_str sealed,
                   const uint8_t *tag, uint8_t *bytes)
{
    static uint8_t again[LINE_BYTES + SGD_AEAD_TAG_LEN];
    uint32_t slot = 0, back = 0;
    const struct sgd_span span = {bytes, sealed.len};
    memcpy(bytes, sealed.ptr, sealed.len);
    memcpy(bytes + sealed.len, tag, SGD_AEAD_TAG_LEN);
    use->slot = &slot;
    use->seals = false;
    bool good = sgd_aead_unseal(aead, use, bytes, sealed.len);
    sgd_aead_forget(aead, use->dir, slot);
    if (!good)
        return false;
    use->slot = &back;
    use->seals = true;
    sgd_aead_seal(aead, use, &span, 1, again);
    sgd_aead_forget(aead, use->dir, back);
    return memcmp(again, sealed.ptr, sealed.len) == 0 &&
           memcmp(again + sealed.len, tag, SGD_AEAD_TAG_LEN) == 0;
}

static void ask_aead(bool chacha)
{
    static const enum sg_conf_record_crypto libraries[] = {SG_CONF_CRYPTO_OPENSSL,
                                                           SG_CONF_CRYPTO_IPSEC_MB};
    static uint8_t plain[2][LINE_BYTES + SGD_AEAD_TAG_LEN];
    static struct sgd_tls_direction dir;
    const uint8_t *nonce, *tag;
    struct sg_str key = bytes_of(1);
    bool fits = exactly(2, 12, &nonce), good[2];
    struct sg_str aad = bytes_of(3), sealed = bytes_of(4);
    struct sgd_aead_use use = {.dir = &dir, .aad = {(const uint8_t *)aad.ptr, aad.len}};
    if (!(exactly(5, SGD_AEAD_TAG_LEN, &tag) && fits) || (key.len != 32 && key.len != 16)) {
        say(false);
        return;
    }
    use.aead = chacha          ? SGD_TLS_CHACHA20_POLY1305
               : key.len == 16 ? SGD_TLS_AES_128_GCM
                               : SGD_TLS_AES_256_GCM;
    memcpy(dir.key, key.ptr, key.len);
    memcpy(use.nonce, nonce, sizeof(use.nonce));
    for (size_t i = 0; i < SG_COUNT(libraries); i++) {
        static struct sgd_aead *aeads[2];
        if (aeads[i] == NULL && sgd_aead_open(libraries[i], 4, &aeads[i]) != SG_OK)
            good[i] = good[i - 1]; /* OpenSSL's, the first here, is always there */
        else
            good[i] = unseal(aeads[i], &use, sealed, tag, plain[i]);
    }
    SG_ASSERT(good[0] == good[1]);
    if (good[0])
        say_hex(plain[0], sealed.len);
    else
        say(false);
}

/* ---- signatures and agreement ---- */

static void ask_p256(void)
{
    const uint8_t *point, *rs;
    bool fits = exactly(1, 64, &point);
    struct sg_str message = bytes_of(2);
    say((exactly(3, 64, &rs) && fits) && sgd_osig_p256(point, message, rs));
}

static void ask_ed25519(void)
{
    const uint8_t *key, *signature;
    bool fits = exactly(1, 32, &key);
    struct sg_str message = bytes_of(2);
    say((exactly(3, 64, &signature) && fits) && sgd_osig_ed25519(key, message, signature));
}

/* Ours, and whether recovery agrees. "verified" alone: r is of a point whose x is above the group's
 * order (one in 2^127), for which Ethereum has no v. */
static void ask_secp256k1(void)
{
    const uint8_t *point, *rs;
    uint8_t digest[SG_SHA256_BYTES], found[64];
    bool fits = exactly(1, 64, &point), recovered = false;
    struct sg_str message = bytes_of(2);
    if (!(exactly(3, 64, &rs) && fits)) {
        say(false);
        return;
    }
    sg_sha256(message.ptr, message.len, digest);
    bool good = sgd_secp_verify(digest, rs, point);
    for (int odd = 0; odd < 2; odd++)
        recovered |= sgd_secp_recover(digest, rs, odd != 0, found) &&
                     memcmp(found, point, sizeof(found)) == 0;
    SG_ASSERT(good || !recovered);
    puts(recovered ? "yes" : good ? "verified" : "no");
}

static void ask_signer(void)
{
    const uint8_t *digest;
    uint8_t address[SGD_EVM_ADDRESS_BYTES];
    SG_ASSERT(exactly(1, 32, &digest));
    if (sgd_evm_signer(digest, bytes_of(2), address))
        say_hex(address, sizeof(address));
    else
        say(false);
}

static void ask_x25519(void)
{
    static struct sgd_x25519_table table;
    static bool made;
    const uint8_t *secret;
    uint8_t share[SGD_X25519_BYTES];
    SG_ASSERT(exactly(1, sizeof(share), &secret));
    if (!made)
        sgd_x25519_table_init(&table);
    made = true;
    sgd_x25519_share(&table, secret, share);
    say_hex(share, sizeof(share));
}

static void ask_agree(void)
{
    static struct sgd_okx *okx;
    const uint8_t *peer;
    uint8_t share[32], secret[32];
    SG_ASSERT(okx != NULL || sgd_okx_open(&okx) == SG_OK);
    say(exactly(1, 32, &peer) && sgd_okx_agree(okx, peer, share, secret));
}

static void ask_personal(void)
{
    uint8_t hash[32];
    sgd_evm_text_hash(bytes_of(1), hash);
    say_hex(hash, sizeof(hash));
}

/* ---- formats ---- */

static bool put_rlp(const struct sgc_rlp_item *item, struct sg_out *out)
{
    struct sgc_rlp_item inner;
    if (!item->is_list) {
        sg_out_hex(out, item->ptr, item->len);
        if (item->len == 0)
            sg_out_char(out, '-');
        return true;
    }
    struct sgc_rlp items = sgc_rlp_items(item);
    sg_out_char(out, '[');
    for (bool first = true; sgc_rlp_next(&items, &inner); first = false) {
        if (!first)
            sg_out_char(out, ',');
        if (!put_rlp(&inner, out))
            return false;
    }
    sg_out_char(out, ']');
    return !items.malformed;
}

static void ask_rlp(void)
{
    struct sgc_rlp_item item;
    struct sg_str bytes = bytes_of(1);
    struct sg_out out = sg_out_init(text_memory, sizeof(text_memory));
    if (sgc_rlp_read((const uint8_t *)bytes.ptr, bytes.len, &item) && put_rlp(&item, &out))
        printf("%.*s\n", (int)out.len, out.ptr);
    else
        say(false);
}

/* Reads a value out loud, and writes it anew. */
static void put_abi(const struct sgc_abi_value *value, struct sgc_abi_writer *writer)
{
    struct sg_str bytes;
    switch (sgc_abi_kind_of(value)) {
    case SGC_ABI_UINT:
    case SGC_ABI_INT:
    case SGC_ABI_ADDRESS:
    case SGC_ABI_BOOL:
    case SGC_ABI_FIXED_BYTES:
        put_hex(sgc_abi_word(value), SGC_ABI_WORD);
        sgc_abi_put_word(writer, sgc_abi_word(value));
        return;
    case SGC_ABI_BYTES:
    case SGC_ABI_STRING:
        bytes = sgc_abi_bytes(value);
        put_hex(bytes.ptr, bytes.len);
        sgc_abi_put_bytes(writer, bytes.ptr, bytes.len);
        return;
    case SGC_ABI_ARRAY:
    case SGC_ABI_FIXED_ARRAY:
    case SGC_ABI_TUPLE:
        break;
    }
    uint32_t count = sgc_abi_count(value);
    sgc_abi_open(writer, count);
    putchar('[');
    for (uint32_t i = 0; i < count; i++) {
        struct sgc_abi_value item = sgc_abi_item(value, i);
        if (i > 0)
            putchar(',');
        put_abi(&item, writer);
    }
    putchar(']');
    sgc_abi_shut(writer);
}

static void ask_abi(void)
{
    static struct sgc_abi abi;
    struct sgc_abi_value value;
    struct sgc_abi_writer writer;
    struct sg_str bytes = bytes_of(2);
    struct sg_out out = sg_out_init(text_memory, sizeof(text_memory));
    if (!sgc_abi_types(sg_str_from(words[1]), &abi)) {
        puts("types");
        return;
    }
    if (!sgc_abi_read(&abi, (const uint8_t *)bytes.ptr, bytes.len, &value)) {
        say(false);
        return;
    }
    sgc_abi_write(&writer, &abi, &out);
    putchar('[');
    for (uint32_t i = 0; i < sgc_abi_count(&value); i++) {
        struct sgc_abi_value item = sgc_abi_item(&value, i);
        if (i > 0)
            putchar(',');
        put_abi(&item, &writer);
    }
    printf("] %s\n", !out.full && sg_str_eq(sg_out_view(&out), bytes) ? "same" : "another");
}

static void ask_trie(void)
{
    static const char *const names[] = {"more", "found", "absent", "wrong"};
    const uint8_t *root;
    struct sgc_trie trie;
    SG_ASSERT(exactly(1, 32, &root));
    struct sg_str key = bytes_of(2);
    sgc_trie_begin(&trie, root, key.ptr, key.len);
    for (unsigned i = 3; words[i] != NULL && trie.state == SGC_TRIE_MORE; i++) {
        struct sg_str node = bytes_of(i);
        sgc_trie_step(&trie, (const uint8_t *)node.ptr, node.len);
    }
    printf("%s ", names[trie.state]);
    say_hex(trie.value, trie.state == SGC_TRIE_FOUND ? trie.value_len : 0);
}

static void ask_caip(char what)
{
    union {
        struct sg_caip_chain chain;
        struct sg_caip_account account;
        struct sg_caip_asset asset;
    } name;
    struct sg_str text = sg_str_from(words[1] == NULL ? "" : words[1]);
    struct sg_out out = sg_out_init(text_memory, sizeof(text_memory));
    bool read = what == 'c'   ? sg_caip_chain_read(text, &name.chain)
                : what == 'a' ? sg_caip_account_read(text, &name.account)
                              : sg_caip_asset_read(text, &name.asset);
    if (read && what == 'c')
        sg_caip_chain_put(&out, &name.chain);
    else if (read && what == 'a')
        sg_caip_account_put(&out, &name.account);
    else if (read)
        sg_caip_asset_put(&out, &name.asset);
    printf("%.*s\n", read ? (int)out.len : 2, read ? out.ptr : "no");
}

static void ask_base(bool is_58)
{
    struct sg_str bytes = bytes_of(1);
    struct sg_out out = sg_out_init(text_memory, sizeof(text_memory));
    if (is_58)
        sg_base58_put(&out, (const uint8_t *)bytes.ptr, bytes.len);
    else
        sg_b64url_put(&out, bytes.ptr, bytes.len);
    printf("%.*s\n", (int)out.len, out.ptr);
}

static void ask_unbase58(void)
{
    uint8_t out[128];
    size_t len = strtoul(words[1], NULL, 10);
    if (sg_base58_read(sg_str_from(words[2] == NULL ? "" : words[2]), out, len))
        say_hex(out, len);
    else
        say(false);
}

static void ask_unbase64(bool (*read)(struct sg_str, uint8_t *, size_t, size_t *))
{
    size_t len;
    if (read(sg_str_from(words[1] == NULL ? "" : words[1]), arena, sizeof(arena), &len))
        say_hex(arena, len);
    else
        say(false);
}

static void ask_cbor(void)
{
    say(sg_cbor_check(bytes_of(1)));
}

static void ask_gcm_record(void)
{
    ask_aead(false);
}

static void ask_chacha(void)
{
    ask_aead(true);
}

static void ask_chain(void)
{
    ask_caip('c');
}

static void ask_account(void)
{
    ask_caip('a');
}

static void ask_asset(void)
{
    ask_caip('t');
}

static void ask_base58(void)
{
    ask_base(true);
}

static void ask_base64url(void)
{
    ask_base(false);
}

static void ask_unbase64url(void)
{
    ask_unbase64(sg_b64url_read);
}

static void ask_base64(void)
{
    ask_unbase64(sg_b64_read);
}

static const struct {
    const char *name;
    void (*ask)(void);
} commands[] = {
    {"abi", ask_abi},
    {"account", ask_account},
    {"aead", ask_gcm_record},
    {"agree", ask_agree},
    {"asset", ask_asset},
    {"base58", ask_base58},
    {"base64", ask_base64},
    {"base64url", ask_base64url},
    {"cbor", ask_cbor},
    {"chacha", ask_chacha},
    {"chain", ask_chain},
    {"ed25519", ask_ed25519},
    {"gcm", ask_gcm},
    {"hkdf", ask_hkdf},
    {"hmac", ask_hmac},
    {"keccak", ask_keccak},
    {"p256", ask_p256},
    {"personal", ask_personal},
    {"rlp", ask_rlp},
    {"secp256k1", ask_secp256k1},
    {"sha256", ask_sha256},
    {"signer", ask_signer},
    {"trie", ask_trie},
    {"unbase58", ask_unbase58},
    {"unbase64url", ask_unbase64url},
    {"x25519", ask_x25519},
};

int main(void)
{
    static char line[LINE_BYTES];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *rest = NULL, *word = strtok_r(line, " \n", &rest);
        size_t count = 0, i = 0;
        for (; word != NULL && count < WORDS_MAX - 1; word = strtok_r(NULL, " \n", &rest))
            words[count++] = word;
        memset(words + count, 0, (WORDS_MAX - count) * sizeof(*words));
        arena_used = 0;
        while (i < SG_COUNT(commands) && count > 0 && strcmp(words[0], commands[i].name) != 0)
            i++;
        SG_ASSERT(count > 0 && i < SG_COUNT(commands));
        commands[i].ask();
        fflush(stdout);
    }
    return 0;
}
