#include "controlplane/chain/abi.h"

#include "base/assert.h"
#include "base/keccak.h"

#define LEN_MAX (16u << 20)
#define BODY_MAX                                                                                   \
    (1u << 20) /* heads of one tuple or fixed array: far more than any contract has                \
                */

/* ---- types ---- */

struct parse {
    const char *at, *end;
    struct sgc_abi *abi;
};

static bool parse_new(struct parse *parse, const struct sgc_abi_type *type, uint8_t *out)
{
    if (parse->abi->count == SGC_ABI_TYPES_MAX)
        return false;
    *out = (uint8_t)parse->abi->count++;
    parse->abi->types[*out] = *type;
    return true;
}

static bool parse_is(struct parse *parse, char c)
{
    if (parse->at == parse->end || *parse->at != c)
        return false;
    parse->at++;
    return true;
}

/* A decimal without leading zeros; false where none stands. */
static bool parse_number(struct parse *parse, uint32_t max, uint32_t *out)
{
    const char *from = parse->at;
    uint64_t v = 0;
    while (parse->at < parse->end && *parse->at >= '0' && *parse->at <= '9' && v <= max)
        v = v * 10 + (uint64_t)(*parse->at++ - '0');
    if (parse->at == from || v > max || *from == '0')
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool parse_word(struct parse *parse, struct sg_str word)
{
    if (!sg_str_starts((struct sg_str){parse->at, (size_t)(parse->end - parse->at)}, word))
        return false;
    parse->at += word.len;
    return true;
}

/* uint, uint8 .. uint256; what follows the word. */
static bool parse_bits(struct parse *parse, enum sgc_abi_kind kind, struct sgc_abi_type *out)
{
    uint32_t bits = 256;
    if (parse->at < parse->end && *parse->at >= '0' && *parse->at <= '9' &&
        !parse_number(parse, 256, &bits))
        return false;
    *out =
        (struct sgc_abi_type){.kind = (uint8_t)kind, .size = (uint8_t)(bits - 1), .head_bytes = 32};
    return bits % 8 == 0;
}

static bool parse_bytes(struct parse *parse, struct sgc_abi_type *out)
{
    uint32_t size = 0;
    if (parse->at < parse->end && *parse->at >= '0' && *parse->at <= '9' &&
        !parse_number(parse, 32, &size))
        return false;
    *out = (struct sgc_abi_type){.kind = size != 0 ? SGC_ABI_FIXED_BYTES : SGC_ABI_BYTES,
                                 .is_dynamic = size == 0,
                                 .size = (uint8_t)size,
                                 .head_bytes = 32};
    return true;
}

static bool parse_plain(struct parse *parse, struct sgc_abi_type *out)
{
    if (parse_word(parse, SG_STR("uint")))
        return parse_bits(parse, SGC_ABI_UINT, out);
    if (parse_word(parse, SG_STR("int")))
        return parse_bits(parse, SGC_ABI_INT, out);
    if (parse_word(parse, SG_STR("bytes")))
        return parse_bytes(parse, out);
    *out = (struct sgc_abi_type){.head_bytes = 32};
    if (parse_word(parse, SG_STR("address"))) {
        out->kind = SGC_ABI_ADDRESS;
    } else if (parse_word(parse, SG_STR("bool"))) {
        out->kind = SGC_ABI_BOOL;
    } else if (parse_word(parse, SG_STR("function"))) {
        out->kind = SGC_ABI_FIXED_BYTES;
        out->size = 24;
    } else if (parse_word(parse, SG_STR("string"))) {
        out->kind = SGC_ABI_STRING;
        out->is_dynamic = true;
    } else {
        return false;
    }
    return true;
}

static bool parse_type(struct parse *parse, uint32_t depth, uint8_t *out);

static bool parse_tuple(struct parse *parse, uint32_t depth, uint8_t *out)
{
    uint8_t self, field, last = 0;
    if (!parse_new(parse, &(struct sgc_abi_type){.kind = SGC_ABI_TUPLE}, &self))
        return false;
    struct sgc_abi_type *types = parse->abi->types, *tuple = &types[self];
    if (depth == 0 && parse_is(parse, ')')) { /* of a function without parameters */
        *out = self;
        return true;
    }
    do {
        if (!parse_type(parse, depth + 1, &field))
            return false;
        if (tuple->count++ == 0)
            tuple->child = field;
        else
            types[last].next = field;
        last = field;
        tuple->is_dynamic |= types[field].is_dynamic;
        tuple->body_bytes += types[field].head_bytes;
    } while (tuple->body_bytes <= BODY_MAX && parse_is(parse, ','));
    tuple->head_bytes = tuple->is_dynamic ? 32 : tuple->body_bytes;
    *out = self;
    return tuple->body_bytes <= BODY_MAX && parse_is(parse, ')');
}

/* One [n] or [] behind the type `item`. The tree's root must be types[0]: it swaps places. */
static bool parse_array(struct parse *parse, uint8_t item, uint8_t *out)
{
    struct sgc_abi_type *types = parse->abi->types;
    struct sgc_abi_type array = {.kind = SGC_ABI_ARRAY, .is_dynamic = true, .head_bytes = 32};
    uint8_t moved;
    if (!parse_is(parse, ']')) {
        if (!parse_number(parse, BODY_MAX / 32, &array.count) || !parse_is(parse, ']'))
            return false;
        uint64_t body_bytes = (uint64_t)array.count * types[item].head_bytes;
        if (body_bytes > BODY_MAX)
            return false;
        array.kind = SGC_ABI_FIXED_ARRAY;
        array.body_bytes = (uint32_t)body_bytes;
        array.is_dynamic = types[item].is_dynamic;
        array.head_bytes = array.is_dynamic ? 32 : array.body_bytes;
    }
    if (!parse_new(parse, &types[item], &moved))
        return false;
    array.child = moved;
    types[item] = array;
    *out = item;
    return true;
}

static uint32_t type_depth(const struct sgc_abi *abi, uint8_t type)
{
    uint32_t deepest = 0;
    for (uint8_t i = abi->types[type].child; i != 0; i = abi->types[i].next)
        deepest = SG_MAX(deepest, type_depth(abi, i));
    return deepest + (abi->types[type].child != 0);
}

static bool parse_type(struct parse *parse, uint32_t depth, uint8_t *out)
{
    struct sgc_abi_type plain;
    if (depth > SGC_ABI_DEPTH_MAX)
        return false;
    if (parse_is(parse, '(')) {
        if (!parse_tuple(parse, depth, out))
            return false;
    } else if (!parse_plain(parse, &plain) || !parse_new(parse, &plain, out)) {
        return false;
    }
    while (parse_is(parse, '[')) {
        if (parse->abi->types[*out].head_bytes == 0 || !parse_array(parse, *out, out))
            return false;
    }
    return true;
}

bool sgc_abi_types(struct sg_str text, struct sgc_abi *out)
{
    struct parse parse = {text.ptr, text.ptr + text.len, out};
    uint8_t root;
    out->count = 0;
    return text.len > 0 && parse_type(&parse, 0, &root) && parse.at == parse.end &&
           type_depth(out, root) <= SGC_ABI_DEPTH_MAX;
}

/* ---- reading ---- */

static const struct sgc_abi_type *type_of(const struct sgc_abi_value *value)
{
    return &value->abi->types[value->type];
}

static bool word_u32(const uint8_t *word, uint32_t *out)
{
    for (uint32_t i = 0; i < 28; i++) {
        if (word[i] != 0)
            return false;
    }
    *out = (uint32_t)word[28] << 24 | (uint32_t)word[29] << 16 | (uint32_t)word[30] << 8 | word[31];
    return true;
}

static bool all_are(const uint8_t *bytes, size_t len, uint8_t want)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != want)
            return false;
    }
    return true;
}

