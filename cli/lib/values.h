#pragma once

/* Parsers for values on a command line. Each returns false, and leaves `ret` alone, if the text is
 * no such value. They complain about nothing: the caller knows the name of the flag. */

#include <stdbool.h>
#include <stdint.h>

bool value_parse_bool(const char *text, bool *ret);

/* A decimal number from `min` to `max`. */
bool value_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* Seconds with or without a fraction, or a time as systemd.time(7) writes it: "90s", "1min 30s". In
 * microseconds, at most a thousand years, which "infinity" is, too. */
bool value_parse_seconds(const char *text, uint64_t *ret_usec);

/* "TERM", "SIGTERM", "term", "15", "RTMIN+3", as kill(1) takes them. */
bool value_parse_signal(const char *text, int *ret);

/* `path` made absolute. Symlinks and ".." stay: the service resolves them with the caller's
 * credentials. NULL with errno set if `path` is empty or there is no current directory. */
char *value_absolute_path(const char *path);
