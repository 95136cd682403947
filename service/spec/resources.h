#pragma once

/* How much a container may use: the limits of its cgroup, as the caller said. Plain data, a part of
 * an Order. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Resources {
        uint64_t memory_max;      /* bytes; UINT64_MAX: no limit */
        uint64_t memory_swap_max; /* bytes; UINT64_MAX: no limit */
        uint64_t tasks_max;       /* UINT64_MAX: no limit */
        uint64_t run_time_max;    /* microseconds of wall time; UINT64_MAX: no limit */
        uint64_t cpu_time_max;    /* microseconds of all processors together; 0: no limit */
        bool has_memory_swap_max, has_tasks_max; /* said by the caller, not the default */
} Resources;

void resources_init(Resources *resources); /* the default profile */
bool resources_validate(const Resources *resources, GError **error);