static bool word_fits(const struct sgc_abi_type *type, const uint8_t *word)
{
    uint32_t bytes = (type->size + 1u) / 8;
    switch ((enum sgc_abi_kind)type->kind) {
    case SGC_ABI_UINT:
        return all_are(word, 32 - bytes, 0);
    case SGC_ABI_INT:
        return all_are(word, 32 - bytes, (word[32 - bytes] & 0x80) != 0 ? 0xff : 0);
    case SGC_ABI_ADDRESS:
        return all_are(word, 12, 0);
    case SGC_ABI_BOOL:
        return all_are(word, 31, 0) && word[31] <= 1;
    case SGC_ABI_FIXED_BYTES:
        return all_are(word + type->size, 32u - type->size, 0);
    case SGC_ABI_BYTES:
    case SGC_ABI_STRING:
    case SGC_ABI_ARRAY:
    case SGC_ABI_FIXED_ARRAY:
    case SGC_ABI_TUPLE:
        break;
    }
    SG_UNREACHABLE();
}

/* Where the body of a value lies: in place, or where its offset says. The frame of what is within
 * begins there; an array's count is skipped. False: beyond the end. */
static bool body_of(const struct sgc_abi_value *value, const uint8_t **body, uint32_t *bytes,
                    uint32_t *count)
{
    const struct sgc_abi_type *type = type_of(value);
    uint32_t at = value->at;
    if (type->is_dynamic) {
        if (value->frame_bytes < 32 || at > value->frame_bytes - 32 ||
            !word_u32(value->frame + at, &at))
            return false;
    }
    if (at > value->frame_bytes)
        return false;
    *body = value->frame + at;
    *bytes = value->frame_bytes - at;
    *count = type->count;
    if (type->kind == SGC_ABI_ARRAY || type->kind == SGC_ABI_BYTES ||
        type->kind == SGC_ABI_STRING) {
        if (*bytes < 32 || !word_u32(*body, count))
            return false;
        *body += 32;
        *bytes -= 32;
    }
    return true;
}

