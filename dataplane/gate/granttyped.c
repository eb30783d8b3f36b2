#include "base/assert.h"
#include "base/json.h"
#include "base/keccak.h"
#include "dataplane/gate/grant_impl.h"

/* EIP-712: the struct that a wallet shows field by field. `grant` is the hash that binds the rest.
 */
#define NAME    "StreamGate"
#define VERSION "1"
/* What never changes stands as its hash. */
#define NAME_HASH                                                                                  \
    "\x53\xe7\x46\x00\x3d\x5f\x79\x65\x16\x65\xef\x6c\xfe\x9a\x4f\xf3\x96\xb6\x9c\x3d\x60\xe6\x91" \
    "\x48\x27\x4b\x43\x32\x5b\xb8\xcd\xf6"
#define VERSION_HASH                                                                               \
    "\xc8\x9e\xfd\xaa\x54\xc0\xf2\x0c\x7a\xdf\x61\x28\x82\xdf\x09\x50\xf5\xa9\x51\x63\x7e\x03\x07" \
    "\xcd\xcb\x4c\x67\x2f\x29\x8b\x8b\xc6"
/* "EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)" */
#define DOMAIN_TYPE_HASH                                                                           \
    "\xa6\x04\xff\xf5\xa2\x7d\x59\x51\xf3\x34\xcc\xda\x7a\xbf\xf3\x28\x6a\x8a\xf2\x9c\xae\xeb\x19" \
    "\x6a\x6f\x2b\x40\xa1\xdc\xe7\x61\x2b"
/* "StreamGateGrant(string domain,string content,address account,bytes32 sessionKey,uint64 issuedAt,
 * uint64 notBefore,uint64 expiresAt,bytes16 nonce,bytes32 grant)" */
#define GRANT_TYPE_HASH                                                                            \
    "\xc8\x64\xf5\x3f\x60\xfa\x90\x72\x92\xdb\x9f\xe5\xf0\xad\xe5\xa6\xcc\x15\xee\xd4\x88\x5a\xf6" \
    "\x63\x54\xda\x4f\x33\xf9\x28\x59\x83"
#define TARGET_MAX (SGD_GRANT_PATH_BYTES + SGD_GRANT_TEXT_BYTES + 16)

/* Words of 32 bytes end to end, as ABI encoding lays a struct of atomic members out. */
static void put_uint(struct sg_out *out, uint64_t v)
{
    struct sg_u256 word = sg_u256_of(v);
    sg_out_bytes(out, word.bytes, sizeof(word.bytes));
}

/* Strings stand as their hash. */
static void put_string(struct sg_out *out, struct sg_str text)
{
    uint8_t hash[SG_KECCAK256_BYTES];
    sg_keccak256(text.ptr, text.len, hash);
    sg_out_bytes(out, hash, sizeof(hash));
}

/* Of fewer bytes than a word: an address to the right, bytesN to the left. */
static void put_padded(struct sg_out *out, size_t before, const void *bytes, size_t len)
{
    static const uint8_t zeros[32];
    SG_ASSERT(before + len <= sizeof(zeros));
    sg_out_bytes(out, zeros, before);
    sg_out_bytes(out, bytes, len);
    sg_out_bytes(out, zeros, sizeof(zeros) - before - len);
}

static void put_separator(struct sg_out *out, const struct sgd_grant *grant)
{
    uint8_t words[5 * 32], hash[32];
    struct sg_out at = sg_out_init(words, sizeof(words));
    sg_out_lit(&at, DOMAIN_TYPE_HASH);
    sg_out_lit(&at, NAME_HASH);
    sg_out_lit(&at, VERSION_HASH);
    put_uint(&at, grant->account.chain.evm_id);
    sg_sha256(grant->tenant.ptr, grant->tenant.len, hash);
    sg_out_bytes(&at, hash, sizeof(hash));
    SG_ASSERT(!at.full);
    sg_keccak256(words, at.len, hash);
    sg_out_bytes(out, hash, sizeof(hash));
}

static void put_struct(struct sg_out *out, const struct sgd_grant *grant,
                       const uint8_t hash_of_all[32])
{
    uint8_t words[10 * 32], hash[32];
    char target_memory[TARGET_MAX];
    struct sg_out at = sg_out_init(words, sizeof(words));
    struct sg_out target = sg_out_init(target_memory, sizeof(target_memory));
    sgd_grant_put_target(&target, grant);
    sg_out_lit(&at, GRANT_TYPE_HASH);
    put_string(&at, sgd_grant_domain(grant));
    put_string(&at, sg_out_view(&target));
    put_padded(&at, 12, grant->account.address.bytes, 20);
    sg_out_bytes(&at, grant->ckt, sizeof(grant->ckt));
    put_uint(&at, grant->issued_s);
    put_uint(&at, grant->not_before_s);
    put_uint(&at, grant->expires_s);
    put_padded(&at, 0, grant->cti, sizeof(grant->cti));
    sg_out_bytes(&at, hash_of_all, 32);
    SG_ASSERT(!at.full);
    out->full = out->full || target.full;
    sg_keccak256(words, at.len, hash);
    sg_out_bytes(out, hash, sizeof(hash));
}

