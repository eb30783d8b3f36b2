/* The curve is the twisted Edwards one that X25519's is another form of, its points in extended
 * coordinates (Hisil, Wong, Carter, Dawson: "Twisted Edwards Curves Revisited"), the secret's
 * digits signed ones of base 16: 64 additions and 4 doublings. Limbs are below 2^51 + 2^20 after
 * each function here but fe_add(), by which up to three such are added; fe_mul(), fe_square() and
 * the second of fe_sub() take what is below 2^53 - 76. */
#include "dataplane/tls/x25519.h"

#include "base/assert.h"
#include "base/sys/crypto.h"

#include <string.h>

#define fe    sgd_fe25519 /* inside of this file */
#define LIMBS 5
#define MASK  ((1ull << 51) - 1)

__extension__ typedef unsigned __int128 u128; /* which has no name that ISO C lets one write */

/* x = X / Z, y = Y / Z, and T = XY / Z. */
struct point {
    struct fe x, y, z, t;
};

static const struct fe one = {{1}};

/* ---- the field: integers modulo 2^255 - 19 ---- */

/* Keeps compilers from adding two limbs at a time: the products, which need them one by one, would
 * wait for what they wrote. */
static inline uint64_t alone(uint64_t limb)
{
    __asm__("" : "+r"(limb));
    return limb;
}

static inline void fe_add(struct fe *out, const struct fe *a, const struct fe *b)
{
    for (int i = 0; i < LIMBS; i++)
        out->v[i] = alone(a->v[i] + b->v[i]);
}

/* Brings limbs below 2^63 to below 2^52. */
static inline void fe_carry(struct fe *a)
{
    uint64_t over = alone(a->v[4] >> 51) * 19;
    for (int i = 0; i < LIMBS; i++) {
        uint64_t limb = alone(a->v[i]);
        a->v[i] = (limb & MASK) + over;
        over = limb >> 51;
    }
}

/* By way of a + 4p - b: no limb goes below zero. */
static inline void fe_sub(struct fe *out, const struct fe *a, const struct fe *b)
{
    out->v[0] = a->v[0] + 0x1fffffffffffb4 - b->v[0];
    for (int i = 1; i < LIMBS; i++)
        out->v[i] = a->v[i] + 0x1ffffffffffffc - b->v[i];
    fe_carry(out);
}

static inline void fe_reduce(struct fe *out, u128 r0, u128 r1, u128 r2, u128 r3, u128 r4)
{
    r1 += (uint64_t)(r0 >> 51);
    r2 += (uint64_t)(r1 >> 51);
    r3 += (uint64_t)(r2 >> 51);
    r4 += (uint64_t)(r3 >> 51);
    uint64_t low = ((uint64_t)r0 & MASK) + 19 * (uint64_t)(r4 >> 51);
    out->v[0] = low & MASK;
    out->v[1] = ((uint64_t)r1 & MASK) + (low >> 51);
    out->v[2] = (uint64_t)r2 & MASK;
    out->v[3] = (uint64_t)r3 & MASK;
    out->v[4] = (uint64_t)r4 & MASK;
}

static inline void fe_mul(struct fe *out, const struct fe *a, const struct fe *b)
{
    const uint64_t *f = a->v, *g = b->v, g1 = 19 * g[1], g2 = 19 * g[2], g3 = 19 * g[3],
                   g4 = 19 * g[4];
    fe_reduce(
        out,
        (u128)f[0] * g[0] + (u128)f[1] * g4 + (u128)f[2] * g3 + (u128)f[3] * g2 + (u128)f[4] * g1,
        (u128)f[0] * g[1] + (u128)f[1] * g[0] + (u128)f[2] * g4 + (u128)f[3] * g3 + (u128)f[4] * g2,
        (u128)f[0] * g[2] + (u128)f[1] * g[1] + (u128)f[2] * g[0] + (u128)f[3] * g4 +
            (u128)f[4] * g3,
        (u128)f[0] * g[3] + (u128)f[1] * g[2] + (u128)f[2] * g[1] + (u128)f[3] * g[0] +
            (u128)f[4] * g4,
        (u128)f[0] * g[4] + (u128)f[1] * g[3] + (u128)f[2] * g[2] + (u128)f[3] * g[1] +
            (u128)f[4] * g[0]);
}

static inline void fe_square(struct fe *out, const struct fe *a)
{
    const uint64_t *f = a->v, f0 = 2 * f[0], f1 = 2 * f[1], f3 = 19 * f[3], f4 = 19 * f[4];
    fe_reduce(out, (u128)f[0] * f[0] + (u128)f1 * f4 + (u128)(2 * f[2]) * f3,
              (u128)f0 * f[1] + (u128)(2 * f[2]) * f4 + (u128)f[3] * f3,
              (u128)f0 * f[2] + (u128)f[1] * f[1] + (u128)(2 * f[3]) * f4,
              (u128)f0 * f[3] + (u128)f1 * f[2] + (u128)f[4] * f4,
              (u128)f0 * f[4] + (u128)f1 * f[3] + (u128)f[2] * f[2]);
}

