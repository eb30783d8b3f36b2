/* subject - the words that messages go by, and the filters over them. Pure. */
#ifndef SGC_BUS_SUBJECT_H
#define SGC_BUS_SUBJECT_H

#include "base/str.h"

#define SGC_SUBJECT_BYTES_MAX 255
#define SGC_NAME_BYTES_MAX    64

/* Words of printable characters with single dots between; no wildcards. */
bool sgc_subject_right(struct sg_str subject);
/* The same, but a word may be "*", and the last one ">". */
bool sgc_filter_right(struct sg_str filter);
bool sgc_subject_matches(struct sg_str filter, struct sg_str subject);
/* Letters, digits, - and _: of a stream, a bucket, a durable. */
bool sgc_name_right(struct sg_str name);
/* Takes the next of some filters by a comma off *rest. False: there is none. */
bool sgc_filters_next(struct sg_str *rest, struct sg_str *filter);

#endif
