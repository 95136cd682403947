#pragma once

/* The child half for a container that a bundle describes, and for a process that joins one: from
 * clone3 to execve, system calls only, as child.h. `base->plan` is the plan's process. */

#include "service/sandbox/child/oci/plan.h"

_Noreturn void sandbox_child_oci(const SandboxBase *base, const OciPlan *plan);
/* Goes between, where a user namespace is joined: the container is its child, as its parent sees
 * it. The kernel writes its pid to base->joined. */
_Noreturn void sandbox_child_oci_between(const SandboxBase *base, const OciPlan *plan);
/* A process that joins the container of base->join. */
_Noreturn void sandbox_child_oci_join(const SandboxBase *base, const OciPlan *plan);
