#pragma once

/* The steps of a sandbox's set-up, and how the child tells which one failed. */

#include <errno.h>
#include <stdint.h>

/* Each step that can fail, with the words for "cannot …" used in the error. */
#define SANDBOX_STAGES(X)                                                                          \
        X(STAGE_CGROUP, "enter the container's cgroups")                                           \
        X(STAGE_CLOSE_FDS, "close inherited file descriptors")                                     \
        X(STAGE_SIGNALS, "reset signals")                                                          \
        X(STAGE_IDS, "become the container's root user")                                           \
        X(STAGE_SESSION, "start a new session")                                                    \
        X(STAGE_CGROUP_NAMESPACE, "enter a cgroup namespace")                                      \
        X(STAGE_JOIN, "join the container's namespaces")                                           \
        X(STAGE_PROPAGATION, "cut mount propagation")                                              \
        X(STAGE_INNER, "enter a second user namespace, which locks the mounts")                    \
        X(STAGE_NEW_MOUNT, "make a file system that every container has")                          \
        X(STAGE_ATTACH_ROOT, "attach the root file system")                                        \
        X(STAGE_PIVOT_ROOT, "change into the root file system")                                    \
        X(STAGE_DETACH_OLD_ROOT, "detach the host's root")                                         \
        X(STAGE_MOUNT_OWN, "mount what every container has")                                       \
        X(STAGE_MASK, "mask a path of /proc or /sys")                                              \
        X(STAGE_MOUNT, "mount what was asked for")                                                 \
        X(STAGE_SEAL, "make read-only what was to be")                                             \
        X(STAGE_HOSTNAME, "set the host name")                                                     \
        X(STAGE_SYSCTL, "set a kernel setting of the container's own")                             \
        X(STAGE_LOOPBACK, "bring the loopback interface up")                                       \
        X(STAGE_PING, "let everybody in the container ping")                                       \
        X(STAGE_TERMINAL, "open a terminal")                                                       \
        X(STAGE_STDIO, "place the file descriptors")                                               \
        X(STAGE_LIMITS, "reset process attributes")                                                \
        X(STAGE_KEYRING, "join a new session keyring")                                             \
        X(STAGE_CAPABILITIES, "drop capabilities")                                                 \
        X(STAGE_WORKING_DIRECTORY, "change into the working directory")                            \
        X(STAGE_NO_NEW_PRIVS, "set no_new_privs")                                                  \
        X(STAGE_SECCOMP, "load the seccomp filter")                                                \
        X(STAGE_INIT, "start the command as a process beside PID 1")                               \
        X(STAGE_FILTERS, "load a program of SeccompFilters")                                       \
        X(STAGE_CREATE_HOOK, "run a createContainer hook")                                         \
        X(STAGE_START_HOOK, "run a startContainer hook")                                           \
        X(STAGE_USER, "become the process's user")                                                 \
        X(STAGE_EXEC, "execute the command")

typedef enum SandboxStage {
#define X(stage, words) stage,
        SANDBOX_STAGES(X)
#undef X
                _STAGE_MAX,
} SandboxStage;

/* One record from the child, one message on the sync socket. error 0 at STAGE_EXEC: "ready, about
 * to exec" (with the terminal's master, if there is one). The end of the stream after that means
 * that exec happened, or that the child was killed at that moment; the end without any record, that
 * the child was killed. error 0 at STAGE_SECCOMP: the listener of the filter comes with it. */
typedef struct SandboxReport {
        uint32_t stage;
        int32_t error;
        uint32_t number; /* of what is mounted, at the stages that mount */
} SandboxReport;

/* The errno for a path that leads through one of /proc's links to what a process holds. */
#define SANDBOX_EMAGIC EXDEV
