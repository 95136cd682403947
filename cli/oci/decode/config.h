#pragma once

/* The three texts that callers bring: a config.json, a process.json for exec, the resources for
 * update. Each becomes a struct that was judged, or one error that names the place. Called by the
 * verbs. */

#include "cli/oci/spec/spec.h"

bool config_decode(const char *text, size_t length, OciSpec **ret, GError **error);
/* Into a spec of which all but `process` is as oci_spec_new() has it. */
bool config_decode_process(const char *text, size_t length, OciSpec **ret, GError **error);
bool config_decode_resources(const char *text, size_t length, OciSpec **ret, GError **error);
