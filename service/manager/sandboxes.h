#pragma once

/* What is done to all containers of an owner that the action `sandbox` covers, also to those that
 * are being created. Called by the bus layer, which knows why. */

#include <sys/types.h>

#include "service/manager/manager.h"

void manager_kill_sandboxes(Manager *manager, uid_t owner);
/* Remembers, also over a restart, that the owner had a session. */
void manager_note_session(Manager *manager, uid_t owner);
