#pragma once

/* A few sandboxes made off the way of any call, by the Maker, for the users who ran something last:
 * for each run another one is made, and all are let go, with the Maker, when nobody has run
 * anything for a while. Each serves one container and is then gone. What does not fit one takes the
 * plain way, which is the same without the wait. Used by the Manager; knows no containers. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/cgroup/cgroup.h"
#include "service/rootfs/id-map.h"
#include "service/sandbox/maker.h"
#include "service/sandbox/profile.h"
#include "service/spec/credentials.h"

typedef struct Pool Pool;

typedef struct PoolOptions {
        unsigned size;          /* so many at most; 0: none are ever made */
        const Profile *profile; /* borrowed, as all of these */
        CgroupTree *cgroups;
        IdRanges *ranges;
        uint64_t *next_serial; /* leaves are named by the service's own count, these as well */
} PoolOptions;

Pool *pool_new(const PoolOptions *options);
void pool_free(Pool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pool, pool_free)

/* Takes one that was made for `owner`, if there is one; the next is on its way then in any case.
 * `tree_gid`: see id_map_new(). */
bool pool_take(Pool *pool, const Credentials *owner, gid_t tree_gid, Prepared *ret);

/* Lets all go: somebody needs what they hold. False: there was none. */
bool pool_clear(Pool *pool);

unsigned pool_count(const Pool *pool);
