#pragma once

/* What is known of one container, as plain data: what anybody who may see it may know, and what a
 * record keeps for the next service. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/cgroup/stats.h"
#include "service/spec/limit-hit.h"
#include "service/spec/rights.h"

typedef enum ContainerState {
        CONTAINER_CREATING, /* not to be seen yet */
        CONTAINER_CREATED,  /* waits just before exec */
        CONTAINER_RUNNING,
        CONTAINER_PAUSED,
        CONTAINER_STOPPED,
        _CONTAINER_STATE_MAX,
} ContainerState;
const char *container_state_to_string(ContainerState state);
bool container_state_is_running(ContainerState state); /* or paused: executed, and not at its end */

typedef enum ContainerResult {
        RESULT_NONE, /* has not ended: "" */
        RESULT_SUCCESS,
        RESULT_EXIT_CODE,
        RESULT_SIGNAL,
        RESULT_CORE_DUMP,
        RESULT_OOM_KILL,
        RESULT_TIMEOUT, /* killed by the service: its time was over, or Stop's grace time */
        RESULT_SETUP_FAILED,
        RESULT_UNKNOWN,
        _RESULT_MAX,
} ContainerResult;
const char *container_result_to_string(ContainerResult result);
ContainerResult container_result_from_string(const char *word); /* RESULT_UNKNOWN for any other */

/* What anybody who may see the container may know. Times in microseconds of CLOCK_REALTIME, 0: not
 * yet. */
typedef struct ContainerInfo {
        uint64_t serial;
        char *id;
        uid_t owner;
        char *control_group;
        char *belongs_to; /* whose container it is: "podman"; NULL: the service's own */
        ContainerState state;
        pid_t pid; /* on the host; 0: none */
        uint64_t created_usec, started_usec, exited_usec;
        ContainerResult result;
        int code; /* exit status, or the number of the signal */
        LimitHit limit_hit;
        uint64_t oom_kills;
        uint64_t memory_max; /* bytes; UINT64_MAX: no limit */
        bool remove;         /* gone after its exit */
        char **deviations;   /* see order_deviations() */
        char **labels;       /* see labels.h; NULL: none */
        /* What the caller said, a{sv}, by the names of Spawn's arguments and options. NULL: not
         * known. This floor only keeps it. */
        GVariant *made_with;
        CgroupUsage usage; /* as it was at the end; before that see container_usage() */
        /* for the next service, should this one end before the container does */
        /* The caller whose leaving ends the container, as the bus layer wrote it; NULL: none. */
        char *watcher;
        /* When its time is over, by CLOCK_MONOTONIC; 0: never. */
        uint64_t deadline_usec;
        uint64_t cpu_time_max; /* microseconds; 0: no limit */
        /* Of the process, in clock ticks: tells it from a later process with its number. */
        uint64_t start_time;
        uint64_t pipe;    /* inode of the output's pipe; 0: none */
        uint32_t id_base; /* first host id of its range; 0: it has none */
        bool terminal;
        bool is_sandbox;  /* see Order */
        bool has_session; /* of a sandbox: its owner was seen with a session since it began */
        bool has_rights;  /* false: begun by a service that did not record its rights */
        Rights rights;    /* of its first process; a process that joins gets no more */
        Filters filters;  /* likewise */
} ContainerInfo;
void container_info_clear(ContainerInfo *info);
/* Are the ids of its range mapped? Where a container has its owner's, they are not. */
bool container_info_maps_range(const ContainerInfo *info);
