#pragma once

/* Who waits for a turn. Each user has a queue, first in, first out, and the users take turns, so
 * that a user who asks for much holds up nobody else. What all queues may weigh is bounded: beyond
 * that the heaviest one gives way, newest first, so that nobody can fill the room and keep others
 * out. Knows no request and no message. Called by dbus/requests.c. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct Line Line;

/* A place in the line, part of what waits there. */
typedef struct LinePlace {
        uid_t uid;
        size_t weight;
        GList link; /* the line's own */
} LinePlace;

Line *line_new(size_t weight_max);
void line_free(Line *line); /* call it when nobody waits any more */
bool line_is_empty(const Line *line);
unsigned line_length(const Line *line, uid_t uid);

/* `place` is borrowed, with its user and weight filled in, until it has left. */
void line_join(Line *line, LinePlace *place);
void line_leave(Line *line, LinePlace *place);

/* The place that has to give way since the line weighs too much: it has left. NULL: there is room
 * enough. */
LinePlace *line_surplus(Line *line);

typedef bool (*LineMay)(uid_t uid, const void *data);
/* The first place of the next user, in turn, who may: it has left. Without `may` everybody may.
 * NULL: nobody may. */
LinePlace *line_next(Line *line, LineMay may, const void *data);
