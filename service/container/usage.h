#pragma once

/* The account of a container: what it has used, while it lives and, kept with its record, after its
 * end. Knows the figures of cgroup/stats.h and adds what no cgroup tells; knows no bus. In
 * info.c, with what else is known of a container. */

#include <glib.h>
#include <stdbool.h>

#include "service/container/container.h"
#include "service/container/process.h"

/* Reads the account of a container that is just ending: the leaf is there, and what is told of the
 * end is known. */
void usage_take(ContainerInfo *info, const Cgroup *cgroup);

/* What waitid() tells of a process, and of those of its children that it has waited for. */
void usage_take_process(CgroupUsage *ret, const Process *process);
void usage_set_wall(CgroupUsage *usage, uint64_t usec);

/* The account as it is now. */
void container_usage(const Container *container, CgroupUsage *ret);

/* All that is counted now: InvalidState without a leaf, NotSupported without cgroups. */
bool container_stats(const Container *container, CgroupStats *ret, GError **error);
