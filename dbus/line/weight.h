#pragma once

/* How much memory a message that waits takes, which sd-bus does not tell. Called by
 * dbus/requests.c. */

#include <stddef.h>
#include <systemd/sd-bus.h>

/* The bytes of its body, and something for each value. What goes beyond `most` is not counted, for
 * it may be millions of empty strings: then, and for a message that cannot be read, the answer is
 * more than `most`. Rewinds the message. */
size_t weight_of_message(sd_bus_message *message, size_t most);
