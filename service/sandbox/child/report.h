#pragma once

/* What the child says to the service: how far it has come, or which step failed. Belongs to
 * child.c's library, and follows its rules. */

#include "service/sandbox/child/plan.h"

/* One record, with a file descriptor beside it if `fd` is not -1. */
bool report(const SandboxBase *base, SandboxReport record, int fd);

/* The step has failed, with errno: says so and ends the process. */
_Noreturn void report_failure(const SandboxBase *base, SandboxStage stage);
_Noreturn void report_failure_at(const SandboxBase *base, SandboxStage stage, uint32_t number);
