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
        bool is_alone;  /* without what is mounted in it */
        uint64_t attributes;      /* MOUNT_ATTR_… */
        const Credentials *owner; /* who is told what is wrong with the tree */
} RootfsTree;

/* A detached clone of the tree, with all that is mounted in it unless it is to be alone. */
bool rootfs_clone(const RootfsTree *tree, int *ret_mount, GError **error);

/* Sets the clone's attributes, recursively: those of the tree, nodev, private, and id-mapped by
 * `user_namespace` (-1: no map). A file system that cannot be id-mapped is an error naming it, and
 * the way out; but if that lies in a root tree where every container has a mount of its own, it is
 * left out: then `*mount` is another clone. */
bool rootfs_protect(const RootfsTree *tree, int *mount, int user_namespace, GError **error);

/* Is the clone of each of the `n` trees that is not alone a clone of all that is mounted in it?
 * Where it is not, what a mount hides would come to light: an error. */
bool rootfs_check_whole(const RootfsTree *trees, size_t n, GError **error);

/* Are there mounts in the directory, or is that unknown? */
bool rootfs_has_mounts(int fd);

/* A layer to write to, in memory, on top of a root tree that was cloned alone and protected: at
 * most `size` bytes (0: half of the memory). Nothing of the tree is written to, or of what is
 * mounted in it shown: a tree with mounts, but for those that every container covers, is an error,
 * and so is one whose file system may not answer. Consumes `*mount`, which becomes the merged
 * tree. */
bool rootfs_add_layer(const RootfsTree *tree, uint64_t size, int *mount, GError **error);
