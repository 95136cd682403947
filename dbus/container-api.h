#pragma once

/* The objects of containers: which there are for whom, and each call of theirs from the bus to its
 * handler: find, judge, call. */

#include "dbus/server.h"

bool container_api_export(Server *server, GError **error);
