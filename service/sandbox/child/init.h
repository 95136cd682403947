#pragma once

/* PID 1 of a container with Init: a copy of the process that would have become the command, with
 * the command's rights and nothing open. Belongs to child.c's library, and follows its rules. */

#include "service/sandbox/child/plan.h"

/* Returns in a child, which is to become the command, with a session of its own. The process that
 * called stays behind: it reaps, hands signals on to the command, and ends as the command does.
 * Nobody inside can look into it: it stays as untraceable as the set-up was. */
void init_stay(const SandboxBase *base);
