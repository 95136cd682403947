#pragma once

/* Who sent a message: by the bus daemon's own word, remembered for each client until it leaves (a
 * unique name is never given to anybody else), or on a private connection by the kernel's word of
 * the socket's other end. Whether it is in a container, the cgroups of the process say that the bus
 * names: the one that has connected. Nothing here waits for the bus daemon. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/connection/peer-watch.h"
#include "service/cgroup/cgroup.h"
#include "service/spec/credentials.h"
#include "service/spec/error.h"

typedef struct Callers Callers;

typedef struct CallersEvents {
        /* The answer for a client that was asked about. NULL: the bus does not say who it is, and
         * it is asked anew about the client's next message. */
        void (*learned)(const char *name, const Credentials *credentials, void *data);
        void (*left)(const char *name, void *data); /* a client that was asked about */
        void *data;
} CallersEvents;

/* `peer`: the one caller of a private connection (copied); NULL on a bus. `cgroups`: where
 * containers are, borrowed. */
Callers *callers_new(sd_bus *bus, PeerWatches *watches, const Credentials *peer,
                     const CgroupTree *cgroups);
void callers_free(Callers *callers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Callers, callers_free)
/* `events` are told from the loop, never from inside the functions below. */
void callers_listen(Callers *callers, const CallersEvents *events);

/* Asks the bus who the sender of the message is that is being read, unless that is known or asked
 * already. False: the bus cannot be asked. */
bool callers_ask(Callers *callers, const char *name);

/* Borrowed, valid until the loop goes on. NULL: not known. */
const Credentials *callers_find(const Callers *callers, const char *name);
/* Those that are known; the one of a private connection has no name (NULL). Nothing may be asked
 * from inside `function`. */
void callers_foreach(const Callers *callers,
                     void (*function)(const char *name, const Credentials *caller, void *data),
                     void *data);
/* The same for a message's sender: an error if it is not known. */
const Credentials *callers_get(const Callers *callers, sd_bus_message *message, GError **error);