/* `words`: how many more the encoding pays for. */
static bool check(const struct sgc_abi_value *value, uint32_t *words);

static bool check_items(const struct sgc_abi_value *value, const uint8_t *body, uint32_t bytes,
                        uint32_t count, uint32_t *words)
{
    const struct sgc_abi_type *type = type_of(value);
    struct sgc_abi_value item = {value->abi, body, bytes, 0, type->child};
    for (uint32_t i = 0; i < count; i++) {
        if (!check(&item, words))
            return false;
        item.at += type_of(&item)->head_bytes;
        if (type->kind == SGC_ABI_TUPLE)
            item.type = type_of(&item)->next;
    }
    return true;
}

static bool pay(uint32_t *words, uint32_t price)
{
    if (price > *words)
        return false;
    *words -= price;
    return true;
}

static bool check(const struct sgc_abi_value *value, uint32_t *words)
{
    const struct sgc_abi_type *type = type_of(value);
    const uint8_t *body;
    uint32_t bytes, count;
    switch ((enum sgc_abi_kind)type->kind) {
    case SGC_ABI_UINT:
    case SGC_ABI_INT:
    case SGC_ABI_ADDRESS:
    case SGC_ABI_BOOL:
    case SGC_ABI_FIXED_BYTES:
        return value->frame_bytes >= 32 && value->at <= value->frame_bytes - 32 && pay(words, 1) &&
               word_fits(type, value->frame + value->at);
    case SGC_ABI_BYTES:
    case SGC_ABI_STRING:
        return body_of(value, &body, &bytes, &count) && count <= bytes &&
               (count + 31) / 32 * 32 <= bytes && pay(words, 2 + (count + 31) / 32);
    case SGC_ABI_ARRAY:
        return body_of(value, &body, &bytes, &count) && pay(words, 2) &&
               count <= bytes / value->abi->types[type->child].head_bytes &&
               check_items(value, body, bytes, count, words);
    case SGC_ABI_FIXED_ARRAY:
    case SGC_ABI_TUPLE:
        return body_of(value, &body, &bytes, &count) && pay(words, type->is_dynamic) &&
               type->body_bytes <= bytes && check_items(value, body, bytes, count, words);
    }
    SG_UNREACHABLE();
}

