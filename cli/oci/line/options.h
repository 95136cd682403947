#pragma once

/* The one table of flags: which there are, which commands take them, where they go. line.c reads
 * it, --help prints it, and a test holds the manual against it. What is said here but has no row in
 * the OCI's command line is as runc and crun have it. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum OciVerb {
        OCI_VERB_CREATE = 1 << 0,
        OCI_VERB_START = 1 << 1,
        OCI_VERB_RUN = 1 << 2,
        OCI_VERB_STATE = 1 << 3,
        OCI_VERB_KILL = 1 << 4,
        OCI_VERB_DELETE = 1 << 5,
        OCI_VERB_EXEC = 1 << 6,
        OCI_VERB_PAUSE = 1 << 7,
        OCI_VERB_RESUME = 1 << 8,
        OCI_VERB_PS = 1 << 9,
        OCI_VERB_LIST = 1 << 10,
        OCI_VERB_UPDATE = 1 << 11,
        OCI_VERB_EVENTS = 1 << 12,
        OCI_VERB_FEATURES = 1 << 13,
        OCI_VERB_SPEC = 1 << 14,
        OCI_VERB_GLOBAL = 1 << 15, /* stands before the command */
} OciVerb;

#define CREATING (OCI_VERB_CREATE | OCI_VERB_RUN)
#define STARTING (CREATING | OCI_VERB_EXEC)

/* X(letter, name, kind, member, verbs): BOOL is a bool, TEXT a const char *, WORDS a GPtrArray of
 * them, IGNORED is taken and means nothing here. */
#define OCI_FLAGS(X)                                                                               \
        X(0, "root", TEXT, root, OCI_VERB_GLOBAL)                                                  \
        X(0, "log", TEXT, log, OCI_VERB_GLOBAL)                                                    \
        X(0, "log-format", TEXT, log_format, OCI_VERB_GLOBAL)                                      \
        X(0, "log-level", TEXT, log_level, OCI_VERB_GLOBAL)                                        \
        X(0, "debug", BOOL, debug, OCI_VERB_GLOBAL)                                                \
        X(0, "systemd-cgroup", BOOL, systemd_cgroup, OCI_VERB_GLOBAL)                              \
        X(0, "cgroup-manager", TEXT, cgroup_manager, OCI_VERB_GLOBAL)                              \
        X(0, "rootless", TEXT, rootless, OCI_VERB_GLOBAL)                                          \
        X('v', "version", BOOL, version, OCI_VERB_GLOBAL)                                          \
        X('h', "help", BOOL, help, OCI_VERB_GLOBAL)                                                \
        X('b', "bundle", TEXT, bundle, CREATING | OCI_VERB_SPEC)                                   \
        X('f', "config", TEXT, config, CREATING)                                                   \
        X(0, "pid-file", TEXT, pid_file, STARTING)                                                 \
        X(0, "console-socket", TEXT, console_socket, STARTING)                                     \
        X(0, "pidfd-socket", TEXT, pidfd_socket, STARTING)                                         \
        X(0, "preserve-fds", TEXT, preserve_fds, STARTING)                                         \
        X(0, "no-pivot", BOOL, no_pivot, CREATING)                                                 \
        X(0, "no-new-keyring", BOOL, no_new_keyring, CREATING)                                     \
        X('d', "detach", BOOL, detach, OCI_VERB_RUN | OCI_VERB_EXEC)                               \
        X(0, "keep", BOOL, keep, OCI_VERB_RUN)                                                     \
        X(0, "no-subreaper", BOOL, no_subreaper, OCI_VERB_RUN)                                     \
        X('a', "all", BOOL, all, OCI_VERB_KILL)                                                    \
        X('f', "force", BOOL, force, OCI_VERB_DELETE)                                              \
        X('p', "process", TEXT, process, OCI_VERB_EXEC)                                            \
        X('t', "tty", BOOL, tty, OCI_VERB_EXEC)                                                    \
        X(0, "cwd", TEXT, cwd, OCI_VERB_EXEC)                                                      \
        X('e', "env", WORDS, env, OCI_VERB_EXEC)                                                   \
        X('u', "user", TEXT, user, OCI_VERB_EXEC)                                                  \
        X('g', "additional-gids", WORDS, groups, OCI_VERB_EXEC)                                    \
        X('c', "cap", WORDS, capabilities, OCI_VERB_EXEC)                                          \
        X(0, "no-new-privs", BOOL, no_new_privileges, OCI_VERB_EXEC)                               \
        X(0, "ignore-paused", BOOL, ignore_paused, OCI_VERB_EXEC)                                  \
        X('f', "format", TEXT, format, OCI_VERB_PS | OCI_VERB_LIST)                                \
        X('q', "quiet", BOOL, quiet, OCI_VERB_LIST)                                                \
        X('r', "resources", TEXT, resources, OCI_VERB_UPDATE)                                      \
        X(0, "memory", TEXT, memory, OCI_VERB_UPDATE)                                              \
        X(0, "memory-reservation", TEXT, memory_reservation, OCI_VERB_UPDATE)                      \
        X(0, "memory-swap", TEXT, memory_swap, OCI_VERB_UPDATE)                                    \
        X(0, "cpu-period", TEXT, cpu_period, OCI_VERB_UPDATE)                                      \
        X(0, "cpu-quota", TEXT, cpu_quota, OCI_VERB_UPDATE)                                        \
        X(0, "cpu-burst", TEXT, cpu_burst, OCI_VERB_UPDATE)                                        \
        X(0, "cpu-share", TEXT, cpu_share, OCI_VERB_UPDATE)                                        \
        X(0, "cpu-idle", TEXT, cpu_idle, OCI_VERB_UPDATE)                                          \
        X(0, "cpuset-cpus", TEXT, cpuset_cpus, OCI_VERB_UPDATE)                                    \
        X(0, "cpuset-mems", TEXT, cpuset_mems, OCI_VERB_UPDATE)                                    \
        X(0, "blkio-weight", TEXT, blkio_weight, OCI_VERB_UPDATE)                                  \
        X(0, "pids-limit", TEXT, pids_limit, OCI_VERB_UPDATE)                                      \
        X(0, "cpu-rt-period", TEXT, cpu_rt_period, OCI_VERB_UPDATE)                                \
        X(0, "cpu-rt-runtime", TEXT, cpu_rt_runtime, OCI_VERB_UPDATE)                              \
        X(0, "stats", BOOL, stats, OCI_VERB_EVENTS)                                                \
        X(0, "interval", TEXT, interval, OCI_VERB_EVENTS)

typedef struct OciOptions {
#define BOOL(member)                              bool member;
#define TEXT(member)                              const char *member;
#define WORDS(member)                             GPtrArray *member;
#define MEMBER(letter, name, kind, member, verbs) kind(member)
        OCI_FLAGS(MEMBER)
#undef MEMBER
#undef BOOL
#undef TEXT
#undef WORDS
} OciOptions;
