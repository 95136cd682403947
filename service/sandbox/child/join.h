#pragma once

/* The steps of a process that joins a container in place of being its first. As steps.h. Called by
 * child.c. */

#include <stdbool.h>

#include "service/sandbox/child/plan.h"

bool join_namespaces(const SandboxBase *base);
/* Returns in a process in the container's pid namespace, a child of the service with a session of
 * its own; the process that called ends. */
bool join_processes(const SandboxBase *base);
int join_open_dev(void); /* -1 and errno on failure; ENOENT: there is none */
