#pragma once

/* An Order → the plan of a sandbox: what of the order the child has to know, in the words of
 * child/plan.h, written into the memory that both share. The only copy of argv and environment
 * between the message and execve is made into the order, the second into the plan. */

#include "service/sandbox/launch.h"

/* Which of the profile's rights the options take away, and what they add. */
Rights compile_rights(const LaunchInput *input);

/* The namespaces of its own, and of these the ones that a second user namespace has to own. */
uint64_t compile_namespaces(const Order *order);
uint64_t compile_inner_namespaces(const Order *order);

/* The attributes (MOUNT_ATTR_…) of the root tree and of a mount. */
unsigned compile_root_attributes(const Order *order);
unsigned compile_mount_attributes(const MountSpec *mount);

/* Writes the plan. `fds` holds the root and the trees of mounts already, and gets what goes to each
 * target behind these; all are borrowed. */
bool compile_plan(const LaunchInput *input, const Rights *rights, const Sandbox *sandbox, int *fds,
                  GError **error);
