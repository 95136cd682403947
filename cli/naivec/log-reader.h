#pragma once

/* A container's output by the method ReadLog, which needs no file descriptors and so works through
 * ssh as well. Called by `logs` and `status`. */

#include <glib.h>
#include <stdint.h>

#include "cli/lib/client.h"

/* Appends the output from *offset on that is there already, and moves *offset behind it. 0, or
 * -errno with `error` set. */
int log_read_available(Client *client, const char *path, uint64_t *offset, GString *text,
                       sd_bus_error *error);

/* Where the last `n` lines of `text` begin. */
size_t log_tail_start(const GString *text, uint64_t n);
