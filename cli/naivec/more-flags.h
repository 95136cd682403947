#pragma once

/* Flags of `run` and `create` in podman's spelling that stand for more than one option of
 * dbus/options.h, or for one together with other flags. Each function that takes a value returns
 * NULL, or a text that says what is wrong with it (free it). Called by run-command.c. */

#include "cli/lib/session/keys.h"
#include "cli/lib/spawn-request.h"

/* --detach-keys=KEYS, which is no option of the container at all, but of several verbs. */
char *more_flags_take_detach_keys(DetachKeys *keys, const char *text);

/* --ulimit=NAME=SOFT[:HARD] */
char *more_flags_take_ulimit(SpawnRequest *request, const char *text);

/* --mount=type=…,KEY=VALUE,… */
char *more_flags_take_mount(SpawnRequest *request, const char *text);

/* --env-file, whose variables give way to those of --env. `assignments` gets them, of all files in
 * the order given. */
char *more_flags_take_env_file(GPtrArray *assignments, const char *path);
void more_flags_settle_env_files(const GPtrArray *assignments, SpawnRequest *request);

/* --cap-drop, which counts once all flags are there. */
typedef struct CapDrop {
        uint64_t mask;
        bool all;
} CapDrop;

char *more_flags_take_cap_drop(CapDrop *drop, const char *text);
char *more_flags_settle_cap_drop(const CapDrop *drop, SpawnRequest *request);
