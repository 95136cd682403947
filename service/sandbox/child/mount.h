#pragma once

/* What the child mounts, as data: an ordered list of steps, compiled by the parent. The child knows
 * neither who asked for a step nor why it stands where it stands. Plain data, for both halves of a
 * launch. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/sandbox/child/stage.h"

typedef struct MountOption {
        const char *key, *value;
} MountOption;

/* A new file system. */
#define MOUNT_OPTIONS_MAX 4u
typedef struct NewMount {
        const char *type;
        MountOption options[MOUNT_OPTIONS_MAX]; /* the first without a key ends them */
        unsigned attributes;                    /* MOUNT_ATTR_… */
} NewMount;

/* A file system that is made, or given, before the child waits for its plan; detached until a step
 * attaches it. */
typedef struct EarlyMount {
        int fd; /* given; -1: to be made as `new` says */
        NewMount new;
} EarlyMount;
#define EARLY_MOUNTS_MAX 8u

typedef enum MountKind {
        MOUNT_EARLY,          /* attaches an early mount */
        MOUNT_TREE,           /* attaches a tree that came with SANDBOX_GO, detached, id-mapped */
        MOUNT_NEW,            /* attaches a new file system */
        MOUNT_MASK_FILE,      /* covers the target with an empty file or /dev/null */
        MOUNT_MASK_DIRECTORY, /* covers the target with an empty directory */
        MOUNT_READ_ONLY,      /* covers the target with itself, read-only */
        MAKE_DIRECTORY,       /* makes the target, and no mount */
        MAKE_LINK,            /* the same: a symbolic link to `text` */
        MAKE_FILE, /* the same: a file; where there is one already, or the file is to be read-only,
                      a mount on it */
} MountKind;

typedef struct MountStep {
        MountKind kind;
        int index;    /* of MOUNT_EARLY and MOUNT_TREE: which of them; of MAKE_FILE: which of the
                         sources, -1: it gets `text` */
        NewMount new; /* of MOUNT_NEW */
        const char *text;
        size_t size;        /* of that, for MAKE_FILE */
        uint32_t mode;      /* of what MAKE_DIRECTORY and MAKE_FILE make */
        int at;             /* the early mount in which the target lies; -1: the root */
        const char *target; /* path of the target below that, without a slash in front; "": the root
                               itself, which is covered */
        /* Links on the way to the target are followed, inside the root and never through those of
         * /proc to what a process holds; otherwise no link is. */
        bool follows_links;
        bool keeps_out;     /* the target must not lie in what every container has */
        bool makes_target;  /* what is missing of it is made, where the directory is ours */
        bool is_ours;       /* later steps may make their targets in what is attached */
        bool is_directory;  /* what is attached is a directory */
        bool is_read_only;  /* of MOUNT_NEW: but not before all steps are done; of MAKE_FILE */
        bool is_optional;   /* without such a target there is nothing to do */
        SandboxStage stage; /* what the child reports if the step fails: */
        uint32_t number;
} MountStep;
