#pragma once

/* What has failed in the child, in words, with the place in the config. The words are those by
 * which podman, containerd and docker tell a missing command from one that may not be executed. */

#include "cli/oci/engine/build.h"

/* `build`: NULL when a container is started, which knows of its plan no more. */
void report_to_error(const SandboxReport *report, const Build *build, const OciProcess *process,
                     GError **error);
