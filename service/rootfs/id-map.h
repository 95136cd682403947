#pragma once

/* Which ids of the host a container's ids are. `auto`: each container has a range of its own that
 * nobody else on the host uses, given back only when its cgroup is empty; an id-mapped clone of the
 * root tree shows the caller's own files as container root's. `self`: container root is the caller.
 * `keep-id`: the caller is in it under its own number or another, with its groups. `host`: nothing
 * is mapped. Knows user namespaces and maps, no containers. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/rootfs/id-ranges.h"
#include "service/spec/credentials.h"
#include "service/spec/tree-spec.h"

typedef struct IdMap IdMap;

/* For `auto`, takes a range. `tree_gid`: the group of the caller's tree; it is mapped to the
 * container's root group if the caller is a member of it. LimitsExceeded when no range is free. */
bool id_map_new(IdRanges *ranges, UserNamespaceMode mode, const Credentials *owner, gid_t tree_gid,
                IdMap **ret, GError **error);
/* For `keep-id`: the owner is in the container under these numbers. */
void id_map_keep(IdMap *map, const Credentials *owner, uid_t uid, gid_t gid);
/* The owner's own group: that of /etc/passwd, or the one that was asked for, if it is among its
 * groups, for the bus names them in no order. */
gid_t id_map_primary_group(const Credentials *owner);
/* False: somebody has to be asked who may never answer, see lookup.h. */
bool id_map_knows_primary_group(const Credentials *owner);
/* The same in advance, for a tree that is not known yet: `gid` guesses what id_map_group() will
 * return. When the tree is known, id_map_settle() must follow, for the same user. */
bool id_map_prepare(IdRanges *ranges, uid_t uid, gid_t gid, IdMap **ret, GError **error);
void id_map_settle(IdMap *map, const Credentials *owner, gid_t tree_gid);
gid_t id_map_group(const Credentials *owner, gid_t tree_gid);
/* A copy of the map for another process of the service; freeing the copy gives no range back. */
IdMap *id_map_copy(uint32_t base, uid_t uid, gid_t gid);

/* For a container that runs already: takes the range that begins at `base`, which must be one of
 * ours and free. 0: the container has none. Not mapped, it only owns the user namespace, and the
 * container's root is the owner. */
bool id_map_adopt(IdRanges *ranges, uint32_t base, uid_t owner, bool is_mapped, IdMap **ret,
                  GError **error);
uint32_t id_map_base(const IdMap *map); /* of its range, mapped or not; 0: it has none */
void id_map_free(IdMap *map);           /* gives the range back */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdMap, id_map_free)

/* Does a file of the host's user `uid` count as the owner's own: is that the owner, or one of its
 * subordinate ids? To root all files are its own. */
bool id_map_is_own(const Credentials *owner, uid_t uid);

/* Writes the maps of the waiting child `pid`, whose user namespace is new; does nothing for
 * `host`. */
bool id_map_apply(const IdMap *map, pid_t pid, GError **error);

/* The user namespace for MOUNT_ATTR_IDMAP on the root tree, or -1 when the tree needs no map
 * (`self`, `host`). `pid`: the child after id_map_apply(), whose own namespace serves where the
 * owner is root. Owned. */
bool id_map_open_mount_namespace(IdMap *map, pid_t pid, int *ret_fd, GError **error);
/* That namespace stays with the range. Must one be made, since there is none or the ids have
 * changed? Then another process may make it, and the result goes to id_map_keep_mount_namespace()
 * (consumed), with the stamp of the answer. */
bool id_map_needs_mount_namespace(const IdMap *map, uint64_t *ret_stamp);
void id_map_keep_mount_namespace(IdMap *map, int fd, uint64_t stamp);
/* The user namespace for a tree that is shown with the host's ids, whoever owns the container. */
bool id_map_open_host_namespace(const IdMap *map, pid_t pid, int *ret_fd, GError **error);

bool id_map_shows_root(
        const IdMap *map); /* does it show files of the host's root as the container's own? */
uint32_t id_map_size(const IdMap *map); /* how many ids the container has; 0: all of the host's */
/* Its first ids, as it counts itself: 0, unless it keeps its owner's. */
uid_t id_map_first_uid(const IdMap *map);
gid_t id_map_first_gid(const IdMap *map);
uid_t id_map_root_uid(const IdMap *map); /* who its first user is on the host */
gid_t id_map_root_gid(const IdMap *map);
/* Who is to own the container's user namespace on the host: an id that nobody has. 0: whoever makes
 * it, for want of such ids. */
uid_t id_map_namespace_owner(const IdMap *map);
bool id_map_allows_set_groups(const IdMap *map);
bool id_map_has_gid(const IdMap *map, gid_t gid);
