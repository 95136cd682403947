#pragma once

/* --host-usr: a sandbox of this machine's own programs, as a list of options and mounts that stands
 * in naivec(1). Called by run-command.c. */

#include "cli/lib/spawn-request.h"

/* Adds what is missing in the request; mounts of the user's come last. NULL, or a text that says
 * what is wrong (free it). */
char *host_usr_add(SpawnRequest *request);
