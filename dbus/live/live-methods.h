#pragma once

/* Handlers of methods of a container that tell how it is now. As those of container-methods.c: each
 * is called once its caller may call it; true: answered, or kept to be answered. */

#include "dbus/server.h"

/* Answers GetProcesses, and ends the request. */
void processes_answer(Server *server, const Container *container, Request *request);

bool method_set_pressure_trigger(Server *server, Container *container, sd_bus_message *message,
                                 GError **error);
bool method_get_config(Server *server, Container *container, sd_bus_message *message,
                       GError **error);
bool method_get_stats(Server *server, Container *container, sd_bus_message *message,
                      GError **error);
