#pragma once

/* The options of dbus/options.h as flags of `run` and `create`: their names and letters, and the
 * check of the values that users type. Knows no connection, and not how a value is sent. */

#include "cli/lib/spawn-request.h"
#include "cli/naivec/invocation.h"

/* The flags of the table, and after them up to 4 `more` (ended by an empty row), in `storage`. */
#define SPAWN_FLAGS_SIZE (N_SPAWN_OPTIONS + 5)
const Flag *spawn_flags(Flag storage[SPAWN_FLAGS_SIZE], const Flag *more);

/* Takes a flag of spawn_flags(). NULL if the value was good, else what is wrong with it (free it).
 */
char *spawn_flags_take(SpawnRequest *request, int id, const char *value);

/* Takes DST[:OPTIONS] of --tmpfs, which adds to the option of --volume. */
char *spawn_flags_take_tmpfs(SpawnRequest *request, const char *text);
