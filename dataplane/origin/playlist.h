/* playlist - what a player will most likely ask for next, read from an HLS media playlist, a DASH
 * MPD (SegmentTemplate with $Number$ or $Time$, SegmentTimeline, SegmentList, BaseURL) or, with
 * neither at hand, from the number in a segment's name. For prefetch: wrong guesses cost a fetch,
 * so what is not understood yields nothing. Pure; no memory; work is bounded by the text's length.
 */
#ifndef SGD_ORIGIN_PLAYLIST_H
#define SGD_ORIGIN_PLAYLIST_H

#include "base/out.h"
#include "base/str.h"

#define SGD_PLAYLIST_BYTES_MAX (4u << 20) /* longer texts yield nothing */
#define SGD_PLAYLIST_PATH_MAX  2048

enum sgd_playlist_kind {
    SGD_PLAYLIST_NONE,
    SGD_PLAYLIST_HLS,
    SGD_PLAYLIST_DASH,
};
/* By the text's beginning. */
enum sgd_playlist_kind sgd_playlist_kind(struct sg_str text);

/* How a playlist names what it lists. */
enum sgd_playlist_refs {
    SGD_PLAYLIST_RELATIVE = 1 << 0,
    SGD_PLAYLIST_ROOTED = 1 << 1,   /* "/x/y.m4s": leaves a path token behind */
    SGD_PLAYLIST_ABSOLUTE = 1 << 2, /* "https://..." or "//host/..." */
};
/* All ways found in `text` (enum sgd_playlist_refs). Only with SGD_PLAYLIST_RELATIVE alone, or 0,
 * does a token in the path reach every segment. */
uint32_t sgd_playlist_refs(struct sg_str text);

/* Writes the paths (with ?query) of up to `max` segments that follow `after`, each ended by '\n',
 * as normalised absolute paths; returns how many. `path` is the playlist's own, `after` what was
 * just asked for: a segment, an initialisation segment or the playlist itself (then: where a player
 * starts). URIs of other hosts are left out. */
uint32_t sgd_playlist_next(struct sg_str text, struct sg_str path, struct sg_str after,
                           uint32_t max, struct sg_out *out);
/* The same from `after` alone: "seg-0009.m4s" is followed by "seg-0010.m4s". 0: its name has no
 * number before its extension. */
uint32_t sgd_playlist_guess(struct sg_str after, uint32_t max, struct sg_out *out);

/* Shared by both readers. */

/* Resolves reference `ref` against path `base` and normalises it. False: another host's, or
 * malformed, or too long. */
bool sgd_playlist_resolve(struct sg_str base, struct sg_str ref, struct sg_out *out);
uint32_t sgd_playlist_ref_of(struct sg_str ref);

#endif
