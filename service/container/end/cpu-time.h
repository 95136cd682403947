#pragma once

/* Limits the processor time of a leaf. The kernel tells nobody when it is used up, so the service
 * reads it: no sooner than all processors together could use up the rest, and no oftener than that
 * the limit is exceeded by a tenth at most, or 100 ms. A container without the limit costs nothing.
 * Part of a Container's struct, used by it alone. */

#include "service/cgroup/cgroup.h"
#include "service/container/end/deadline.h"

/* All zero: not begun. */
typedef struct CpuTime {
        Cgroup *cgroup; /* borrowed */
        uint64_t max_usec;
        Deadline look;
        DeadlineFunc function;
        void *data;
} CpuTime;

/* Calls `function` once, from the loop, when `max_usec` are used up; 0: never. */
void cpu_time_begin(CpuTime *time, Cgroup *cgroup, uint64_t max_usec, DeadlineFunc function,
                    void *data);
void cpu_time_end(CpuTime *time); /* before the leaf is freed */
