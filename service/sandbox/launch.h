#pragma once

/* The late part of a launch, the parent's half: writes what the order wants into a sandbox's plan,
 * prepares the root tree, and says GO. Blocks on nothing: what the child reports arrives on
 * `sync_fd`, and its end shows on `pidfd`. */

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
        /* Leaf, ids and perhaps a sandbox, which is consumed; without a sandbox, launch() makes
         * one. */
        Prepared *made;
        /* Gets what the command writes to fds 1 and 2 where the order has no such fd; -1: they are
         * /dev/null, or the terminal, which is all three. */
        int output_fd;
} LaunchInput;

typedef struct Launched {
        pid_t pid;
        int pidfd;
        int sync_fd;
        int mount_namespace; /* held open, so that the exit does not wait for its end */
        Rights rights;
} Launched;

/* On failure nothing is left: no process, no mount, no fd. */
bool launch(const LaunchInput *input, Launched *ret, GError **error);

/* Does a prepared sandbox fit, which has all namespaces of its own and no second user namespace? */
bool launch_fits_prepared(const Order *order);

typedef enum LaunchEvent {
        LAUNCH_AGAIN,  /* nothing to read yet */
        LAUNCH_READY,  /* set up; executes, or waits for that. *ret_terminal: the master, or -1.
                          Owned */
        LAUNCH_ASKS,   /* *ret_terminal: in its place the listener of the filter. Owned */
        LAUNCH_FAILED, /* *ret_report says where */
        LAUNCH_END, /* the stream ended: after LAUNCH_READY, with no wait left, it was executed (or
                       killed) */
} LaunchEvent;
LaunchEvent launch_read(int sync_fd, SandboxReport *ret_report, int *ret_terminal);

bool launch_execute(int sync_fd); /* says SANDBOX_EXEC; false when the child is gone */

/* The sentence and the code for a failed stage. */
void launch_report_to_error(const SandboxReport *report, const Order *order, GError **error);
