#pragma once

/* Ends a service that has nothing to do, without losing a call. Owns the bus name once the service
 * is idle; of everything else it knows only whether something is pending. */

#include "dbus/server.h"
#include "service/manager/manager.h"

typedef struct IdleExit IdleExit;

typedef struct IdleExitOptions {
        sd_bus *bus;
        Server *server;
        Manager *manager;
        unsigned timeout_sec; /* 0: never */
        /* Called when the loop may end, with this exit status. The program cancels what is still
         * pending then. */
        void (*done)(int status, void *data);
        void *data;
} IdleExitOptions;

IdleExit *idle_exit_new(const IdleExitOptions *options); /* begins to count */
void idle_exit_free(IdleExit *idle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdleExit, idle_exit_free)

/* Something happened: begins to count anew if the service is idle. */
void idle_exit_activity(IdleExit *idle);
