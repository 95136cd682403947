#pragma once

/* Leaves that a copy of the service makes (maker.h). The copy makes nothing else: the directories
 * above are the service's to make, to limit and to count. */

#include "service/cgroup/cgroup.h"

/* -- in the service -- */

/* Makes the owner's directories above a leaf that the copy will make without limits. */
bool cgroup_make_way(CgroupTree *tree, uid_t owner, uint64_t serial, GError **error);
/* Takes over a leaf that the copy made. `fds`: all that is open of the leaf (consumed; -1: not
 * there). */
#define CGROUP_FDS 8u
Cgroup *cgroup_adopt(CgroupTree *tree, uid_t owner, uint64_t serial, const int fds[CGROUP_FDS]);

/* Removes a leaf that nobody has open, and whose process, if it had one, is reaped. */
void cgroup_remove_empty(CgroupTree *tree, uid_t owner, uint64_t serial);

/* -- in the copy -- */

/* Tells the tree that it is the copy's: from now on cgroup_new() makes leaves and nothing above
 * them. `fds` gets what has to stay open for that; returns how many. */
#define CGROUP_TREE_FDS_MAX 6u
size_t cgroup_tree_become_copy(CgroupTree *tree, int fds[CGROUP_TREE_FDS_MAX]);
/* All that is open of the leaf, for cgroup_adopt() (borrowed). */
void cgroup_list_fds(const Cgroup *cgroup, int fds[CGROUP_FDS]);
