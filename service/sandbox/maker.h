#pragma once

/* A process beside the service that makes sandboxes in advance, so that the loop need not. It is a
 * copy of the service that keeps only what this work takes. The service asks it over a socket; it
 * makes each sandbox as a child of the service (CLONE_PARENT), and sends all its fds back over the
 * socket. Serials and ids are chosen in the service. However the maker ends, nothing is left of
 * what it was making then. Used by the Pool. */

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
        void (*ended)(void *data); /* the maker has ended by itself; free it now */
        void *data;
} MakerOptions;

bool maker_new(const MakerOptions *options, Maker **ret, GError **error);
/* Ends the maker, and what it was asked for and has not delivered. */
void maker_free(Maker *maker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Maker, maker_free)

/* Asks for a sandbox and does not wait: `made` follows, if it can be made. Its leaf will be
 * `uid`'s, with this serial. `map` is consumed in any case. */
bool maker_ask(Maker *maker, uint64_t serial, uid_t uid, gid_t gid, IdMap *map, GError **error);
unsigned maker_count(const Maker *maker); /* asked for and not made yet */
bool maker_is_stuck(const Maker *maker);  /* has not answered for seconds: to be freed */
