#pragma once

/* Exports the objects of containers: decides which objects exist for whom, and brings each call to
 * its handler once its caller may make it. */

#include "dbus/server.h"

bool container_api_export(Server *server, GError **error);
