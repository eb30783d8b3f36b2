/* sign - AWS Signature Version 4 for requests to an S3-style origin. Pure: time is handed in. */
#ifndef SGD_ORIGIN_SIGN_H
#define SGD_ORIGIN_SIGN_H

#include "base/out.h"
#include "base/str.h"

#define SGD_SIGN_SECRET_BYTES 256 /* longer ones are refused at load */

struct sgd_sign_key {
    char *access_key, *secret_key;
    char *region, *service;
};

struct sgd_sign_request {
    struct sg_str method;
    struct sg_str target; /* path?query as on the wire */
    struct sg_str host;   /* as Host has it */
    struct sg_str fields; /* further "name: value\r\n" lines to sign; names in lower case, sorted */
    /* Hex of the body's SHA-256, or "UNSIGNED-PAYLOAD". */
    struct sg_str payload_hash;
    uint64_t wall_s;
};

#define SGD_SIGN_UNSIGNED SG_STR("UNSIGNED-PAYLOAD")
#define SGD_SIGN_NO_BODY  SG_STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

/* Writes the fields that prove it: x-amz-date, x-amz-content-sha256 (S3 only), authorization, as
 * lines. Its own fields and Host are signed beside those named. False: no room, or too many query
 * parameters. */
bool sgd_sign(const struct sgd_sign_key *key, const struct sgd_sign_request *req,
              struct sg_out *out);

#endif
