#pragma once

/* What the methods of a container do. container-api.c has found the container and seen to it that
 * the caller may call the method. */

#include "dbus/server.h"

/* Calls the handler of the message's method. True: answered, or kept to be answered. */
bool container_method_call(Server *server, Container *container, sd_bus_message *message,
                           GError **error);
