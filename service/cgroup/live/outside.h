#pragma once

/* Is a process in a container? Tells it by the kernel's word of the process's cgroups. Knows no
 * container and no bus; dbus/connection/callers.c asks about those who call. */

#include <stdbool.h>
#include <sys/types.h>

#include "service/cgroup/cgroup.h"

/* False also if that cannot be known: the process has ended, or is just ending. No process comes
 * into or out of a leaf by its own doing, so the answer stays true as long as the process lives. */
bool cgroup_is_outside(const CgroupTree *tree, pid_t pid);
