#pragma once

/* The engine: makes the container that an OciSpec describes, as this process's own child, starts it
 * later through a socket in its state directory, and makes processes that join it. Knows no JSON,
 * no verbs and no cgroup but by descriptors. Called by the verbs. */

#include <linux/filter.h>
#include <sys/types.h>

#include "cli/oci/spec/spec.h"

/* A hierarchy of cgroups, as a mount of the type "cgroup" shows it. */
typedef struct EngineHierarchy {
        const char *name;      /* of its directory: "cpu,cpuacct"; "": the only one, of v2 */
        const char *directory; /* the container's cgroup, as a path of the host */
} EngineHierarchy;

/* What a container and a process that joins one have in common. Borrowed, all of it. */
typedef struct EngineInput {
        const OciSpec *spec; /* for exec only `seccomp` and its like count: see `filter` */
        const OciProcess *process;
        int state_directory;
        const char *bundle;                 /* absolute */
        const char *console_socket;         /* NULL: the master is handed out */
        unsigned listen_fds, preserved_fds; /* from 3 on, in this order */
        bool no_pivot, no_new_keyring;
        int birth_cgroup;          /* of v2; -1: none */
        const int *cgroup_entries; /* files that a process enters by writing "0"; -1 ends them */
        const EngineHierarchy *hierarchies;
        size_t n_hierarchies;
        const struct sock_fprog *filter; /* NULL: none */
        unsigned filter_flags;           /* SECCOMP_FILTER_FLAG_… */
        /* What hooks read: one line of JSON. Owned by the caller of this. */
        char *(*state)(void *user_data, const char *status, pid_t pid);
        void *user_data;
        pid_t init; /* of exec: the container's first process, */
        int init_pidfd;
        int init_cgroup; /* and where it is if that is below `birth_cgroup`; -1: it is not */
} EngineInput;

typedef struct EngineChild {
        pid_t pid;
        int pidfd;
        int sync_fd;
        int master; /* of its terminal, if there is no console socket; else -1 */
        bool is_kept;
} EngineChild;

/* Set up, and waiting; on failure nothing is left. */
bool engine_create(const EngineInput *input, EngineChild *ret, GError **error);
bool engine_exec(const EngineInput *input, EngineChild *ret, GError **error);
/* The child is written down: it stays from now on whatever becomes of this process. A process of
 * engine_exec() executes its command; false: it could not. */
bool engine_keep(EngineChild *child, const OciProcess *process, GError **error);
void engine_child_clear(EngineChild *child); /* ends it, unless it was kept */
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(EngineChild, engine_child_clear)

/* Executes the command of a container that waits. */
bool engine_start(int state_directory, const OciProcess *process, GError **error);

/* Runs these hooks one after another on the host; the first that fails ends it. */
bool engine_run_hooks(const OciHooks *hooks, const char *kind, const char *state, GError **error);
