#pragma once

/* Labels: names and values that a caller gives a container, to find it by them. They mean nothing
 * to the service. Kept as a strv: key, value, key, value. */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Adds one to `list`, of owned strings, after a look at what is there: number, lengths, characters,
 * a key given twice. */
bool labels_add(GPtrArray *list, const char *key, const char *value, GError **error);

/* Do `labels` (NULL: none) have `wanted`, which is KEY or KEY=VALUE? */
bool labels_have(char *const *labels, const char *wanted);
