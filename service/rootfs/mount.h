#pragma once

/* Turns a pinned directory or file (lookup.h) into the detached mount that a container gets: its
 * root, or what is bound into it. Resolves no host path. Called by the launch. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/spec/credentials.h"

typedef struct RootfsTree {
        int fd;           /* pinned */
        const char *path; /* for error messages only */
        bool is_source; /* the source of a mount, not the root tree: errors say so, and have another
                           name */
        uint64_t attributes;      /* MOUNT_ATTR_… */
        const Credentials *owner; /* who is told what is wrong with the tree */
} RootfsTree;

/* A detached, recursive clone of the tree. */
bool rootfs_clone(const RootfsTree *tree, int *ret_mount, GError **error);

/* Sets the clone's attributes, recursively: those of the tree, nodev, private, and id-mapped by
 * `user_namespace` (-1: no map). A file system that cannot be id-mapped is an error naming
 * it, and the way out. */
bool rootfs_protect(const RootfsTree *tree, int mount, int user_namespace, GError **error);
