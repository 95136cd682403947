#pragma once

/* Waits in the foreground for a process that this one has made: what is signalled here is signalled
 * there, and with a terminal what is typed goes there and what is said comes back. Called by run
 * and exec. */

#include <glib.h>
#include <stdbool.h>

#include "cli/oci/engine/engine.h"

/* From now on signals wait for foreground_wait(): call it before the process is made. */
void foreground_begin(void);
/* `*ret_status`: the process's exit code, 128 and the number of a signal that killed it. */
bool foreground_wait(const EngineChild *child, int *ret_status, GError **error);
