#pragma once

/* What the manager tells, told to the bus: new and removed objects, ends, changed properties. A new
 * container is announced when there is nothing more urgent, yet before anything else is said of
 * it. Calls that waited for an end are answered before everybody hears of that end. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/activity.h"
#include "dbus/connection/callers.h"
#include "dbus/waiting.h"
#include "service/manager/manager.h"

typedef struct Signals Signals;

/* All are borrowed. */
Signals *signals_new(sd_bus *bus, Waiting *waiting, const Callers *callers,
                     const Activity *activity);
void signals_free(Signals *signals);

extern const ManagerEvents signals_events; /* their data is the Signals */

/* Does sd-bus look up an object for us now, to emit a signal, and not for a caller? */
bool signals_is_emitting(const Signals *signals);
