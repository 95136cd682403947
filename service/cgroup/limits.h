#pragma once

/* What a leaf may have, as numbers for the kernel's files. Plain data, filled in by the manager. */

#include <stdbool.h>
#include <stdint.h>

#include "service/spec/resources.h"

#define CGROUP_NO_LIMIT UINT64_MAX

typedef struct CgroupLimits {
        uint64_t memory_max;      /* bytes; CGROUP_NO_LIMIT for none */
        uint64_t memory_swap_max; /* bytes beside memory_max; CGROUP_NO_LIMIT for none */
        uint64_t tasks_max;
        bool is_sandbox;       /* its leaf lies, and counts, among its owner's sandboxes */
        const Resources *more; /* the rest of what the caller said; NULL: nothing */
} CgroupLimits;
