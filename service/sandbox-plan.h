#pragma once

/* The contract between the two halves of a launch: the parent (launch.c) fills a SandboxPlan
 * completely before clone3, the child (sandbox-child.c) walks it and makes system calls. Whatever
 * the child would have to compute, the parent computes. Plain data, kernel types only. */

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/sandbox-mount.h"

/* Each step that can fail, with the words for "cannot …" used in the error. */
#define SANDBOX_STAGES(X)                                                                          \
        X(STAGE_CGROUP, "enter the container's cgroups")                                           \
        X(STAGE_CLOSE_FDS, "close inherited file descriptors")                                     \
        X(STAGE_SIGNALS, "reset signals")                                                          \
        X(STAGE_IDS, "become the container's root user")                                           \
        X(STAGE_SESSION, "start a new session")                                                    \
        X(STAGE_CGROUP_NAMESPACE, "enter a cgroup namespace")                                      \
        X(STAGE_PROPAGATION, "cut mount propagation")                                              \
        X(STAGE_INNER, "enter a second user namespace, that locks the mounts")                     \
        X(STAGE_NEW_PROC, "make a new proc file system")                                           \
        X(STAGE_NEW_SYS, "make a new sysfs")                                                       \
        X(STAGE_NEW_PTS, "make a new devpts")                                                      \
        X(STAGE_NEW_TMP, "make a new tmpfs")                                                       \
        X(STAGE_NEW_MQUEUE, "make a new mqueue")                                                   \
        X(STAGE_ATTACH_ROOT, "attach the root file system")                                        \
        X(STAGE_PIVOT_ROOT, "change into the root file system")                                    \
        X(STAGE_DETACH_OLD_ROOT, "detach the host's root")                                         \
        X(STAGE_MOUNT_PROC, "mount on directory 'proc'")                                           \
        X(STAGE_MOUNT_SYS, "mount on directory 'sys'")                                             \
        X(STAGE_MOUNT_DEV, "mount on directory 'dev'")                                             \
        X(STAGE_MOUNT_TMP, "mount on directory 'tmp'")                                             \
        X(STAGE_MOUNT_DEV_ENTRY, "mount inside /dev")                                              \
        X(STAGE_MASK, "mask a path of /proc or /sys")                                              \
        X(STAGE_MOUNT, "mount what was asked for")                                                 \
        X(STAGE_HOSTNAME, "set the host name")                                                     \
        X(STAGE_LOOPBACK, "bring the loopback interface up")                                       \
        X(STAGE_TERMINAL, "open a terminal")                                                       \
        X(STAGE_STDIO, "place the file descriptors")                                               \
        X(STAGE_LIMITS, "reset process attributes")                                                \
        X(STAGE_KEYRING, "join a new session keyring")                                             \
        X(STAGE_CAPABILITIES, "drop capabilities")                                                 \
        X(STAGE_WORKING_DIRECTORY, "change into the working directory")                            \
        X(STAGE_NO_NEW_PRIVS, "set no_new_privs")                                                  \
        X(STAGE_SECCOMP, "load the seccomp filter")                                                \
        X(STAGE_EXEC, "execute the command")

typedef enum SandboxStage {
#define X(stage, words) stage,
        SANDBOX_STAGES(X)
#undef X
                _STAGE_MAX,
} SandboxStage;

/* One record from the child, one message on the sync socket. error 0 at STAGE_EXEC: "ready, about
 * to exec" (with the terminal's master attached, if there is one). The end of the stream after that
 * means that exec happened; the end without any record, that the child was killed. */
typedef struct SandboxReport {
        uint32_t stage;
        int32_t error;
        uint32_t index; /* of the mount, at STAGE_MOUNT */
} SandboxReport;

/* The process's name until exec: was one that was killed for memory killed before or after that? */
#define SANDBOX_COMM "(naive-runc)"

/* What the parent says on the sync socket, one byte each. */
#define SANDBOX_GO   'g' /* ids are mapped, limits are in place: set the sandbox up */
#define SANDBOX_EXEC 'x' /* execute the command; only if the plan waits for it */

/* No fd of the plan is below, and every target is: placing one never hits another. */
#define SANDBOX_FD_BASE 256

typedef struct SandboxFd {
        int source;
        int target;
} SandboxFd;

typedef struct SandboxPlan {
        int sync_fd; /* the child's end of a SOCK_SEQPACKET pair */
        int root_fd; /* detached mount of the root tree, attributes and id map applied before GO */
        int dev_fd;  /* detached, read-only mount of the service's /dev */
        int sys_fd;  /* detached, read-only sysfs; -1: one of our own network is to be made */
        uint64_t inner_namespaces; /* made with a second user namespace; 0: there is none */
        const char *inner_map;     /* its ids, all those of the first */

        const int *cgroup_fds; /* "0" written to each enters the v1 leaves; -1 ends the list */
        const int *keep_fds;   /* sorted; every other fd from 3 on is closed at once */
        size_t n_keep_fds;
        const SandboxFd *fds;
        size_t n_fds;

        bool waits;       /* for SANDBOX_EXEC, before it executes the command */
        bool set_groups;  /* the id map allows setgroups() */
        bool has_tty_gid; /* gid 5 is mapped: devpts can give terminals to it */
        bool terminal;
        const char *hostname;
        size_t hostname_length;
        const char *working_directory;

        const SandboxMask *masks;
        size_t n_masks;
        const SandboxMount *mounts;
        size_t n_mounts;

        uint64_t files_soft, files_hard; /* RLIMIT_NOFILE, as the service found it */
        uint64_t capabilities; /* what stays in the bounding, permitted and effective sets */
        int last_capability;   /* the kernel's highest */
        const struct sock_fprog *seccomp; /* NULL: no filter */
        bool no_new_privileges;

        char *const *argv;
        char **environment;
        int home_index; /* environment[home_index] is "HOME=/root"; -1: HOME was given */
        const char *const *exec_paths; /* argv[0], or its candidates along PATH; NULL-terminated */
} SandboxPlan;
