#pragma once

/* The contract between the two halves of a launch: the parent (sandbox.c, compile.c) fills it in,
 * the child (child.c) walks it and computes nothing that the parent could. It is a language of its
 * own: whatever describes a container is compiled into it. */

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/sandbox/child/mount.h"
#include "service/sandbox/child/stage.h"
#include "service/spec/attributes.h"

/* The process's name until exec. It tells whether a process that was killed for memory had executed
 * its command by then. */
#define SANDBOX_COMM "(naive-runc)"
/* PID 1's with Init, from exec on; and what ps shows of it. */
#define SANDBOX_INIT_COMM "naive-init"

/* What the parent says, one byte each. */
#define SANDBOX_MAPPED 'm' /* ids are mapped, or who has joined is known: go on */
#define SANDBOX_GO     'g' /* the plan is written, the fds come beside this byte: set up */
#define SANDBOX_EXEC   'x' /* execute the command; only if the plan waits for it */

/* Every fd of the child's own has at least this number, and every target a smaller one: no fd
 * overwrites another. */
#define SANDBOX_FD_BASE     256
#define SANDBOX_FDS_MAX     288u /* that come with SANDBOX_GO */
#define SANDBOX_MESSAGE_FDS 253u /* of them, as many as the kernel passes with one message */

/* The memory from which /proc/PID/cmdline is read. */
typedef struct TitleMemory {
        char *start;
        size_t size;
} TitleMemory;

/* The early part, complete before clone3. The child has a copy of the stack, and need not have a
 * copy of the heap (memory.h): everything that this points to lies on the stack, or is constant. */
typedef struct SandboxBase {
        int sync_fd; /* the child's end of a SOCK_SEQPACKET pair */
        const EarlyMount *early;
        size_t n_early;
        int dev, pts;           /* index of the /dev that the service made, and of the devpts */
        const MountStep *steps; /* on early mounts, while they are detached */
        size_t n_steps;
        uint64_t inner_namespaces; /* made with a second user namespace; 0: there is none */
        const char *inner_uids, *inner_gids; /* its id maps: all ids of the first one */
        const int *keep_fds;                 /* sorted; every other fd is closed at once */
        size_t n_keep_fds;
        const int *cgroup_fds;   /* "0" written to each enters the v1 leaves; -1 ends the list */
        bool set_groups;         /* the id map allows setgroups() */
        uint32_t uid, gid;       /* who sets it up: what the id map has for its owner */
        bool raises_loopback;    /* the network namespace is its own */
        int proc;                /* index of the proc through which it is set up */
        bool sets_sysctls;       /* late, through the same */
        const char *ping_groups; /* who in it may ping, first and last; NULL: it is not its own */
        bool leaves_host; /* the host's tree, early: it may be long until the plan is there */
        TitleMemory title;
        /* For a process that joins a container in place of being its first: the pidfd of that one,
         * the namespaces to join, and where the kernel writes the pid of the process that goes on
         * inside, in memory that both halves share. */
        int join;
        uint64_t join_namespaces;
        int32_t *joined;
        const struct SandboxPlan *plan;
} SandboxBase;

typedef struct SandboxLimit {
        int resource; /* RLIMIT_… */
        uint64_t soft, hard;
} SandboxLimit;

typedef struct SandboxSysctl {
        const char *path; /* below /proc/sys */
        const char *value;
        size_t length;
} SandboxSysctl;

/* The late part: what the call wants. It lies in memory that both halves share. It points into that
 * memory, by the child's addresses (the child may have been cloned long before), or to what is
 * constant. Its fds come with GO: the root unless it is new (a detached mount, attributes and id
 * map applied), the trees to be mounted, one fd for each target, the sources of files. */
typedef struct SandboxPlan {
        bool has_new_root, root_is_ours, root_is_sealed; /* targets are made in what is ours; */
        NewMount root;          /* sealed means read-only, once all steps are done */
        bool masks_without_dev; /* steps cover files, and /dev comes later, or never */
        const MountStep *steps; /* walked once the container's root is "/" */
        size_t n_steps;
        size_t first_target; /* index of the first target's fd */
        const int *targets;
        size_t n_targets, n_sources;
        uint64_t envelopes; /* bits, from the first target's: fds inside envelopes (envelope.h) */
        bool waits;         /* for SANDBOX_EXEC, before it executes the command */
        const char *hostname;
        size_t hostname_length;
        const char *domainname; /* NULL: as the kernel has it */
        size_t domainname_length;
        const SandboxSysctl *sysctls; /* only where the base says so */
        size_t n_sysctls;
        const char *working_directory;
        ProcessAttributes attributes;
        const SandboxLimit *limits;
        size_t n_limits;
        uint64_t capabilities;     /* what stays in the bounding, permitted and effective sets */
        int last_capability;       /* the kernel's highest */
        struct sock_fprog seccomp; /* without `filter`: none */
        bool seccomp_asks;         /* it asks the service, which gets the listener */
        const struct sock_fprog *filters; /* the caller's */
        size_t n_filters;
        bool no_new_privileges;
        char **argv;
        char **environment;
        int home_index;    /* environment[home_index] is "HOME=/root"; -1: HOME was given */
        char **exec_paths; /* argv[0], or its candidates along PATH; NULL-terminated */
        int32_t joined;    /* see SandboxBase; 0: not yet */
        const uint32_t *kept_groups; /* of the host's, by a process that joins */
        size_t n_kept_groups;
} SandboxPlan;
