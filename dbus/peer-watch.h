#pragma once

/* Tells, once, that a bus client has left. Asynchronous from the first step; nothing is missed between
 * asking for the signal and getting it, for the bus is asked afterwards whether the client is still there. */

#include <systemd/sd-bus.h>

typedef struct PeerWatch PeerWatch;
typedef void (*PeerWatchFunc)(void *data);

/* `name` is a unique bus name. The watch is the owner's to free, from inside the function too. NULL if
 * there is no memory or no connection. */
PeerWatch *peer_watch_new(sd_bus *bus, const char *name, PeerWatchFunc function, void *data);
void peer_watch_free(PeerWatch *watch);
