#pragma once

/* Who the process of a sandbox is: its ids as texts for the kernel, and the groups of its owner, if
 * it keeps them. Called by sandbox.c alone. */

#include <stdbool.h>

#include "service/rootfs/id-map.h"
#include "service/spec/credentials.h"

typedef struct SandboxIds {
        char inner_uids[36], inner_gids[36]; /* all of them, to be mapped to themselves */
        char ping_groups[24];                /* all groups */
} SandboxIds;
SandboxIds ids_write(const IdMap *map);

/* Around the clone: the child is born with the groups of `owner`, for inside nobody may set them.
 * NULL: there is nothing to do. False with errno. */
bool ids_keep_groups(const Credentials *owner);
void ids_drop_groups(const Credentials *owner);
