#pragma once

/* The mounts that the kernel leaves out when it copies a tree with all that is mounted in it:
 * unbindable ones. In the copy lies open what they hide. Asks no file system. Called by mount.h,
 * once the copy is made. */

#include <glib.h>

/* The table of mounts as text, if there is an unbindable one anywhere; else NULL, as nearly always.
 * Owned. */
char *uncopied_read(void);

/* The path of one that lies in the pinned tree, or of which nobody can say that it does not,
 * because directories are renamed all the time; NULL: there is none. Owned. */
char *uncopied_find(const char *table, int fd);
