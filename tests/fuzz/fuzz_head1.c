/* Request heads: the first byte tells in which steps the rest arrives. However it does, the outcome
 * is the same, and what passes is what the rest of the node relies on. */
#include "base/assert.h"
#include "dataplane/http/authority.h"
#include "dataplane/http/head1.h"
#include "dataplane/http/scan.h"
#include "dataplane/http/token.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct sgd_head1 heads[2];

static enum sgd_head1_result parse(struct sgd_head1 *head, char *copy, const uint8_t *bytes,
                                   size_t len, size_t step, struct sgd_request *req,
                                   enum sgd_close *why)
{
    struct sgd_head1_limits limits = {.head_bytes = 4096, .fields = 32};
    enum sgd_head1_result result = SGD_HEAD1_MORE;
    sgd_head1_begin(head, &limits);
    for (size_t at = 0; at < len && result == SGD_HEAD1_MORE;) {
        size_t n = SG_MIN(step, len - at);
        memcpy(copy + at, bytes + at, n);
        at += n;
        result = sgd_head1_read(head, copy, at, req, why);
    }
    return result;
}

static void check_request(const struct sgd_head1 *head, const struct sgd_request *req, size_t len)
{
    SG_ASSERT(head->at <= len && head->at <= 4096);
    SG_ASSERT(req->path.len > 0 && (req->path.ptr[0] == '/' || sg_str_eq(req->path, SG_STR("*"))));
    SG_ASSERT(memchr(req->path.ptr, '#', req->path.len) == NULL);
    SG_ASSERT(sgd_token_is(req->method_text));
    SG_ASSERT(req->authority.len != 0 || head->minor == 0);
    for (uint32_t i = 0; i < req->fields_count; i++) {
        struct sg_str name = req->fields[i].name, value = req->fields[i].value;
        SG_ASSERT(sgd_token_is(name) && value.ptr != NULL);
        SG_ASSERT(sgd_scan_control(value.ptr, 0, value.len) == value.len);
        SG_ASSERT(!sg_str_eq(name, SG_STR("connection")) && !sg_str_eq(name, SG_STR("host")));
        SG_ASSERT(!sg_str_eq(name, SG_STR("transfer-encoding")));
        SG_ASSERT(!sg_str_eq(name, SG_STR("content-length")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sgd_request req[2];
    enum sgd_close why[2] = {SGD_CLOSE_none, SGD_CLOSE_none};
    if (len < 2)
        return 0;
    size_t step = bytes[0] % 40 + 1;
    bytes++;
    len--;
    char *whole = malloc(len), *steps = malloc(len);
    enum sgd_head1_result a = parse(&heads[0], whole, bytes, len, len, &req[0], &why[0]);
    enum sgd_head1_result b = parse(&heads[1], steps, bytes, len, step, &req[1], &why[1]);
    SG_ASSERT(a == b && why[0] == why[1]);
    SG_ASSERT((a == SGD_HEAD1_BAD) == (why[0] != SGD_CLOSE_none));
    if (a == SGD_HEAD1_DONE) {
        SG_ASSERT(heads[0].at == heads[1].at);
        SG_ASSERT(sg_str_eq(req[0].authority, req[1].authority));
        SG_ASSERT(req[0].body_bytes == req[1].body_bytes);
        check_request(&heads[0], &req[0], len);
    }
    free(whole);
    free(steps);
    return 0;
}
