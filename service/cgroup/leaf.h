#pragma once

/* What the files about one leaf share: cgroup.c uses and removes it, create.c makes it, copy.c
 * makes it in another process. Nobody else looks into it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/cgroup/internal.h"

/* `leaf_fds` are indexed like the tree's hierarchies; -1: the leaf is not in that hierarchy. */
struct Cgroup {
        CgroupTree *tree; /* borrowed: it outlives its leaves */
        bool is_borrowed; /* somebody else made it, at `path`, see path/borrow.h */
        uid_t owner;
        bool is_sandbox;
        char level[sizeof "4294967295/" CGROUP_SANDBOXES]; /* the directory that it lies in */
        char name[sizeof "4294967295/" CGROUP_SANDBOXES "/18446744073709551615"];
        char *path;
        int leaf_fds[CGROUP_HIERARCHIES_MAX];
        int entry_fds[CGROUP_ENTRY_FDS_MAX]; /* of the v1 hierarchies, without gaps */
        unsigned n_entries;
        int oom_count_fd, oom_event_fd;
        uint64_t oom_events; /* of v1, that were read so far */
        uint64_t owner_hits; /* of the owner's limit of memory, when the container began */
};

/* -- cgroup.c -- */

/* A leaf of which nothing is there yet. */
Cgroup *cgroup_alloc(CgroupTree *tree, uid_t owner, uint64_t serial, bool is_sandbox);

/* Is the hierarchy of this index one of cgroup v1? */
bool cgroup_is_legacy(const Cgroup *cgroup, unsigned index);

/* Sets "cannot VERB cgroup PATH", the leaf's in the hierarchy of this index. Returns false. */
bool cgroup_fail(const Cgroup *cgroup, unsigned index, const char *verb, int errnum,
                 GError **error);

bool cgroup_watch_oom(Cgroup *cgroup, GError **error);

/* Index of the hierarchy in which to look for the leaf's processes, or -1 if the leaf was removed.
 */
int cgroup_tracking_leaf(const Cgroup *cgroup);
/* NotSupported where no hierarchy has the processes of containers. */
bool cgroup_require_hierarchy(const Cgroup *cgroup, GError **error);

/* -- create.c -- */

/* The hierarchies (bits) that a container needs a leaf in. Without `limits`: all that could limit.
 */
unsigned cgroup_choose_hierarchies(const CgroupTree *tree, uid_t owner, const CgroupLimits *limits);

/* In v2: hands controllers (bits) down to the leaf, through each level above it. */
bool cgroup_hand_down(const Cgroup *cgroup, unsigned index, unsigned wanted, GError **error);

/* Makes the directory of the leaf's owner in the hierarchy of this index, and what is above. */
bool cgroup_make_owner(const Cgroup *cgroup, unsigned index, GError **error);
