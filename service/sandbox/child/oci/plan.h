#pragma once

/* What a bundle's container is made of, as data: compiled by cli/oci/engine before the child is
 * cloned, walked by oci.c. The child has a copy of all of the parent's memory, so this points
 * wherever it likes, and has the parent's descriptors under their numbers. */

#include "service/sandbox/child/plan.h"

/* What the two halves say, one byte each, beside SANDBOX_MAPPED: */
#define OCI_PIVOT  'p' /* the hooks of the host's side have run: go on */
#define OCI_KEEP   'k' /* whoever made it has written down that it exists: stay */
#define OCI_SOCKET "start"

/* One option of a file system; without a value, a flag. */
typedef struct OciOption {
        const char *key, *value;
} OciOption;

typedef enum OciStepKind {
        OCI_STEP_TREE,      /* attaches `fd`, a detached mount that has all its attributes */
        OCI_STEP_NEW,       /* attaches a new file system */
        OCI_STEP_REMOUNT,   /* changes the mount on which the target is */
        OCI_STEP_NODE,      /* makes a node of a device, or binds `fd` */
        OCI_STEP_LINK,      /* makes a symbolic link to `text` */
        OCI_STEP_MASK,      /* covers the target with something empty */
        OCI_STEP_READ_ONLY, /* covers the target with itself, read-only */
} OciStepKind;

typedef struct OciStep {
        OciStepKind kind;
        const char *target; /* from the container's root; a slash in front does not matter */
        int fd;             /* of TREE, and of NODE unless it is -1 */
        const char *type, *source;
        const OciOption *options;
        size_t n_options;
        uint64_t set, clear; /* MOUNT_ATTR_… */
        uint64_t set_below, clear_below;
        uint64_t propagation; /* MS_…; 0: as it comes */
        bool is_propagation_below;
        bool is_directory;
        bool is_plain;     /* no link may lead to the target */
        bool seals;        /* read-only, but not before all steps are done */
        const char *text;  /* of LINK */
        uint32_t mode;     /* of NODE, with the type */
        unsigned device;   /* of NODE, as the kernel has it */
        uint32_t uid, gid; /* of NODE */
} OciStep;

/* A hook that runs inside, and what it reads. */
typedef struct OciInnerHook {
        const char *path;
        char **argv, **environment;
        uint32_t timeout; /* seconds; 0: none */
} OciInnerHook;

/* Written by the parent when the child's pid is known; shared. */
#define OCI_STATE_MAX (1024u * 1024u)
typedef struct OciHookState {
        int32_t joined; /* by the kernel, of a child that goes between */
        size_t creating_length, created_length;
        char creating[OCI_STATE_MAX], created[OCI_STATE_MAX];
} OciHookState;

typedef struct OciCapabilitySets {
        uint64_t bounding, effective, inheritable, permitted, ambient;
} OciCapabilitySets;

typedef struct OciPlan {
        SandboxPlan process; /* argv, environment, working directory, sysctls, host name, filter */
        unsigned filter_flags;
        OciCapabilitySets capabilities;
        uint32_t uid, gid, umask;
        const uint32_t *groups;
        size_t n_groups;
        uint16_t rows, columns;
        bool keeps_keyring;
        const char *apparmor; /* what is written for the next exec; NULL: nothing */
        unsigned kept_fds;    /* from 0 on */
        int lock;             /* of whoever makes it: must not outlive that; -1: none */
        uint64_t personality; /* UINT64_MAX: as it is */

        /* -- namespaces -- */
        uint64_t new_namespaces; /* made by clone3 */
        bool has_user_namespace; /* new or joined: the process becomes its root */
        bool makes_cgroup_namespace;
        int user_namespace, pid_namespace; /* joined between; -1: not */

        /* -- the tree; without a root of its own there is none (exec) -- */
        int root;
        const char *root_path;
        bool no_pivot, root_read_only;
        uint64_t propagation;      /* of "/" before, */
        uint64_t root_propagation; /* and of the new root in the end; 0: as it is */
        const OciStep *steps, *covers;
        size_t n_steps, n_covers;
        bool has_console;

        const OciInnerHook *create_hooks, *start_hooks;
        size_t n_create_hooks, n_start_hooks;
        OciHookState *state;
        int start; /* the listening socket; -1: it executes at once */
} OciPlan;
