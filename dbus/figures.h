#pragma once

/* Figures of a container as a{sv}: names and numbers, without those that are not known. */

#include <systemd/sd-bus.h>

#include "service/cgroup/stats.h"

/* Returns a negative errno on failure, as sd-bus does. */
int figures_append(sd_bus_message *reply, uint64_t known, const uint64_t *values, unsigned n);
