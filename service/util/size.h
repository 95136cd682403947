#pragma once

/* A size as people write it. */

#include <stdbool.h>
#include <stdint.h>

/* Digits alone, without spaces and signs; false, and nothing moved, if there are none or too many.
 */
bool size_parse_digits(const char **text, uint64_t *ret);

/* Decimal, with K, M, G or T for powers of 1024. "infinity" and "max" are UINT64_MAX. `ret` is
 * untouched on failure. */
bool size_parse(const char *text, uint64_t *ret);