/* The whole stands in place: where its offset would be when it were a field. */
static bool root_check(const struct sgc_abi_value *root, uint32_t *words)
{
    const struct sgc_abi_type *type = type_of(root);
    if (type->kind == SGC_ABI_TUPLE)
        return type->body_bytes <= root->frame_bytes &&
               check_items(root, root->frame, root->frame_bytes, type->count, words);
    return check(root, words);
}

bool sgc_abi_read(const struct sgc_abi *abi, const uint8_t *bytes, size_t len,
                  struct sgc_abi_value *out)
{
    if (len > LEN_MAX)
        return false;
    const struct sgc_abi_value root = {abi, bytes, (uint32_t)len, 0, 0};
    uint32_t words = (uint32_t)len / 32;
    if (!root_check(&root, &words))
        return false;
    *out = root;
    return true;
}

enum sgc_abi_kind sgc_abi_kind_of(const struct sgc_abi_value *value)
{
    return (enum sgc_abi_kind)type_of(value)->kind;
}

static bool is_root_tuple(const struct sgc_abi_value *value)
{
    return value->type == 0 && type_of(value)->kind == SGC_ABI_TUPLE;
}

static void body_checked(const struct sgc_abi_value *value, const uint8_t **body, uint32_t *bytes,
                         uint32_t *count)
{
    if (is_root_tuple(value)) {
        *body = value->frame;
        *bytes = value->frame_bytes;
        *count = type_of(value)->count;
        return;
    }
    bool within = body_of(value, body, bytes, count);
    SG_ASSERT(within); /* as when it was read */
}

uint32_t sgc_abi_count(const struct sgc_abi_value *value)
{
    const uint8_t *body;
    uint32_t bytes, count;
    SG_ASSERT(type_of(value)->child != 0 || type_of(value)->kind == SGC_ABI_TUPLE);
    body_checked(value, &body, &bytes, &count);
    return count;
}

struct sgc_abi_value sgc_abi_item(const struct sgc_abi_value *value, uint32_t index)
{
    const struct sgc_abi_type *type = type_of(value);
    const uint8_t *body;
    uint32_t bytes, count;
    body_checked(value, &body, &bytes, &count);
    SG_ASSERT(index < count && type->child != 0);
    struct sgc_abi_value item = {value->abi, body, bytes, 0, type->child};
    if (type->kind != SGC_ABI_TUPLE) {
        item.at = index * type_of(&item)->head_bytes;
        return item;
    }
    for (; index > 0; index--) {
        item.at += type_of(&item)->head_bytes;
        item.type = type_of(&item)->next;
    }
    return item;
}

const uint8_t *sgc_abi_word(const struct sgc_abi_value *value)
{
    SG_ASSERT(type_of(value)->kind <= SGC_ABI_FIXED_BYTES);
    return value->frame + value->at;
}

const uint8_t *sgc_abi_address(const struct sgc_abi_value *value)
{
    SG_ASSERT(type_of(value)->kind == SGC_ABI_ADDRESS);
    return sgc_abi_word(value) + 12;
}

struct sg_str sgc_abi_bytes(const struct sgc_abi_value *value)
{
    const uint8_t *body;
    uint32_t bytes, count;
    SG_ASSERT(type_of(value)->kind == SGC_ABI_BYTES || type_of(value)->kind == SGC_ABI_STRING);
    body_checked(value, &body, &bytes, &count);
    return (struct sg_str){(const char *)body, count};
}

/* ---- writing ---- */

static void zeros(struct sg_out *out, uint32_t bytes)
{
    static const uint8_t none[256];
    while (bytes > 0 && !out->full) {
        uint32_t step = SG_MIN(bytes, (uint32_t)sizeof(none));
        sg_out_bytes(out, none, step);
        bytes -= step;
    }
}

static void word_at(struct sgc_abi_writer *writer, uint32_t at, const uint8_t word[32])
{
    if (!writer->out->full) {
        SG_ASSERT(at + 32 <= writer->out->len);
        memcpy(writer->out->ptr + at, word, 32);
    }
}

static void u64_at(struct sgc_abi_writer *writer, uint32_t at, uint64_t v)
{
    struct sg_u256 word = sg_u256_of(v);
    word_at(writer, at, word.bytes);
}

