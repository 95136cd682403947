#pragma once

/* The triggers for pressure of one container, one for each resource. They end with the service: who
 * wants to be told is known to this one alone. Part of a Container's struct, used by it alone;
 * knows no container. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/cgroup/live/pressure.h"

typedef void (*PressureFunc)(PressureResource resource, uint64_t some_usec, void *data);

/* All zero: none is set. */
typedef struct PressureTrigger {
        const struct Pressure *owner;
        int fd;
        GSource *source; /* NULL: none is set */
} PressureTrigger;

typedef struct Pressure {
        PressureTrigger triggers[_PRESSURE_MAX];
        PressureFunc function;
        void *data;
} Pressure;

/* Sets the trigger of a resource in the place of the one before; a threshold of 0 takes it away. */
bool pressure_set(Pressure *pressure, const Cgroup *cgroup, PressureResource resource,
                  uint64_t threshold_usec, uint64_t window_usec, GError **error);
void pressure_end(Pressure *pressure); /* all of them; also if none is set */
