#pragma once

/* A message's arguments → Order: types, counts and lengths are checked here, what they mean in
 * order_validate(). Pure: nothing but the message is read, nothing is kept of it but copies of its
 * fds. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "service/spec/order.h"

/* Run(s rootfs, t memMax, as argv) */
bool spec_decode_run(sd_bus_message *message, Order **ret, GError **error);

/* Spawn and Create(ay rootfs, aay argv, a{uh} fds, a{sv} options) */
bool spec_decode_spawn(sd_bus_message *message, Order **ret, GError **error);

/* Update(a{sv} resources): what is not said stays as resources_init_update() has it.
 * *ret_unwatches: WatchBus is to be dropped. */
bool spec_decode_update(sd_bus_message *message, Resources *ret, bool *ret_unwatches,
                        GError **error);
/* Update(a{sv} options) of what Exec has started. */
bool spec_decode_exec_update(sd_bus_message *message, bool *ret_unwatches, GError **error);

/* Exec(aay argv, a{uh} fds, a{sv} options). What is not said adds nothing to what the container's
 * first process may do, and takes nothing away: so these are not the defaults of an Order. */
bool spec_decode_exec(sd_bus_message *message, Order **ret, GError **error);
