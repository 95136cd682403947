#pragma once

/* What the files of the look-up share. lookup.c asks the kernel's cache (cached.c), else starts a
 * throw-away child (lookup-child.c); both open paths as the caller (caller.c). */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/rootfs/lookup.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

#define LOOKUP_SOURCES_MAX (1 + MOUNTS_MAX)

/* -- caller.c -- */

/* Opens a place as O_PATH, with the ids that the process has now. -1 and errno on failure. */
int rootfs_open_path(const char *path, uint64_t flags, uint64_t resolve);

/* From now on the process looks paths up with the rights of `owner`. 0 or -errno. */
int rootfs_become(const Credentials *owner);
/* From now on with the service's own rights again. False if that failed: then the process must
 * end. */
bool rootfs_come_back(void);

/* -- cached.c -- */

/* Tries to open the root tree without asking any file system. False: the child must look it up
 * (always so for an fd, and where mounts have sources). */
bool rootfs_find_cached(const RootfsRequest *request, Place *ret);

/* -- lookup-child.c -- */

typedef struct LookupReply {
        int32_t error; /* negative errno of the last source that was tried; 0: all are open */
        uint32_t n;
        gid_t group; /* of the owner, if it was asked for; -1: nobody knows it */
        struct {
                uid_t uid;
                gid_t gid;
                mode_t mode; /* 0: an optional source that is not there, and has no fd */
        } found[LOOKUP_SOURCES_MAX];
} LookupReply;

/* Opens the sources as their owner, sends a LookupReply and the fds, and exits. */
_Noreturn void rootfs_lookup_child(pid_t parent, const RootfsRequest *request, int socket);
