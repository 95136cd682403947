#pragma once

/* Settings of the kernel that are the container's own. As steps.h. Called by child.c. */

#include <stdbool.h>

#include "service/sandbox/child/plan.h"

/* The /proc/sys of a proc that nothing covers yet; -1 on failure. */
int sysctl_open(int proc);
bool sysctl_set(int sys, const SandboxSysctl *sysctl);
