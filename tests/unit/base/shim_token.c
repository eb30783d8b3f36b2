/* shim_token - a PKCS#11 module of our own for what SoftHSM never does: it is SoftHSM, but for one
 * answer, which $SGT_TOKEN names. */
#include "tests/sgt_softhsm.h"

#include <dlfcn.h>
#include <string.h>

#include <p11-kit/pkcs11.h>

static CK_FUNCTION_LIST *real, ours;

static bool asked_for(const char *what)
{
    const char *wanted = getenv("SGT_TOKEN");
    return wanted != NULL && strcmp(wanted, what) == 0;
}

static CK_RV token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    CK_RV rv = real->C_GetTokenInfo(slot, info);
    info->flags |= asked_for("locked") ? CKF_USER_PIN_LOCKED : 0;
    info->flags |= asked_for("final-try") ? CKF_USER_PIN_FINAL_TRY : 0;
    info->flags |= asked_for("keypad") ? CKF_PROTECTED_AUTHENTICATION_PATH : 0;
    return rv;
}

static CK_RV log_in(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE *pin, CK_ULONG len)
{
    return asked_for("locks")     ? CKR_PIN_LOCKED
           : asked_for("expired") ? CKR_PIN_EXPIRED
                                  : real->C_Login(session, user, pin, len);
}

static CK_RV attributes(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE *out,
                        CK_ULONG count)
{
    CK_RV rv = real->C_GetAttributeValue(session, key, out, count);
    for (CK_ULONG i = 0; i < count; i++)
        if ((out[i].type == CKA_DECRYPT && asked_for("no-decrypt")) ||
            (out[i].type == CKA_ENCRYPT && asked_for("no-encrypt")))
            *(CK_BBOOL *)out[i].pValue = CK_FALSE;
    return rv;
}

static CK_RV encrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG len, CK_BYTE *out,
                     CK_ULONG *out_len)
{
    return asked_for("removed") ? CKR_DEVICE_REMOVED
                                : real->C_Encrypt(session, in, len, out, out_len);
}

static CK_RV decrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG len, CK_BYTE *out,
                     CK_ULONG *out_len)
{
    return asked_for("removed") ? CKR_DEVICE_REMOVED
                                : real->C_Decrypt(session, in, len, out, out_len);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **out)
{
    void *library = dlopen(SGT_SOFTHSM_MODULE, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get = NULL;
    if (library != NULL)
        *(void **)&get = dlsym(library, "C_GetFunctionList");
    if (get == NULL || get(&real) != CKR_OK)
        return CKR_GENERAL_ERROR;
    ours = *real;
    ours.C_GetFunctionList = C_GetFunctionList;
    ours.C_GetTokenInfo = token_info;
    ours.C_Login = log_in;
    ours.C_GetAttributeValue = attributes;
    ours.C_Encrypt = encrypt;
    ours.C_Decrypt = decrypt;
    *out = &ours;
    return CKR_OK;
}
