#pragma once

/* What one caller wants run: copied strings and numbers, no fds, no pointer into a message. Valid
 * or not, it can always be freed. Filled by dbus/spec-decode.c, judged by run_spec_validate(). */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/spec/mount-spec.h"

typedef enum UserNamespaceMode {
        USER_NAMESPACE_AUTO, /* a range of host ids that nobody else uses */
        USER_NAMESPACE_SELF, /* container root is the caller, and there is nobody else */
        USER_NAMESPACE_HOST, /* none: container root is the host's */
} UserNamespaceMode;

typedef struct RunSpec {
        char *rootfs; /* absolute path, any bytes; with `has_root_fd` known after the look-up */
        char **argv;  /* any bytes */
        char **environment; /* NAME=VALUE, any bytes; added to the defaults, or in their place */
        char *id;           /* NULL: the service picks container-N */
        char *hostname;     /* NULL: the id */
        char *working_directory;  /* NULL: "/" */
        uint64_t memory_max;      /* bytes; UINT64_MAX: no limit */
        uint64_t memory_swap_max; /* bytes; UINT64_MAX: no limit */
        uint64_t tasks_max;       /* UINT64_MAX: no limit */
        MountSpec *mounts;
        size_t n_mounts;
        UserNamespaceMode user_namespace;
        bool has_user_namespace; /* said by the caller, not the default */
        uint64_t capabilities;   /* beside the default set, a mask */
        bool has_memory_swap_max;
        bool has_tasks_max;
        bool has_root_fd; /* the caller holds the root tree */
        bool terminal;
        bool read_only_root;
        bool host_network;
        bool seccomp;
        bool no_new_privileges;
        bool watch_bus;
        bool remove;
} RunSpec;

RunSpec *run_spec_new(void); /* the default profile */
void run_spec_free(RunSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunSpec, run_spec_free)

/* A list of small pure checks; the first that fails names the option and the reason. */
bool run_spec_validate(const RunSpec *spec, GError **error);

/* Is anything of the host's in it that can be written to? And not only what the caller owns? */
bool run_spec_writes_to_host(const RunSpec *spec);
bool run_spec_has_privileged_mount(const RunSpec *spec);
/* In which options its isolation is less than the default profile's: "Network=host" and so on.
 * Owned strv, empty for the default. */
char **run_spec_deviations(const RunSpec *spec);
/* Asks for what may equal root on the host; a user namespace of the caller alone does not. */
bool run_spec_is_privileged(const RunSpec *spec);

/* [a-zA-Z0-9][a-zA-Z0-9_.-]{0,63} */
bool run_spec_id_is_valid(const char *id);

/* The whole environment for exec: HOME, PATH, PS1 (and TERM on a terminal), then the caller's on
 * top. `ret_home_index`: where the default "HOME=/root" stands, -1 if the caller gave a HOME. Owned
 * strv. */
char **run_spec_build_environment(const RunSpec *spec, int *ret_home_index);

/* argv[0] itself when it has a slash, else its candidates along the environment's PATH. Owned strv.
 */
char **run_spec_build_exec_paths(const RunSpec *spec, char *const *environment);
