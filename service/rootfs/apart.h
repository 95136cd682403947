#pragma once

/* Work on a detached tree that can only be done where it is attached: in a throw-away process with
 * a mount namespace of its own, which nothing of the host's sees. Waits for that process: so only
 * what the kernel does by itself, without asking a file system that may never answer. Called by
 * mount.h. */

#include <stdbool.h>
#include <stdint.h>

typedef struct ApartWork {
        int mount; /* the detached tree; borrowed */
        /* With a layer to write to, in memory; otherwise without what is mounted on the directories
         * that every container covers. */
        bool has_layer;
        uint64_t size;       /* of the layer, at most; 0: the kernel's default */
        uint64_t attributes; /* MOUNT_ATTR_… of the merged tree */
} ApartWork;

/* `*ret_mount`: what has become of it, detached. False with errno. */
bool apart_do(const ApartWork *work, int *ret_mount);
