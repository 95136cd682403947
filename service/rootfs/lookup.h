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

/* One thing to look up: the root tree first, then the sources of mounts. */
typedef struct RootfsSource {
        const char
                *path; /* NULL: `fd` instead, a directory that the caller holds. The first only */
        int fd;
} RootfsSource;

typedef Place RootfsFound;

/* `found` has an entry for each source, whose fd is the callee's to steal or to close; NULL on
 * error. */
typedef void (*RootfsFunc)(RootfsFound *found, GError *error, void *data);

/* Those under way, and those given up whose child the kernel does not let die: a file system in
 * user space that has read a request may take for ever to answer. Of these a user may have
 * RESOLVE_ABANDONED_MAX. */
typedef struct RootfsLookups RootfsLookups;
RootfsLookups *rootfs_lookups_new(void);
void rootfs_lookups_free(RootfsLookups *lookups); /* none may be under way */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RootfsLookups, rootfs_lookups_free)

typedef struct RootfsLookup RootfsLookup;

typedef struct RootfsRequest {
        const RootfsSource *sources;
        size_t n; /* at least the root tree; at most MOUNTS_MAX more */
        const Credentials *owner;
} RootfsRequest;

/* Opens the sources as `owner`. The lookup of a tree that the kernel's cache answers calls back
 * from inside this call and returns NULL (for root, `uid` and `gid` are then 0), and so does a
 * refusal. All else happens in one throw-away child with the owner's ids, ended after
 * RESOLVE_TIMEOUT_MSEC: a file system may never answer. */
RootfsLookup *rootfs_lookup(RootfsLookups *lookups, const RootfsRequest *request,
                            RootfsFunc function, void *data);
void rootfs_lookup_cancel(RootfsLookup *lookup); /* no call-back */

/* The path that the pinned place has now, all links resolved; NULL if it has none that we could
 * reach (deleted, or mounted elsewhere, or named as the kernel marks a deleted one). Looks at no
 * file system. Owned. */
char *rootfs_path_of(int fd);
