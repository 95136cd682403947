#pragma once

/* What of its memory a copy of the service needs to walk on through sandbox-child.c: all else can
 * go while it waits. */

#include <stddef.h>

#include "service/sandbox-plan.h"

/* Of the calling process: its program, libc, its stack, what belongs to its one thread. In order of
 * addresses; returns how many, 0 if that cannot be told (or a sanitizer takes part). */
size_t memory_find_needed(SandboxMemory ranges[SANDBOX_MEMORY_MAX]);
