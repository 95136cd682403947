#pragma once

/* The arguments of Spawn and Create: values for the options of dbus/options.h, file descriptors,
 * and the message made of both. Owns copies of the values as text; the caller has checked each
 * value that it adds. Knows no command line and no connection. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "dbus/options.h"

typedef enum {
#define X(key, signature, flag, metavar, help) SPAWN_##key,
        SPAWN_OPTIONS(X)
#undef X
                N_SPAWN_OPTIONS
} SpawnOption;

typedef struct {
        GPtrArray *values[N_SPAWN_OPTIONS]; /* of each option; NULL: not given */
        GArray *fds;                        /* int pairs: our fd, its number inside */
} SpawnRequest;

void spawn_request_init(SpawnRequest *request);
void spawn_request_clear(SpawnRequest *request);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SpawnRequest, spawn_request_clear)

bool spawn_request_has(const SpawnRequest *request, SpawnOption option);
bool spawn_request_is_true(const SpawnRequest *request, SpawnOption option);

/* Replaces the value of an option that has a single value. A boolean is any word that
 * value_parse_bool() takes, a number any text that size_parse() takes, a descriptor the path of
 * what is opened to read when the message is made. */
void spawn_request_set(SpawnRequest *request, SpawnOption option, const char *value);
/* The option is given, with no value so far. */
void spawn_request_set_empty(SpawnRequest *request, SpawnOption option);
/* Adds a value to an option that has several. */
void spawn_request_add(SpawnRequest *request, SpawnOption option, const char *value);
/* Adds a value of any bytes to an option that has several such. */
void spawn_request_add_bytes(SpawnRequest *request, SpawnOption option, GBytes *value);

/* Sets an environment variable, given as NAME=VALUE, in place of an earlier value: the service
 * takes each name once. */
void spawn_request_set_variable(SpawnRequest *request, const char *assignment);
/* Sets an entry of an option that is a dictionary, given as KEY or KEY=VALUE, in the same way. */
void spawn_request_set_entry(SpawnRequest *request, SpawnOption option, const char *entry);
/* Sets a variable unless it is set already. */
void spawn_request_default_variable(SpawnRequest *request, const char *name, const char *value);

/* Sets the lower and upper number of an option that has two, "(uu)" or "(tt)". */
void spawn_request_set_pair(SpawnRequest *request, SpawnOption option, uint64_t first,
                            uint64_t second);

/* Adds a bind mount, or with an empty `source` a tmpfs. `target` is DST[:OPTIONS]. */
void spawn_request_add_mount(SpawnRequest *request, const char *source, const char *target);

/* How many file descriptors the message carries. */
unsigned spawn_request_count_fds(const SpawnRequest *request);
/* The same in the words of the bus, for every type of mount. */
typedef struct SpawnMount {
        const char *type;
        GBytes *source; /* NULL: none */
        const char *target;
        const char *const *options; /* NULL: none */
} SpawnMount;

void spawn_request_add_mount_of(SpawnRequest *request, const SpawnMount *mount);
/* The mounts that there are so far come after those that are added from now on, once
 * spawn_request_add_late_mounts() gets what this returns. */
GPtrArray *spawn_request_steal_mounts(SpawnRequest *request);
void spawn_request_add_late_mounts(SpawnRequest *request, GPtrArray *mounts);

/* Passes our open `fd` to the command, as its fd `number`. */
void spawn_request_add_fd(SpawnRequest *request, int fd, int number);
/* Gives up what the command has got copies of, so that their readers see the end when it closes
 * them. stderr stays: it is for our own messages as well. */
void spawn_request_yield_fds(const SpawnRequest *request);

/* Appends an entry "{sv}" for each option that has a value. */
int spawn_request_append_options(const SpawnRequest *request, sd_bus_message *call);

/* Appends "ay aay a{uh} a{sv}": the whole body of Spawn and Create; without a `rootfs` that of
 * Exec, which has no "ay". */
int spawn_request_append(const SpawnRequest *request, sd_bus_message *call, const char *rootfs,
                         const char *const *argv);
