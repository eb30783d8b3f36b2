/* The record reader against a peer that has the keys and obeys no rule. The input is a script: the
 * first byte chooses version and cipher, then come steps of {what, length, bytes}: raw bytes, or a
 * genuine record around any content, whole or cut in two. Data must come out exactly as it went
 * in, and an end must stay one. */
#include "base/assert.h"
#include "dataplane/tls/aead.h"
#include "dataplane/tls/record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum step { RAW, DATA, HANDSHAKE, ALERT, ANY_TYPE, STEPS };

static struct sgd_tlscrypto *crypto;
static struct sgd_aead *aead;

struct peer {
    struct sgd_tlsrec rec; /* under test */
    struct sgd_tls_direction tx;
    uint32_t slot;
    uint16_t version;
    enum sgd_tls_aead which;
    bool over;
};

static void put_u64(uint8_t *out, uint64_t v)
{
    v = __builtin_bswap64(v);
    memcpy(out, &v, sizeof(v));
}

/* A genuine record; returns its length. */
static size_t seal(struct peer *peer, uint8_t type, const uint8_t *content, size_t len,
                   uint8_t *out)
{
    bool tls13 = peer->version == 0x0304;
    bool explicit_nonce = !tls13 && peer->which != SGD_TLS_CHACHA20_POLY1305;
    size_t body = len + SGD_AEAD_TAG_LEN + (tls13 ? 1 : 0) + (explicit_nonce ? 8 : 0);
    uint8_t aad[13], seq[8],
        head[5] = {tls13 ? 23 : type, 3, 3, (uint8_t)(body >> 8), (uint8_t)body};
    struct sgd_aead_use use = {peer->which, true, &peer->tx, &peer->slot, {0}, {head, 5}};
    struct sgd_span spans[2] = {{content, len}, {&type, 1}};
    put_u64(seq, peer->tx.seq++);
    memcpy(out, head, 5);
    memcpy(use.nonce, peer->tx.iv, 12);
    for (int i = 0; i < 8; i++)
        use.nonce[4 + i] = explicit_nonce ? seq[i] : use.nonce[4 + i] ^ seq[i];
    if (explicit_nonce)
        memcpy(out + 5, seq, 8);
    if (!tls13) {
        memcpy(aad, seq, 8);
        memcpy(aad + 8, (uint8_t[5]){type, 3, 3, (uint8_t)(len >> 8), (uint8_t)len}, 5);
        use.aad = (struct sgd_span){aad, 13};
    }
    sgd_aead_seal(aead, &use, spans, tls13 ? 2 : 1, out + 5 + (explicit_nonce ? 8 : 0));
    return 5 + body;
}

/* Gives the reader some bytes; what comes out must be the next of `expected`. */
static void give(struct peer *peer, uint8_t *in, size_t in_len, const uint8_t *expected,
                 size_t *expected_len)
{
    uint8_t *plain;
    size_t plain_len;
    enum sgd_close why = SGD_CLOSE_none;
    enum sgd_tlsrec_got got;
    while ((got = sgd_tlsrec_open(&peer->rec, &in, &in_len, &plain, &plain_len, &why)) ==
           SGD_TLSREC_DATA) {
        SG_ASSERT(plain_len > 0 && plain_len <= *expected_len && !peer->over);
        SG_ASSERT(memcmp(plain, expected, plain_len) == 0);
        expected += plain_len;
        *expected_len -= plain_len;
    }
    SG_ASSERT(got == SGD_TLSREC_FAILED || in_len == 0 || got == SGD_TLSREC_END);
    SG_ASSERT(got != SGD_TLSREC_FAILED || why != SGD_CLOSE_none);
    if (got != SGD_TLSREC_NEED)
        peer->over = true;
}

static void step(struct peer *peer, enum step what, const uint8_t *bytes, size_t len)
{
    static uint8_t wire[1024];
    size_t expected = 0, n = len;
    static const uint8_t types[] = {0, 23, 22, 21, 0};
    uint8_t type = what == ANY_TYPE && len > 0 ? bytes[0] : types[what];
    if (what == RAW)
        memcpy(wire, bytes, len);
    else
        n = seal(peer, type, bytes, len, wire);
    if (type == 23)
        expected = len;
    size_t cut = n * (len % 7) / 7;
    const uint8_t *want = bytes;
    size_t before = expected;
    give(peer, wire, cut, want, &expected);
    give(peer, wire + cut, n - cut, want + (before - expected), &expected);
    if (memcmp(peer->rec.rx.secret, peer->tx.secret, 32) != 0) { /* a KeyUpdate was followed */
        sgd_aead_forget(aead, &peer->tx, peer->slot);
        sgd_tls_direction_next(peer->which, 32, &peer->tx);
        SG_ASSERT(memcmp(peer->rec.rx.secret, peer->tx.secret, 32) == 0);
    }
}

static void begin(struct peer *peer, uint8_t choice)
{
    struct sgd_tls_keys keys = {.secret_len = 32, .aead = choice % 3};
    if (crypto == NULL && (sgd_tlscrypto_open(SG_CONF_CRYPTO_OPENSSL, 2, &crypto) != SG_OK ||
                           sgd_aead_open(SG_CONF_CRYPTO_OPENSSL, 2, &aead) != SG_OK))
        SG_UNREACHABLE();
    keys.version = choice & 0x80 ? 0x0303 : 0x0304;
    memset(keys.rx.secret, 1, 32);
    sgd_tls_direction_derive(keys.aead, 32, &keys.rx);
    keys.tx = keys.rx;
    memset(peer, 0, sizeof(*peer));
    peer->tx = keys.rx;
    peer->version = keys.version;
    peer->which = keys.aead;
    sgd_tlsrec_init(&peer->rec, crypto, &keys);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static uint8_t out[4096];
    struct peer peer;
    size_t out_len;
    if (len == 0)
        return 0;
    begin(&peer, bytes[0]);
    for (size_t at = 1; at + 2 <= len;) {
        size_t n = SG_MIN((size_t)bytes[at + 1], len - at - 2);
        step(&peer, bytes[at] % STEPS, bytes + at + 2, n);
        at += 2 + n;
    }
    (void)sgd_tlsrec_seal(&peer.rec, NULL, 0, 0, out, sizeof(out), &out_len);
    SG_ASSERT(!sgd_tlsrec_pending(&peer.rec));
    sgd_aead_forget(aead, &peer.tx, peer.slot);
    sgd_tlsrec_fini(&peer.rec);
    return 0;
}
