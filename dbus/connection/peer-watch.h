#pragma once

/* Tells, once, that a bus client has left. Asynchronous from the first step. Nothing is missed
 * between asking for the signal and getting it, for the bus is asked afterwards whether the client
 * is still there. All watches of one client share one match rule (a connection has 512 of them),
 * which stays for a while for later watches. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

/* The clients that are watched over one connection. Free all watches before it. */
typedef struct PeerWatches PeerWatches;
PeerWatches *peer_watches_new(sd_bus *bus);
void peer_watches_free(PeerWatches *watches);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PeerWatches, peer_watches_free)

typedef struct PeerWatch PeerWatch;
/* `gone`: the client has left; else it cannot be watched (the bus refused), and may still be there.
 */
typedef void (*PeerWatchFunc)(bool gone, void *data);

/* `name` is a unique bus name. The watch is the owner's to free, from inside the function too,
 * which is called from the loop and never from inside this. */
PeerWatch *peer_watch_new(PeerWatches *watches, const char *name, PeerWatchFunc function,
                          void *data);
void peer_watch_free(PeerWatch *watch);

typedef void (*PeerPresentFunc)(void *data);

/* Calls `present`, with the watch's data, once the bus has said that the client is there and
 * watched: it had not left before, and cannot leave unseen any more. Calls it at once, from inside
 * this, if that is known already. The function may free the watch. */
void peer_watch_await(PeerWatch *watch, PeerPresentFunc present);
