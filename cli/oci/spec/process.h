#pragma once

/* `process` of a config.json, or the whole of a process.json for exec. Plain data: who decodes it
 * has judged names and ranges, so that the engine takes each number as it stands. */

#include <sys/types.h>

#include "cli/oci/spec/values.h"

typedef struct OciRlimit {
        int resource;        /* RLIMIT_NOFILE … */
        uint64_t soft, hard; /* UINT64_MAX: infinity */
} OciRlimit;

/* Bits by number of the capability. Names that this kernel does not know are left out. */
typedef struct OciCapabilities {
        bool is_given; /* else none is had */
        uint64_t bounding, effective, inheritable, permitted, ambient;
} OciCapabilities;

typedef struct OciScheduler {
        bool is_given;
        int policy; /* SCHED_… */
        int64_t nice, priority;
        uint64_t flags; /* SCHED_FLAG_… */
        uint64_t runtime, deadline, period;
} OciScheduler;

typedef struct OciIOPriority {
        int class; /* IOPRIO_CLASS_…; 0: not said */
        int64_t priority;
} OciIOPriority;

typedef struct OciProcess {
        char **args; /* at least one */
        char **env;  /* NAME=VALUE, as they stand; never NULL */
        char *cwd;   /* absolute */
        bool terminal;
        uint16_t rows, columns; /* consoleSize; 0: not said */
        uint32_t uid, gid;
        OciUnsigned umask;
        uint32_t *groups; /* additionalGids */
        size_t n_groups;
        OciCapabilities capabilities;
        OciRlimit *rlimits; /* each resource once */
        size_t n_rlimits;
        bool no_new_privileges;
        OciSigned oom_score_adjust;
        OciScheduler scheduler;
        OciIOPriority io_priority;
        char *apparmor_profile; /* NULL: not said */
} OciProcess;

void oci_process_clear(OciProcess *process);
