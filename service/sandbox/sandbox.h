#pragma once

/* A sandbox without a command: a process in namespaces and leaves of its own that has done whatever
 * no call has a say in, and waits for a plan. launch.c makes one and gives it a plan at once; the
 * Maker makes some in advance, for the Pool to keep. It holds no data of any caller, and ends with
 * the service. */

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

/* The plan and all that it points to: strings up to ARGV_BYTES_MAX, candidates along PATH. Only
 * what is written to takes memory. */
#define SANDBOX_PLAN_SIZE (3u * 512 * 1024)

typedef struct Sandbox {
        pid_t pid;
        int pidfd;
        int sync_fd;
        int mount_namespace;  /* held open, its end is not waited for by the container's exit */
        SandboxPlan *plan;    /* the beginning of SANDBOX_PLAN_SIZE bytes that both halves share */
        uintptr_t their_plan; /* the same, where the process has it */
        int plan_fd;          /* that memory, for others than us; -1: only we have it */
} Sandbox;

#define SANDBOX_NAMESPACES                                                                         \
        (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)

/* What has to be known early of the container to come. */
typedef struct SandboxInput {
        const Profile *profile; /* borrowed, as all of these */
        const IdMap *map;
        Cgroup *cgroup;
        uint64_t
                namespaces; /* those of its own, of SANDBOX_NAMESPACES; the others are the host's */
        /* Of these, what a second user namespace owns, which holds a command with CAP_SYS_ADMIN off
         * the mounts; 0: there is none. */
        uint64_t inner_namespaces;
        /* Not NULL: for a call that is still to come, made as a child of our parent, who shares
         * this memory: the pid is there before the process runs. */
        pid_t *announce;
} SandboxInput;

/* What covers parts of /proc and /sys is for the plan to mount, not made early. */
bool sandbox_masks_late(const Profile *profile, uint64_t namespaces);

/* On failure nothing is left: no process, no mount, no fd. */
bool sandbox_new(const SandboxInput *input, Sandbox **ret, GError **error);
/* In the parent: takes on what was made for it (all fds consumed, in any case). Of `made` it needs
 * the fds, the pid and `their_plan`. */
bool sandbox_adopt(const Sandbox *made, Sandbox **ret, GError **error);
/* Ends the process, if it is still the sandbox's. */
void sandbox_free(Sandbox *sandbox);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sandbox, sandbox_free)

/* It waits, or will soon: it has not ended and not failed. */
bool sandbox_is_sound(const Sandbox *sandbox);

/* The plan is written: sets the sandbox up with these fds (the root, then one for each target). */
bool sandbox_go(Sandbox *sandbox, const int *fds, size_t n, GError **error);

/* What there is of a container before its command: a leaf, ids, and, if it was made in advance, the
 * process. */
typedef struct Prepared {
        uint64_t serial;
        IdMap *map;
        Cgroup *cgroup;
        Sandbox *sandbox; /* NULL: still to be made */
} Prepared;
void prepared_clear(Prepared *prepared); /* ends it; nothing of it is left */
