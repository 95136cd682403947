#pragma once

/* A message's arguments → RunSpec and fds: types, counts and lengths are checked here, what they
 * mean in run_spec_validate(). Pure: nothing but the message is read, nothing is kept of it. */

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "service/sandbox/launch.h"
#include "service/spec/limits.h"
#include "service/spec/run-spec.h"

/* Fds of our own, closed with it. */
typedef struct SpawnFds {
        SandboxFd list[SPAWN_FDS_MAX];
        size_t n;
        int root; /* RootFD; -1: none */
} SpawnFds;
void spawn_fds_init(SpawnFds *fds);
void spawn_fds_clear(SpawnFds *fds);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SpawnFds, spawn_fds_clear)

/* Run(s rootfs, t memMax, as argv) */
bool spec_decode_run(sd_bus_message *message, RunSpec **ret, GError **error);

/* Spawn and Create(ay rootfs, aay argv, a{uh} fds, a{sv} options) */
bool spec_decode_spawn(sd_bus_message *message, RunSpec **ret, SpawnFds *fds, GError **error);
