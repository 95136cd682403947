#pragma once

/* Tells, once, that a bus client has left. One match rule tells of all clients (a connection has
 * 512 of them, which users could use up by calls that wait). The bus tells of a client's leaving
 * after the last message of that client's: so a client whose message is being read is there, and
 * its leaving cannot be missed. Of any other client the bus is asked whether it is there. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "service/spec/error.h"

/* The clients that are watched over one connection. Free all watches before it. */
typedef struct PeerWatches PeerWatches;
PeerWatches *peer_watches_new(sd_bus *bus);
void peer_watches_free(PeerWatches *watches);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PeerWatches, peer_watches_free)
/* Asks for the rule and waits for it: before the first watch, and before the service has its name.
 */
bool peer_watches_start(PeerWatches *watches, GError **error);

typedef struct PeerWatch PeerWatch;
/* `gone`: the client has left; else the bus does not say, and it may still be there. */
typedef void (*PeerWatchFunc)(bool gone, void *data);

/* `name` is a unique bus name. The watch is the owner's to free, from inside the function too,
 * which is called from the loop and never from inside this. */
PeerWatch *peer_watch_new(PeerWatches *watches, const char *name, PeerWatchFunc function,
                          void *data);
/* The same for the sender of the message that is being read. */
PeerWatch *peer_watch_new_sender(PeerWatches *watches, const char *name, PeerWatchFunc function,
                                 void *data);
void peer_watch_free(PeerWatch *watch);
