#pragma once

/* How much a container may use: the limits of its cgroup, as the caller said. Plain data, a part of
 * an Order. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/util/cpu-list.h"

typedef struct Resources {
        uint64_t memory_max;      /* bytes; UINT64_MAX: no limit */
        uint64_t memory_swap_max; /* bytes; UINT64_MAX: no limit */
        uint64_t tasks_max;       /* UINT64_MAX: no limit */
        uint64_t run_time_max;    /* microseconds of wall time; UINT64_MAX: no limit */
        uint64_t cpu_time_max;    /* microseconds of all processors together; 0: no limit */
        uint64_t memory_high;     /* bytes; UINT64_MAX: none; 0: not said */
        uint64_t memory_low;      /* bytes */
        uint64_t cpu_weight;      /* of cgroup v2; 0: not said */
        uint64_t cpu_quota;       /* microseconds in a second; UINT64_MAX: none; 0: not said */
        uint64_t io_weight;       /* of cgroup v2; 0: not said */
        char allowed_cpus[CPU_LIST_LENGTH + 1]; /* "0-3,5"; "": not said */
        /* said by the caller, not the default */
        bool has_memory_max, has_memory_swap_max, has_tasks_max, has_memory_low;
        bool force; /* of Update: takes memory away that is in use */
} Resources;

void resources_init(Resources *resources); /* the default profile */
/* Nothing is said: `memory_max` is 0, too. */
void resources_init_update(Resources *resources);
bool resources_validate(const Resources *resources, GError **error);
