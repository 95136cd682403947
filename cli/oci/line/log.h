#pragma once

/* What went wrong, told where the caller looks: in words on stderr, and as exactly one line in the
 * file of --log, since callers read that file as one object. Called by naive-oci.c, once. */

#include "cli/oci/line/options.h"

void oci_log_error(const OciOptions *options, const char *message);
/* The time as JSON has it in logs and states: RFC 3339 with nanoseconds. Owned. */
char *oci_log_time(void);
