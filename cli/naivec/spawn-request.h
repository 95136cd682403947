#pragma once

/* What `run` and `create` ask for: the options of the one table in dbus/options.h as flags, values
 * of the command line checked, and the message made of them. Knows no connection. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "cli/naivec/invocation.h"
#include "dbus/options.h"

typedef enum {
#define X(key, signature, flag, metavar, help) SPAWN_##key,
        SPAWN_OPTIONS(X)
#undef X
                N_SPAWN_OPTIONS
} SpawnOption;

typedef struct {
        GPtrArray *values[N_SPAWN_OPTIONS]; /* checked, unconverted; NULL: not given */
        GArray *fds;                        /* int pairs: our fd, its number inside */
} SpawnRequest;

/* The flags of the table, and after them up to 4 `more` (ended by an empty row), in `storage`. */
#define SPAWN_FLAGS_SIZE (N_SPAWN_OPTIONS + 5)
const Flag *spawn_flags(Flag storage[SPAWN_FLAGS_SIZE], const Flag *more);

void spawn_request_init(SpawnRequest *request);
void spawn_request_clear(SpawnRequest *request);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SpawnRequest, spawn_request_clear)

/* Takes a flag of spawn_flags(). NULL if it was good, else what is wrong with it (free it). */
char *spawn_request_take(SpawnRequest *request, int id, const char *value);

bool spawn_request_has(const SpawnRequest *request, SpawnOption option);
bool spawn_request_is_true(const SpawnRequest *request, SpawnOption option);
void spawn_request_set(SpawnRequest *request, SpawnOption option, const char *value);
/* Adds a variable unless the user gave one of that name. */
void spawn_request_default_variable(SpawnRequest *request, const char *name, const char *value);

/* Adds a mount as it is said on a command line: NULL, or what is wrong with it (free it). */
char *spawn_request_add_bind(SpawnRequest *request, const char *text);  /* SRC:DST[:OPTIONS] */
char *spawn_request_add_tmpfs(SpawnRequest *request, const char *text); /* DST[:OPTIONS] */

/* Passes our open `fd` as `number`. */
void spawn_request_add_fd(SpawnRequest *request, int fd, int number);

/* Appends "ay aay a{uh} a{sv}": the whole body of Spawn and Create. */
int spawn_request_append(const SpawnRequest *request, sd_bus_message *call, const char *rootfs,
                         const char *const *argv);
