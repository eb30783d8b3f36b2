#include "base/sys/p11.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/list.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>

#define SLOTS_MAX      64
#define MECHANISMS_MAX 512
#define ATTRIBUTES_MAX 8 /* of the URI: label, id, class; and ours */
#define KEY_BYTES      32

struct sg_p11 {
    CK_FUNCTION_LIST **modules; /* those of p11-kit's configuration, or NULL */
    CK_FUNCTION_LIST *module;   /* whose the token is; one of them, or loaded by its path */
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    bool single; /* of the modules, only `module` is initialised */
    bool initialised, in_session, may_seal;
};

/* What an open looks for, and where it tells. */
struct search {
    P11KitUri *uri;
    sg_p11_pin_fn read_pin;
    struct sg_out *fault;
    CK_SLOT_ID slot;
    CK_TOKEN_INFO token;
    int found; /* tokens that match */
    char seen[256];
    struct sg_out others; /* the labels of those that don't, in `seen` */
};

static enum sg_err fail(struct sg_out *fault, const char *what, CK_RV rv)
{
    sg_out_fmt(fault, "%s: %s (CKR 0x%lx)", what, p11_kit_strerror(rv), rv);
    return SG_EIO;
}

/* A token's words go to a terminal. */
static void put_label(struct sg_out *out, const CK_TOKEN_INFO *token)
{
    size_t len = p11_kit_space_strlen(token->label, sizeof(token->label));
    sg_out_char(out, '"');
    for (size_t i = 0; i < len; i++)
        sg_out_char(out, isprint(token->label[i]) ? (char)token->label[i] : '?');
    sg_out_char(out, '"');
}

/* ---- the URI ---- */

static bool is_aes_key(P11KitUri *uri)
{
    const CK_ATTRIBUTE *class = p11_kit_uri_get_attribute(uri, CKA_CLASS);
    CK_OBJECT_CLASS asked;
    if (class == NULL)
        return true;
    if (class->ulValueLen != sizeof(asked))
        return false;
    memcpy(&asked, class->pValue, sizeof(asked));
    return asked == CKO_SECRET_KEY;
}

static bool names_a_token(P11KitUri *uri)
{
    const CK_TOKEN_INFO *token = p11_kit_uri_get_token_info(uri);
    return token->label[0] != 0 || token->serialNumber[0] != 0 ||
           p11_kit_uri_get_slot_id(uri) != (CK_SLOT_ID)-1;
}

static const char *uri_fault(P11KitUri *uri)
{
    if (p11_kit_uri_get_pin_value(uri) != NULL)
        return "pin-value: a PIN in a configuration is seen by all who see that; right would be "
               "pin-source=FILE or pin-source=credential:NAME";
    if (p11_kit_uri_any_unrecognized(uri))
        return "an attribute of it is not known (RFC 7512 has those that are)";
    if (!is_aes_key(uri))
        return "type: right would be secret-key";
    if (!names_a_token(uri))
        return "which token is not said: right would be token=LABEL, serial= or slot-id=";
    if (p11_kit_uri_get_attribute(uri, CKA_LABEL) == NULL &&
        p11_kit_uri_get_attribute(uri, CKA_ID) == NULL)
        return "which key is not said: right would be object=LABEL or id=";
    return NULL;
}

static enum sg_err uri_read(const char *text, P11KitUri **out, struct sg_out *fault)
{
    P11KitUri *uri = p11_kit_uri_new();
    if (uri == NULL)
        return SG_ENOMEM;
    int code = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
    const char *wrong = code != P11_KIT_URI_OK ? p11_kit_uri_message(code) : uri_fault(uri);
    if (wrong == NULL) {
        *out = uri;
        return SG_OK;
    }
    sg_out_fmt(fault, "%s", wrong);
    p11_kit_uri_free(uri);
    return SG_EINVAL;
}

/* ---- modules ---- */

static enum sg_err module_load(struct sg_p11 *p11, const char *path, struct sg_out *fault)
{
    p11->module = p11_kit_module_load(path, 0);
    if (p11->module != NULL)
        return SG_OK;
    const char *why = p11_kit_message();
    sg_out_fmt(fault, "module-path %s can't be loaded: %s", path, why != NULL ? why : "");
    return SG_ENOENT;
}

