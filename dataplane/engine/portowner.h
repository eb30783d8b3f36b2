/* portowner - which process listens on a port, for the message that says why we can't. Reads /proc;
 * sees other users' processes only as root. */
#ifndef SGD_PORTOWNER_H
#define SGD_PORTOWNER_H

#include <stdbool.h>
#include <stddef.h>

/* Writes "nginx (process 123)" to `out`. False: nobody could be found. */
bool sgd_portowner_find(const char *port, char *out, size_t cap);

#endif
