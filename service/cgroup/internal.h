#pragma once

/* What the files of the cgroup module share: a hierarchy (one mounted tree of either version, with
 * the service's parent directory in it), and the backend, the few things that v1 and v2 do
 * differently. All of it works on directory fds: no path of a leaf is resolved on the host.
 *
 * The files in their order; each calls those before it, never one behind it: procs.c (numbers,
 * lists, processes), v1.c and v2.c (the backends), ceilings.c (what an owner may have), tree.c (the
 * hierarchies), cgroup.c (a leaf, leaf.h), stats.c (what the kernel has counted of it), freeze.c
 * (letting it stand still), create.c (making it), copy.c (making it in a copy of the service),
 * hit.c (which limit it met), sweep.c (what is left behind). */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/cgroup/backend.h"
#include "service/cgroup/cgroup.h"

#define CGROUP_PIDS_MAX        4194304u /* the kernel's PID_MAX_LIMIT: pids.max refuses more */
#define CGROUP_HIERARCHIES_MAX 6u       /* v2, and one for each controller that it may lack */

typedef enum CgroupController {
        CGROUP_MEMORY,
        CGROUP_PIDS,
        CGROUP_CPU,     /* no limit: one owner's containers together count as much as another's */
        CGROUP_CPUSET,  /* for containers that ask, as the next one */
        CGROUP_IO,      /* in v1 "blkio" */
        CGROUP_FREEZER, /* v1 only, to end a container where there is no v2 tree */
        _CGROUP_CONTROLLER_MAX,
} CgroupController;

typedef struct CgroupHierarchy {
        const CgroupBackend *backend;
        char *mount_point;
        char *mount_root;     /* the part of the hierarchy that is mounted; "" for all of it */
        char *device;         /* "major:minor": the same for controllers mounted together */
        char *parent;         /* below the mount point */
        bool is_delegated;    /* the levels above the parent are systemd's: leave them alone */
        unsigned parent_made; /* how many of the lowest levels this process made */
        unsigned controllers; /* bits of the controllers it serves */
        int parent_fd;
} CgroupHierarchy;

struct CgroupTree {
        CgroupMode mode;
        CgroupHierarchy hierarchies[CGROUP_HIERARCHIES_MAX];
        unsigned n_hierarchies;
        int serving[_CGROUP_CONTROLLER_MAX];     /* index of the hierarchy, or -1 */
        char *missing[_CGROUP_CONTROLLER_MAX];   /* why it is -1 */
        CgroupLimits ceilings, sandbox_ceilings; /* of an owner's directory; of CGROUP_SANDBOXES */
        GHashTable *capped;  /* set of the owners whose directories have the ceilings */
        GHashTable *told;    /* name of a level → LevelEvents of hit.c */
        int tracking;        /* the hierarchy in which every container has a leaf, or -1 */
        bool is_copy;        /* another process makes what is above the leaves */
        bool kills_at_birth; /* so the child enters its v2 leaf by itself, as it does those of v1 */
        CgroupTree *before;  /* of a version before, or NULL */
};

/* -- procs.c: what is the same in both versions -- */

const char *cgroup_controller_name(CgroupController controller); /* in v2 and in errors */
const char *cgroup_legacy_name(CgroupController controller);

/* Names of the sub-directories; empty if there are none or it cannot be read. */
GPtrArray *cgroup_list_directories(int dirfd);
GPtrArray *cgroup_list_owners(const CgroupHierarchy *hierarchy);

/* Only a number as we write it into a name: digits, no leading zero. */
bool cgroup_parse_number(const char *text, uint64_t max, uint64_t *ret);

/* Writes a number and reads it back: an error if the kernel made it larger. */
bool cgroup_set_value(int leaf, const char *file, uint64_t value, GError **error);
bool cgroup_set_bytes(int leaf, const char *file, uint64_t value, GError **error);
bool cgroup_set_tasks(int leaf, uint64_t tasks_max, GError **error);

/* For a kernel without the file that limits swap: an error if the machine has swap. */
bool cgroup_swap_file_missing(const char *file, GError **error);

/* The number behind "<key> " in a flat keyed file, such as cgroup.events; 0 if there is none. */
uint64_t cgroup_keyed_value(const char *text, const char *key);

/* Signals each process of a cgroup and of those below it. Returns how many there were. */
unsigned cgroup_signal_all(int dirfd, int signal);
unsigned cgroup_signal_others(int dirfd, int signal, pid_t spared);
bool cgroup_has_processes(int dirfd);
void cgroup_list_below(int dirfd, unsigned depth, size_t max, GArray *pids);
#define CGROUP_DEPTH_MAX 16u /* levels of sub-cgroups below a leaf */

/* Ends all processes: freeze, kill, and in any case thaw. `freeze` says whether all of them stand
 * still; if they do not, the round is repeated, within bounds, until none is left. */
bool cgroup_kill_listed(int leaf, bool (*freeze)(int leaf), void (*thaw)(int leaf), GError **error);
/* Removes the sub-cgroups, depth-first, bounded. 0 or -errno. */
int cgroup_remove_children(int dirfd);

/* -- birth.c, v2.c -- */

/* Enables controllers (bits) for the children of a v2 directory. Returns the bits that are enabled
 * then; `reasons` (one for each controller, may be NULL) says why others are not. */
unsigned cgroup_unified_enable(int dirfd, unsigned wanted, char **reasons);
bool cgroup_kills_at_birth(const CgroupHierarchy *hierarchy); /* what we clone into a v2 leaf */

/* -- v1.c -- */
/* A new directory of cpuset's has neither processors nor memory, and takes no process until it has:
 * it gets its parent's. Any other directory stays as it is. 0 or -errno. */
int cgroup_legacy_fill(int parent, int child);

/* -- ceilings.c -- */

CgroupLimits cgroup_ceilings_of(const CgroupTree *tree, uid_t owner, bool of_sandboxes);
/* Puts the ceilings on the directories of an owner, which exist, unless they have them already. */
bool cgroup_cap_owner(CgroupTree *tree, uid_t owner, GError **error);

/* -- tree.c -- */

/* Makes and opens the parent directory, also again. On failure removes what it made. */
bool cgroup_hierarchy_make_parent(CgroupHierarchy *hierarchy, GError **error);
/* Removes those of its levels that this process made, as far as they are empty. */
void cgroup_hierarchy_remove_parent(CgroupHierarchy *hierarchy);
