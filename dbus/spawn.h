#pragma once

/* Run, Spawn and Create: decode the message, look the trees up with the caller's rights, ask
 * polkit, create the container, answer. */

#include <systemd/sd-bus.h>

/* Words as a shell would need them: how polkit's rules and prompts see a command. Owned. */
char *spawn_quote(char *const *argv);

/* Handlers for sd-bus; `data` is the Server. */
int spawn_method_run(sd_bus_message *message, void *data, sd_bus_error *ret_error);
/* Spawn and Create. */
int spawn_method_spawn(sd_bus_message *message, void *data, sd_bus_error *ret_error);
