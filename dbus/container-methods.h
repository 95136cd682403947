#pragma once

/* What the methods of a container do, once it is found and the caller may call them; both are
 * container-api.c's to see to. */

#include "dbus/server.h"

/* Calls the handler of the message's method. True: answered, or kept to be answered. */
bool container_method_call(Server *server, Container *container, sd_bus_message *message,
                           GError **error);
