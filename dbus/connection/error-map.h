#pragma once

/* GError → D-Bus error: the one door out. */

#include <systemd/sd-bus.h>

#include "service/spec/error.h"

/* Sets `ret_error` for a handler to return, and returns a negative errno, as sd-bus wants; the text
 * becomes valid, printable UTF-8. Consumes `error`. */
int error_map_set(sd_bus_error *ret_error, GError *error);

/* Answers `message` with `error`, which is borrowed. */
void error_map_reply(sd_bus_message *message, const GError *error);
