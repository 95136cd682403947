#pragma once

/* Descriptors that a caller passes for the command, out of a message into an Order, which owns
 * copies. Refused by name: a directory, a mere path, two of one number, too many. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "service/spec/order.h"

/* a{uh}: the fds, each with its number inside. */
bool fds_decode(sd_bus_message *message, Order *order, GError **error);

/* An `h` that becomes `target` inside; `what` names it in errors. */
bool fds_decode_one(sd_bus_message *message, Order *order, unsigned target, const char *what,
                    GError **error);
bool fds_have(const Order *order, unsigned target);
