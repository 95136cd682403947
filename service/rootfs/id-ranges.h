#pragma once

/* Which host ids are for whose containers. A range stays one owner's until the machine boots anew,
 * even while no container uses it: a container may leave a program with a set-id bit somewhere on
 * the host, through a directory it was handed, and that must not be a way into another owner's
 * containers. Knows numbers and users, no user namespaces. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct IdRange {
        uint32_t base;
        uid_t owner;
        /* id-map.c's: to make a mount's user namespace costs a process, so it stays with the
         * range */
        int mount_namespace; /* -1: none yet */
        gid_t mount_gid;
        uint64_t mount_stamp;
} IdRange;

typedef struct IdRanges IdRanges;

/* `start` and `count` come from the configuration; they count ids, and make whole ranges. */
IdRanges *id_ranges_new(uint32_t start, uint32_t count);
void id_ranges_free(IdRanges *ranges);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdRanges, id_ranges_free)

/* How many of the configured ids, from the first, are the system service's. Of the rest each
 * embedded service of root claims a part for the life of its process: id_ranges_claim() changes
 * `start` and `count` to that part. `directory` holds the file of the locks. */
uint32_t id_ranges_of_service(uint32_t count);
bool id_ranges_claim(int directory, uint32_t *start, uint32_t *count, int *ret_lock,
                     GError **error);

/* Reads from the file "ids" in `directory` (borrowed) which ranges a predecessor gave to whom, and
 * from then on writes there. Without this call owners are kept in memory only. */
bool id_ranges_keep(IdRanges *ranges, int directory, GError **error);

/* Takes a free range of the owner's (best one with a mount namespace for `gid`), else a new range.
 * LimitsExceeded when none is left. No range is given out that could not be written down. */
IdRange *id_ranges_take(IdRanges *ranges, uid_t owner, gid_t gid, GError **error);
/* None: the service has no right to map ids of the host. */
bool id_ranges_has_any(const IdRanges *ranges);
/* Can a range be taken that nobody will miss: a free one of the owner's, or one of many new
 * ones? */
bool id_ranges_has_plenty(IdRanges *ranges, uid_t owner);
/* Takes the range that begins at `base`, for a container that runs in it already. */
IdRange *id_ranges_take_at(IdRanges *ranges, uint32_t base, uid_t owner, GError **error);
void id_ranges_give_back(IdRanges *ranges, IdRange *range);
