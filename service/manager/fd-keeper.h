#pragma once

/* Keeps the masters of terminals beyond the service's end, each named by the serial of its
 * container. The Manager calls; the program decides what is behind these functions (fd-store.c:
 * systemd). All zero: nothing is kept. */

#include <stdint.h>

typedef struct FdKeeper {
        void (*keep)(uint64_t serial, int fd, void *data); /* fd is borrowed */
        int (*take)(uint64_t serial, void *data); /* what a predecessor kept (owned), or -1 */
        void (*drop)(uint64_t serial, void *data);
        void *data;
} FdKeeper;
