#include "dataplane/tls/keys.h"

#include "base/assert.h"
#include "base/sys/crypto.h"
#include "dataplane/sys/osslhmac.h"

#include <string.h>

#define KEY_BLOCK_MAX (2 * (32 + 12))

/* 16 or 32 bytes. */
static uint8_t key_len_of(enum sgd_tls_aead aead)
{
    return aead == SGD_TLS_AES_128_GCM ? 16 : 32;
}

/* All that TLS asks of it is no longer than one block of the hash, so it is one HMAC. */
void sgd_tls_expand_label(uint8_t hash_len, const uint8_t *secret, const char *label,
                          struct sgd_span context, uint8_t *out, uint8_t out_len)
{
    uint8_t head[32] = {0, out_len}, tail[2] = {(uint8_t)context.len, 1}, block[48];
    size_t label_len = strlen(label);
    SG_ASSERT(out_len <= hash_len && context.len <= hash_len);
    SG_ASSERT(label_len + 9 <= sizeof(head));
    head[2] = (uint8_t)(6 + label_len);
    memcpy(head + 3, "tls13 ", 6);
    memcpy(head + 9, label, label_len);
    struct sgd_span info[] = {{head, 9 + label_len}, {tail, 1}, context, {tail + 1, 1}};
    sgd_hmac(hash_len, (struct sgd_span){secret, hash_len}, info, SG_COUNT(info), block);
    memcpy(out, block, out_len);
    sg_wipe(block, sizeof(block));
}

void sgd_tls_direction_derive(enum sgd_tls_aead aead, uint8_t secret_len,
                              struct sgd_tls_direction *dir)
{
    struct sgd_span none = {NULL, 0};
    sgd_tls_expand_label(secret_len, dir->secret, "key", none, dir->key, key_len_of(aead));
    sgd_tls_expand_label(secret_len, dir->secret, "iv", none, dir->iv, sizeof(dir->iv));
    dir->seq = 0;
}

void sgd_tls_direction_next(enum sgd_tls_aead aead, uint8_t secret_len,
                            struct sgd_tls_direction *dir)
{
    sgd_tls_expand_label(secret_len, dir->secret, "traffic upd", (struct sgd_span){NULL, 0},
                         dir->secret, secret_len);
    sgd_tls_direction_derive(aead, secret_len, dir);
}

/* TLS 1.2's PRF for the key block: P_hash(master, "key expansion" + server + client random). */
static void prf12(uint8_t hash_len, struct sgd_span master, struct sgd_span s, struct sgd_span c,
                  uint8_t *out, size_t out_len)
{
    static const char label[] = "key expansion";
    struct sgd_span seed[4] = {{NULL, 0}, {(const uint8_t *)label, sizeof(label) - 1}, s, c};
    uint8_t a[48], block[48];
    sgd_hmac(hash_len, master, seed + 1, 3, a); /* A(1) */
    for (size_t done = 0; done < out_len; done += hash_len) {
        seed[0] = (struct sgd_span){a, hash_len};
        sgd_hmac(hash_len, master, seed, 4, block);
        memcpy(out + done, block, SG_MIN((size_t)hash_len, out_len - done));
        sgd_hmac(hash_len, master, seed, 1, a);
    }
    sg_wipe(a, sizeof(a));
    sg_wipe(block, sizeof(block));
}

void sgd_tls12_derive(const uint8_t master[48], const uint8_t client_random[32],
                      const uint8_t server_random[32], struct sgd_tls_keys *keys)
{
    uint8_t block[KEY_BLOCK_MAX];
    size_t key_len = key_len_of(keys->aead);
    size_t iv_len = keys->aead == SGD_TLS_CHACHA20_POLY1305 ? 12 : 4;
    size_t need = 2 * (key_len + iv_len);
    prf12(keys->secret_len, (struct sgd_span){master, 48}, (struct sgd_span){server_random, 32},
          (struct sgd_span){client_random, 32}, block, need);
    memcpy(keys->rx.key, block, key_len); /* the client writes first in the block */
    memcpy(keys->tx.key, block + key_len, key_len);
    memcpy(keys->rx.iv, block + 2 * key_len, iv_len);
    memcpy(keys->tx.iv, block + 2 * key_len + iv_len, iv_len);
    sg_wipe(block, sizeof(block));
}
