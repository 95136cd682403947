#pragma once

/* Pressure (PSI): how long processes of a leaf had to wait for something that others used. The v2
 * leaf has the files on hybrid, too. The kernel reports, and nothing here waits or looks. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/cgroup/cgroup.h"

typedef enum PressureResource {
        PRESSURE_CPU,
        PRESSURE_MEMORY,
        PRESSURE_IO,
        _PRESSURE_MAX,
} PressureResource;

const char *pressure_resource_to_string(PressureResource resource);
/* InvalidArgs if there is none of that name. */
bool pressure_resource_parse(const char *word, PressureResource *ret, GError **error);

/* An fd (owned) that polls as ready (POLLPRI), at most once in each window, when within a window
 * some process had to wait for longer than the threshold. A poll() takes the report away. */
bool cgroup_open_pressure(const Cgroup *cgroup, PressureResource resource, uint64_t threshold_usec,
                          uint64_t window_usec, int *ret, GError **error);

uint64_t cgroup_read_pressure(int fd); /* microseconds that some process waited, in all */