static void fe_squares(struct fe *a, int times)
{
    for (int i = 0; i < times; i++)
        fe_square(a, a);
}

/* out = a^(2^(2n) - 1), of b = a^(2^n - 1) */
static void fe_double_ones(struct fe *out, const struct fe *b, int n)
{
    struct fe t = *b;
    fe_squares(&t, n);
    fe_mul(out, &t, b);
}

/* a^(p - 2): the inverse, and 0 of 0. p - 2 is 250 ones, then 01011. */
static void fe_invert(struct fe *out, const struct fe *a)
{
    struct fe a2, a9, a11, ones5, ones10, ones20, ones40, ones50, t;
    fe_square(&a2, a);
    t = a2;
    fe_squares(&t, 2);
    fe_mul(&a9, &t, a);
    fe_mul(&a11, &a9, &a2);
    fe_square(&t, &a11);
    fe_mul(&ones5, &t, &a9);
    fe_double_ones(&ones10, &ones5, 5);
    fe_double_ones(&ones20, &ones10, 10);
    fe_double_ones(&ones40, &ones20, 20);
    t = ones40;
    fe_squares(&t, 10);
    fe_mul(&ones50, &t, &ones10);
    fe_double_ones(&t, &ones50, 50); /* 100 */
    a2 = t;
    fe_double_ones(&t, &a2, 100); /* 200 */
    fe_squares(&t, 50);
    fe_mul(&t, &t, &ones50); /* 250 */
    fe_squares(&t, 5);
    fe_mul(out, &t, &a11);
}

/* The one number below p that `a` is. */
static void fe_write(uint8_t out[SGD_X25519_BYTES], const struct fe *a)
{
    struct fe t = *a;
    fe_carry(&t);
    uint64_t q = 19; /* becomes 1 where t >= p */
    for (int i = 0; i < LIMBS; i++)
        q = (t.v[i] + q) >> 51;
    t.v[0] += 19 * q;
    for (int i = 0; i < LIMBS - 1; i++) {
        t.v[i + 1] += t.v[i] >> 51;
        t.v[i] &= MASK;
    }
    t.v[4] &= MASK;
    const uint64_t words[4] = {t.v[0] | t.v[1] << 51, t.v[1] >> 13 | t.v[2] << 38,
                               t.v[2] >> 26 | t.v[3] << 25, t.v[3] >> 39 | t.v[4] << 12};
    memcpy(out, words, sizeof(words)); /* little-endian, as this machine is */
}

/* ---- the curve ---- */

static void point_double(struct point *p)
{
    struct fe xx, yy, zz2, sum, e, f;
    fe_square(&xx, &p->x);
    fe_square(&yy, &p->y);
    fe_square(&zz2, &p->z);
    fe_add(&zz2, &zz2, &zz2);
    fe_add(&sum, &p->x, &p->y);
    fe_square(&sum, &sum);
    struct fe h, g;
    fe_add(&h, &yy, &xx);
    fe_sub(&g, &yy, &xx);
    fe_sub(&e, &sum, &h);
    fe_sub(&f, &zz2, &g);
    fe_mul(&p->x, &e, &f);
    fe_mul(&p->y, &h, &g);
    fe_mul(&p->z, &g, &f);
    fe_mul(&p->t, &e, &h);
}

static void point_add(struct point *p, const union sgd_x25519_point *q)
{
    struct fe a, b, c, d, e, f, g, h;
    fe_sub(&a, &p->y, &p->x);
    fe_mul(&a, &a, &q->minus);
    fe_add(&b, &p->y, &p->x);
    fe_mul(&b, &b, &q->plus);
    fe_mul(&c, &q->xy2d, &p->t);
    fe_add(&d, &p->z, &p->z);
    fe_sub(&e, &b, &a);
    fe_sub(&f, &d, &c);
    fe_add(&g, &d, &c);
    fe_add(&h, &b, &a);
    fe_mul(&p->x, &e, &f);
    fe_mul(&p->y, &h, &g);
    fe_mul(&p->z, &g, &f);
    fe_mul(&p->t, &e, &h);
}

static void point_pack(union sgd_x25519_point *out, const struct point *p)
{
    static const struct fe d2 = {
        {0x69b9426b2f159, 0x35050762add7a, 0x3cf44c0038052, 0x6738cc7407977, 0x2406d9dc56dff}};
    struct fe x, y, inverse;
    fe_invert(&inverse, &p->z);
    fe_mul(&x, &p->x, &inverse);
    fe_mul(&y, &p->y, &inverse);
    fe_add(&out->plus, &y, &x);
    fe_carry(&out->plus);
    fe_sub(&out->minus, &y, &x);
    fe_mul(&out->xy2d, &x, &y);
    fe_mul(&out->xy2d, &out->xy2d, &d2);
}

