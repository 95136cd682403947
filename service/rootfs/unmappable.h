#pragma once

/* Finds out, for an error message, why a tree cannot be id-mapped: its own file system, or what is
 * mounted in it. Asks no file system: one may never answer. Called by mount.h. */

#include <stdbool.h>

#include "service/spec/credentials.h"

typedef struct UnmappableTree {
        int fd; /* pinned */
        int user_namespace;
        bool is_root;             /* so what every container covers does not count */
        const Credentials *owner; /* is told of those mounts in it that the owner can look up */
} UnmappableTree;

/* What refuses the map of the user namespace, as far as can be told: "the file system at '/x'
 * (overlay) cannot be id-mapped". NULL: nothing was found. Slow. Owned. */
char *unmappable_find(const UnmappableTree *tree);
