#pragma once

/* A dbus-daemon of the test's own in a temporary directory. Everybody may connect, own any name and
 * send anything, replies that nobody asked for included: what the system bus would refuse has to be
 * survived here. It dies with the test program. */

#include <systemd/sd-bus.h>

#include "service/util/bus-auto.h"

typedef struct PrivateBus PrivateBus;

/* Aborts the test if dbus-daemon cannot be started. */
PrivateBus *private_bus_new(void);
void private_bus_free(PrivateBus *bus);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PrivateBus, private_bus_free)

const char *private_bus_address(const PrivateBus *bus);
const char *private_bus_socket_path(const PrivateBus *bus);

/* Stops the daemon (SIGSTOP): it reads and answers no more, as if it hung. */
void private_bus_stop(PrivateBus *bus);

/* Kills and reaps the daemon now; every connection to it ends. */
void private_bus_kill(PrivateBus *bus);

/* A new connection that has its unique name. Serve it by a BusSource or not at all. */
sd_bus *private_bus_connect(const PrivateBus *bus);
