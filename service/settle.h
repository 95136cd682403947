#pragma once

/* Prepares the service's own process before it starts anything: containers must neither inherit
 * what whoever started the service has set, nor read the service's memory, nor dump core. */

#include <glib.h>
#include <stdbool.h>

/* Called once, at the beginning. `is_embedded`: keeps the nice value, CPU affinity and the like,
 * which the caller may have chosen. *ret_signals: a signalfd of SIGTERM and SIGINT, owned by the
 * caller. */
bool settle_process(bool is_embedded, int *ret_signals, GError **error);

/* Raises the limit of open files. Call this after profile_new(), which reads the limit that
 * containers get. */
void settle_file_limit(void);
