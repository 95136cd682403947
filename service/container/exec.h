#pragma once

/* One more process of a container that runs, joined later: its Process, its output, and what is
 * known of it when it has ended. Owned by the Manager, and gone before its container's process is
 * waited for: a pid namespace ends only when all of its processes are reaped. Reports through
 * ExecHooks; knows no bus. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/container/container.h"

typedef struct Exec Exec;

/* What anybody who may see the container may know. */
typedef struct ExecInfo {
        unsigned number; /* counted from 1 for each container */
        ContainerState state;
        pid_t pid; /* on the host; 0: none */
        ContainerResult result;
        int code;
        CgroupUsage usage; /* of this process and its children; known at the end */
        char *watcher;     /* as in ContainerInfo */
} ExecInfo;

typedef struct ExecHooks {
        void (*started)(Exec *exec, void *data);
        /* Could not join or be executed; may free it. */
        void (*failed)(Exec *exec, GError *error, void *data);
        void (*ended)(Exec *exec, void *data); /* the last hook, as the one above */
} ExecHooks;

bool exec_may_begin(const Container *container, GError **error); /* is the container running? */

/* Starts the process of `order`, which is consumed, in a container that is running. On success its
 * fds are closed, and `started` or `failed` follows from the loop. */
bool exec_new(Container *container, const Profile *profile, unsigned number, Order *order,
              Exec **ret, GError **error);
void exec_set_status(Exec *exec, StatusFd *status); /* `status` is consumed; NULL: it has none */
/* As container_say(). */
void exec_say(Exec *exec, const char *path);
void exec_set_hooks(Exec *exec, const ExecHooks *hooks, void *data);
void exec_drop_watcher(Exec *exec);
void exec_release(Exec *exec); /* what runs goes on, without this */
void exec_free(Exec *exec);    /* kills what still runs, without hooks */

const ExecInfo *exec_info(const Exec *exec);
Container *exec_container(const Exec *exec);
Output *exec_output(Exec *exec);
int exec_pidfd(const Exec *exec); /* borrowed; -1: no process */
bool exec_kill(Exec *exec, int signal, GError **error);
