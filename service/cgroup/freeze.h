#pragma once

/* Lets all processes of a leaf stand still, and go on. Nothing here waits: the kernel is told, and
 * whoever told it looks, at each event, whether it is so. Called by container/pause.c. */

#include <stdbool.h>

#include "service/cgroup/cgroup.h"

/* Tells the kernel. Without a freezer: NotSupported. */
bool cgroup_freeze(Cgroup *cgroup, bool frozen, GError **error);

/* What the kernel was told last, whoever told it: a predecessor perhaps. */
bool cgroup_is_told_to_freeze(const Cgroup *cgroup);

/* Do all of them stand still? v1 tries again, with each look, what it was told. */
bool cgroup_is_frozen(const Cgroup *cgroup);

/* An fd (owned) that polls as ready (POLLPRI) at once, and then after each change until it is read.
 * -1: v1 has no event, so look from time to time. */
int cgroup_open_freeze_events(const Cgroup *cgroup);
