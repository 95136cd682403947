#pragma once

/* Compiles the part of a plan that makes the root: which tree or new file system, and the mount
 * steps in it. Called by compile.c. */

#include "service/sandbox/launch.h"
#include "service/sandbox/writer.h"

/* False: there is no room left. */
bool compile_tree(Writer *writer, const LaunchInput *input, SandboxPlan *plan);
