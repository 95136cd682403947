#pragma once

/* The containers that the service lists for the caller, under the names that naivec takes for them.
 * Called by `list` and by the verbs that take --all. */

#include <stdint.h>

#include "cli/lib/client.h"

typedef struct {
        char *id;
        char *state;
        uint32_t owner;
        uint64_t created_usec;
        char *path;
        char *name; /* on a command line: ID for the caller's own, UID/ID for another's */
} ListedContainer;

/* Is it for `--all`? A user may see containers of others, but would need an authorization to do
 * something to each of them. */
bool listing_is_ours(const Client *client, const ListedContainer *container);

/* All containers that the caller may see, as ListedContainer; NULL after a complaint. */
GPtrArray *listing_fetch(Client *client);
/* Those with all of these labels, each KEY or KEY=VALUE; without any, all. */
GPtrArray *listing_fetch_labelled(Client *client, char **labels);
