#pragma once

/* Takes messages off the bus quickly and serves users fairly. Replies and signals are handled as
 * they come. A method call waits (call-queue.h) until the bus has said whose it is, and until it is
 * its turn: one call is let through to its handler in each turn of the loop. So nobody waits behind
 * another's calls, polkit's answers wait behind nobody's, and the calls of a client that has left
 * are dropped. A handler finds its caller among the Callers.
 *
 * Knows nothing of what is called. On a private connection, with its one caller, nothing waits. */

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "dbus/activity.h"
#include "dbus/connection/bus-source.h"
#include "dbus/connection/callers.h"

typedef struct Intake Intake;

/* Who is told whose descriptors are whose. `caller` NULL: that is not known (yet). */
typedef struct IntakeSenders {
        /* The next message in the socket brings `n_fds` descriptors, and is of `name` ("":
         * not known). NULL: nobody needs them. */
        void (*next)(const char *name, const Credentials *caller, unsigned n_fds);
        void (*learned)(const char *name, const Credentials *caller); /* NULL: nor ever will be */
} IntakeSenders;

typedef struct IntakeOptions {
        sd_bus *bus; /* borrowed, as the next */
        Callers *callers;
        bool is_private;
        Activity activity;
        IntakeSenders senders; /* may be empty */
} IntakeOptions;

Intake *intake_new(const IntakeOptions *options);
void intake_free(Intake *intake);

/* Begins to see calls, before any handler does. */
bool intake_start(Intake *intake, GError **error);
BusTurn intake_turn(Intake *intake); /* for the source of the bus */

/* What a user's calls cost beside their handlers, later. */
void intake_charge(Intake *intake, uid_t uid, uint64_t usec);

bool intake_is_idle(const Intake *intake);               /* no call waits */
uint64_t intake_calls(const Intake *intake);             /* method calls that have come in so far */
void intake_cancel(Intake *intake, const GError *error); /* answers the calls that wait */
