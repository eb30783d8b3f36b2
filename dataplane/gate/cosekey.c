#include "dataplane/gate/cosekey.h"

#include "base/assert.h"
#include "base/cbor.h"
#include "base/sys/crypto.h"

/* RFC 9053 section 7 */
enum label { KTY = 1, CRV = -1, X = -2, Y = -3 };
enum kty { KTY_OKP = 1, KTY_EC2 = 2 };

static void put_head(struct sg_out *out, uint64_t members, enum kty kty, enum sgd_cose_curve curve)
{
    sg_cbor_put_map(out, members);
    sg_cbor_put_int(out, KTY);
    sg_cbor_put_uint(out, kty);
    sg_cbor_put_int(out, CRV);
    sg_cbor_put_uint(out, curve);
}

static void put_part(struct sg_out *out, enum label label, const uint8_t *bytes)
{
    sg_cbor_put_int(out, label);
    sg_cbor_put_bytes(out, bytes, 32);
}

void sgd_cosekey_ec2(enum sgd_cose_curve curve, const uint8_t point[64], uint8_t out[32])
{
    char memory[96];
    struct sg_out key = sg_out_init(memory, sizeof(memory));
    put_head(&key, 4, KTY_EC2, curve);
    put_part(&key, X, point);
    put_part(&key, Y, point + 32);
    SG_ASSERT(!key.full);
    sg_sha256(key.ptr, key.len, out);
}

void sgd_cosekey_okp(const uint8_t bytes[32], uint8_t out[32])
{
    char memory[96];
    struct sg_out key = sg_out_init(memory, sizeof(memory));
    put_head(&key, 3, KTY_OKP, SGD_COSE_ED25519);
    put_part(&key, X, bytes);
    SG_ASSERT(!key.full);
    sg_sha256(key.ptr, key.len, out);
}
