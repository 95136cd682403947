#pragma once

/* A line of the service's log about one container, with the fields by which the journal finds it.
 */

#include <glib.h>

#include "service/container-info.h"

void log_container(const ContainerInfo *info, const char *format, ...) G_GNUC_PRINTF(2, 3);
