#pragma once

/* Numbers and sizes as people write them, in the configuration and on the command line. */

#include <stdbool.h>
#include <stdint.h>

/* Takes the digits at `*text`, without spaces and signs, and moves `*text` behind them. False, and
 * nothing moved, if there are none or the number is too large. */
bool size_parse_digits(const char **text, uint64_t *ret);

/* Decimal, with K, M, G, T, P or E for powers of 1024, in the spellings that systemd and podman
 * take: "64M", "64m", "64mb", "64MiB", "0.5G", "64b". "infinity" and "max" are UINT64_MAX. `ret` is
 * untouched on failure. */
bool size_parse(const char *text, uint64_t *ret);
