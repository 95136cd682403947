#pragma once

/* What a process is given as it is, number by number: the part of a ProcessSpec that goes into the
 * child's plan in one piece. The child includes this file, so it knows no GLib. */

#include <stdbool.h>
#include <stdint.h>

typedef struct ProcessAttributes {
        uint32_t umask;
        bool terminal; /* one of the container's own */
} ProcessAttributes;
