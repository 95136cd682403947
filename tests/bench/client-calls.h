#pragma once

/* The method calls that a measuring client makes, as messages; the caller sends and frees them. All
 * return a negative errno on failure. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "tests/bench/rounds.h"

int calls_run(sd_bus *bus, const ContainerOrder *order, sd_bus_message **ret);

/* Spawn with all that the order says. `output`: fd for the command's output, -1 for the log.
 * `bound`: it ends with its caller, and nothing of it is kept. */
int calls_spawn(sd_bus *bus, const ContainerOrder *order, int output, bool bound,
                sd_bus_message **ret);
/* The same with StatusFD, and nothing of it is kept. */
int calls_spawn_told(sd_bus *bus, const ContainerOrder *order, int status, sd_bus_message **ret);

#define CALL_TIMEOUT_USEC (60u * UINT64_C(1000000))

/* Wait, Delete. */
int calls_container(sd_bus *bus, const char *path, const char *method, sd_bus_message **ret);

/* 0: the command ended with exit code 0. */
int calls_read_result(sd_bus_message *reply, int *ret_status);
