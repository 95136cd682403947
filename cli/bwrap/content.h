#pragma once

/* What file descriptors of a command line have to read: arguments, files, filters; and which file
 * one has open. Called by line.c and tree.c. */

#include <glib.h>
#include <stddef.h>

/* All that is left to read. The fd is closed, as bubblewrap does. NULL, or a text that says what is
 * wrong (free it). */
char *content_read(int fd, size_t max, GBytes **ret);
/* The same as NUL-terminated words. */
char *content_read_words(int fd, unsigned max, char ***ret);
/* The path that `fd` has now. It is closed, too. */
char *content_find_path(int fd, char **ret);
