#pragma once

/* A container's output by the method ReadLog, which needs no file descriptors and so works through
 * ssh as well. Called by `logs` and `status`. */

#include <glib.h>
#include <stdint.h>

#include "cli/lib/client.h"

typedef struct {
        GString *text;
        uint64_t n_missed; /* bytes between the offset asked for and `text`: kept no longer */
} LogPart;

void log_part_clear(LogPart *part);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LogPart, log_part_clear)

/* The output from *offset on that is there already, as far as it is kept; moves *offset behind it.
 * 0, or -errno with `error` set. */
int log_read(Client *client, const char *path, uint64_t *offset, LogPart *ret, sd_bus_error *error);

/* Where the last `n` lines of `text` begin. */
size_t log_tail_start(const GString *text, uint64_t n);
