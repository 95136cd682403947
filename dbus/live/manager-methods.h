#pragma once

/* Methods of the manager that look at what is there: handlers as sd-bus wants them, each called
 * with the Server, and the filter of ListContainers. */

#include "dbus/server.h"

int method_get_container_by_pidfd(sd_bus_message *message, void *data, sd_bus_error *ret_error);
int method_get_features(sd_bus_message *message, void *data, sd_bus_error *ret_error);

/* a{sv}. `ret_labels`: KEY or KEY=VALUE, all of which a container must have; NULL: not said. To be
 * freed by g_free(). */
bool filter_read(sd_bus_message *message, char ***ret_labels, GError **error);
bool filter_passes(char *const *labels, const ContainerInfo *info);
