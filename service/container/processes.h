#pragma once

/* The processes of a container and their command lines. A command line is memory of the process,
 * and a hostile process can put something there that never answers (a file of a file system in user
 * space): so a throw-away child reads it, with a deadline. Knows no bus. */

#include <glib.h>
#include <stdbool.h>

#include "service/container/container.h"
#include "service/rootfs/lookup.h"

/* One process: the number on the host, and its command line as valid UTF-8, or "[name]" where there
 * is none, or where it could not be read in time. */
typedef struct ProcessLine {
        pid_t pid;
        char *command;
} ProcessLine;

/* `lines`: an array of ProcessLine, borrowed. */
typedef void (*ProcessesFunc)(GArray *lines, void *data);

typedef struct ProcessesLook ProcessesLook;

/* Looks at up to PROCESSES_MAX processes; `function` follows from the loop, PROCESSES_TIMEOUT_MSEC
 * later at most. `lookups` keeps a child that cannot be ended, as one of the container's owner,
 * whose doing it is. */
ProcessesLook *processes_look(const Container *container, RootfsLookups *lookups,
                              ProcessesFunc function, void *data, GError **error);
void processes_cancel(void *look); /* a ProcessesLook; no call-back */
