#pragma once

/* What is to run: the command, its environment and its rights, as the caller said. The part of an
 * Order that concerns one process. Plain data; valid or not, it can always be cleared. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/spec/attributes.h"
#include "service/spec/filters.h"

typedef struct ProcessSpec {
        /* each in one block of memory */
        char **argv;        /* any bytes */
        char **environment; /* NAME=VALUE, any bytes; added to the defaults, or in their place */
        char *working_directory; /* NULL: "/" */
        uint64_t capabilities;   /* beside the default set, as a mask */
        uint64_t bounding_set;   /* nothing else is had; as a mask */
        bool seccomp;
        bool seccomp_strict; /* and more than the default */
        bool seccomp_log;    /* calls that the filter refuses are told */
        Filters filters;     /* beside it */
        bool no_new_privileges;
        bool has_no_new_privileges; /* said by the caller, not the default */
        ProcessAttributes attributes;
        bool has_user; /* `attributes` has one that the caller said */
} ProcessSpec;

void process_spec_init(ProcessSpec *spec); /* the default profile */
/* For a process that joins a container: what is not said stays open, see rights_settle_join(). */
#define PROCESS_ID_OPEN           UINT32_MAX
#define PROCESS_GROUPS_OPEN       UINT32_MAX
#define PROCESS_CAPABILITIES_OPEN UINT64_MAX
void process_spec_init_join(ProcessSpec *spec);
void process_spec_clear(ProcessSpec *spec);
bool process_spec_validate(const ProcessSpec *spec, GError **error);

/* The environment for exec: HOME, PATH, PS1 (and TERM on a terminal), then the caller's, which take
 * the place of defaults of the same name. The strings are borrowed, the array is NULL-terminated
 * and the caller's to free. `ret_home_index`: where the default "HOME=/root" stands, -1 if the
 * caller gave a HOME, or the user is not root and has "HOME=/". */
char **process_spec_list_environment(const ProcessSpec *spec, int *ret_home_index);

/* Calls `function` with argv[0] itself if it has a slash, else with each candidate along PATH of
 * this environment, as directory and name: what to execute is "directory/name", or `name` alone if
 * `directory` is NULL. Calls it at least once; returns false as soon as `function` does. */
typedef bool (*ExecPathFunc)(const char *directory, size_t length, const char *name, void *data);
bool process_spec_foreach_exec_path(const ProcessSpec *spec, char *const *environment,
                                    ExecPathFunc function, void *data);
