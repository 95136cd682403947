#pragma once

/* Ends a service that has nothing to do, and loses no call by it. Owns the bus name from idle on;
 * knows of the rest only whether anything is pending. */

#include "dbus/server.h"
#include "service/manager/manager.h"

typedef struct IdleExit IdleExit;

typedef struct IdleExitOptions {
        sd_bus *bus;
        Server *server;
        Manager *manager;
        unsigned timeout_sec;                 /* 0: never */
        void (*done)(int status, void *data); /* the loop may end, with this exit status; what is
                                                 still pending then is to be cancelled */
        void *data;
} IdleExitOptions;

IdleExit *idle_exit_new(const IdleExitOptions *options); /* begins to count */
void idle_exit_free(IdleExit *idle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdleExit, idle_exit_free)

void idle_exit_activity(IdleExit *idle); /* something happened: counts anew, if it is idle at all */
