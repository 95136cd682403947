#include "tests/bench/connection.h"

#include <err.h>
#include <stdbool.h>
#include <string.h>

sd_bus *connection_open(const char *address)
{
        sd_bus *bus = NULL;
        int r = sd_bus_new(&bus);

        (void) (r >= 0 && (r = sd_bus_set_address(bus, address)) >= 0 &&
                (r = sd_bus_set_bus_client(bus, true)) >= 0 &&
                (r = sd_bus_negotiate_fds(bus, true)) >= 0 && (r = sd_bus_start(bus)) >= 0);
        if (r < 0)
                errx(1, "cannot connect to the bus: %s", strerror(-r));
        return bus;
}
