#pragma once

/* Tells what a container's notices say, as signals: to the connections of its owner and of root
 * that have called the service, each by its unique name, and to nobody else. Knows callers and who
 * may see what; called by signals.c. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/connection/callers.h"
#include "service/container/events/notice.h"

typedef struct Notices Notices;

Notices *notices_new(sd_bus *bus, const Callers *callers); /* both borrowed */
void notices_free(Notices *notices);

/* False: of this user's containers so much is told already that this has to wait. */
bool notices_send(Notices *notices, const char *path, uid_t owner, const Notice *notice);
