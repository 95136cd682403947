#pragma once

/* Several containers at a time by one connection: a new one is asked for as soon as one is done
 * with, so that there are always as many under way. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "tests/bench/rounds.h"

typedef struct FlightPlan {
        sd_bus *bus;
        const ContainerOrders *orders;
        size_t in_flight;
        bool remove; /* each is deleted once its end is known */
        bool hold;   /* none is waited for: done with as soon as it runs, and it ends with us */
} FlightPlan;

/* Makes `n`, after the orders from `first` on; the time is that of all. */
Sample flight_run(const FlightPlan *plan, size_t n, size_t first);
