#pragma once

/* A container that is being made, from the bundle to the process that waits for its start, and all
 * that goes again if that fails. Each thing is written down before it is made, so that what a
 * killed `create` leaves is found by `delete --force`. Called by create and run. */

#include "cli/oci/engine/engine.h"
#include "cli/oci/launch/room.h"
#include "cli/oci/verbs/verbs.h"

typedef struct Making {
        const OciCall *call;
        OciSpec *spec;
        OciState *state;
        Room room;
        int directory;
        EngineChild child;
        bool is_taken; /* the id is ours, and so is the directory */
} Making;

void making_init(Making *making, const OciCall *call);
void making_clear(Making *making); /* takes back what was not kept */
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Making, making_clear)

/* `has_relay`: this process serves the terminal itself, without a console socket. */
bool making_create(Making *making, bool has_relay, GError **error);
