#include "base/err.h"

#include <string.h>

const char *sg_err_text(enum sg_err err)
{
    if (err == SG_OK)
        return "ok";
    if (err <= 0 && err > -1000)
        return strerrordesc_np(-(int)err) != NULL ? strerrordesc_np(-(int)err) : "unknown error";
    switch ((int)err) {
    case SG_ECORRUPT:
        return "stored data is corrupt";
    case SG_EFULL:
        return "no room left";
    case SG_EVERSION:
        return "written by another version";
    case SG_EAUTH:
        return "authentication failed";
    case SG_ESTALE:
        return "superseded";
    case SG_ELIMIT:
        return "limit reached";
    case SG_ETLS:
        return "TLS failed";
    case SG_ECONFIG:
        return "configuration refused";
    case SG_ESEALED:
        return "it is sealed, and node.seal_key is not set";
    default:
        return "unknown error";
    }
}

enum sg_err sg_err_from_errno(int err_no)
{
    return err_no > 0 && err_no < 1000 ? (enum sg_err)(-err_no) : SG_EIO;
}
