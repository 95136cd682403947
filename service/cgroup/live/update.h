#pragma once

/* The limits of a leaf in which something runs: what they are, and how they change. Called by the
 * container. */

#include <stdbool.h>

#include "service/cgroup/cgroup.h"
#include "service/spec/resources.h"

/* Changes what `resources` says (see resources_init_update()), and nothing else: all of it, or on
 * failure none. Memory that is in use is not taken away unless `force` is set. Waits
 * for a moment, and no longer, for each limit of memory that is lowered. */
bool cgroup_update(Cgroup *cgroup, const Resources *resources, GError **error);

/* Sets what a leaf is not made with: all but memory, swap and tasks. */
bool cgroup_limit_more(Cgroup *cgroup, const Resources *resources, GError **error);

/* The limit of memory as the kernel has it: `told` itself if that is only a part of a page more. */
uint64_t cgroup_memory_max(const Cgroup *cgroup, uint64_t told);