static enum sg_err modules_load(struct sg_p11 *p11, const char *name, struct sg_out *fault)
{
    p11->modules = p11_kit_modules_load(NULL, 0);
    if (p11->modules == NULL || p11->modules[0] == NULL) {
        sg_out_lit(fault, "p11-kit has no module (/usr/share/p11-kit/modules): install one, or "
                          "name it by module-path=");
        return SG_ENOENT;
    }
    p11->module = name != NULL ? p11_kit_module_for_name(p11->modules, name) : NULL;
    if (name == NULL || p11->module != NULL)
        return SG_OK;
    sg_out_fmt(fault,
               "module-name %s: p11-kit has no module of that name "
               "(/usr/share/p11-kit/modules/NAME.module)",
               name);
    return SG_ENOENT;
}

/* The one that is named alone, where one is. */
static enum sg_err modules_open(struct sg_p11 *p11, const P11KitUri *uri, struct sg_out *fault)
{
    const char *path = p11_kit_uri_get_module_path(uri);
    p11_kit_be_quiet();
    enum sg_err err = path != NULL ? module_load(p11, path, fault)
                                   : modules_load(p11, p11_kit_uri_get_module_name(uri), fault);
    if (err != SG_OK)
        return err;
    p11->single = p11->module != NULL;
    CK_RV rv = p11->single ? p11_kit_module_initialize(p11->module)
                           : p11_kit_modules_initialize(p11->modules, NULL);
    p11->initialised = rv == CKR_OK;
    return rv == CKR_OK ? SG_OK : fail(fault, "the module can't be initialised", rv);
}

/* ---- tokens ---- */

static void slot_look(struct sg_p11 *p11, struct search *search, CK_FUNCTION_LIST *module,
                      CK_SLOT_ID slot)
{
    CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(search->uri);
    CK_SLOT_INFO info;
    CK_TOKEN_INFO token;
    if (module->C_GetSlotInfo(slot, &info) != CKR_OK ||
        module->C_GetTokenInfo(slot, &token) != CKR_OK ||
        (token.flags & CKF_TOKEN_INITIALIZED) == 0)
        return;
    if ((wanted != (CK_SLOT_ID)-1 && wanted != slot) ||
        !p11_kit_uri_match_slot_info(search->uri, &info) ||
        !p11_kit_uri_match_token_info(search->uri, &token)) {
        sg_out_lit(&search->others, " ");
        put_label(&search->others, &token);
        return;
    }
    if (search->found++ > 0)
        return;
    p11->module = module;
    search->slot = slot;
    search->token = token;
}

static void module_look(struct sg_p11 *p11, struct search *search, CK_FUNCTION_LIST *module)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    CK_INFO info;
    if (module->C_GetInfo(&info) != CKR_OK || !p11_kit_uri_match_module_info(search->uri, &info) ||
        module->C_GetSlotList(CK_TRUE, slots, &count) != CKR_OK)
        return;
    for (CK_ULONG i = 0; i < count; i++)
        slot_look(p11, search, module, slots[i]);
}

static enum sg_err token_find(struct sg_p11 *p11, struct search *search)
{
    if (p11->single)
        module_look(p11, search, p11->module);
    for (size_t i = 0; !p11->single && p11->modules[i] != NULL; i++)
        module_look(p11, search, p11->modules[i]);
    if (search->found == 1)
        return SG_OK;
    if (search->found > 1)
        sg_out_lit(search->fault, "more than one token matches: name it by serial= too");
    else if (search->others.len == 0)
        sg_out_lit(search->fault, "no such token: there is none at all");
    else
        sg_out_fmt(search->fault, "no such token: there is%.*s", (int)search->others.len,
                   search->others.ptr);
    return SG_ENOENT;
}

