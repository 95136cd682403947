#pragma once

/* Tells the service of a container, by the index that it reads (service/spec/index.h). Called by
 * whoever makes, starts and removes one; nothing fails for its sake. */

#include "cli/oci/spec/values.h"
#include "cli/oci/state/state.h"

void oci_state_publish(const char *root, const OciState *state, const OciPairs *annotations,
                       bool is_started);
void oci_state_withdraw(const char *root, const char *id);
