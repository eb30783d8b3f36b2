#include "dataplane/tls/server13.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "dataplane/sys/osslctx.h"
#include "dataplane/sys/osslhmac.h"
#include "dataplane/sys/osslkx.h"
#include "dataplane/tls/hello13.h"
#include "dataplane/tls/ticket13.h"

#include <string.h>

#define HASH           SG_SHA256_BYTES
#define RECORD_HEAD    5u
#define MESSAGE_HEAD   4u
#define VERSION_13     0x0304
#define MESSAGES_BYTES (40u * 1024) /* of the first flight: a chain of 16 KiB and its staple */
/* What sealing adds to it in the smallest records. */
#define SEALS_BYTES        ((MESSAGES_BYTES / SGD_HELLO13_PLAIN_MIN + 1) * SGD_TLSREC_OVERHEAD)
#define OTHERS_BYTES       256u /* EncryptedExtensions, and the heads of what follows */
#define HELLO_BYTES        (RECORD_HEAD + 128u + 6u) /* ServerHello and change_cipher_spec */
#define UNEXPECTED_MESSAGE 10
#define DECODE_ERROR       50
#define DECRYPT_ERROR      51

enum message {
    SERVER_HELLO = 2,
    NEW_SESSION_TICKET = 4,
    ENCRYPTED_EXTENSIONS = 8,
    CERTIFICATE = 11,
    CERTIFICATE_VERIFY = 15,
    FINISHED = 20
};

struct sgd_servers13 {
    struct sgd_tlscrypto *crypto;
    struct sgd_okx *okx;
    uint8_t messages[MESSAGES_BYTES]; /* in the clear */
    uint8_t out[HELLO_BYTES + MESSAGES_BYTES + SEALS_BYTES];
};

/* A first flight in the making. */
struct flight {
    struct sgd_server13 *server;
    struct sgd_servers13 *servers;
    struct sgd_hello13 hello;
    struct sgd_octx_credential credential;
    struct sgd_span staple;
    struct sgd_tls_keys keys; /* of the handshake; their secrets are what Finished is made with */
    uint8_t secret[HASH];     /* what was agreed on, then the schedule's, step by step */
    uint8_t share[SGD_HELLO13_SHARE_BYTES];
    uint8_t *at; /* the next byte is written here */
};

enum sg_err sgd_servers13_open(struct sgd_tlscrypto *crypto, struct sgd_servers13 **out)
{
    SG_ASSERT(crypto != NULL && out != NULL);
    struct sgd_servers13 *servers = sg_boot_alloc(sizeof(*servers));
    if (servers == NULL)
        return SG_ENOMEM;
    servers->crypto = crypto;
    enum sg_err err = sgd_okx_open(&servers->okx);
    if (err == SG_OK)
        *out = SG_TAKE(servers);
    sgd_servers13_close(servers);
    return err;
}

void sgd_servers13_close(struct sgd_servers13 *servers)
{
    if (servers == NULL)
        return;
    sgd_okx_close(servers->okx);
    sg_boot_free(servers);
}

/* ---- writing ---- */

static void put(struct flight *flight, const void *bytes, size_t len)
{
    if (len != 0)
        memcpy(flight->at, bytes, len);
    flight->at += len;
}

static void put_number(uint8_t *at, size_t bytes, size_t number)
{
    for (; bytes > 0; bytes--, number >>= 8)
        at[bytes - 1] = (uint8_t)number;
}

static void put_u16(struct flight *flight, size_t number)
{
    put_number(flight->at, 2, number);
    flight->at += 2;
}

static uint8_t *message_begin(struct flight *flight, enum message type)
{
    uint8_t *begin = flight->at;
    *begin = (uint8_t)type;
    flight->at += MESSAGE_HEAD;
    return begin;
}

/* Its length is known, and the transcript has it. */
static void message_end(struct flight *flight, uint8_t *begin)
{
    put_number(begin + 1, 3, (size_t)(flight->at - begin) - MESSAGE_HEAD);
    sg_sha256_add(&flight->server->transcript, begin, (size_t)(flight->at - begin));
}

/* ---- the key schedule ---- */

static void transcript_now(const struct sgd_server13 *server, uint8_t hash[HASH])
{
    struct sg_sha256 copy = server->transcript;
    sg_sha256_final(&copy, hash);
}

