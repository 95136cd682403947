#pragma once

/* For a service on a private connection: a mount namespace of its own, to keep the containers' /dev
 * in, and for an ordinary user first a user namespace in which it may make mounts and further
 * namespaces. Must be called while the process has one thread. */

#include <glib.h>
#include <stdbool.h>

bool isolate(GError **error);
