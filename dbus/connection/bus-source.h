#pragma once

/* One sd_bus connection as a source of a GLib main loop. It owns a reference to the bus and says
 * when sd_bus_process() is called. It knows nothing of what travels over the bus.
 *
 * The bus must use one fd for both directions, as every connection to an address does. */

#include <glib.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* The connection has ended: `error` is a positive errno. Called once, from the main loop, after
 * every pending call has been answered with an error by sd-bus; the source has then left its
 * context. */
typedef void (*BusLostFunc)(int error, void *data);

/* Serves `bus`, which is started (connecting or connected), from `context` (NULL: the default one),
 * one message for each turn so that timers and child watches are not starved. `lost` may be NULL.
 *
 * Returns a reference of the caller's own: g_source_destroy() ends the service, g_source_unref()
 * gives the reference back. With the last reference the bus is closed and not flushed, since
 * flushing can block: a tidy shutdown drains the bus first. */
GSource *bus_source_attach(sd_bus *bus, GMainContext *context, BusLostFunc lost, void *data);

/* What is done in a turn, in place of one sd_bus_process(). */
typedef struct BusTurn {
        int (*take)(void *data); /* negative: as of sd_bus_process() */
        /* When there is something to do that the bus does not know of: microseconds, monotonic;
         * UINT64_MAX: never. */
        uint64_t (*due_at)(void *data);
        void *data;
} BusTurn;
void bus_source_set_turn(GSource *source, const BusTurn *turn);
