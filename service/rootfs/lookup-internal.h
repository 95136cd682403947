#pragma once

/* What the files of the look-up share. lookup.c asks the kernel's cache (cached.c), else starts a
 * throw-away child (lookup-child.c); both open paths as the caller (caller.c). */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/rootfs/lookup.h"
#include "service/spec/limits.h"
#include "service/util/fd.h" /* FD_RECEIVE_MAX */

#define LOOKUP_SOURCES_MAX (1 + MOUNTS_MAX)
G_STATIC_ASSERT(LOOKUP_SOURCES_MAX <= FD_RECEIVE_MAX);

/* -- caller.c -- */

/* Opens a place to look at it, with the rights of whoever the calling process is. Or -1 and errno.
 */
int rootfs_open_path(const char *path, uint64_t flags, uint64_t resolve);

/* From here on the calling process looks paths up as `owner`. 0 or -errno. */
int rootfs_become(const Credentials *owner);
/* As the service again. */
bool rootfs_come_back(void);

/* -- cached.c -- */

/* Only for a single directory named by a path. False: ask the file system. */
bool rootfs_find_cached(const RootfsRequest *request, RootfsFound *ret);

/* -- lookup-child.c -- */

typedef struct LookupReply {
        int32_t error; /* negative: of the last of these */
        uint32_t n;
        struct {
                uid_t uid;
                gid_t gid;
                mode_t mode;
        } found[LOOKUP_SOURCES_MAX];
} LookupReply;

/* Opens the sources as their owner, sends a LookupReply and the fds, and exits. */
_Noreturn void rootfs_lookup_child(pid_t parent, const RootfsRequest *request, int socket);
