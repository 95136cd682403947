#pragma once

/* Two parts of the SandboxPlan: what the child covers, and what else it mounts. Plain data, for
 * both halves of a launch. */

#include <stdbool.h>

typedef struct SandboxMask {
        const char *path; /* below /proc */
        enum { MASK_EMPTY_FILE, MASK_EMPTY_DIRECTORY, MASK_READ_ONLY } kind;
        bool in_sys; /* below /sys instead */
} SandboxMask;

/* What the caller wants mounted, in its order. */
typedef struct SandboxMount {
        int fd; /* which of those that come with SANDBOX_GO, detached, attributes and id map
                   applied; -1: a new tmpfs */
        const char *target; /* below the root, without the leading slash */
        bool is_directory;
        const char *size, *mode; /* of the tmpfs; NULL: the kernel's default */
        unsigned attributes;
} SandboxMount;