/* SoftHSM tells of mechanisms too that its configuration forbids: but does not list them. */
static bool lists_gcm(const struct sg_p11 *p11, CK_SLOT_ID slot)
{
    CK_MECHANISM_TYPE listed[MECHANISMS_MAX];
    CK_ULONG count = MECHANISMS_MAX;
    CK_RV rv = p11->module->C_GetMechanismList(slot, listed, &count);
    for (CK_ULONG i = 0; rv == CKR_OK && i < count; i++)
        if (listed[i] == CKM_AES_GCM)
            return true;
    return false;
}

static enum sg_err mechanism_check(const struct sg_p11 *p11, struct search *search)
{
    CK_MECHANISM_INFO info = {0};
    CK_RV rv = p11->module->C_GetMechanismInfo(search->slot, CKM_AES_GCM, &info);
    if (rv == CKR_OK && (info.flags & CKF_DECRYPT) != 0 && lists_gcm(p11, search->slot))
        return SG_OK;
    sg_out_lit(search->fault,
               "the token can't decrypt by CKM_AES_GCM, which is needed (pkcs11-tool "
               "-M lists what it can): take another token, or a key in a file");
    return SG_ENOTSUP;
}

/* ---- the PIN ---- */

static const char *pin_obstacle(const struct search *search)
{
    CK_FLAGS flags = search->token.flags;
    if ((flags & CKF_USER_PIN_LOCKED) != 0)
        return "the token's PIN is locked: unlock it with the SO PIN";
    if ((flags & CKF_USER_PIN_FINAL_TRY) != 0)
        return "the token takes one more wrong PIN and locks: none was tried. See that the file "
               "has "
               "the right one, then log in with it once by hand (pkcs11-tool --login -O)";
    if ((flags & CKF_USER_PIN_INITIALIZED) == 0)
        return "the token has no user PIN yet: set one (pkcs11-tool --init-pin)";
    if ((flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0)
        return "the token's PIN is typed on its own keypad: nobody is there when a node starts";
    if (p11_kit_uri_get_pin_source(search->uri) == NULL)
        return "the token wants a PIN: add ?pin-source=FILE or ?pin-source=credential:NAME";
    return NULL;
}

static enum sg_err pin_refused(const struct search *search, CK_RV rv)
{
    const char *source = p11_kit_uri_get_pin_source(search->uri);
    if (rv == CKR_PIN_LOCKED)
        sg_out_lit(search->fault, "the token's PIN is locked: unlock it with the SO PIN");
    else if (rv == CKR_PIN_EXPIRED)
        sg_out_lit(search->fault, "the token's PIN has expired: set a new one");
    else if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE)
        sg_out_fmt(search->fault,
                   "the PIN in %s is wrong. It was tried once: more of that lock a token, so put "
                   "the file right first",
                   source);
    else
        return fail(search->fault, "logging in", rv);
    return SG_EACCES;
}

static enum sg_err pin_try(struct sg_p11 *p11, struct search *search, uint8_t *pin)
{
    size_t len = 0;
    const char *source = p11_kit_uri_get_pin_source(search->uri);
    enum sg_err err = search->read_pin(source, pin, &len, search->fault);
    if (err != SG_OK)
        return err;
    if (len < search->token.ulMinPinLen || len > search->token.ulMaxPinLen) {
        sg_out_fmt(search->fault,
                   "the PIN in %s is not of the %lu to %lu bytes that the token takes", source,
                   search->token.ulMinPinLen, search->token.ulMaxPinLen);
        return SG_EACCES;
    }
    CK_RV rv = p11->module->C_Login(p11->session, CKU_USER, pin, len);
    return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? SG_OK : pin_refused(search, rv);
}

static enum sg_err log_in(struct sg_p11 *p11, struct search *search)
{
    uint8_t pin[SG_P11_PIN_BYTES_MAX];
    if ((search->token.flags & CKF_LOGIN_REQUIRED) == 0)
        return SG_OK;
    const char *obstacle = pin_obstacle(search);
    if (obstacle != NULL) {
        sg_out_fmt(search->fault, "%s", obstacle);
        return SG_EACCES;
    }
    enum sg_err err = pin_try(p11, search, pin);
    sg_wipe(pin, sizeof(pin));
    return err;
}

/* ---- the key ---- */

