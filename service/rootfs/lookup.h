#pragma once

/* Turns what a caller names, a path or an fd of its own, into pinned fds, with that caller's
 * rights. From the fds on, no host path is resolved again. Knows users and file systems; mounts
 * nothing (mount.h does). Called by the bus's side, before anybody is asked. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/spec/credentials.h"
#include "service/spec/place.h"

/* One thing to look up: the root tree first, if there is one, then the sources of mounts. */
typedef struct RootfsSource {
        const char *path; /* NULL, for the root tree only: a directory that the caller holds as
                             `fd` */
        int fd;
        bool is_tree;
        bool is_optional; /* if it is not there, the place found has no fd */
} RootfsSource;

/* `found` has an entry for each source; the function called must steal or close its fd. NULL on
 * error. */
typedef void (*RootfsFunc)(Place *found, GError *error, void *data);

/* The look-ups under way, and those that were given up but whose child the kernel does not let die:
 * a file system in user space that has read a request may never answer. A user may have
 * RESOLVE_ABANDONED_MAX of the latter. */
typedef struct RootfsLookups RootfsLookups;
RootfsLookups *rootfs_lookups_new(void);
void rootfs_lookups_free(RootfsLookups *lookups); /* none may be under way */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RootfsLookups, rootfs_lookups_free)

/* For another throw-away child that was killed and may not end: reaps it when it does. It counts as
 * a look-up of the user's that was given up. Consumes `pidfd`. */
void rootfs_lookups_abandon(RootfsLookups *lookups, uid_t uid, int pidfd);
/* False: the user has so many of those that there must be no more children. */
bool rootfs_lookups_has_room(const RootfsLookups *lookups, uid_t uid, GError **error);

typedef struct RootfsLookup RootfsLookup;

typedef struct RootfsRequest {
        const RootfsSource *sources;
        size_t n; /* 1 to 1 + MOUNTS_MAX; with `learns` also 0 */
        const Credentials *owner;
        /* NULL, or the owner, whose primary group is to be found, too: the users' database, such as
         * a directory server, may never answer, either. */
        Credentials *learns;
} RootfsRequest;

/* Opens the sources as `owner`. If the kernel's cache knows the tree, or if the look-up is refused,
 * `function` is called from inside this call, which returns NULL (for root, the cache's `uid` and
 * `gid` are 0). All else happens in one throw-away child with the owner's ids. The child is ended
 * after RESOLVE_TIMEOUT_MSEC: a file system may never answer. */
RootfsLookup *rootfs_lookup(RootfsLookups *lookups, const RootfsRequest *request,
                            RootfsFunc function, void *data);
void rootfs_lookup_cancel(RootfsLookup *lookup); /* no call-back */

/* The path that the pinned place has now, all links resolved. NULL if we could not reach it by a
 * path: it is deleted, mounted elsewhere, or has a name that ends as the kernel marks deleted ones.
 * Looks at no file system. Owned. */
char *rootfs_path_of(int fd);
