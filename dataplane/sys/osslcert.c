#include "dataplane/sys/osslcert.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/secret.h"
#include "base/sys/pkey.h"
#include "dataplane/sys/osslshare.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* OpenSSL's own reason, and its error queue emptied. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return text != NULL ? text : "not a PEM file";
}

static BIO *file_open(const char *path, struct sg_out *report)
{
    ERR_clear_error();
    BIO *bio = BIO_new_file(path, "r");
    if (bio == NULL) {
        int err_no = errno;
        ERR_clear_error();
        sg_out_fmt(report, "%s: cannot be read: %s\n", path, strerror(err_no));
    }
    return bio;
}

static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1; /* nobody is there to type one */
}

static enum sg_err read_chain(struct sgd_cert *cert, const char *path, struct sg_out *report)
{
    BIO *bio = file_open(path, report);
    if (bio == NULL)
        return SG_ECONFIG;
    cert->leaf = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL);
    cert->chain = sk_X509_new_null();
    if (cert->leaf == NULL || cert->chain == NULL) {
        BIO_free(bio);
        sg_out_fmt(report, "%s: no certificate in it: %s\n", path, reason());
        return SG_ECONFIG;
    }
    X509 *above;
    while ((above = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL) {
        if (sk_X509_push(cert->chain, above) == 0)
            X509_free(above);
    }
    ERR_clear_error(); /* "no start line": the end of the file */
    BIO_free(bio);
    return SG_OK;
}

static enum sg_err read_key(struct sgd_cert *cert, const char *path, const char *cert_path,
                            struct sg_out *report)
{
    ERR_clear_error();
    enum sg_err err = sg_pkey_read(path, &cert->key);
    if (err == SG_ECORRUPT)
        sg_out_fmt(report, "%s: no private key in it, or one behind a password: %s\n", path,
                   reason());
    else if (err != SG_OK)
        sg_out_fmt(report, "%s: cannot be read: %s\n", path, sg_secret_fault(err));
    if (err != SG_OK)
        return SG_ECONFIG;
    if (X509_check_private_key(cert->leaf, cert->key) != 1) {
        ERR_clear_error();
        sg_out_fmt(report, "%s: not the key of the certificate in %s\n", path, cert_path);
        return SG_ECONFIG;
    }
    return SG_OK;
}

static enum sg_err read_kind(struct sgd_cert *cert, const char *path, struct sg_out *report)
{
    switch (EVP_PKEY_get_base_id(cert->key)) {
    case EVP_PKEY_EC:
        cert->kind = SGD_CERT_ECDSA;
        return SG_OK;
    case EVP_PKEY_RSA:
        cert->kind = SGD_CERT_RSA;
        return SG_OK;
    case EVP_PKEY_ED25519:
        cert->kind = SGD_CERT_ED25519;
        return SG_OK;
    default:
        sg_out_fmt(report, "%s: its key is neither ECDSA, RSA nor Ed25519\n", path);
        return SG_ECONFIG;
    }
}

static char *lower_copy(const char *bytes, size_t len)
{
    char *copy = sg_boot_alloc(len + 1);
    for (size_t i = 0; copy != NULL && i < len; i++)
        copy[i] = (char)tolower((unsigned char)bytes[i]);
    return copy;
}

static char *common_name(const X509 *leaf)
{
    char text[256];
    int len =
        X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, text, sizeof(text));
    return lower_copy(text, len > 0 ? strlen(text) : 0);
}

static enum sg_err read_names(struct sgd_cert *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert->leaf, NID_subject_alt_name, NULL, NULL);
    int count = all == NULL ? 0 : sk_GENERAL_NAME_num(all);
    enum sg_err err = SG_ENOMEM;
    cert->subject = common_name(cert->leaf);
    cert->names = sg_boot_alloc_array((size_t)count + 1, sizeof(*cert->names));
    if (cert->subject == NULL || cert->names == NULL)
        goto out;
    for (int i = 0; i < count; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type != GEN_DNS)
            continue;
        char *copy = lower_copy((const char *)ASN1_STRING_get0_data(name->d.dNSName),
                                (size_t)ASN1_STRING_length(name->d.dNSName));
        if (copy == NULL)
            goto out;
        cert->names[cert->names_count++] = copy;
    }
    if (cert->names_count == 0 && cert->subject[0] != 0) {
        cert->names[0] = lower_copy(cert->subject, strlen(cert->subject));
        if (cert->names[0] == NULL)
            goto out;
        cert->names_count = 1;
    }
    err = SG_OK;
