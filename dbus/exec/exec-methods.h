#pragma once

/* What the methods of a process do that has joined a container. exec-api.c has seen to it that the
 * caller may call the method. */

#include "dbus/server.h"

Exec *exec_at(Server *server, const char *path); /* NULL: there is none */

/* Calls the handler of the message's method. A handler for sd-bus; `data` is the Server. */
int exec_method_call(sd_bus_message *message, void *data, sd_bus_error *ret_error);
