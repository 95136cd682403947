#pragma once

/* The service's place in the cgroup hierarchies, and one leaf per container in it:
 * <parent>/<owner's uid>/<serial>, or, of a container that the action `sandbox` covers,
 * <parent>/<owner's uid>/sandboxes/<serial>. A v2 leaf wherever a v2 tree is mounted; v1 leaves
 * only for controllers that v2 does not offer there. A limit that was asked for and cannot be set
 * is an error. Knows directory fds and kernel files; knows no container, no bus, no loop (it hands
 * out fds to watch). Names come from the service's own serial numbers, never from a caller. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/cgroup/limits.h"

#define CGROUP_SANDBOXES "sandboxes"

typedef enum CgroupMode {
        CGROUP_MODE_NONE,    /* nothing to be used: every asked-for limit is NotSupported */
        CGROUP_MODE_UNIFIED, /* v2 with controllers */
        CGROUP_MODE_HYBRID,  /* v2 without them, limits through v1 */
        CGROUP_MODE_LEGACY,  /* v1 only */
} CgroupMode;

/* -- the tree: made once at start -- */
typedef struct CgroupTree CgroupTree;

/* Looks at /proc/self/mountinfo and /proc/self/cgroup, makes the parent in each hierarchy that
 * serves a limit, and keeps directory fds. `parent` is a path such as
 * "/system.slice/naive-runc.service". NULL: the cgroup of naive-runc-containers.service, if systemd
 * started this process in naive-runc.service beside it; in another unit that unit's own, if systemd
 * started this process in the leaf "supervisor" of it (DelegateSubgroup=); else, under systemd with
 * v2 controllers, "/system.slice/naive-runc-containers", for systemd cannot start a unit again
 * whose own cgroup hands controllers down to containers that still run; else the path
 * above. A machine without cgroups, or without the right to them, is no error here: the mode says
 * so, and cgroup_new() refuses limits, naming what is missing and why. */
CgroupTree *cgroup_tree_new(const char *parent);
void cgroup_tree_free(CgroupTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CgroupTree, cgroup_tree_free)

/* Limits what all containers of one owner may have together, and what the sandboxes among them may,
 * at once and for those that run already. Root's containers are not limited. Without this call
 * there are no ceilings. */
void cgroup_tree_set_ceilings(CgroupTree *tree, const CgroupLimits *ceilings,
                              const CgroupLimits *of_sandboxes);

CgroupMode cgroup_tree_mode(const CgroupTree *tree);
const char *cgroup_mode_to_string(CgroupMode mode); /* "none" "unified" "hybrid" "legacy" */

/* Calls back for each leaf that a predecessor has left. `populated`: there are processes in it. */
typedef void (*CgroupLeafFunc)(uid_t owner, uint64_t serial, bool populated, void *data);
void cgroup_tree_foreach_leaf(CgroupTree *tree, CgroupLeafFunc function, void *data);

/* Removes empty leaves, empty directories of owners, and the parents that this process made. Only
 * for the service's start and end: a leaf whose container is not born yet is empty, too. What is
 * needed later is made again. */
void cgroup_tree_sweep(CgroupTree *tree);

/* -- a leaf -- */
typedef struct Cgroup Cgroup;

/* Makes the leaf, with its limits in place, in each hierarchy that the limits need; on failure
 * nothing is left behind. Without `limits`: in each hierarchy that could limit, and cgroup_limit()
 * follows. */
bool cgroup_new(CgroupTree *tree, uid_t owner, uint64_t serial, const CgroupLimits *limits,
                Cgroup **ret, GError **error);

/* Sets MemoryTooLow: there was too little memory to do `what` ("start a process"), by the
 * container's limit of `memory_max` bytes, if it has one, or by the ceiling of its owner. Returns
 * false. */
bool cgroup_memory_too_low(uint64_t memory_max, const char *what, GError **error);

/* Sets the limits of a leaf that was made without them. A limit that reads back larger is an
 * error. */
bool cgroup_limit(Cgroup *cgroup, const CgroupLimits *limits, GError **error);

/* Opens a leaf that exists (left by a predecessor), to watch, kill and remove it. */
bool cgroup_open(CgroupTree *tree, uid_t owner, uint64_t serial, Cgroup **ret, GError **error);

/* Closes the fds; does not remove the leaf. */
void cgroup_free(Cgroup *cgroup);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cgroup, cgroup_free)

/* The v2 directory for clone3's CLONE_INTO_CGROUP, or -1 where nothing can be born. Borrowed. */
int cgroup_birth_fd(const Cgroup *cgroup);

/* The other leaves are entered by the child itself: it writes "0" into each of these fds (files
 * named "tasks" or "cgroup.procs", opened by the service, whose rights count) before anything else.
 * Borrowed; -1 ends the list. Measured: 6 us; a write of the pid from outside takes the lock that
 * stops all forks, and waits 5 to 11 ms for RCU. Only one thread of the child may exist then. */
#define CGROUP_ENTRY_FDS_MAX 6u
int cgroup_entry_fd(const Cgroup *cgroup, unsigned index);
void cgroup_close_entries(Cgroup *cgroup); /* once the child has its own copies */
bool cgroup_open_entries(Cgroup *cgroup, GError **error);

/* The path of the leaf as /proc/PID/cgroup shows it on the host, "/system.slice/…/1000/42"; "" if
 * none. */
const char *cgroup_path(const Cgroup *cgroup);

/* An fd that reports OOM events (poll for `*ret_events`): v1's eventfd (POLLIN) or v2's
 * memory.events (POLLPRI); -1 if the leaf is not in the memory hierarchy. Borrowed. After an event
 * call cgroup_oom_kills(), which also rearms the fd. v1 reports before the kill is done, and again
 * when the leaf is removed: trust the number alone, and read it again after the container's
 * exit. */
int cgroup_oom_fd(const Cgroup *cgroup, short *ret_events);
uint64_t cgroup_oom_kills(Cgroup *cgroup); /* 0: none so far; v2 may count one twice */

/* SIGKILL to every process in the leaf: by cgroup.kill where the kernel has that, else freeze,
 * kill, thaw (or a bounded loop over cgroup.procs until it is empty). An empty leaf is fine. When
 * this returns the processes are still dying. Without any hierarchy: NotSupported. */
bool cgroup_kill(Cgroup *cgroup, GError **error);
/* Any other signal to every process in the leaf, but for `spared` (0: nobody). */
bool cgroup_signal(Cgroup *cgroup, int signal, pid_t spared, GError **error);
bool cgroup_is_populated(Cgroup *cgroup);

/* Removes the leaf, unless it is somebody else's, in each hierarchy, and before it the sub-cgroups
 * made inside (depth-first, bounded). Fails while processes are still going away: the caller
 * retries later. */
bool cgroup_remove(Cgroup *cgroup, GError **error);
