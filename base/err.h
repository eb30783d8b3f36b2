/* err - the one error type of all rooms: 0, a negative errno, or one of ours from -1000 down.
 * Peers' misbehaviour is not an sg_err: see dataplane/close.def. */
#ifndef SG_BASE_ERR_H
#define SG_BASE_ERR_H

#include <errno.h>

#define SG_MUST_USE __attribute__((warn_unused_result))

enum sg_err {
    SG_OK = 0,
    /* errno's values, negated; sys/ modules pass any errno through sg_err_from_errno() */
    SG_EPERM = -EPERM,
    SG_ENOENT = -ENOENT,
    SG_EINTR = -EINTR,
    SG_EIO = -EIO,
    SG_EBADF = -EBADF,
    SG_EAGAIN = -EAGAIN,
    SG_ENOMEM = -ENOMEM,
    SG_EACCES = -EACCES,
    SG_EBUSY = -EBUSY,
    SG_EEXIST = -EEXIST,
    SG_EINVAL = -EINVAL,
    SG_EMFILE = -EMFILE,
    SG_ENOSPC = -ENOSPC,
    SG_ERANGE = -ERANGE,
    SG_ENOSYS = -ENOSYS,
    SG_EPROTO = -EPROTO,
    SG_EMSGSIZE = -EMSGSIZE,
    SG_ENOTSUP = -EOPNOTSUPP,
    SG_EADDRINUSE = -EADDRINUSE,
    SG_ECONNRESET = -ECONNRESET,
    SG_ETIMEDOUT = -ETIMEDOUT,
    SG_ECONNREFUSED = -ECONNREFUSED,
    SG_ECANCELED = -ECANCELED,
    SG_EALREADY = -EALREADY,
    SG_ENOTCONN = -ENOTCONN,
    /* ours */
    SG_ECORRUPT = -1000, /* a checksum or a format did not hold */
    SG_EFULL = -1001,    /* a bounded thing has no room left */
    SG_EVERSION = -1002, /* written by another version of us */
    SG_EAUTH = -1003,    /* a signature, MAC or tag did not verify */
    SG_ESTALE = -1004,   /* superseded: a generation or a snapshot moved on */
    SG_ELIMIT = -1005,   /* a configured limit was met */
    SG_ETLS = -1006,     /* the TLS library refused; the log line says why */
    SG_ECONFIG = -1007,  /* a configuration was refused; its report says where */
    SG_ESEALED = -1008,  /* a secret is sealed, and there is no key for it */
};

/* One line of text for `err`; never NULL, static, any thread. */
const char *sg_err_text(enum sg_err err);

/* The sg_err of an errno value (positive). 0 is a bug of the caller and becomes SG_EIO. */
enum sg_err sg_err_from_errno(int err_no);

#endif
