#pragma once

/* Keeps the service's program file from being overwritten. Until a container executes its command,
 * its /proc/self/exe is that file; so the service runs from a mount that nobody can write to.
 * Called once, before anything else. */

#include <glib.h>
#include <stdbool.h>

/* If the program runs from a writable mount, executes it again from a read-only mount and does not
 * return. Does nothing for users other than root: through /proc/self/exe they could write only to
 * files that are theirs anyway. */
bool program_protect(char **argv, GError **error);