void sgd_x25519_table_init(struct sgd_x25519_table *table)
{
    SG_ASSERT(table != NULL);
    struct point power = {.x = {{0x62d608f25d51a, 0x412a4b4f6592a, 0x75b7171a4b31d, 0x1ff60527118fe,
                                 0x216936d3cd6e5}},
                          .y = {{0x6666666666658, 0x4cccccccccccc, 0x1999999999999, 0x3333333333333,
                                 0x6666666666666}},
                          .z = one};
    fe_mul(&power.t, &power.x, &power.y);
    for (int i = 0; i < 32; i++) {
        struct point multiple = power;
        point_pack(&table->at[i][0], &multiple);
        for (int j = 1; j < 8; j++) {
            point_add(&multiple, &table->at[i][0]);
            point_pack(&table->at[i][j], &multiple);
        }
        for (int j = 0; j < 8; j++)
            point_double(&power);
    }
}

/* ---- the secret: nothing below branches on it, or has it in an address ---- */

/* All ones, or zeros. The compiler is not to know that it is one of two. */
static inline uint64_t mask_of(uint64_t bit)
{
    uint64_t mask = 0 - bit;
    __asm__("" : "+r"(mask));
    return mask;
}

/* `digit` times the row's first, -8 to 8: all of the row is read, whichever is wanted. */
static void row_pick(const union sgd_x25519_point row[8], int8_t digit, union sgd_x25519_point *out)
{
    static const struct fe zero;
    uint64_t negative = (uint8_t)digit >> 7, turn = mask_of(negative);
    uint64_t size = (uint64_t)(digit ^ -(int64_t)negative) + negative;
    union sgd_x25519_point found = {.limbs = {0}};
    struct fe opposite;
    found.plus.v[0] = found.minus.v[0] = 1 & mask_of((size - 1) >> 63); /* 0 times: (0, 1) */
    for (uint64_t j = 1; j <= 8; j++) {
        uint64_t mask = mask_of(((size ^ j) - 1) >> 63); /* the top bit: they are equal */
        for (size_t i = 0; i < SG_COUNT(found.limbs); i++)
            found.limbs[i] |= row[j - 1].limbs[i] & mask;
    }
    fe_sub(&opposite, &zero, &found.xy2d);
    for (int i = 0; i < LIMBS; i++) {
        uint64_t swap = turn & (found.plus.v[i] ^ found.minus.v[i]);
        out->plus.v[i] = found.plus.v[i] ^ swap;
        out->minus.v[i] = found.minus.v[i] ^ swap;
        out->xy2d.v[i] = found.xy2d.v[i] ^ (turn & (found.xy2d.v[i] ^ opposite.v[i]));
    }
}

static void digits_of(const uint8_t secret[SGD_X25519_BYTES], int8_t digits[64])
{
    int8_t carry = 0;
    for (int i = 0; i < 32; i++) {
        digits[2 * i] = (int8_t)(secret[i] & 15);
        digits[2 * i + 1] = (int8_t)(secret[i] >> 4);
    }
    digits[0] &= 8; /* RFC 7748 section 5 */
    digits[63] = (int8_t)((digits[63] & 7) | 4);
    for (int i = 0; i < 63; i++) {
        digits[i] = (int8_t)(digits[i] + carry);
        carry = (int8_t)((digits[i] + 8) >> 4);
        digits[i] = (int8_t)(digits[i] - carry * 16);
    }
    digits[63] = (int8_t)(digits[63] + carry); /* 8 at most */
}

void sgd_x25519_share(const struct sgd_x25519_table *table, const uint8_t secret[SGD_X25519_BYTES],
                      uint8_t share[SGD_X25519_BYTES])
{
    struct point sum = {.y = one, .z = one};
    union sgd_x25519_point part;
    struct fe above, below;
    int8_t digits[64];
    SG_ASSERT(table != NULL);
    digits_of(secret, digits);
    for (int i = 1; i < 64; i += 2) {
        row_pick(table->at[i / 2], digits[i], &part);
        point_add(&sum, &part);
    }
    for (int i = 0; i < 4; i++)
        point_double(&sum);
    for (int i = 0; i < 64; i += 2) {
        row_pick(table->at[i / 2], digits[i], &part);
        point_add(&sum, &part);
    }
    fe_add(&above, &sum.z, &sum.y); /* u = (1 + y) / (1 - y) */
    fe_sub(&below, &sum.z, &sum.y);
    fe_invert(&below, &below);
    fe_mul(&above, &above, &below);
    fe_write(share, &above);
    sg_wipe(digits, sizeof(digits));
    sg_wipe(&part, sizeof(part));
    sg_wipe(&sum, sizeof(sum));
}
