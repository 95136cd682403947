#pragma once

/* Gives a service on a private connection a mount namespace of its own, which keeps the containers'
 * /dev. For an ordinary user it first makes a user namespace, in which the service may make mounts
 * and further namespaces. Call it while the process has one thread. */

#include <glib.h>
#include <stdbool.h>

bool isolate(GError **error);
