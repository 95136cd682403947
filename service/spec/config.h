#pragma once

/* /etc/naive-runc.conf: a key file with one group, [Service]. A missing file means the defaults; an
 * unknown key or a value out of range is an error that names it, for a limit must not vanish by a
 * typo. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Config {
        uint32_t idle_timeout_sec;        /* IdleTimeoutSec: 0 never */
        uint32_t containers_max;          /* ContainersMax: live ones in total */
        uint32_t containers_per_user_max; /* ContainersPerUserMax: live ones of one user; root is
                                             exempt */
        uint32_t stopped_per_user_max;    /* StoppedPerUserMax: ended ones kept for reading */
        uint64_t tasks_max;               /* TasksMax: default of a container */
        uint32_t prepared_sandboxes;      /* PreparedSandboxes: kept ready at most; 0 none */
        uint64_t user_memory_max; /* UserMemoryMax: all containers of one user; UINT64_MAX none */
        uint64_t user_tasks_max;  /* UserTasksMax; root is exempt from both */
        uint64_t sandbox_memory_max; /* SandboxMemoryMax: those of one user that need no password */
        uint64_t sandbox_tasks_max;  /* SandboxTasksMax */
        uint32_t id_range_start;     /* IdRangeStart, IdRangeCount: host ids for the containers */
        uint32_t id_range_count;
        uint32_t sandbox_needs_process_fd; /* SandboxNeedsProcessFD: 1 yes */
} Config;

void config_init(Config *config); /* the defaults */
bool config_load(Config *config, const char *path, GError **error);
