/* What anyone may send to /.well-known/streamgate: "query\njson". Each parameter is decoded within
 * its own length, and what is not there twice; a JSON grant becomes a COSE that is well-formed and
 * no larger than it. */
#include "base/assert.h"
#include "base/cbor.h"
#include "dataplane/gate/grantbody.h"
#include "dataplane/http/params.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_params(struct sg_str query)
{
    static const struct sg_str names[] = {{"account", 7}, {"alg", 3}, {"path", 4}, {"", 0}};
    for (size_t i = 0; i < SG_COUNT(names); i++) {
        char *memory = malloc(query.len + 1); /* its own block: the sanitizer sees its end */
        struct sg_out out = sg_out_init(memory, query.len);
        struct sg_str value = SG_STR_NONE;
        if (memory == NULL)
            abort();
        if (sgd_param_get(query, names[i], &out, &value) == SGD_PARAM_FOUND)
            SG_ASSERT(value.len <= query.len &&
                      (value.len == 0 || memchr(value.ptr, '\0', value.len) == NULL));
        free(memory);
    }
}

static void check_body(struct sg_str json)
{
    static char memory[16384];
    static struct sgd_list_proofs proofs;
    struct sg_out cose = sg_out_init(memory, sizeof(memory));
    if (!sgd_grantbody_wrap(json, &cose, &proofs))
        return;
    SG_ASSERT(proofs.count <= SGD_LIST_PROOFS_MAX);
    for (uint32_t i = 0; i < proofs.count; i++)
        SG_ASSERT(proofs.proofs[i].len % SGD_LIST_HASH_BYTES == 0 &&
                  proofs.proofs[i].len <= SGD_LIST_PROOF_BYTES);
    struct sg_cbor cbor = sg_cbor_init(sg_out_view(&cose));
    SG_ASSERT(cose.len <= json.len);
    SG_ASSERT(sg_cbor_skip(&cbor) && cbor.at == cbor.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes, *end = len == 0 ? NULL : memchr(text, '\n', len);
    struct sg_str query = {text, end != NULL ? (size_t)(end - text) : len};
    check_params(query);
    if (end != NULL)
        check_body((struct sg_str){end + 1, len - query.len - 1});
    return 0;
}
