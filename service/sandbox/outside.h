#pragma once

/* The attributes of a process that only who stands outside of its user namespace can give it.
 * Called by launch.c, before the process goes on. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "service/spec/attributes.h"

/* Raises hard limits and sets the score of the OOM killer. The limits themselves are set by the
 * process. */
bool outside_set_attributes(pid_t pid, const ProcessAttributes *attributes, GError **error);

/* The soft and hard limit that this process itself has, which its children inherit. */
bool outside_read_limit(unsigned number, ProcessLimit *ret);
const char *outside_limit_name(unsigned number); /* "NOFILE" */
