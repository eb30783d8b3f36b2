/* mpd - reads as much of a DASH manifest (ISO/IEC 23009-1) as prefetch needs: see playlist.h. No
 * XML library: tags and attributes in one bounded pass, entities only where they may stand in a
 * URL; a document type declaration is refused. */
#ifndef SGD_ORIGIN_MPD_H
#define SGD_ORIGIN_MPD_H

#include "base/out.h"
#include "base/str.h"

/* As sgd_playlist_next() and sgd_playlist_refs(); `after` is normalised and without query. */
uint32_t sgd_mpd_next(struct sg_str text, struct sg_str path, struct sg_str after, uint32_t max,
                      struct sg_out *out);
uint32_t sgd_mpd_refs(struct sg_str text);
/* Decimal, with leading zeros up to `width`. */
void sgd_mpd_put_number(struct sg_out *out, uint64_t number, uint32_t width);

#endif
