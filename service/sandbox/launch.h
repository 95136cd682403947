#pragma once

/* The late part of a launch, the parent's half: writes what the call wants into a sandbox's plan,
 * prepares the root tree, and says GO. Blocks on nothing: what the child reports arrives on
 * `sync_fd`, what becomes of it on `pidfd`. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "service/cgroup/cgroup.h"
#include "service/rootfs/id-map.h"
#include "service/rootfs/lookup.h"
#include "service/sandbox/profile.h"
#include "service/sandbox/sandbox.h"
#include "service/spec/rights.h"
#include "service/spec/run-spec.h"

typedef struct SandboxFd {
        int source; /* here */
        int target; /* inside */
} SandboxFd;

typedef struct LaunchInput {
        const Profile *profile;
        const RunSpec *spec;
        const char *hostname;
        int tree_fd;                /* the pinned root directory */
        const RootfsFound *sources; /* pinned, one for each mount of the spec; of a tmpfs, unused */
        IdMap *map;
        Cgroup *cgroup;
        Sandbox *sandbox; /* made for `map` and `cgroup`, consumed; NULL: one is made now */
        const SandboxFd
                *fds; /* the caller's; sources of any number. 0, 1, 2 that are not among them are */
        size_t n_fds; /* /dev/null (0) and `output_fd` (1, 2), or the terminal */
        int output_fd; /* -1: /dev/null */
        bool execute;  /* at once, without waiting for launch_execute() */
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
bool launch_fits_prepared(const RunSpec *spec);

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
void launch_report_to_error(const SandboxReport *report, const RunSpec *spec, GError **error);