bool sgd_grant_typed_digest(const struct sgd_grant *grant, uint8_t out[32])
{
    char memory[2 + 2 * 32];
    uint8_t hash[32];
    struct sg_out whole = sg_out_init(memory, sizeof(memory));
    if (!sgd_grant_hash(grant, hash))
        return false;
    sg_out_lit(&whole, "\x19\x01");
    put_separator(&whole, grant);
    put_struct(&whole, grant, hash);
    if (whole.full)
        return false;
    sg_keccak256(whole.ptr, whole.len, out);
    return true;
}

/* ---- the same as JSON ---- */

struct member {
    const char *name, *type;
};

static void put_type(struct sg_json *json, const char *name, const struct member *members,
                     size_t count)
{
    sg_json_array(json, name);
    for (size_t i = 0; i < count; i++) {
        sg_json_object(json, NULL);
        sg_json_text(json, "name", members[i].name);
        sg_json_text(json, "type", members[i].type);
        sg_json_object_end(json);
    }
    sg_json_array_end(json);
}

static void put_types(struct sg_json *json)
{
    static const struct member domain[] = {
        {"name", "string"},
        {"version", "string"},
        {"chainId", "uint256"},
        {"salt", "bytes32"},
    };
    static const struct member grant[] = {
        {"domain", "string"},      {"content", "string"},  {"account", "address"},
        {"sessionKey", "bytes32"}, {"issuedAt", "uint64"}, {"notBefore", "uint64"},
        {"expiresAt", "uint64"},   {"nonce", "bytes16"},   {"grant", "bytes32"},
    };
    sg_json_object(json, "types");
    put_type(json, "EIP712Domain", domain, SG_COUNT(domain));
    put_type(json, "StreamGateGrant", grant, SG_COUNT(grant));
    sg_json_object_end(json);
}

static void put_json_hex(struct sg_json *json, const char *key, const uint8_t *bytes, size_t len)
{
    char memory[2 + 2 * 32];
    struct sg_out text = sg_out_init(memory, sizeof(memory));
    sg_out_lit(&text, "0x");
    sg_out_hex(&text, bytes, len);
    SG_ASSERT(!text.full);
    sg_json_str(json, key, sg_out_view(&text));
}

static void put_message(struct sg_json *json, const struct sgd_grant *grant,
                        const uint8_t hash_of_all[32])
{
    char address_memory[42], target_memory[TARGET_MAX];
    struct sg_out address = sg_out_init(address_memory, sizeof(address_memory));
    struct sg_out target = sg_out_init(target_memory, sizeof(target_memory));
    sgd_grant_put_target(&target, grant);
    sg_caip_eip55_put(&address, grant->account.address.bytes);
    sg_json_object(json, "message");
    sg_json_str(json, "domain", sgd_grant_domain(grant));
    sg_json_str(json, "content", sg_out_view(&target));
    sg_json_str(json, "account", sg_out_view(&address));
    put_json_hex(json, "sessionKey", grant->ckt, sizeof(grant->ckt));
    sg_json_u64(json, "issuedAt", grant->issued_s);
    sg_json_u64(json, "notBefore", grant->not_before_s);
    sg_json_u64(json, "expiresAt", grant->expires_s);
    put_json_hex(json, "nonce", grant->cti, sizeof(grant->cti));
    put_json_hex(json, "grant", hash_of_all, 32);
    sg_json_object_end(json);
}

enum sg_err sgd_grant_put_typed_data(struct sg_out *out, const struct sgd_grant *grant)
{
    struct sg_json json = sg_json_init(out);
    uint8_t salt[32], hash[32];
    if (grant->alg != SGD_GRANT_EIP712)
        return SG_ENOTSUP;
    if (!sgd_grant_hash(grant, hash))
        return SG_EMSGSIZE;
    sg_json_object(&json, NULL);
    put_types(&json);
    sg_json_text(&json, "primaryType", "StreamGateGrant");
    sg_json_object(&json, "domain");
    sg_json_text(&json, "name", NAME);
    sg_json_text(&json, "version", VERSION);
    sg_json_u64(&json, "chainId", grant->account.chain.evm_id);
    sg_sha256(grant->tenant.ptr, grant->tenant.len, salt);
    put_json_hex(&json, "salt", salt, sizeof(salt));
    sg_json_object_end(&json);
    put_message(&json, grant, hash);
    sg_json_object_end(&json);
    return out->full ? SG_EMSGSIZE : SG_OK;
}
