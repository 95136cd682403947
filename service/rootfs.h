#pragma once

/* Turns a path, with its caller's rights, into a pinned directory fd, and that into the detached
 * mount a container gets as its root. From the fd on, no host path is resolved again. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/credentials.h"

/* `fd` is the callee's to keep (-1 on error); `gid` the group of the directory. */
typedef void (*RootfsFunc)(int fd, gid_t gid, GError *error, void *data);

/* Those under way, and those given up whose child the kernel does not let die: a file system in
 * user space that has read a request may take for ever to answer. Of these a user may have
 * RESOLVE_ABANDONED_MAX. */
typedef struct RootfsLookups RootfsLookups;
RootfsLookups *rootfs_lookups_new(void);
void rootfs_lookups_free(RootfsLookups *lookups); /* none may be under way */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RootfsLookups, rootfs_lookups_free)

typedef struct RootfsLookup RootfsLookup;

/* Opens `path` as `owner`. A lookup that the kernel's cache answers calls back from inside this
 * call and returns NULL (root only: nothing needs to be impersonated), and so does a refusal. All
 * else happens in a throw-away child with the owner's ids, ended after RESOLVE_TIMEOUT_MSEC: a file
 * system may never answer. */
RootfsLookup *rootfs_lookup(RootfsLookups *lookups, const char *path, const Credentials *owner,
                            RootfsFunc function, void *data);
void rootfs_lookup_cancel(RootfsLookup *lookup); /* no call-back */

/* The path that the pinned directory has now, all links resolved; NULL if it has none that we could
 * reach (deleted, or mounted elsewhere, or named as the kernel marks a deleted one). Looks at no
 * file system. Owned. */
char *rootfs_path_of(int fd);

/* A detached, recursive clone of the tree. `path` is for words only. */
bool rootfs_clone(int fd, const char *path, int *ret_mount, GError **error);

/* Sets the clone's attributes, recursively: `attributes` (MOUNT_ATTR_…), nodev, private, and
 * id-mapped by `user_namespace` (-1: no map). A submount that cannot be id-mapped is RootfsInvalid
 * naming it.
 */
bool rootfs_protect(int mount, int fd, const char *path, uint64_t attributes, int user_namespace,
                    GError **error);
