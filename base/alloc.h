/* alloc - memory taken at boot, and the seam by which tests fail the nth allocation.
 * Dataplane rooms take all they need through these at start; nothing on a request's path does. */
#ifndef SG_BASE_ALLOC_H
#define SG_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory, or NULL. Ends with sg_boot_free(). May block; not on a worker after start. */
void *sg_boot_alloc(size_t bytes);
/* The same for `count` items of `bytes`, aligned to a cache line; NULL on overflow too. */
void *sg_boot_alloc_array(size_t count, size_t bytes);
/* Accepts NULL. */
void sg_boot_free(void *ptr);

/* Tests: the nth allocation from now (0 = the next) fails, once; UINT32_MAX turns it off.
 * Per thread. */
void sg_alloc_fail_nth(uint32_t nth);

#endif
