#include "dataplane/delivery/methods.h"

#include "base/assert.h"

/* TRACE never: it would show the viewer what we tell the origin (RFC 9110 section 9.3.8). */
bool sgd_methods_pass(const struct sg_conf_site *site, const struct sgd_request *req)
{
    SG_ASSERT(site != NULL);
    struct sg_str method = req->method_text;
    for (uint32_t i = 0; i < site->methods_count; i++) {
        const char *listed = site->methods[i];
        if (strcmp(listed, "*") == 0 ? !sg_str_eq(method, SG_STR("TRACE"))
                                     : sg_str_eq(method, sg_str_from(listed)))
            return true;
    }
    return false;
}

bool sgd_methods_options_pass(const struct sg_conf_site *site, const struct sgd_request *req)
{
    struct sg_str left = sgd_request_field(req, SG_STR("max-forwards"), NULL);
    return req->method == SGD_METHOD_OPTIONS && site->access == SG_CONF_ACCESS_PUBLIC &&
           site->cors == NULL && sgd_methods_pass(site, req) && !sg_str_eq(left, SG_STR("0"));
}

bool sgd_methods_preflight(const struct sgd_request *req)
{
    return req->method == SGD_METHOD_OPTIONS &&
           sgd_request_field(req, SG_STR("access-control-request-method"), NULL).ptr != NULL;
}

void sgd_methods_allow(const struct sg_conf_site *site, struct sg_out *out)
{
    sg_out_lit(out, "GET, HEAD, OPTIONS");
    for (uint32_t i = 0; site != NULL && i < site->methods_count; i++) {
        const char *listed = site->methods[i];
        if (strcmp(listed, "OPTIONS") == 0)
            continue;
        sg_out_lit(out, ", ");
        sg_out_str(out, strcmp(listed, "*") == 0 ? SG_STR("POST, PUT, DELETE, PATCH")
                                                 : sg_str_from(listed));
    }
}
