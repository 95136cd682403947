#pragma once

/* A cgroup at a path that somebody else chose, in every hierarchy that is mounted, whatever it
 * limits: who drives an OCI runtime looks for its container in all of them. Limits nothing, and
 * knows no container; which files of it say what, who limits knows, and gets directories from here.
 * Waits where the kernel has to be waited for: not for a service's loop. Called by the OCI command
 * line and its engine. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct PathCgroup PathCgroup;

/* Makes the directory, and what is missing above it. `path`: as linux.cgroupsPath of config.json:
 * an absolute one is below each mount point; a relative one, or `id` if `path` is NULL, below
 * "naive-oci" in our own cgroup. Refused: one in which there are processes, or which is frozen. On
 * failure nothing is left that was not there before. */
bool path_cgroup_make(const char *path, const char *id, PathCgroup **ret, GError **error);

/* Its directories, absolute paths, one in each hierarchy: what a state file keeps. Owned. */
char **path_cgroup_directories(const PathCgroup *cgroup);
/* Opens those of `directories` that are still there, and are directories of cgroups; that none is,
 * is no error. */
bool path_cgroup_open(const char *const *directories, PathCgroup **ret, GError **error);
void path_cgroup_free(PathCgroup *cgroup); /* closes; removes nothing */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PathCgroup, path_cgroup_free)

/* For clone3's CLONE_INTO_CGROUP; -1: no v2 is mounted. Borrowed. */
int path_cgroup_birth_fd(const PathCgroup *cgroup);
/* The v2 cgroup below it in which that process is; -1: it is in none. Owned by the caller. */
int path_cgroup_open_of(const PathCgroup *cgroup, pid_t pid);
/* The files of the v1 hierarchies that a process writes "0" into to enter, opened; -1 ends the
 * list. Owned by the caller. Only one thread of that process may exist then. */
#define PATH_CGROUPS_MAX 16u
bool path_cgroup_open_entries(const PathCgroup *cgroup, int fds[PATH_CGROUPS_MAX + 1],
                              GError **error);
/* Its path as /proc/PID/cgroup shows it of a process in it, in the v2 hierarchy, or else in the
 * first of v1; "" if there is none. */
const char *path_cgroup_name(const PathCgroup *cgroup);

/* The directory in which a controller's files are, by the controller's name in v1 ("blkio",
 * "devices", "net_cls") or in v2 ("io"); -1: none. `is_unified` may be NULL. Borrowed. */
int path_cgroup_of(const PathCgroup *cgroup, const char *controller, bool *ret_is_unified);
/* The v2 directory also where v1 has the controllers (for "unified" and BPF); -1: none. Borrowed.
 */
int path_cgroup_unified(const PathCgroup *cgroup);

/* SIGKILL to all in it and below, also to what stands still. They are dying when this returns. */
bool path_cgroup_kill(PathCgroup *cgroup, GError **error);
/* Any other signal to all in it and below. */
void path_cgroup_signal(PathCgroup *cgroup, int signal);
bool path_cgroup_is_populated(const PathCgroup *cgroup);
/* Adds the pids (pid_t), of sub-cgroups, too. */
void path_cgroup_list(const PathCgroup *cgroup, size_t max, GArray *pids);

/* Returns when all processes stand still, or go on; what does not in time is put back. */
bool path_cgroup_set_frozen(PathCgroup *cgroup, bool frozen, GError **error);
bool path_cgroup_is_frozen(const PathCgroup *cgroup); /* told to be, by whomever */

/* Removes it with its sub-cgroups. Fails while processes are still going away. */
bool path_cgroup_remove(PathCgroup *cgroup, GError **error);
