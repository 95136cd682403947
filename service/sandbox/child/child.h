#pragma once

/* The child half of a launch: from clone3 to execve, system calls only (style: no malloc, no stdio,
 * no GLib, no locks; enforced by tests/lint on this library's symbols). */

#include "service/sandbox/child/plan.h"

_Noreturn void sandbox_child(const SandboxBase *base);
/* The same for a process that joins a container. */
_Noreturn void sandbox_child_join(const SandboxBase *base);
