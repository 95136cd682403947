#pragma once

/* The parts of the service, opened and wired, and closed again in reverse. All is built before the
 * bus name is taken, so that no caller ever sees a half-built service. Signals, the loop and when
 * to end are main.c's. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/server.h"
#include "service/fd-store.h"
#include "service/spec/config.h"

typedef struct ServiceOptions {
        char *address;       /* NULL: the system bus. The caller's, as all of these */
        char *state_dir;     /* NULL: the default */
        char *cgroup_parent; /* NULL: the unit's own */
        int embedded;        /* fd of a private connection, to serve instead; -1: none */
        Activity activity;   /* may come while the service is opened and closed, too */
        void (*bus_lost)(int error, void *data);
        void *data;
} ServiceOptions;

typedef struct Service {
        ServiceOptions options;
        Config config;
        bool is_root;                 /* and not merely of the namespace that isolate() makes */
        int state_dir, records, lock; /* -1 when embedded */
        Credentials peer;             /* when embedded: its caller */
        CgroupTree *cgroups;
        IdRanges *ranges;
        int id_claim; /* when embedded for root, else -1 */
        Profile *profile;
        GError *profile_error; /* why there is none */
        sd_bus *bus;
        GSource *source;
        Server *server;
        Manager *manager;
        FdStore *store;
        Journal *journal;
} Service;

/* Takes the predecessor's fds: early, before others are opened. */
void service_init(Service *service, const ServiceOptions *options);
bool service_is_embedded(const Service *service);
/* Serves from then on, on a bus under its name. `config` is to be loaded before. After a failure
 * as well, close it. */
bool service_open(Service *service, GError **error);
/* Answers who still waits, flushes, closes. What runs on a bus goes on running. */
void service_close(Service *service);
