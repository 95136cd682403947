#pragma once

#include <systemd/sd-bus.h>

/* A connection to the bus at `address`, ends the program with a message if there is none. */
sd_bus *connection_open(const char *address);