static CK_ULONG template_of(P11KitUri *uri, CK_ATTRIBUTE out[ATTRIBUTES_MAX])
{
    static CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    static CK_KEY_TYPE type = CKK_AES;
    CK_ULONG asked = 0, count = 0;
    const CK_ATTRIBUTE *of_uri = p11_kit_uri_get_attributes(uri, &asked);
    SG_ASSERT(asked <= ATTRIBUTES_MAX - 2); /* RFC 7512 has three */
    for (CK_ULONG i = 0; i < asked; i++)
        if (of_uri[i].type != CKA_CLASS)
            out[count++] = of_uri[i];
    out[count++] = (CK_ATTRIBUTE){CKA_CLASS, &class, sizeof(class)};
    out[count++] = (CK_ATTRIBUTE){CKA_KEY_TYPE, &type, sizeof(type)};
    return count;
}

static enum sg_err key_find(struct sg_p11 *p11, struct search *search)
{
    CK_ATTRIBUTE wanted[ATTRIBUTES_MAX];
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count = 0;
    CK_FUNCTION_LIST *module = p11->module;
    CK_RV rv = module->C_FindObjectsInit(p11->session, wanted, template_of(search->uri, wanted));
    if (rv == CKR_OK) {
        rv = module->C_FindObjects(p11->session, found, SG_COUNT(found), &count);
        (void)module->C_FindObjectsFinal(p11->session);
    }
    if (rv != CKR_OK)
        return fail(search->fault, "looking for the key", rv);
    p11->key = found[0];
    if (count == 1)
        return SG_OK;
    sg_out_fmt(search->fault, "%s",
               count == 0 ? "the token is there, but has no such AES key"
                          : "more than one AES key matches: name it by id= and object=");
    return SG_ENOENT;
}

static enum sg_err key_check(struct sg_p11 *p11, struct search *search)
{
    CK_BBOOL seals = CK_FALSE, opens = CK_FALSE;
    CK_ULONG bytes = 0;
    CK_ATTRIBUTE asked[] = {{CKA_ENCRYPT, &seals, sizeof(seals)},
                            {CKA_DECRYPT, &opens, sizeof(opens)},
                            {CKA_VALUE_LEN, &bytes, sizeof(bytes)}};
    CK_RV rv = p11->module->C_GetAttributeValue(p11->session, p11->key, asked, SG_COUNT(asked));
    if (rv != CKR_OK)
        return fail(search->fault, "asking what the key is for", rv);
    p11->may_seal = seals == CK_TRUE;
    if (opens == CK_TRUE && bytes == KEY_BYTES)
        return SG_OK;
    if (opens != CK_TRUE)
        sg_out_lit(search->fault,
                   "the key may not decrypt (CKA_DECRYPT is false): make one that may");
    else
        sg_out_fmt(search->fault, "the key has %lu bits: right would be 256", bytes * 8);
    return SG_ENOTSUP;
}

/* ---- opening and closing ---- */

static enum sg_err token_open(struct sg_p11 *p11, struct search *search)
{
    enum sg_err err = token_find(p11, search);
    if (err == SG_OK)
        err = mechanism_check(p11, search);
    if (err != SG_OK)
        return err;
    CK_RV rv =
        p11->module->C_OpenSession(search->slot, CKF_SERIAL_SESSION, NULL, NULL, &p11->session);
    p11->in_session = rv == CKR_OK;
    err = rv == CKR_OK ? log_in(p11, search) : fail(search->fault, "opening a session", rv);
    if (err == SG_OK)
        err = key_find(p11, search);
    return err == SG_OK ? key_check(p11, search) : err;
}

enum sg_err sg_p11_open(const char *uri, sg_p11_pin_fn read_pin, struct sg_out *fault,
                        struct sg_p11 **out)
{
    SG_ASSERT(uri != NULL && read_pin != NULL);
    SG_ASSERT(fault != NULL && out != NULL);
    struct search search = {.read_pin = read_pin, .fault = fault};
    search.others = sg_out_init(search.seen, sizeof(search.seen));
    struct sg_p11 *p11 = sg_boot_alloc(sizeof(*p11));
    enum sg_err err = p11 == NULL ? SG_ENOMEM : uri_read(uri, &search.uri, fault);
    if (err == SG_OK)
        err = modules_open(p11, search.uri, fault);
    if (err == SG_OK)
        err = token_open(p11, &search);
    if (err == SG_OK)
        *out = SG_TAKE(p11);
    p11_kit_uri_free(search.uri);
    sg_p11_close(p11);
    return err;
}

