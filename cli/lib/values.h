#pragma once

/* Values on the command line, as pure parsers: false means "not such a value", and `ret` is
 * untouched. */

#include <stdbool.h>
#include <stdint.h>

bool value_parse_bool(const char *text, bool *ret);

/* A decimal number from `min` to `max`. */
bool value_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* Seconds with or without a fraction, in microseconds; below a thousand years. */
bool value_parse_seconds(const char *text, uint64_t *ret_usec);

/* "TERM", "SIGTERM", "15", "RTMIN+3". */
bool value_parse_signal(const char *text, int *ret);

/* An absolute form of `path`; symlinks and ".." stay for the service, which resolves them with the
 * caller's credentials. NULL with errno set if there is no current directory or no path. */
char *value_absolute_path(const char *path);
