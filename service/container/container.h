#pragma once

/* One container: its state machine, its Process, its leaf, its output, and what is known of it when
 * it has ended. Owned by the Manager, which decides whether it may be; reports upward through
 * ContainerHooks. Knows no bus. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/container/adoption.h"
#include "service/container/info.h"
#include "service/container/output.h"
#include "service/sandbox/launch.h"

typedef struct Container Container;

typedef struct ContainerHooks {
        void (*created)(Container *container, void *data); /* set up; waits for container_start() */
        void (*started)(Container *container, void *data);
        /* Could not be set up or executed; all of its traces are gone but the record. */
        void (*failed)(Container *container, GError *error, void *data);
        void (*exited)(Container *container, void *data);
        void (*cleaned)(Container *container, void *data); /* leaf and ids are given back. Last */
        void (*terminal)(Container *container, int master,
                         void *data); /* it has one now (borrowed) */
} ContainerHooks;

/* `info` is consumed (cleared), and so is `order`. It is NULL for a container read from a record:
 * that is stopped and has an empty output, to be filled. */
Container *container_new(ContainerInfo *info, Order *order, const ContainerHooks *hooks,
                         void *data);
void container_free(Container *container); /* kills what still runs, without hooks */
void container_release(
        Container *container); /* lets it run on, to be adopted by a successor; then free it */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Container, container_free)

typedef bool (*LaunchFunc)(const LaunchInput *input, Launched *ret, GError **error);

/* How processes are started here. */
typedef struct ContainerEngine {
        LaunchFunc launch;
        const Profile *profile;
} ContainerEngine;

/* Starts the process of the container's order, in what was made for it (consumed in any case, and
 * nothing of it is left if this fails). If this returns true, the order's fds are closed, and a
 * `created`, `started` or `failed` follows from the loop. */
bool container_launch(Container *container, const ContainerEngine *engine, Prepared *made,
                      GError **error);

/* Takes over one that runs already (`pid` of its info, started by a predecessor): all that was
 * found of it is consumed. Its exit code may stay unknown. */
void container_adopt(Container *container, const ContainerAdoption *how);

bool container_start(Container *container,
                     GError **error); /* created → exec; `started` or `failed` follows */
bool container_kill(Container *container, bool whole, int signal, GError **error);
/* `signal` to the main process, SIGKILL to all when `timeout_usec` is over (UINT64_MAX: never). */
bool container_stop(Container *container, int signal, uint64_t timeout_usec, GError **error);

const ContainerInfo *container_info(const Container *container);
const Order *container_order(const Container *container); /* NULL once it has ended */
Output *container_output(Container *container);
int container_pidfd(const Container *container);     /* borrowed; -1: no process */
bool container_is_live(const Container *container);  /* has a process */
bool container_is_clean(const Container *container); /* neither process nor leaf nor ids */
void container_set_remove(Container *container);
