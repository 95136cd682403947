#pragma once

/* Writes to a file of a leaf in which something runs. A limit of memory below what is in use makes
 * the kernel reclaim until it fits, and who uses memory can make that last: so a throw-away process
 * waits for it, and not for long. Knows nothing of what limits mean. */

#include <stdbool.h>

/* O_NONBLOCK: since Linux 6.16 memory is not reclaimed by who writes, but by who needs more.
 * Returns 0 or -errno. */
int live_write(int leaf, const char *file, const char *text);
/* The same by such a process. -ETIMEDOUT: it was given up, and what the kernel made of the limit is
 * not known. */
int live_write_patiently(int leaf, const char *file, const char *text);
