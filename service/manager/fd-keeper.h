#pragma once

/* Where terminals' masters live on when the service ends, by the serial of their container. The
 * Manager calls; the program decides what keeps them (fd-store.c: systemd). All zero: nothing. */

#include <stdint.h>

typedef struct FdKeeper {
        void (*keep)(uint64_t serial, int fd, void *data); /* fd is borrowed */
        int (*take)(uint64_t serial, void *data); /* what a predecessor kept, or -1. Owned */
        void (*drop)(uint64_t serial, void *data);
        void *data;
} FdKeeper;
