#pragma once

/* Opens the parts of the service and wires them together; closes them again in reverse order. The
 * bus name is taken last, so that no caller ever sees a half-built service. main.c has the signals,
 * the loop and the decision when to end. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/server.h"
#include "service/fd-store.h"
#include "service/spec/config.h"

typedef struct ServiceOptions {
        char *address;       /* NULL: the system bus. Borrowed, as are all of these */
        char *state_dir;     /* NULL: the default */
        char *cgroup_parent; /* NULL: that of the containers' unit */
        int embedded;        /* fd of a private connection, to serve instead; -1: none */
        Activity activity;   /* may be called while the service is opened or closed, too */
        void (*bus_lost)(int error, void *data);
        void *data;
} ServiceOptions;

typedef struct Service {
        ServiceOptions options;
        Config config;
        /* Root on the host, not only in the user namespace that isolate() makes. */
        bool is_root;
        int state_dir, records, lock; /* -1 when embedded */
        Credentials peer;             /* when embedded: the one caller */
        CgroupTree *cgroups;
        IdRanges *ranges;
        int id_claim; /* holds the ids of root's embedded service; else -1 */
        Profile *profile;
        GError *profile_error; /* why `profile` is NULL */
        sd_bus *bus;
        GSource *source;
        Server *server;
        Manager *manager;
        FdStore *store;
        Journal *journal;
} Service;

/* Call this early, before other fds are opened: it takes the fds that systemd kept for a
 * predecessor. */
void service_init(Service *service, const ServiceOptions *options);
bool service_is_embedded(const Service *service);
/* Needs a loaded `config`. After it returns true, the service serves; on a bus, under its name.
 * Call service_close() after a failure, too. */
bool service_open(Service *service, GError **error);
/* Answers the callers that still wait, sends what is queued, and closes everything. Containers of a
 * service on a bus go on running. */
void service_close(Service *service);