/* Derive-Secret(secret, label, what was said up to `hash`) */
static void derive(const uint8_t secret[HASH], const char *label, const uint8_t *hash,
                   uint8_t out[HASH])
{
    sgd_tls_expand_label(HASH, secret, label, (struct sgd_span){hash, HASH}, out, HASH);
}

/* From the exchange's secret to the handshake's keys; leaves the master secret. */
static void schedule_begin(struct flight *flight)
{
    /* Derive-Secret(HKDF-Extract(0, 0), "derived", "") and SHA-256(""), the same for everyone */
    static const uint8_t early[HASH] = {0x6f, 0x26, 0x15, 0xa1, 0x08, 0xc7, 0x02, 0xc5,
                                        0x67, 0x8f, 0x54, 0xfc, 0x9d, 0xba, 0xb6, 0x97,
                                        0x16, 0xc0, 0x76, 0x18, 0x9c, 0x48, 0x25, 0x0c,
                                        0xeb, 0xea, 0xc3, 0x57, 0x6c, 0x36, 0x11, 0xba},
                         nothing[HASH] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14,
                                          0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
                                          0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c,
                                          0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55},
                         zeros[HASH];
    struct sgd_server13 *server = flight->server;
    struct sgd_tls_keys *keys = &flight->keys;
    struct sgd_span input = {flight->secret, HASH}, none = {zeros, HASH};
    uint8_t hash[HASH], handshake[HASH];
    transcript_now(server, hash);
    sgd_hmac(HASH, (struct sgd_span){early, HASH}, &input, 1, handshake);
    *keys = (struct sgd_tls_keys){.version = VERSION_13,
                                  .aead = flight->hello.aead,
                                  .secret_len = HASH,
                                  .tx_plain_max = server->tx_plain_max};
    derive(handshake, "c hs traffic", hash, keys->rx.secret);
    derive(handshake, "s hs traffic", hash, keys->tx.secret);
    sgd_tls_direction_derive(keys->aead, HASH, &keys->rx);
    sgd_tls_direction_derive(keys->aead, HASH, &keys->tx);
    derive(handshake, "derived", nothing, flight->secret);
    sgd_hmac(HASH, (struct sgd_span){flight->secret, HASH}, &none, 1, server->master);
    sg_wipe(handshake, sizeof(handshake));
}

/* The keys for data: all is said that they depend on. */
static void schedule_data(struct sgd_server13 *server)
{
    uint8_t hash[HASH];
    transcript_now(server, hash);
    derive(server->master, "s ap traffic", hash, server->tx_data.secret);
    derive(server->master, "c ap traffic", hash, server->rx_data.secret);
    sgd_tls_direction_derive(server->aead, HASH, &server->tx_data);
    sgd_tls_direction_derive(server->aead, HASH, &server->rx_data);
}

/* A whole Finished message of whom `secret` is. */
static void finished_of(const struct sgd_server13 *server, const uint8_t secret[HASH],
                        uint8_t message[MESSAGE_HEAD + HASH])
{
    uint8_t key[HASH], hash[HASH];
    struct sgd_span input = {hash, HASH};
    transcript_now(server, hash);
    sgd_tls_expand_label(HASH, secret, "finished", (struct sgd_span){NULL, 0}, key, HASH);
    memcpy(message, (uint8_t[MESSAGE_HEAD]){FINISHED, 0, 0, HASH}, MESSAGE_HEAD);
    sgd_hmac(HASH, (struct sgd_span){key, HASH}, &input, 1, message + MESSAGE_HEAD);
    sg_wipe(key, sizeof(key));
}

/* ---- the first flight ---- */

/* Writes records to `out`: in the clear, and change_cipher_spec for those who wait for one. */
static void write_hello(struct flight *flight)
{
    static const uint8_t fixed[] = {0, 46, 0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 29, 0, 32};
    const struct sgd_hello13 *hello = &flight->hello;
    const uint8_t *random = flight->server->random.hello;
    uint8_t *record = flight->at;
    memcpy(record, (uint8_t[]){22, 3, 3}, 3);
    flight->at += RECORD_HEAD;
    uint8_t *message = message_begin(flight, SERVER_HELLO);
    put_u16(flight, 0x0303);
    put(flight, random, sizeof(flight->server->random.hello));
    put(flight, &(uint8_t){(uint8_t)hello->session_id.len}, 1);
    put(flight, hello->session_id.bytes, hello->session_id.len);
    put_u16(flight, hello->aead == SGD_TLS_CHACHA20_POLY1305 ? 0x1303 : 0x1301);
    put(flight, &(uint8_t){0}, 1);     /* no compression */
    put(flight, fixed, sizeof(fixed)); /* the version, and the key share's head */
    put(flight, flight->share, sizeof(flight->share));
    message_end(flight, message);
    put_number(record + 3, 2, (size_t)(flight->at - message));
    if (hello->session_id.len != 0)
        put(flight, (uint8_t[]){20, 3, 3, 0, 1, 1}, 6);
}

