/* abi - what EVM contracts take and give (Solidity's ABI, strict mode's types): types from their
 * text, values read in place, values written in order. For bytes from anyone: nesting, sizes and
 * counts are bounded, offsets must lie within, and no encoding may have more in it than its length
 * pays for, so overlapping tails are no bomb. No allocation, any thread. */
#ifndef SGC_CHAIN_ABI_H
#define SGC_CHAIN_ABI_H

#include "base/err.h"
#include "base/out.h"
#include "base/u256.h"

#include <stdbool.h>
#include <stdint.h>

#define SGC_ABI_TYPES_MAX 64 /* in one signature, nested ones counted */
#define SGC_ABI_DEPTH_MAX 8
#define SGC_ABI_WORD      32

enum sgc_abi_kind {
    SGC_ABI_UINT,
    SGC_ABI_INT,
    SGC_ABI_ADDRESS,
    SGC_ABI_BOOL,
    SGC_ABI_FIXED_BYTES, /* bytes1 .. bytes32, function */
    SGC_ABI_BYTES,
    SGC_ABI_STRING,
    SGC_ABI_ARRAY,       /* T[] */
    SGC_ABI_FIXED_ARRAY, /* T[n] */
    SGC_ABI_TUPLE,
};
struct sgc_abi_type {
    uint8_t kind;
    bool is_dynamic;
    uint8_t size;        /* UINT, INT: bits - 1; FIXED_BYTES: bytes */
    uint8_t child, next; /* first of the parts, the next on this level; 0: none */
    uint32_t count;      /* FIXED_ARRAY: items; TUPLE: fields */
    uint32_t head_bytes; /* where it stands in its parent: 32 when dynamic */
    uint32_t body_bytes; /* TUPLE, FIXED_ARRAY: its heads */
};
/* types[0] is the whole. */
struct sgc_abi {
    uint32_t count;
    struct sgc_abi_type types[SGC_ABI_TYPES_MAX];
};
/* "(address,uint256[],(bytes,bool)[2])": the parameters of a function or event as one tuple, or
 * any other type. False: not that, too large, or with parts of no size, such as T[0]. */
bool sgc_abi_types(struct sg_str text, struct sgc_abi *out);

/* ---- reading ---- */

/* A value within bytes that were checked. Borrows both. */
struct sgc_abi_value {
    const struct sgc_abi *abi;
    const uint8_t *frame; /* what its offset counts from */
    uint32_t frame_bytes; /* to the end */
    uint32_t at;          /* where it stands in there */
    uint8_t type;
};
/* The value encoded in bytes[0 .. len), len at most 16 MiB. Everything in it is checked: that it
 * lies within, that numbers are no larger than their type, that addresses, truths and bytesN have
 * zeros where nothing belongs. Bytes that no offset leads to are allowed, as every decoder does.
 * False: not of that form. */
bool sgc_abi_read(const struct sgc_abi *abi, const uint8_t *bytes, size_t len,
                  struct sgc_abi_value *out);
enum sgc_abi_kind sgc_abi_kind_of(const struct sgc_abi_value *value);
/* Items of an array, fields of a tuple. */
uint32_t sgc_abi_count(const struct sgc_abi_value *value);
/* The index-th of them, below the count. A tuple's fields are walked, an array's items are not. */
struct sgc_abi_value sgc_abi_item(const struct sgc_abi_value *value, uint32_t index);
/* The 32 bytes of anything but arrays, tuples, bytes and strings. */
const uint8_t *sgc_abi_word(const struct sgc_abi_value *value);
/* The 20 bytes of an address. */
const uint8_t *sgc_abi_address(const struct sgc_abi_value *value);
/* Of bytes and string. */
struct sg_str sgc_abi_bytes(const struct sgc_abi_value *value);

/* ---- writing ---- */

/* Values are put in the order of their types, depth first; arrays and tuples within are opened and
 * closed. What does not fit is remembered by the sg_out. */
struct sgc_abi_writer {
    const struct sgc_abi *abi;
    struct sg_out *out;
    uint32_t depth;
    struct {
        uint32_t base; /* what offsets count from */
        uint32_t head; /* where the next value's head goes */
        uint32_t left; /* values still to come */
        uint8_t type;  /* of the next value */
        bool is_array; /* whose items are all of one type */
    } frames[SGC_ABI_DEPTH_MAX + 1];
};
/* types[0] must be a tuple: its fields are what comes. */
void sgc_abi_write(struct sgc_abi_writer *writer, const struct sgc_abi *abi, struct sg_out *out);
void sgc_abi_put_word(struct sgc_abi_writer *writer, const uint8_t word[SGC_ABI_WORD]);
void sgc_abi_put_bytes(struct sgc_abi_writer *writer, const void *bytes, size_t len);
/* `count` matters for T[] only. */
void sgc_abi_open(struct sgc_abi_writer *writer, uint32_t count);
void sgc_abi_shut(struct sgc_abi_writer *writer);

#endif
