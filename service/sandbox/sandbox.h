#pragma once

/* A sandbox without a command: a process in namespaces and leaves of its own that has done whatever
 * does not depend on a call, and waits for a plan. launch.c makes one and gives it a plan at once;
 * the Maker makes some in advance, for the Pool to keep. It holds no data of any caller, and ends
 * with the service. */

#include <glib.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/cgroup/cgroup.h"
#include "service/rootfs/id-map.h"
#include "service/sandbox/child/plan.h"
#include "service/sandbox/profile.h"
#include "service/spec/tree-spec.h"

/* The plan and all that it points to: strings up to ARGV_BYTES_MAX, candidates along PATH, the
 * paths of MOUNTS_MAX mounts and the files among them. Only what is written to takes memory. */
#define SANDBOX_PLAN_SIZE (6u * 1024 * 1024)

typedef struct Sandbox {
        pid_t pid;
        int pidfd;
        int sync_fd;
        int mount_namespace;  /* held open, so that the exit does not wait for its end */
        SandboxPlan *plan;    /* the beginning of SANDBOX_PLAN_SIZE bytes that both halves share */
        uintptr_t their_plan; /* the address of the plan in the process */
        int plan_fd;          /* the memory as a memfd, to be handed on; -1: only we have it */
} Sandbox;

#define SANDBOX_NAMESPACES                                                                         \
        (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)

/* What the early part has to know of the container to come. */
typedef struct SandboxInput {
        const Profile *profile; /* borrowed, as all of these */
        const IdMap *map;
        Cgroup *cgroup;
        uid_t owner;
        const Credentials *keeps_groups_of; /* the command has this owner's groups; NULL: none */
        /* The namespaces of its own, of SANDBOX_NAMESPACES; all others are the host's. */
        uint64_t namespaces;
        /* Those of `namespaces` that a second user namespace owns, which keeps a command with
         * CAP_SYS_ADMIN from the mounts; 0: there is no second one. */
        uint64_t inner_namespaces;
        /* The network, if `namespaces` has none of its own; NULL, or not given: the host's. */
        const NetworkNamespace *network;
        bool sets_sysctls; /* the plan will have some */
        /* NULL: the sandbox is for a call that waits. Otherwise the maker makes it, for a call
         * still to come: the process becomes a child of the service, which shares the memory that
         * this points to, and the kernel writes the pid there before the process runs. */
        pid_t *announce;
} SandboxInput;

/* True: the plan has to mount what covers parts of /proc and /sys, since the early part cannot. */
bool sandbox_masks_late(const Profile *profile, uint64_t namespaces);

/* On failure nothing is left: no process, no mount, no fd. */
bool sandbox_new(const SandboxInput *input, Sandbox **ret, GError **error);
/* In the service: takes over a sandbox of the maker's. Of `made` it needs the fds, which are
 * consumed in any case, the pid and `their_plan`. */
bool sandbox_adopt(const Sandbox *made, Sandbox **ret, GError **error);
/* Ends the process, unless its pidfd was taken over. */
void sandbox_free(Sandbox *sandbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sandbox, sandbox_free)

/* Does it wait, or will soon? It has neither ended nor failed. */
bool sandbox_is_sound(const Sandbox *sandbox);

/* The plan is written: sets the sandbox up with these fds (the root, then one for each target). */
bool sandbox_go(Sandbox *sandbox, const int *fds, size_t n, GError **error);

/* -- for join.c -- */
Sandbox *sandbox_alloc(void); /* of which nothing is there yet */
/* `with_parent`: as a memfd, which the parent can map as well. */
bool sandbox_share_plan(Sandbox *sandbox, bool with_parent, GError **error);
bool sandbox_clone_error(int errnum, GError **error); /* the error for clone3(); returns false */

/* What there is of a container before its command: a leaf, ids, and, if it was made in advance, the
 * process. */
typedef struct Prepared {
        uint64_t serial;
        IdMap *map;
        Cgroup *cgroup;
        Sandbox *sandbox; /* NULL: still to be made */
} Prepared;
void prepared_clear(Prepared *prepared); /* ends it; nothing of it is left */
