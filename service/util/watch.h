#pragma once

/* Waits for file descriptors on the default main loop, at a cost that does not grow with their
 * number: GLib goes through each source and polls each fd on every turn, so whatever there is once
 * for every container is watched here instead. No more than GUnixFDSource otherwise: `condition` is
 * what poll() would say of the fd. */

#include <glib.h>

typedef struct Watch Watch;
typedef void (*WatchFunc)(int fd, GIOCondition condition, void *data);

/* `function` is called for as long as `events`, an error or a hang-up are there. Any open fd can be
 * watched, and more than once. */
Watch *watch_new(int fd, GIOCondition events, WatchFunc function, void *data);

/* Ends and sets NULL, in a callback too, be it of this watch or of another: from here on nothing is
 * called. The fd must still be open: the kernel watches the file behind it, which another process
 * may keep open when the number is closed here. */
void watch_clear(Watch **watch);