static void write_extensions(struct flight *flight)
{
    static const uint8_t alpn[] = {0, 16, 0, 11, 0, 9, 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    uint8_t *message = message_begin(flight, ENCRYPTED_EXTENSIONS);
    static const uint8_t limit[] = {0, 28, 0, 2, 0x40, 0x01}; /* ours: a full record */
    bool named = flight->hello.name[0] != 0, limited = flight->hello.size_limit != 0;
    put_u16(flight, (named ? 4u : 0) + (flight->hello.alpn ? sizeof(alpn) : 0) +
                        (limited ? sizeof(limit) : 0));
    if (named)
        put(flight, (uint8_t[]){0, 0, 0, 0}, 4); /* the name was of use */
    if (flight->hello.alpn)
        put(flight, alpn, sizeof(alpn));
    if (limited)
        put(flight, limit, sizeof(limit));
    message_end(flight, message);
}

/* The chain as it is kept, but for the staple, which is an extension of the leaf. */
static void write_certificate(struct flight *flight)
{
    const struct sgd_octx_credential *credential = &flight->credential;
    uint8_t *message = message_begin(flight, CERTIFICATE), *list;
    size_t staple = flight->staple.len;
    put(flight, &(uint8_t){0}, 1); /* nobody asked for it */
    list = flight->at;
    flight->at += 3;
    put(flight, credential->chain.bytes, credential->leaf_len);
    if (staple != 0) {
        put_number(flight->at - 2, 2, staple + 8);
        put_u16(flight, 5);
        put_u16(flight, staple + 4);
        put_number(flight->at, 4, (size_t)1 << 24 | staple);
        flight->at += 4;
        put(flight, flight->staple.bytes, staple);
    }
    put(flight, credential->chain.bytes + credential->leaf_len,
        credential->chain.len - credential->leaf_len);
    put_number(list, 3, (size_t)(flight->at - list) - 3);
    message_end(flight, message);
}

static bool write_verify(struct flight *flight)
{
    static const char context[] = "TLS 1.3, server CertificateVerify"; /* and its NUL */
    uint8_t content[64 + sizeof(context) + HASH], hash[HASH], signature[SGD_OKX_SIGNATURE_MAX];
    size_t len = 0;
    memset(content, ' ', 64);
    memcpy(content + 64, context, sizeof(context));
    transcript_now(flight->server, content + 64 + sizeof(context));
    sg_sha256(content, sizeof(content), hash);
    if (!sgd_okx_sign(flight->servers->okx, flight->credential.cert, hash, signature, &len))
        return false;
    uint8_t *message = message_begin(flight, CERTIFICATE_VERIFY);
    put_u16(flight, flight->credential.scheme);
    put_u16(flight, len);
    put(flight, signature, len);
    message_end(flight, message);
    return true;
}

static void write_finished(struct flight *flight)
{
    finished_of(flight->server, flight->keys.tx.secret, flight->at);
    sg_sha256_add(&flight->server->transcript, flight->at, MESSAGE_HEAD + HASH);
    flight->at += MESSAGE_HEAD + HASH;
}

/* Everything up to our Finished, sealed behind the ServerHello; the length of both. */
static size_t flight_write(struct flight *flight, const uint8_t *message, size_t len)
{
    struct sgd_server13 *server = flight->server;
    struct sgd_servers13 *servers = flight->servers;
    sg_sha256_init(&server->transcript);
    sg_sha256_add(&server->transcript, message, len);
    flight->at = servers->out;
    write_hello(flight);
    size_t out_len = (size_t)(flight->at - servers->out);
    schedule_begin(flight);
    flight->at = servers->messages;
    write_extensions(flight);
    write_certificate(flight);
    if (!write_verify(flight))
        return 0;
    write_finished(flight);
    schedule_data(server);
    finished_of(server, flight->keys.rx.secret, server->expected);
    sgd_tlsrec_init_shaking(&server->rec, servers->crypto, &flight->keys);
    out_len +=
        sgd_tlsrec_seal_messages(&server->rec, servers->messages,
                                 (size_t)(flight->at - servers->messages), servers->out + out_len);
    sgd_tlsrec_set_tx(&server->rec, &server->tx_data);
    return out_len;
}

static bool record_is_hello(const uint8_t *record, size_t len)
{
    return len > RECORD_HEAD && record[0] == 22 && record[1] == 3 && record[2] >= 1 &&
           record[2] <= 3 && ((size_t)record[3] << 8 | record[4]) == len - RECORD_HEAD;
}

static bool flight_fits(const struct flight *flight)
{
    return OTHERS_BYTES + flight->credential.chain.len + flight->staple.len +
               SGD_OKX_SIGNATURE_MAX <=
           MESSAGES_BYTES;
}

/* The limit counts the content's type too. */
static uint16_t plain_max(uint16_t size_limit)
{
    return size_limit == 0 || size_limit > SGD_TLSREC_PLAIN_MAX ? 0 : (uint16_t)(size_limit - 1);
}

bool sgd_server13_begin(struct sgd_server13 *server, struct sgd_servers13 *servers,
                        struct sgd_octx *octx, const uint8_t *record, size_t len,
                        struct sgd_span *out)
{
    struct flight flight = {.server = server, .servers = servers};
    SG_ASSERT(octx != NULL && out != NULL);
    if (!record_is_hello(record, len) ||
        !sgd_hello13_read(record + RECORD_HEAD, len - RECORD_HEAD, &flight.hello))
        return false;
    const char *name = flight.hello.name[0] != 0 ? flight.hello.name : NULL;
    if (!sgd_octx_credential(octx, name, flight.hello.ecdsa_p256, flight.hello.rsa_pss,
                             &flight.credential))
        return false;
    if (flight.hello.staple)
        flight.staple.len = sgd_octx_staple(&flight.credential, &flight.staple.bytes);
    if (!flight_fits(&flight) ||
        !sgd_okx_agree(servers->okx, flight.hello.share, flight.share, flight.secret))
        return false;
    *server = (struct sgd_server13){.octx = flight.credential.octx,
                                    .aead = (uint8_t)flight.hello.aead,
                                    .tickets = flight.hello.tickets,
                                    .tx_plain_max = plain_max(flight.hello.size_limit)};
    sg_random(&server->random, sizeof(server->random));
    size_t out_len = flight_write(&flight, record + RECORD_HEAD, len - RECORD_HEAD);
    sg_wipe(&flight.secret, sizeof(flight.secret));
    sg_wipe(&flight.keys, sizeof(flight.keys));
    if (out_len == 0) {
        sgd_server13_fini(server);
        return false;
    }
    *out = (struct sgd_span){servers->out, out_len};
    return true;
}

/* ---- the client's Finished, and after ---- */

static size_t ticket_write(struct sgd_server13 *server, struct sgd_servers13 *servers,
                           uint64_t now_s)
{
    static const uint8_t nonce = 0; /* one ticket a connection: its name need not differ */
    uint8_t hash[HASH], resumption[HASH], *message = servers->messages;
    struct sgd_ticket13 ticket = {.aead = server->aead,
                                  .age_add = server->random.ticket_age_add,
                                  .iv = server->random.ticket_iv,
                                  .now_s = now_s};
    uint32_t lifetime_s = 0;
    transcript_now(server, hash);
    derive(server->master, "res master", hash, resumption);
    sgd_tls_expand_label(HASH, resumption, "resumption", (struct sgd_span){&nonce, 1}, ticket.psk,
                         sizeof(ticket.psk));
    size_t len = sgd_ticket13_seal(&ticket, servers->okx, server->octx, message + 16, &lifetime_s);
    sg_wipe(resumption, sizeof(resumption));
    sg_wipe(&ticket, sizeof(ticket));
    if (len == 0)
        return 0;
    message[0] = NEW_SESSION_TICKET;
    put_number(message + 1, 3, 12 + len + 2);
    put_number(message + 4, 4, lifetime_s);
    put_number(message + 8, 4, ticket.age_add);
    message[12] = 1; /* the nonce's length */
    message[13] = nonce;
    put_number(message + 14, 2, len);
    put_number(message + 16 + len, 2, 0); /* no extensions */
    return sgd_tlsrec_seal_messages(&server->rec, message, 16 + len + 2, servers->out);
}

/* A piece of a message; nothing may follow it under the same key. */
static enum sgd_server13_step got_message(struct sgd_server13 *server, const uint8_t *bytes,
                                          size_t len)
{
    size_t room = sizeof(server->got) - server->got_len;
    memcpy(server->got + server->got_len, bytes, SG_MIN(len, room));
    server->got_len = (uint8_t)(server->got_len + SG_MIN(len, room));
    size_t head = SG_MIN((size_t)server->got_len, (size_t)MESSAGE_HEAD);
    uint8_t alert = server->got[0] != FINISHED                         ? UNEXPECTED_MESSAGE
                    : memcmp(server->got, server->expected, head) != 0 ? DECODE_ERROR
                    : len > room                                       ? UNEXPECTED_MESSAGE
                                                                       : 0;
    if (alert != 0) {
        sgd_tlsrec_refuse(&server->rec, alert);
        return SGD_SERVER13_FAILED;
    }
    if (server->got_len < sizeof(server->got)) {
        sgd_tlsrec_await_rest(&server->rec);
        return SGD_SERVER13_MORE;
    }
    if (!sg_equal_secret(server->got, server->expected, sizeof(server->got))) {
        sgd_tlsrec_refuse(&server->rec, DECRYPT_ERROR);
        return SGD_SERVER13_FAILED;
    }
    sg_sha256_add(&server->transcript, server->got, sizeof(server->got));
    return SGD_SERVER13_DONE;
}

/* Records out of a copy, since they are opened in place. */
static enum sgd_server13_step feed_copy(struct sgd_server13 *server, uint8_t *copy, size_t len,
                                        size_t *taken)
{
    uint8_t *in = copy, *plain;
    size_t left = len, plain_len;
    enum sgd_close why;
    enum sgd_server13_step step = SGD_SERVER13_MORE;
    while (step == SGD_SERVER13_MORE) {
        enum sgd_tlsrec_got got =
            sgd_tlsrec_open(&server->rec, &in, &left, &plain, &plain_len, &why);
        if (got == SGD_TLSREC_NEED)
            break;
        step = got == SGD_TLSREC_DATA ? got_message(server, plain, plain_len) : SGD_SERVER13_FAILED;
    }
    *taken = len - left;
    return step;
}

enum sgd_server13_step sgd_server13_feed(struct sgd_server13 *server, struct sgd_servers13 *servers,
                                         const uint8_t *bytes, size_t len, uint64_t now_s,
                                         size_t *taken, struct sgd_span *out)
{
    enum sgd_server13_step step = SGD_SERVER13_MORE;
    size_t out_len = 0, part;
    SG_ASSERT(server->rec.shaking);
    for (*taken = 0; *taken < len && step == SGD_SERVER13_MORE; *taken += part) {
        size_t max = SG_MIN(len - *taken, sizeof(servers->messages));
        memcpy(servers->messages, bytes + *taken, max);
        step = feed_copy(server, servers->messages, max, &part);
    }
    if (step == SGD_SERVER13_DONE && server->tickets)
        out_len = ticket_write(server, servers, now_s);
    if (step == SGD_SERVER13_FAILED)
        (void)sgd_tlsrec_seal(&server->rec, NULL, 0, 0, servers->out, sizeof(servers->out),
                              &out_len);
    *out = (struct sgd_span){servers->out, out_len};
    return step;
}

void sgd_server13_keys(const struct sgd_server13 *server, struct sgd_tls_keys *out)
{
    *out = (struct sgd_tls_keys){.version = VERSION_13,
                                 .aead = server->aead,
                                 .secret_len = HASH,
                                 .tx_plain_max = server->tx_plain_max,
                                 .tx = server->rec.tx, /* which counted the ticket */
                                 .rx = server->rx_data};
}

void sgd_server13_fini(struct sgd_server13 *server)
{
    sgd_tlsrec_fini(&server->rec);
    sg_wipe(server, sizeof(*server));
}
