#pragma once

/* Parsers for values on a command line. Each returns false, and leaves `ret` alone, if the text is
 * no such value. They complain about nothing: the caller knows the name of the flag. */

#include <stdbool.h>
#include <stdint.h>

bool value_parse_bool(const char *text, bool *ret);

/* A decimal number from `min` to `max`. */
bool value_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* Seconds with or without a fraction, in microseconds; below a thousand years. */
bool value_parse_seconds(const char *text, uint64_t *ret_usec);

/* "TERM", "SIGTERM", "15", "RTMIN+3". */
bool value_parse_signal(const char *text, int *ret);

/* `path` made absolute. Symlinks and ".." stay: the service resolves them with the caller's
 * credentials. NULL with errno set if `path` is empty or there is no current directory. */
char *value_absolute_path(const char *path);
