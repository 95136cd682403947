#pragma once

/* Whose host ids a container's ids are. `auto`: each container has a range of its own that nobody
 * else on the host uses, taken back only when its cgroup is empty; an id-mapped clone of the root
 * tree shows the caller's own files as container root's. `self`: container root is the caller, as
 * the original did. `host`: nothing is mapped. Knows user namespaces and maps, no containers. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/rootfs/id-ranges.h"
#include "service/spec/credentials.h"
#include "service/spec/tree-spec.h"

typedef struct IdMap IdMap;

/* For `auto`, takes a range. `tree_gid`: the group of the caller's tree, mapped to the container's
 * root group if the caller is a member (whose own files else?). LimitsExceeded when no range is
 * free. */
bool id_map_new(IdRanges *ranges, UserNamespaceMode mode, const Credentials *owner, gid_t tree_gid,
                IdMap **ret, GError **error);
/* The same in advance, for a tree that is not known yet: `gid` is a guess of what id_map_group()
 * will be. id_map_settle() follows, for the same user. */
bool id_map_prepare(IdRanges *ranges, uid_t uid, gid_t gid, IdMap **ret, GError **error);
void id_map_settle(IdMap *map, const Credentials *owner, gid_t tree_gid);
gid_t id_map_group(const Credentials *owner, gid_t tree_gid);
/* For another process of the service, the same maps over again: it gives no range back. */
IdMap *id_map_copy(uint32_t base, uid_t uid, gid_t gid);

/* For a container that runs already: takes the range that begins at `base` (0: it is not `auto`),
 * which must be one of ours and free. */
bool id_map_adopt(IdRanges *ranges, uint32_t base, uid_t owner, IdMap **ret, GError **error);
uint32_t id_map_base(const IdMap *map); /* 0: not `auto` */
void id_map_free(IdMap *map);           /* gives the range back */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdMap, id_map_free)

/* Is a file of the host's `uid` the owner's own, as these maps see it: of that user, or of one of
 * its subordinate ids? To root all are. */
bool id_map_is_own(const Credentials *owner, uid_t uid);

/* Writes the maps of the waiting child `pid`, whose user namespace is new, unless it is `host`. */
bool id_map_apply(const IdMap *map, pid_t pid, GError **error);

/* The user namespace for MOUNT_ATTR_IDMAP on the root tree, or -1 when the tree needs no map
 * (`self`, `host`). `pid`: the child after id_map_apply(); its own namespace serves where the owner
 * is root. Owned. */
bool id_map_open_mount_namespace(IdMap *map, pid_t pid, int *ret_fd, GError **error);
/* It stays with the range: is it still to be made, or anew? One that was made elsewhere, after that
 * answer and its stamp, is to be kept (consumed). */
bool id_map_needs_mount_namespace(const IdMap *map, uint64_t *ret_stamp);
void id_map_keep_mount_namespace(IdMap *map, int fd, uint64_t stamp);
/* The same for a tree that is shown with the host's ids, whoever owns the container. */
bool id_map_open_host_namespace(const IdMap *map, pid_t pid, int *ret_fd, GError **error);

bool id_map_shows_root(
        const IdMap *map); /* files of the host's root are among those it shows as its own */
uint32_t id_map_size(const IdMap *map);  /* how many ids the container has; 0: all of the host's */
uid_t id_map_root_uid(const IdMap *map); /* who the container's root is on the host */
gid_t id_map_root_gid(const IdMap *map);
bool id_map_allows_set_groups(const IdMap *map);
bool id_map_has_gid(const IdMap *map, gid_t gid);
