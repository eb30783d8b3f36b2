/* refs - whether a playlist that came in can be played with a token in the path: such a token
 * reaches only what is named relative to the playlist. The bytes are never changed; the operator is
 * told. */
#ifndef SGD_REFS_H
#define SGD_REFS_H

#include "dataplane/delivery/filling.h"

/* After the fill of a whole body, on its worker. Counts, and at most once a minute says so in the
 * log: live playlists come in every few seconds. */
void sgd_refs_check(struct sgd_fill *fill);

#endif
