#pragma once

/* Compiles an Order into the plan of a sandbox: writes what the child has to know, in the words of
 * child/plan.h, into the memory that both share. argv and environment are copied twice between
 * message and execve: into the order, and from there into the plan. */

#include <sys/resource.h>

#include "service/sandbox/launch.h"

/* The rights of the profile, less what the options take away, and with what they add. */
Rights compile_rights(const LaunchInput *input);

/* The namespaces that are the container's own, and those of them that a second user namespace has
 * to own. */
uint64_t compile_namespaces(const Order *order);
uint64_t compile_inner_namespaces(const Order *order);

/* The attributes (MOUNT_ATTR_…) of the root tree and of a mount. */
unsigned compile_root_attributes(const Order *order);
unsigned compile_mount_attributes(const MountSpec *mount);

/* Writes the plan. `fds` begins with the root and the trees of mounts; the fd for each target is
 * put behind these. All are borrowed. */
bool compile_plan(const LaunchInput *input, const Rights *rights, const Sandbox *sandbox, int *fds,
                  GError **error);

typedef struct SandboxLimits {
        SandboxLimit list[RLIM_NLIMITS];
        size_t n;
} SandboxLimits;

/* What a process that joins has from the container's first one. */
typedef struct SandboxInherited {
        SandboxLimits limits;
        GArray *groups; /* gid_t, as the host counts; empty, unless the container keeps them */
} SandboxInherited;

/* The same for a process that joins a container: the order's ProcessSpec and fds alone count, and
 * `input->made` is not looked at. `fds` gets the fd for each target. */
bool compile_join(const LaunchInput *input, const Rights *rights, const SandboxInherited *inherited,
                  const Sandbox *joiner, int *fds, GError **error);
