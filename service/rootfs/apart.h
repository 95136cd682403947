#pragma once

/* Work on a detached tree that can only be done where it is attached: in a throw-away process with
 * a mount namespace of its own, which nothing of the host's sees. Waits for that process: so only
 * what the kernel does by itself, without asking a file system that may never answer. Called by
 * mount.h. */

#include <stdbool.h>
#include <stdint.h>

typedef enum ApartVerb {
        APART_PRUNE, /* take off what is mounted on the directories that every container covers */
        APART_LAYER, /* put a layer to write to on top, in memory */
        APART_LOOK,  /* see what is mounted in it */
} ApartVerb;

typedef struct ApartWork {
        ApartVerb verb;
        int mount;           /* the detached tree; borrowed */
        uint64_t size;       /* of the layer, at most; 0: the kernel's default */
        uint64_t attributes; /* MOUNT_ATTR_… of the merged tree */
} ApartWork;

/* `*ret_fd`: what has become of the tree, detached; of APART_LOOK a table of mounts to read, as
 * /proc/self/mountinfo, in which the tree lies on "/". False with errno. */
bool apart_do(const ApartWork *work, int *ret_fd);
