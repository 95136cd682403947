#pragma once

/* What waits on the bus for an object, a container or a process that has joined one: the calls that
 * are answered at its end (Wait, Stop and Delete of a live container), and the watch on the caller
 * whose leaving ends it (WatchBus). Forgets an object with its end, of which it must be told before
 * the object is freed. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/activity.h"
#include "dbus/connection/callers.h"
#include "dbus/connection/peer-watch.h"
#include "dbus/connection/sessions.h"
#include "service/container/container.h"

typedef struct Waiting Waiting;

typedef struct WaitingOptions {
        sd_bus *bus; /* borrowed, as all of these */
        Callers *callers;
        PeerWatches *watches; /* NULL on a private connection: its caller leaves only with it */
        Sessions *sessions;   /* the same */
        Activity activity;
} WaitingOptions;

Waiting *waiting_new(const WaitingOptions *options);
void waiting_free(Waiting *waiting);
bool waiting_is_idle(const Waiting *waiting); /* no call is kept */

/* May the caller have one more call kept? */
bool waiting_has_room(Waiting *waiting, sd_bus_message *message, GError **error);
/* Keeps `message` to be answered when the object ends. A connection has at most one call of each
 * method kept for an object: the older one is answered with NoReply. */
bool waiting_keep(Waiting *waiting, const void *object, sd_bus_message *message, GError **error);
/* Answers all calls that were kept for the object, and forgets it. */
void waiting_answer(Waiting *waiting, const void *object, ContainerResult result, int code);
/* Answers all kept calls with `error`. */
void waiting_cancel(Waiting *waiting, const GError *error);

/* WatchBus: ends the container with its watcher, or at once if that was a name on another bus. Of a
 * sandbox, its owner's sessions are watched as well. */
void waiting_watch_caller(Waiting *waiting, Container *container);
/* The same for any object, which `end` ends; `gone` as of a PeerWatch. `watcher` NULL: does
 * nothing. */
typedef void (*WaitingEndFunc)(const void *object, bool gone);
void waiting_watch(Waiting *waiting, const void *object, const char *watcher, WaitingEndFunc end);
/* May the sender of `message` drop the watch of `watcher`? It is the watched caller's own to drop:
 * else AccessDenied. */
bool waiting_may_unwatch(Waiting *waiting, const char *watcher, sd_bus_message *message,
                         GError **error);
void waiting_unwatch(Waiting *waiting, const void *object);
/* The text for ContainerInfo: the id of the bus and the name. */
char *waiting_watcher(sd_bus *bus, const char *name);
