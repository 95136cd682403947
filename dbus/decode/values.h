#pragma once

/* Any value of a message as a GVariant, to be kept, and back into a message. Knows types, and
 * nothing of what a value means. */

#include <glib.h>
#include <systemd/sd-bus.h>

/* Reads the value at which the message stands. A descriptor becomes `true`: that there was one.
 * `*left`: how many bytes may still be kept, of which the value's are taken; *ret is NULL if they
 * do not suffice, and the value is read all the same. Returns a negative errno on failure. */
int value_read(sd_bus_message *message, size_t *left, GVariant **ret);

int value_append(sd_bus_message *message, GVariant *value);
