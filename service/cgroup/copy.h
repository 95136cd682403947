#pragma once

/* Leaves that a copy of the service makes (maker.h): only them, so that the service has made,
 * limited and counted whatever is above. */

#include "service/cgroup/cgroup.h"

/* -- in the service -- */

/* Makes what is above a leaf without limits. */
bool cgroup_make_way(CgroupTree *tree, uid_t owner, uint64_t serial, GError **error);
/* Takes on a leaf: all that is open of it (consumed; -1: not there). */
#define CGROUP_FDS 5u
Cgroup *cgroup_adopt(CgroupTree *tree, uid_t owner, uint64_t serial, const int fds[CGROUP_FDS]);

/* Removes a leaf of which nothing is open, and whose process, if it had one, is reaped. */
void cgroup_remove_empty(CgroupTree *tree, uid_t owner, uint64_t serial);

/* -- in the copy -- */

/* From now on there are only leaves to make. `fds`: what has to stay open for that; returns how
 * many. */
#define CGROUP_TREE_FDS_MAX 3u
size_t cgroup_tree_become_copy(CgroupTree *tree, int fds[CGROUP_TREE_FDS_MAX]);
/* What the service takes on (borrowed). */
void cgroup_list_fds(const Cgroup *cgroup, int fds[CGROUP_FDS]);
