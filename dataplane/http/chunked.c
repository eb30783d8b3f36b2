#include "dataplane/http/chunked.h"

#include "base/assert.h"
#include "dataplane/http/scan.h"
#include "dataplane/http/token.h"

#include <string.h>

#define SIZE_DIGITS_MAX 15 /* no overflow, and larger than any body */
#define EXT_TOTAL_MAX   (16 * SGD_CHUNKED_EXT_BYTES_MAX)

enum state {
    SIZE,          /* hexadecimal digits */
    EXT,           /* behind ';' */
    EXT_QUOTED,    /* in a quoted-string of an extension */
    EXT_ESCAPED,   /* behind '\' in one */
    SIZE_LF,       /* the CR behind size and extensions came */
    DATA,          /* `left` bytes of it */
    DATA_CR,       /* then CR */
    DATA_LF,       /* and LF */
    TRAILER_START, /* at the first byte of a trailer line, or of the empty line that ends all */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    ENDED,
};

void sgd_chunked_begin(struct sgd_chunked *chunked)
{
    SG_ASSERT(chunked != NULL);
    *chunked = (struct sgd_chunked){.state = SIZE};
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum sgd_close step_size(struct sgd_chunked *chunked, uint8_t c)
{
    int digit = hex_value(c);
    if (digit >= 0) {
        if (++chunked->digits > SIZE_DIGITS_MAX)
            return SGD_CLOSE_http_bad_chunk;
        chunked->left = chunked->left * 16 + (unsigned)digit;
        return SGD_CLOSE_none;
    }
    if (chunked->digits == 0 || (c != ';' && c != '\r'))
        return SGD_CLOSE_http_bad_chunk;
    chunked->state = c == ';' ? EXT : SIZE_LF;
    return SGD_CLOSE_none;
}

/* No grammar is kept beyond its quotes: nothing is taken from an extension. But none may hide a
 * line end. */
static enum sgd_close step_ext(struct sgd_chunked *chunked, uint8_t c)
{
    if (c == '\r' && chunked->state == EXT) {
        chunked->state = SIZE_LF;
        return SGD_CLOSE_none;
    }
    if (sgd_scan_is_control(c))
        return SGD_CLOSE_http_bad_chunk;
    if (++chunked->line_bytes > SGD_CHUNKED_EXT_BYTES_MAX || ++chunked->ext_bytes > EXT_TOTAL_MAX)
        return SGD_CLOSE_http_chunk_ext_too_large;
    if (chunked->state == EXT_ESCAPED)
        chunked->state = EXT_QUOTED;
    else if (c == '"')
        chunked->state = chunked->state == EXT ? EXT_QUOTED : EXT;
    else if (c == '\\' && chunked->state == EXT_QUOTED)
        chunked->state = EXT_ESCAPED;
    return SGD_CLOSE_none;
}

static enum sgd_close step_size_lf(struct sgd_chunked *chunked, uint8_t c)
{
    if (c != '\n')
        return SGD_CLOSE_http_bad_chunk;
    chunked->state = chunked->left != 0 ? DATA : TRAILER_START;
    chunked->digits = 0;
    chunked->line_bytes = 0;
    return SGD_CLOSE_none;
}

static enum sgd_close step_trailer(struct sgd_chunked *chunked, uint8_t c)
{
    if (++chunked->trail_bytes > SGD_CHUNKED_TRAILER_BYTES_MAX)
        return SGD_CLOSE_http_trailers_too_large;
    if (chunked->state == TRAILER_START && c == '\r') {
        chunked->state = END_LF;
    } else if (chunked->state == TRAILER_VALUE) {
        if (c == '\r')
            chunked->state = TRAILER_LF;
        else if (sgd_scan_is_control(c))
            return c == '\n' ? SGD_CLOSE_http_bare_lf : SGD_CLOSE_http_bad_field_value;
    } else if (c == ':' && chunked->state == TRAILER_NAME) {
        chunked->state = TRAILER_VALUE;
    } else if (sgd_token_lower[c] != 0) {
        chunked->state = TRAILER_NAME;
    } else {
        return SGD_CLOSE_http_bad_field_name;
    }
    return SGD_CLOSE_none;
}

static enum sgd_close expect_byte(struct sgd_chunked *chunked, uint8_t c, uint8_t want,
                                  enum state next)
{
    if (c != want)
        return SGD_CLOSE_http_bad_chunk;
    chunked->state = (uint8_t)next;
    return SGD_CLOSE_none;
}

static enum sgd_close step(struct sgd_chunked *chunked, uint8_t c)
{
    switch ((enum state)chunked->state) {
    case SIZE:
        return step_size(chunked, c);
    case EXT:
    case EXT_QUOTED:
    case EXT_ESCAPED:
        return step_ext(chunked, c);
    case SIZE_LF:
        return step_size_lf(chunked, c);
    case DATA_CR:
        return expect_byte(chunked, c, '\r', DATA_LF);
    case DATA_LF:
        return expect_byte(chunked, c, '\n', SIZE);
    case TRAILER_START:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return step_trailer(chunked, c);
    case TRAILER_LF:
        return expect_byte(chunked, c, '\n', TRAILER_START);
    case END_LF:
        return expect_byte(chunked, c, '\n', ENDED);
    case DATA:
    case ENDED:
        break;
    }
    SG_UNREACHABLE();
}

enum sgd_chunked_result sgd_chunked_read(struct sgd_chunked *chunked, const uint8_t *bytes,
                                         size_t len, size_t *used, size_t *data_len,
                                         enum sgd_close *why)
{
    SG_ASSERT(chunked != NULL);
    SG_ASSERT(used != NULL && data_len != NULL && why != NULL);
    size_t at = 0;
    *data_len = 0;
    while (at < len && chunked->state != DATA && chunked->state != ENDED) {
        *why = step(chunked, bytes[at++]);
        if (*why != SGD_CLOSE_none) {
            *used = at;
            return SGD_CHUNKED_BAD;
        }
    }
    *used = at;
    if (chunked->state == ENDED)
        return SGD_CHUNKED_END;
    if (chunked->state != DATA || at == len)
        return SGD_CHUNKED_MORE;
    *data_len = len - at < chunked->left ? len - at : (size_t)chunked->left;
    return SGD_CHUNKED_DATA;
}

uint64_t sgd_chunked_due(const struct sgd_chunked *chunked)
{
    SG_ASSERT(chunked != NULL);
    return chunked->state == DATA ? chunked->left : 0;
}

void sgd_chunked_took(struct sgd_chunked *chunked, size_t len)
{
    SG_ASSERT(chunked->state == DATA);
    SG_ASSERT(len <= chunked->left);
    chunked->left -= len;
    if (chunked->left == 0)
        chunked->state = DATA_CR;
}
