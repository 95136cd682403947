#pragma once

/* Exports the objects of processes that have joined containers, each below its container's: they
 * exist for whoever the container exists for. */

#include "dbus/server.h"

bool exec_api_export(Server *server, GError **error);
