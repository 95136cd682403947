#pragma once

/* The request to the service that a command line of bubblewrap's is. Knows no connection. Called by
 * naive-bwrap.c. */

#include "cli/bwrap/line.h"
#include "cli/bwrap/tree.h"
#include "cli/lib/spawn-request.h"

/* Who calls, as far as the request depends on it. */
typedef struct BwrapCaller {
        uid_t uid;
        gid_t gid;
        mode_t umask;
        const char *hostname, *directory;
        bool has_terminal; /* 0, 1 and 2 are one */
} BwrapCaller;

/* `line` gets the variable PWD. NULL, or a text that says what is wrong (free it). */
char *bwrap_translate(BwrapLine *line, const BwrapCaller *caller, Tree *tree,
                      SpawnRequest *request);
