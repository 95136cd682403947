#pragma once

/* The one object of the manager, with the interfaces org.naive.Runc and Manager1: finds and lists
 * containers; what makes them is in spawn.c. */

#include "dbus/server.h"

bool manager_api_export(Server *server, GError **error);
