#pragma once

/* What the parts of the reference program share. reference.c tells what it does; it is split into
 * what is made once (reference-prepare.c), the two halves of a run (reference-parent.c,
 * reference-child.c), several at a time (reference-flight.c) and the modes (reference.c). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/sandbox/seccomp.h"
#include "tests/bench/rounds.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* -- marks: when each step was done -- */

#define PARENT_STEPS(X)                                                                            \
        X(P_BEGIN, "begin")                                                                        \
        X(P_OPEN, "open the root tree")                                                            \
        X(P_CLONE_ROOT, "clone its mount")                                                         \
        X(P_CLONE_DEV, "clone /dev, read-only")                                                    \
        X(P_LEAF_V2, "make the v2 leaf")                                                           \
        X(P_LEAF_MEMORY, "make the memory leaf")                                                   \
        X(P_LEAF_PIDS, "make the pids leaf")                                                       \
        X(P_LEAF_CPU, "make the cpu leaf")                                                         \
        X(P_LIMITS, "set the limits")                                                              \
        X(P_OOM, "watch for OOM")                                                                  \
        X(P_ENTRIES, "open the tasks files")                                                       \
        X(P_PIPES, "output pipe, sync socket")                                                     \
        X(P_CLONE, "clone3")                                                                       \
        X(P_MAPS, "map the ids")                                                                   \
        X(P_PROTECT, "id-map and protect the root tree")                                           \
        X(P_GO, "say go, hold the mounts, close")                                                  \
        X(P_EXIT, "await the exit")                                                                \
        X(P_RMDIR_V2, "remove the v2 leaf")                                                        \
        X(P_RMDIR_MEMORY, "remove the memory leaf")                                                \
        X(P_RMDIR_PIDS, "remove the pids leaf")                                                    \
        X(P_RMDIR_CPU, "remove the cpu leaf")                                                      \
        X(P_CLOSE, "close all, unmount")
#define CHILD_STEPS(X)                                                                             \
        X(C_BORN, "born (from clone3's begin)")                                                    \
        X(C_ENTER, "enter the v1 leaves")                                                          \
        X(C_CGROUPNS, "session, cgroup namespace")                                                 \
        X(C_SLAVE, "cut propagation")                                                              \
        X(C_HOSTNAME, "host name")                                                                 \
        X(C_LOOPBACK, "loopback up")                                                               \
        X(C_SETTLE, "attributes, bounding set, stdio")                                             \
        X(C_WAIT, "wait for go")                                                                   \
        X(C_IDS, "ids, keyring")                                                                   \
        X(C_PROC, "new proc")                                                                      \
        X(C_SYS, "new sysfs")                                                                      \
        X(C_PTS, "new devpts")                                                                     \
        X(C_SHM, "new tmpfs for shm")                                                              \
        X(C_TMP, "new tmpfs for tmp")                                                              \
        X(C_MQUEUE, "new mqueue")                                                                  \
        X(C_ATTACH_ROOT, "attach the root")                                                        \
        X(C_PIVOT, "pivot_root")                                                                   \
        X(C_DETACH, "detach the host's tree")                                                      \
        X(C_ATTACH, "attach the seven mounts")                                                     \
        X(C_MASK, "mask")                                                                          \
        X(C_CAPABILITIES, "capabilities, no_new_privs")                                            \
        X(C_SECCOMP, "seccomp")                                                                    \
        X(C_EXECUTE, "before execve")

enum {
#define X(name, words) name,
        PARENT_STEPS(X) CHILD_STEPS(X)
#undef X
                _STEPS
};
extern const char *const step_words[];

/* A page that the parent and its children share. */
typedef struct Shared {
        uint64_t at[_STEPS];
        int error_step, error; /* what the child could not do */
} Shared;
extern Shared *shared;

static inline void mark(int step)
{
        shared->at[step] = now_nsec();
}

/* -- what does not depend on the run -- */

enum { V2, MEMORY, PIDS, CPU, _HIERARCHIES };

typedef struct Mask {
        const char *path; /* below /proc or /sys */
        enum { EMPTY_FILE, EMPTY_DIRECTORY, READ_ONLY } kind;
        bool in_sys;
} Mask;

typedef struct Reference {
        const char *parent, *state_directory;
        ContainerOrders orders;
        int parents[_HIERARCHIES]; /* directories for the leaves; -1: no such hierarchy */
        bool controllers_in_v2;
        int dev_fd, null_fd;
        const Mask *masks;
        size_t n_masks;
        int last_capability;
        uint64_t files_soft, files_hard;
        SeccompProgram *filter;
        bool show;                    /* the command's output, on stdout */
        unsigned serial, serial_step; /* names of leaves: SERIAL, SERIAL + STEP, … */
} Reference;
extern Reference reference;

void write_text(int dir, const char *name, const char *text); /* or ends the program */

void prepare(void);
void unprepare(void);
Shared *shared_new(void);

/* -- a run -- */

typedef struct Run {
        const ContainerOrder *order;
        int tree, root, dev;
        int leaves[_HIERARCHIES], tasks[_HIERARCHIES];
        int oom_event, oom_control;
        int output[2], sync[2];
        int pidfd, proc, mounts;
        pid_t pid;
        char name[16];
} Run;

/* Makes one, parent and child, and cleans up after it. */
Sample run_once(const ContainerOrder *order);
_Noreturn void run_child(const Run *run);

/* Starts `n` processes that make runs side by side; flight_run() has them make `runs` together. */
void flight_start(size_t n);
Sample flight_run(size_t runs, size_t first, void *data);
void flight_stop(void);
