/* A request from anyone: "path\nquery\nheader value\ncookie\ncookie". Nothing of a token is left in
 * what goes on, a second pass finds nothing more, and what goes into a Location can't end it. */
#include "base/assert.h"
#include "dataplane/gate/gate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct sg_str line(struct sg_str *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, '\n', rest->len);
    struct sg_str s = {rest->ptr, end != NULL ? (size_t)(end - rest->ptr) : rest->len};
    *rest = end != NULL ? (struct sg_str){end + 1, rest->len - s.len - 1} : SG_STR_NONE;
    return s;
}

static void check(const struct sgd_request *req, const struct sgd_stripped *out)
{
    static char memory[SGD_STRIP_BYTES];
    struct sgd_stripped again;
    struct sgd_field cookie = {SG_STR("cookie"), out->cookie};
    struct sgd_request stripped = {.path = out->path,
                                   .query = out->query,
                                   .fields = &cookie,
                                   .fields_count = out->cookie.ptr != NULL};
    SG_ASSERT((out->carrier == SGD_CARRIER_NONE) == (out->token.ptr == NULL));
    SG_ASSERT(out->token.len <= SGD_TOKEN_TEXT_MAX);
    SG_ASSERT(req->path.len == 0 || out->path.len > 0);
    SG_ASSERT(!out->redirect || out->carrier == SGD_CARRIER_QUERY);
    if (sgd_token_strip(&stripped, memory, &again) == SG_OK)
        SG_ASSERT(again.carrier == SGD_CARRIER_NONE && sg_str_eq(again.path, out->path));
    for (size_t i = 0; out->redirect && i < out->token.len; i++)
        SG_ASSERT((unsigned char)out->token.ptr[i] > ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sg_str rest = {(const char *)bytes, len};
    struct sgd_request req = {.path = line(&rest)};
    struct sgd_field fields[3];
    struct sgd_stripped out;
    if (rest.ptr != NULL)
        req.query = line(&rest);
    static const struct sg_str names[] = {
        {"cta-common-access-token", 23}, {"cookie", 6}, {"cookie", 6}};
    for (; rest.ptr != NULL && req.fields_count < SG_COUNT(fields); req.fields_count++)
        fields[req.fields_count] =
            (struct sgd_field){names[req.fields_count], sg_str_trim(line(&rest))};
    req.fields = fields;
    char *memory = malloc(SGD_STRIP_BYTES); /* its own block: the sanitizer sees its end */
    if (memory == NULL)
        abort();
    if (sgd_token_strip(&req, memory, &out) == SG_OK)
        check(&req, &out);
    free(memory);
    return 0;
}
