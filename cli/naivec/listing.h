#pragma once

/* The reply of ListContainers as rows. */

#include <stdint.h>

#include "cli/lib/client.h"

typedef struct {
        char *id;
        char *state;
        uint32_t owner;
        uint64_t created_usec;
        char *path;
        char *name; /* what naivec takes for it: ID for one's own, UID/ID for another's */
} ListedContainer;

/* Those that the caller may see; NULL after saying why not. Elements are ListedContainer. */
GPtrArray *listing_fetch(Client *client);
