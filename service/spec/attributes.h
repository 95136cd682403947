#pragma once

/* What a process is given as it is, number by number: the part of a ProcessSpec that goes into the
 * child's plan in one piece. The child includes this file, so it knows no GLib. */

#include <stdbool.h>
#include <stdint.h>

/* X(NAME): the resource limits that an order can set: RLIMIT_NAME, option LimitNAME, naivec's
 * --ulimit. */
#define PROCESS_LIMITS(X) X(NOFILE) X(FSIZE) X(CORE) X(STACK) X(NPROC) X(MEMLOCK)

enum {
#define X(NAME) PROCESS_LIMIT_##NAME,
        PROCESS_LIMITS(X)
#undef X
                N_PROCESS_LIMITS,
};

typedef struct ProcessLimit {
        bool is_given;
        uint64_t soft, hard;
} ProcessLimit;

#define GROUPS_MAX           32u  /* supplementary groups of a process */
#define OOM_SCORE_ADJUST_MAX 1000 /* the kernel's */

typedef struct ProcessAttributes {
        uint32_t umask;
        bool terminal; /* one of the container's own */
        bool init;     /* PID 1 is the service's, and the command its child */
        uint32_t uid, gid;
        uint32_t groups[GROUPS_MAX];
        uint32_t n_groups;
        uint64_t user_capabilities; /* ambient: all that a user other than root has */
        ProcessLimit limits[N_PROCESS_LIMITS];
        int oom_score_adjust;
        bool has_oom_score_adjust;
} ProcessAttributes;
