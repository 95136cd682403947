#pragma once

/* The options of dbus/options.h as flags of `run` and `create`: their names and letters, and the
 * check of the values that users type. Knows neither the connection nor how a value is sent. Called
 * by run-command.c. */

#include "cli/lib/spawn-request.h"
#include "cli/naivec/invocation.h"

/* The flags of the table, and after them up to 10 `more` (ended by an empty row), in `storage`. */
#define SPAWN_FLAGS_SIZE (N_SPAWN_OPTIONS + 11)
const Flag *spawn_flags(Flag storage[SPAWN_FLAGS_SIZE], const Flag *more);

/* Those of them that Update takes as well, and `more`. */
const Flag *spawn_flags_of_update(Flag storage[SPAWN_FLAGS_SIZE], const Flag *more);

/* Those that Exec takes. */
const Flag *spawn_flags_of_exec(Flag storage[SPAWN_FLAGS_SIZE], const Flag *more);

/* Takes the value of a flag of spawn_flags(). NULL, or a text that says what is wrong with it (free
 * it).
 */
char *spawn_flags_take(SpawnRequest *request, int id, const char *value);

/* The same for --tmpfs, whose DST[:OPTIONS] becomes another value of the option that --volume is
 * for. */
char *spawn_flags_take_tmpfs(SpawnRequest *request, const char *text);
