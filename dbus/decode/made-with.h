#pragma once

/* What a container is made with, to be kept and told by GetConfig: an a{sv} of what a call of Run,
 * Spawn or Create said, by the names of arguments and options, and what the service has settled
 * where it said nothing. */

#include <glib.h>
#include <systemd/sd-bus.h>

#include "service/spec/order.h"

/* `message` is read anew, and `order` was made of it. NULL: it could not be read. */
GVariant *made_with_read(sd_bus_message *message, const Order *order);

/* Appends it, as a{sv}, with the name that the container has got. */
int made_with_append(sd_bus_message *reply, GVariant *made_with, const char *id);
