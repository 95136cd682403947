#pragma once

/* The processor time that all of a leaf has used, of processes that have ended, too. v2 counts it
 * without a controller; v1 where cpuacct is mounted together with cpu. */

#include <stdint.h>

#include "service/cgroup/cgroup.h"

/* NotSupported if nobody counts it. */
bool cgroup_cpu_time(const Cgroup *cgroup, uint64_t *ret_usec, GError **error);
