#pragma once

/* Waits for file descriptors on the default main loop, at a cost that does not grow with their
 * number. GLib goes through each source and polls each fd on every turn; so what every container
 * has is watched here instead. Otherwise like GUnixFDSource: `condition` is what poll() would say
 * of the fd. */

#include <glib.h>

typedef struct Watch Watch;
typedef void (*WatchFunc)(int fd, GIOCondition condition, void *data);

/* `function` is called again and again while one of `events`, an error or a hang-up is there. Any
 * open fd can be watched, also more than once. */
Watch *watch_new(int fd, GIOCondition events, WatchFunc function, void *data);

/* Ends the watch and sets NULL; nothing is called any more. Allowed in any callback, also in that
 * of this watch. The fd must still be open: the kernel watches the file behind it, and another
 * process may keep that open when the fd is closed here. */
void watch_clear(Watch **watch);
