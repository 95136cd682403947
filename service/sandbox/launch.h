#pragma once

/* The late part of a launch, the parent's half: writes what the order wants into a sandbox's plan,
 * prepares the root tree, and says GO. Blocks on nothing: what the child reports arrives on
 * `sync_fd`, what becomes of it on `pidfd`. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "service/cgroup/cgroup.h"
#include "service/rootfs/id-map.h"
#include "service/sandbox/profile.h"
#include "service/sandbox/sandbox.h"
#include "service/spec/order.h"
#include "service/spec/rights.h"

typedef struct LaunchInput {
        const Order *order; /* with its places, its fds and a host name */
        const Profile *profile;
        Prepared *made; /* leaf and ids; its sandbox is consumed, or made now if there is none */
        /* Where the command's 1 and 2 go that are not among the order's fds: -1 for /dev/null. With
         * a terminal it is all three. */
        int output_fd;
} LaunchInput;

typedef struct Launched {
        pid_t pid;
        int pidfd;
        int sync_fd;
        int mount_namespace; /* held open, its end is not waited for by the container's exit */
        Rights rights;
} Launched;

/* On failure nothing is left: no process, no mount, no fd. */
bool launch(const LaunchInput *input, Launched *ret, GError **error);

/* Not so if it needs another kind of sandbox: other namespaces than all of its own. */
bool launch_fits_prepared(const Order *order);

typedef enum LaunchEvent {
        LAUNCH_AGAIN,  /* nothing to read yet */
        LAUNCH_READY,  /* set up; executes, or waits for that. *ret_terminal: the master, or -1.
                          Owned */
        LAUNCH_FAILED, /* *ret_report says where */
        LAUNCH_END, /* the stream ended: after LAUNCH_READY, with no wait left, it was executed (or
                       killed) */
} LaunchEvent;
LaunchEvent launch_read(int sync_fd, SandboxReport *ret_report, int *ret_terminal);

bool launch_execute(int sync_fd); /* says SANDBOX_EXEC; false when the child is gone */

/* The sentence and the code for a failed stage. */
void launch_report_to_error(const SandboxReport *report, const Order *order, GError **error);
