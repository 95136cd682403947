#pragma once

/* The hooks that run inside. Belongs to child.c's library, and follows its rules. */

#include "service/sandbox/child/oci/plan.h"

/* `rights`: what a hook's process does before it executes the hook; NULL: nothing. */
typedef bool (*OciHookRights)(const OciPlan *plan);
void oci_hooks_run(const SandboxBase *base, const OciPlan *plan, const OciInnerHook *hooks,
                   size_t n, OciHookRights rights);