void sg_p11_close(struct sg_p11 *p11)
{
    if (p11 == NULL)
        return;
    if (p11->in_session)
        (void)p11->module->C_CloseSession(p11->session);
    if (p11->initialised && p11->single)
        (void)p11_kit_module_finalize(p11->module);
    else if (p11->initialised)
        (void)p11_kit_modules_finalize(p11->modules);
    if (p11->modules != NULL)
        p11_kit_modules_release(p11->modules);
    else if (p11->module != NULL)
        p11_kit_module_release(p11->module);
    sg_boot_free(p11);
}

/* ---- use ---- */

static CK_GCM_PARAMS gcm_params(uint8_t *nonce, struct sg_str aad)
{
    return (CK_GCM_PARAMS){.pIv = nonce,
                           .ulIvLen = SG_GCM_NONCE_BYTES,
                           .ulIvBits = 8 * SG_GCM_NONCE_BYTES,
                           .pAAD = (CK_BYTE *)(uintptr_t)aad.ptr,
                           .ulAADLen = aad.len,
                           .ulTagBits = 8 * SG_GCM_TAG_BYTES};
}

enum sg_err sg_p11_seal(struct sg_p11 *p11, uint8_t nonce[SG_GCM_NONCE_BYTES], struct sg_str aad,
                        struct sg_str plain, uint8_t *out, struct sg_out *fault)
{
    CK_GCM_PARAMS params = gcm_params(nonce, aad);
    CK_MECHANISM gcm = {CKM_AES_GCM, &params, sizeof(params)};
    CK_ULONG len = plain.len + SG_GCM_TAG_BYTES;
    if (!p11->may_seal) {
        sg_out_lit(fault, "the token's key may open, but not seal (CKA_ENCRYPT is false)");
        return SG_ENOTSUP;
    }
    CK_RV rv = p11->module->C_EncryptInit(p11->session, &gcm, p11->key);
    if (rv == CKR_OK)
        rv = p11->module->C_Encrypt(p11->session, (CK_BYTE *)(uintptr_t)plain.ptr, plain.len, out,
                                    &len);
    if (rv == CKR_OK && len != plain.len + SG_GCM_TAG_BYTES)
        rv = CKR_GENERAL_ERROR;
    return rv == CKR_OK ? SG_OK : fail(fault, "the token does not seal", rv);
}

/* GCM's verdict has a code of its own only since PKCS#11 3.0, and modules differ in what they say.
 */
static bool is_verdict(CK_RV rv)
{
    return rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE ||
           rv == CKR_SIGNATURE_INVALID || rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED;
}

enum sg_err sg_p11_unseal(struct sg_p11 *p11, uint8_t nonce[SG_GCM_NONCE_BYTES], struct sg_str aad,
                          struct sg_str sealed, uint8_t *out, struct sg_out *fault)
{
    CK_GCM_PARAMS params = gcm_params(nonce, aad);
    CK_MECHANISM gcm = {CKM_AES_GCM, &params, sizeof(params)};
    CK_ULONG len = sealed.len;
    SG_ASSERT(sealed.len >= SG_GCM_TAG_BYTES);
    CK_RV rv = p11->module->C_DecryptInit(p11->session, &gcm, p11->key);
    if (rv != CKR_OK)
        return fail(fault, "the token does not unseal", rv);
    rv = p11->module->C_Decrypt(p11->session, (CK_BYTE *)(uintptr_t)sealed.ptr, sealed.len, out,
                                &len);
    if (rv == CKR_OK && len == sealed.len - SG_GCM_TAG_BYTES)
        return SG_OK;
    return rv == CKR_OK || is_verdict(rv) ? SG_EAUTH : fail(fault, "the token does not unseal", rv);
}
