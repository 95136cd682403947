#pragma once

/* The decoders of the options, one for each row of dbus/options.h: a message, at the option's value
 * → what the caller said, in an Order. Each checks its own value. They stand in the files that the
 * groups of options.h are named after. Included by the files of this folder alone. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/options.h"
#include "service/spec/order.h"

#define X(Key, signature, flag, metavar, help)                                                     \
        bool decode_##Key(sd_bus_message *message, Order *order, GError **error);
SPAWN_OPTIONS(X)
#undef X

bool decode_Force(sd_bus_message *message, Order *order, GError **error); /* Update's own */

/* A decoder for an option that is read as it is, into one field of the order. */
#define DECODE(Key, reader, field)                                                                 \
        bool decode_##Key(sd_bus_message *message, Order *order, GError **error)                   \
        {                                                                                          \
                return reader(message, #Key, &order->field, error);                                \
        }
