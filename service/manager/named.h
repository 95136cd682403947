#pragma once

/* A container by the name that a user has for it: called by the bus for GetContainer. */

#include "service/manager/manager.h"

/* As manager_find(); else the container of the index that has this id of the OCI, or alone one that
 * begins so. NULL: there is none, or more than one. */
Container *manager_find_named(Manager *manager, uid_t owner, const char *name);
