#pragma once

/* Which limit a leaf has met, by what the kernel counts where a limit stands, not where its victim
 * is: v2 an OOM, in memory.events; v1 an event, which goes to the eventfds of the cgroup whose
 * limit it was, and of all below. (memory.memsw.failcnt would count as well, but stays 0 on
 * Linux 6.18.) An owner's directory outlives its leaves: there only what was added since the
 * container began counts. */

#include <glib.h>
#include <stdint.h>

#include "service/cgroup/cgroup.h"
#include "service/spec/limit-hit.h"

/* When the leaf's container begins, or is taken over with so many kills before. */
void cgroup_begin_hits(Cgroup *cgroup, uint64_t oom_kills);
/* What limit it has met since: one of memory if there were OOM kills; else that of tasks, or
 * none. */
LimitHit cgroup_limit_hit(const Cgroup *cgroup, uint64_t oom_kills);

/* For the tree: what v1 has told of each level. */
GHashTable *cgroup_level_events_new(void);