static void frame_push(struct sgc_abi_writer *writer, const struct sgc_abi_type *type,
                       uint32_t base, uint32_t head, uint32_t count)
{
    SG_ASSERT(writer->depth <= SGC_ABI_DEPTH_MAX);
    uint32_t i = writer->depth++;
    writer->frames[i].base = base;
    writer->frames[i].head = head;
    writer->frames[i].left = count;
    writer->frames[i].type = type->child;
    writer->frames[i].is_array = type->kind != SGC_ABI_TUPLE;
}

/* The type of the next value; *head is its place. Moves on. */
static const struct sgc_abi_type *next_value(struct sgc_abi_writer *writer, uint32_t *head)
{
    uint32_t i = writer->depth - 1;
    SG_ASSERT(writer->depth > 0 && writer->frames[i].left > 0);
    const struct sgc_abi_type *type = &writer->abi->types[writer->frames[i].type];
    *head = writer->frames[i].head;
    writer->frames[i].head += type->head_bytes;
    writer->frames[i].left--;
    if (!writer->frames[i].is_array)
        writer->frames[i].type = type->next;
    return type;
}

void sgc_abi_write(struct sgc_abi_writer *writer, const struct sgc_abi *abi, struct sg_out *out)
{
    SG_ASSERT(abi->types[0].kind == SGC_ABI_TUPLE);
    uint32_t base = (uint32_t)out->len;
    writer->abi = abi;
    writer->out = out;
    writer->depth = 0;
    zeros(out, abi->types[0].body_bytes);
    frame_push(writer, &abi->types[0], base, base, abi->types[0].count);
}

void sgc_abi_put_word(struct sgc_abi_writer *writer, const uint8_t word[SGC_ABI_WORD])
{
    uint32_t head;
    const struct sgc_abi_type *type = next_value(writer, &head);
    SG_ASSERT(type->kind <= SGC_ABI_FIXED_BYTES);
    word_at(writer, head, word);
}

/* The head of a dynamic value points to what is appended next. */
static void point_here(struct sgc_abi_writer *writer, uint32_t base, uint32_t head)
{
    u64_at(writer, head, writer->out->len - base);
}

static void append_u64(struct sg_out *out, uint64_t v)
{
    struct sg_u256 word = sg_u256_of(v);
    sg_out_bytes(out, word.bytes, sizeof(word.bytes));
}

void sgc_abi_put_bytes(struct sgc_abi_writer *writer, const void *bytes, size_t len)
{
    uint32_t head, base = writer->frames[writer->depth - 1].base;
    const struct sgc_abi_type *type = next_value(writer, &head);
    SG_ASSERT(type->kind == SGC_ABI_BYTES || type->kind == SGC_ABI_STRING);
    point_here(writer, base, head);
    append_u64(writer->out, len);
    sg_out_bytes(writer->out, bytes, len);
    zeros(writer->out, (uint32_t)(-len % 32));
}

void sgc_abi_open(struct sgc_abi_writer *writer, uint32_t count)
{
    uint32_t head, base = writer->frames[writer->depth - 1].base;
    const struct sgc_abi_type *type = next_value(writer, &head);
    SG_ASSERT(type->child != 0);
    if (type->kind != SGC_ABI_ARRAY)
        count = type->count;
    if (!type->is_dynamic) { /* its values stand in the parent's heads */
        frame_push(writer, type, base, head, count);
        return;
    }
    point_here(writer, base, head);
    if (type->kind == SGC_ABI_ARRAY)
        append_u64(writer->out, count);
    base = (uint32_t)writer->out->len;
    uint64_t heads = type->kind == SGC_ABI_TUPLE
                         ? type->body_bytes
                         : (uint64_t)count * writer->abi->types[type->child].head_bytes;
    if (heads > LEN_MAX)
        writer->out->full = true;
    else
        zeros(writer->out, (uint32_t)heads);
    frame_push(writer, type, base, base, count);
}

void sgc_abi_shut(struct sgc_abi_writer *writer)
{
    SG_ASSERT(writer->depth > 1);
    SG_ASSERT(writer->frames[writer->depth - 1].left == 0);
    writer->depth--;
}
