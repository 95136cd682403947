#pragma once

/* A process that joins a container which runs already, the parent's part: clones the joiner, a copy
 * of the service in the container's leaf, which enters the namespaces of the container's first
 * process and clones there the process that executes the command. The latter is a child of the
 * service, too. Used by container/exec.c; knows no container, but what it is given of one. */

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "service/cgroup/cgroup.h"
#include "service/sandbox/launch.h"

typedef struct JoinInput {
        const Order *order; /* its ProcessSpec and its fds: borrowed, as all of these */
        const Profile *profile;
        const Rights *rights; /* what the process gets, and how much namespaces there are to join */
        Cgroup *cgroup;
        int pidfd;     /* of the container's first process, */
        pid_t pid;     /* whose limits and OOM score the process gets, too */
        int output_fd; /* as in LaunchInput */
} JoinInput;

/* Of the joiner's Sandbox, the pidfd becomes readable once the joiner has ended: then join_finish()
 * tells what has come of it. On failure nothing is left. */
bool join(const JoinInput *input, Sandbox **ret, GError **error);

/* False: the joiner could not join. `ret_report` says where; its stage is _STAGE_MAX if the joiner
 * has said nothing. True: the process inside goes on from here, as after launch(). */
bool join_finish(Sandbox *joiner, Launched *ret, SandboxReport *ret_report);

/* Ends the joiner, and what it has cloned. NULL is fine. */
void join_cancel(Sandbox *joiner);
