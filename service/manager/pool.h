#pragma once

/* Keeps a few sandboxes ready, for the users who ran something last. The Maker makes them while no
 * call waits. Each run has another sandbox made; when nobody has run anything for a while, the pool
 * ends them all, and the Maker. A sandbox serves one container and is then gone. A run that no
 * ready sandbox fits makes its own in the same way, and waits for it. Used by the Manager; knows no
 * containers. */

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
        unsigned size;          /* how many at most; 0: none is ever made */
        const Profile *profile; /* borrowed, as all of these */
        CgroupTree *cgroups;
        IdRanges *ranges;
        uint64_t *next_serial; /* the service's own count, by which all leaves are named */
} PoolOptions;

Pool *pool_new(const PoolOptions *options);
void pool_free(Pool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pool, pool_free)

/* Takes a sandbox that was made for `owner`; false if there is none. In either case the next one is
 * then on its way. `tree_gid`: see id_map_new(). */
bool pool_take(Pool *pool, const Credentials *owner, gid_t tree_gid, Prepared *ret);

/* Ends all sandboxes, because somebody needs what they hold. False: there was none. */
bool pool_clear(Pool *pool);

unsigned pool_count(const Pool *pool);
