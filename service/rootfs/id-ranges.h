#pragma once

/* Which host ids are for whose containers. A range is one owner's until the machine boots anew,
 * even while no container has it: what a container made under its ids somewhere on the host (a
 * program with a set-id bit, through a directory it was handed) must not be a way to another
 * owner's containers. Knows numbers and users, no user namespaces. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct IdRange {
        uint32_t base;
        uid_t owner;
        /* id-map.c's: a mount's user namespace costs a process to make, so it stays with the range
         */
        int mount_namespace; /* -1: none yet */
        gid_t mount_gid;
        uint64_t mount_stamp;
} IdRange;

typedef struct IdRanges IdRanges;

/* `start` and `count` (of ids, whole ranges) come from the configuration. */
IdRanges *id_ranges_new(uint32_t start, uint32_t count);
void id_ranges_free(IdRanges *ranges);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdRanges, id_ranges_free)

/* Of the configured ids the service has the first so many; of the rest an embedded one of root's
 * claims a part for the life of its process: changes `start` and `count` to that. `directory` holds
 * the file of the locks. */
uint32_t id_ranges_of_service(uint32_t count);
bool id_ranges_claim(int directory, uint32_t *start, uint32_t *count, int *ret_lock,
                     GError **error);

/* Reads what a predecessor gave out from the file "ids" in `directory` (borrowed), and from then on
 * writes there. Without it owners are known in memory only. */
bool id_ranges_keep(IdRanges *ranges, int directory, GError **error);

/* A free one of the owner's (one with a mount namespace for `gid`, if there is one), else a new
 * one. LimitsExceeded when none is left; nothing is given out that could not be written down. */
IdRange *id_ranges_take(IdRanges *ranges, uid_t owner, gid_t gid, GError **error);
/* Could one be taken that nobody would miss? One of the owner's that is free, or one of many. */
bool id_ranges_has_plenty(IdRanges *ranges, uid_t owner);
/* The one that begins at `base`, for a container that runs in it already. */
IdRange *id_ranges_take_at(IdRanges *ranges, uint32_t base, uid_t owner, GError **error);
void id_ranges_give_back(IdRanges *ranges, IdRange *range);
