#pragma once

/* Tells that a user's last session has ended, as logind knows sessions: a user who lingers counts
 * as one who has a session. Only who was seen with a session is told of. Whoever sends the signal
 * is not believed: it is why logind is asked once more. Where there is no logind, or it does not
 * answer, nothing is told. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

typedef struct Sessions Sessions;

typedef struct SessionsEvents {
        void (*found)(uid_t uid, void *data); /* the user has a session */
        void (*ended)(uid_t uid, void *data); /* the user had one, and has none any more */
} SessionsEvents;

Sessions *sessions_new(sd_bus *bus, const SessionsEvents *events, void *data);
void sessions_free(Sessions *sessions);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sessions, sessions_free)
/* Asks the bus for the rule, and waits for it: before the first watch. */
bool sessions_start(Sessions *sessions, GError **error);

/* From now on the events tell of the user; `had`: a predecessor saw a session. Nothing is told from
 * inside this. */
void sessions_watch(Sessions *sessions, uid_t uid, bool had);
