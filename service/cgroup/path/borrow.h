#pragma once

/* A leaf that somebody else made, wherever it is, to watch, signal, let stand still and limit what
 * runs in it. It is not ours: it is never removed, and an OOM in it ends no more than the kernel
 * ends. Called by the manager for containers of the OCI command line. */

#include <sys/types.h>

#include "service/cgroup/cgroup.h"

/* `directories`: absolute paths, one in a hierarchy. Fails if `pid` is not in them. */
bool cgroup_borrow(CgroupTree *tree, pid_t pid, const char *const *directories, Cgroup **ret,
                   GError **error);
