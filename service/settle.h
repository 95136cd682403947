#pragma once

/* What the process itself must be before it starts anything: nothing of the service may be
 * inherited by the containers, read by them, or signalled by a caller. */

#include <glib.h>
#include <stdbool.h>

/* Once, at the beginning. `is_embedded`: the attributes are those of a caller who may well have
 * meant them, and stay. *ret_signals: a signalfd of SIGTERM and SIGINT, the caller's to close. */
bool settle_process(bool is_embedded, int *ret_signals, GError **error);

/* Raises the limit of open files; after the containers' own limits were read from the process. */
void settle_file_limit(void);
