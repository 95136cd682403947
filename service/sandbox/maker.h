#pragma once

/* A process beside the service that makes sandboxes in advance, so that the loop does not have to:
 * a copy of the service that keeps nothing of it but what that takes, is asked over a socket, and
 * makes them as children of the service (CLONE_PARENT), which gets all that is open of them over
 * that socket. What is decided, numbers and ids, is decided in the service. However the maker ends,
 * and whatever it was making then, nothing of that is left. Used by the Pool. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/cgroup/cgroup.h"
#include "service/rootfs/id-map.h"
#include "service/sandbox/profile.h"
#include "service/sandbox/sandbox.h"

typedef struct Maker Maker;

typedef struct MakerOptions {
        const Profile *profile; /* borrowed, as all of these */
        CgroupTree *cgroups;
        void (*made)(const Prepared *prepared, uid_t uid, void *data); /* consumed */
        void (*ended)(void *data); /* by itself; to be freed now */
        void *data;
} MakerOptions;

bool maker_new(const MakerOptions *options, Maker **ret, GError **error);
/* Ends it, and what it was asked for. */
void maker_free(Maker *maker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Maker, maker_free)

/* Never waits: `made` follows, if it can be made. Its leaf will be `uid`'s with this number. `map`
 * is consumed in any case. */
bool maker_ask(Maker *maker, uint64_t serial, uid_t uid, gid_t gid, IdMap *map, GError **error);
unsigned maker_count(const Maker *maker); /* asked for and not made yet */
bool maker_is_stuck(const Maker *maker);  /* has not answered for seconds: to be freed */
