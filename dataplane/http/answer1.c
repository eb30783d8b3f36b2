#include "dataplane/http/answer1.h"

/* Room for what is neither a field of the response nor its reason. */
#define FRAMING_BYTES_MAX 160

static char *put(char *at, const void *bytes, size_t len)
{
    if (len != 0)
        memcpy(at, bytes, len);
    return at + len;
}

#define PUT_LIT(at, lit) put((at), "" lit, sizeof(lit) - 1)

static char *put_u64(char *at, uint64_t v)
{
    char digits[20];
    size_t i = sizeof(digits);
    do {
        digits[--i] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    return put(at, digits + i, sizeof(digits) - i);
}

static char *put_status_line(char *at, uint16_t status, struct sg_str reason)
{
    SG_ASSERT(status >= 100 && status <= 999);
    char code[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                    (char)('0' + status % 10), ' '};
    at = PUT_LIT(at, "HTTP/1.1 ");
    at = put(at, code, sizeof(code));
    at = put(at, reason.ptr, reason.len);
    return PUT_LIT(at, "\r\n");
}

/* A stored line is most often still in one piece, "name: value". */
static char *put_field(char *at, const struct sgd_field *field)
{
    const char *end = field->name.ptr + field->name.len;
    if (field->value.ptr == end + 2 && end[0] == ':' && end[1] == ' ') {
        at = put(at, field->name.ptr, field->name.len + 2 + field->value.len);
    } else {
        at = put(at, field->name.ptr, field->name.len);
        at = PUT_LIT(at, ": ");
        at = put(at, field->value.ptr, field->value.len);
    }
    return PUT_LIT(at, "\r\n");
}

static size_t head_bytes_max(const struct sgd_response *response, struct sg_str reason)
{
    size_t bytes = FRAMING_BYTES_MAX + reason.len;
    for (uint32_t i = 0; i < response->fields_count; i++)
        bytes += response->fields[i].name.len + response->fields[i].value.len + 4;
    return bytes;
}

static struct sg_str reason_of(const struct sgd_response *response)
{
    return response->reason.len != 0 ? response->reason : sgd_status_reason(response->status);
}

enum sgd_framing sgd_answer1_framing(const struct sgd_response *response, uint8_t minor)
{
    SG_ASSERT(response != NULL);
    bool told = response->body_bytes != SGD_LENGTH_UNKNOWN;
    if (response->status == 204 || (response->no_body && !told))
        return SGD_FRAMING_NONE;
    if (told)
        return SGD_FRAMING_LENGTH;
    return minor == 0 ? SGD_FRAMING_CLOSE : SGD_FRAMING_CHUNKED;
}

static char *put_framing(char *at, const struct sgd_answer1 *how, uint64_t body_bytes)
{
    if (how->framing == SGD_FRAMING_LENGTH) {
        at = PUT_LIT(at, "content-length: ");
        at = put_u64(at, body_bytes);
        at = PUT_LIT(at, "\r\n");
    } else if (how->framing == SGD_FRAMING_CHUNKED) {
        at = PUT_LIT(at, "transfer-encoding: chunked\r\n");
    }
    if (!how->persists)
        return PUT_LIT(at, "connection: close\r\n");
    return how->minor == 0 ? PUT_LIT(at, "connection: keep-alive\r\n") : at;
}

bool sgd_answer1_head(const struct sgd_answer1 *how, const struct sgd_response *response,
                      struct sg_out *out)
{
    SG_ASSERT(how != NULL && response != NULL && out != NULL);
    struct sg_str reason = reason_of(response);
    bool dated = false;
    if (head_bytes_max(response, reason) + how->date_line.len > out->cap - out->len)
        return false;
    char *at = put_status_line(out->ptr + out->len, response->status, reason);
    for (uint32_t i = 0; i < response->fields_count; i++) {
        dated |= sg_str_eq(response->fields[i].name, SG_STR("date"));
        at = put_field(at, &response->fields[i]);
    }
    if (!dated)
        at = put(at, how->date_line.ptr, how->date_line.len);
    at = put_framing(at, how, response->body_bytes);
    at = PUT_LIT(at, "\r\n");
    out->len = (size_t)(at - out->ptr);
    return true;
}

bool sgd_answer1_interim(const struct sgd_response *response, struct sg_out *out)
{
    SG_ASSERT(response != NULL && out != NULL);
    SG_ASSERT(response->status >= 100 && response->status < 200);
    struct sg_str reason = reason_of(response);
    if (head_bytes_max(response, reason) > out->cap - out->len)
        return false;
    char *at = put_status_line(out->ptr + out->len, response->status, reason);
    for (uint32_t i = 0; i < response->fields_count; i++)
        at = put_field(at, &response->fields[i]);
    at = PUT_LIT(at, "\r\n");
    out->len = (size_t)(at - out->ptr);
    return true;
}

static const char *advice_of(uint16_t status)
{
    switch (status) {
    case 408:
        return "Send the request again, without pauses.";
    case 413:
        return "Send a smaller body.";
    case 414:
        return "Ask for a shorter URL.";
    case 417:
        return "Send the request without Expect.";
    case 421:
        return "Connect as the URL says, and ask there.";
    case 431:
        return "Send fewer or shorter fields (cookies are the usual cause).";
    case 500:
    case 502:
    case 503:
        return "Try again in a moment.";
    case 505:
        return "Speak HTTP/1.1.";
    default:
        return "Send the request as RFC 9112 has it.";
    }
}

bool sgd_answer1_refusal(enum sgd_close why, uint16_t status, bool with_body, uint64_t id,
                         struct sg_str date_line, struct sg_out *out)
{
    SG_ASSERT(status >= 400 && status < 600);
    char text[256];
    struct sg_out body = sg_out_init(text, sizeof(text));
    sg_out_fmt(&body, "%u %s: %s. %s\n", status, sgd_status_reason(status).ptr, sgd_close_text(why),
               advice_of(status));
    sg_out_fmt(out, "HTTP/1.1 %u %s\r\n", status, sgd_status_reason(status).ptr);
    sg_out_str(out, date_line);
    sg_out_lit(out, "content-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n");
    if (status == 503)
        sg_out_lit(out, "retry-after: 1\r\n");
    if (id != 0)
        sg_out_fmt(out, "x-request-id: %016llx\r\n", (unsigned long long)id);
    sg_out_fmt(out, "content-length: %zu\r\nconnection: close\r\n\r\n", body.len);
    if (with_body)
        sg_out_str(out, sg_out_view(&body));
    return !body.full && !out->full;
}
