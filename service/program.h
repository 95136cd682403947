#pragma once

/* Keeps the service's program file from being overwritten, and from being executed in a container.
 * Until a container executes its command, its /proc/self/exe is that file; so the service runs from
 * a mount of its own. Called once, before anything else. */

#include <glib.h>
#include <stdbool.h>

/* Executes the program again from a mount that is read-only, then forbids execution there. Does
 * nothing for users other than root: through /proc/self/exe they could write only to files that are
 * theirs anyway. */
bool program_protect(char **argv, GError **error);