out:
    GENERAL_NAMES_free(all);
    return err;
}

static int64_t unix_time(const ASN1_TIME *time)
{
    struct tm tm = {0};
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

enum sg_err sgd_cert_open(const char *cert_file, const char *key_file, struct sg_out *report,
                          struct sgd_cert **out)
{
    SG_ASSERT(cert_file != NULL && key_file != NULL);
    SG_ASSERT(report != NULL && out != NULL);
    struct sgd_cert *cert = sg_boot_alloc(sizeof(*cert));
    if (cert == NULL)
        return SG_ENOMEM;
    enum sg_err err = read_chain(cert, cert_file, report);
    if (err != SG_OK)
        goto out;
    err = read_key(cert, key_file, cert_file, report);
    if (err != SG_OK)
        goto out;
    err = read_kind(cert, key_file, report);
    if (err != SG_OK)
        goto out;
    err = read_names(cert);
    if (err != SG_OK)
        goto out;
    cert->not_after_s = unix_time(X509_get0_notAfter(cert->leaf));
    *out = SG_TAKE(cert);
out:
    sgd_cert_close(cert);
    return err;
}

void sgd_cert_close(struct sgd_cert *cert)
{
    if (cert == NULL)
        return;
    for (size_t i = 0; i < cert->names_count; i++)
        sg_boot_free(cert->names[i]);
    sg_boot_free(cert->names);
    sg_boot_free(cert->subject);
    EVP_PKEY_free(cert->key);
    sk_X509_pop_free(cert->chain, X509_free);
    X509_free(cert->leaf);
    sg_boot_free(cert);
}

enum sgd_cert_kind sgd_cert_kind(const struct sgd_cert *cert)
{
    return cert->kind;
}

int64_t sgd_cert_not_after_s(const struct sgd_cert *cert)
{
    return cert->not_after_s;
}

const char *sgd_cert_subject(const struct sgd_cert *cert)
{
    return cert->subject[0] != 0 || cert->names_count == 0 ? cert->subject : cert->names[0];
}

size_t sgd_cert_names_count(const struct sgd_cert *cert)
{
    return cert->names_count;
}

const char *sgd_cert_name(const struct sgd_cert *cert, size_t index)
{
    SG_ASSERT(index < cert->names_count);
    return cert->names[index];
}

/* The response for `leaf` among those of `basic`, by serial number. */
static OCSP_SINGLERESP *single_of(OCSP_BASICRESP *basic, const X509 *leaf)
{
    for (int i = 0; i < OCSP_resp_count(basic); i++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, i);
        ASN1_INTEGER *serial = NULL;
        OCSP_id_get0_info(NULL, NULL, NULL, &serial,
                          (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
        if (serial != NULL && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0)
            return single;
    }
    return NULL;
}

enum sg_err sgd_cert_check_ocsp(const struct sgd_cert *cert, const uint8_t *der, size_t len,
                                int64_t now_s, int64_t *until_s)
{
    ASN1_GENERALIZEDTIME *next = NULL;
    enum sg_err err = SG_ECORRUPT;
    OCSP_BASICRESP *basic = NULL;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &der, (long)len);
    if (response == NULL || OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        goto out;
    basic = OCSP_response_get1_basic(response);
    if (basic == NULL)
        goto out;
    OCSP_SINGLERESP *single = single_of(basic, cert->leaf);
    err = SG_ENOENT;
    if (single == NULL)
        goto out;
    (void)OCSP_single_get0_status(single, NULL, NULL, NULL, &next);
    int64_t until = next == NULL ? INT64_MAX : unix_time(next);
    err = until <= now_s ? SG_ESTALE : SG_OK;
    if (err == SG_OK)
        *until_s = until;
out:
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return err;
}
