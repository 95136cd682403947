#pragma once

/* One container: its state machine, its Process, its leaf, its output, and what is known of it when
 * it has ended. Owned by the Manager, which decides whether it may be; reports upward through
 * ContainerHooks. Knows no bus. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/cgroup/live/pressure.h"
#include "service/container/adoption.h"
#include "service/container/events/notice.h"
#include "service/container/info.h"
#include "service/container/output.h"
#include "service/container/status/status-fd.h"
#include "service/sandbox/launch.h"

typedef struct Container Container;

typedef struct ContainerHooks {
        void (*created)(Container *container, void *data); /* set up; waits for container_start() */
        void (*started)(Container *container, void *data);
        /* Was paused or resumed; with an `error` it could not be, and is what it was. */
        void (*changed)(Container *container, GError *error, void *data);
        /* Could not be set up or executed; all of its traces are gone but the record. */
        void (*failed)(Container *container, GError *error, void *data);
        void (*exited)(Container *container, void *data);
        /* Leaf and ids are given back; the last hook. */
        void (*cleaned)(Container *container, void *data);
        /* Its terminal is open; `master` is borrowed. */
        void (*terminal)(Container *container, int master, void *data);
        /* While it runs. False: cannot be told now. */
        bool (*noticed)(Container *container, const Notice *notice, void *data);
} ContainerHooks;

/* `info` is consumed (cleared), and so is `order`, which is NULL for a container read from a
 * record. The output is empty; that of such a container is to be filled. */
Container *container_new(ContainerInfo *info, Order *order, const ContainerHooks *hooks,
                         void *data);
void container_free(Container *container); /* kills what still runs, if ours, without hooks */
/* Lets it run on, for a successor to adopt; free it then. */
void container_release(Container *container);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Container, container_free)

typedef bool (*LaunchFunc)(const LaunchInput *input, Launched *ret, GError **error);

/* How processes are started here. */
typedef struct ContainerEngine {
        LaunchFunc launch;
        const Profile *profile;
} ContainerEngine;

/* Starts the process of the container's order, in what was made for it: `made` is consumed in any
 * case, and nothing of it is left after a failure. On success the order's fds are closed, and
 * `created`, `started` or `failed` follows from the loop. */
bool container_launch(Container *container, const ContainerEngine *engine, Prepared *made,
                      GError **error);

/* Takes over a process that a predecessor started (`pid` of the info). All that `how` names is
 * consumed. The exit code may stay unknown. */
void container_adopt(Container *container, const ContainerAdoption *how);

/* What only its own runtime can do to another's container: InvalidState. */
bool container_must_be_ours(const Container *container, const char *verb, GError **error);
/* Another's container that waited for its start, and was started. */
void container_tell_started(Container *container, uint64_t started_usec);

/* Tells the end of a process that was taken over at once, if it has ended. */
void container_look_for_end(Container *container);

/* Executes the command of a created container; `started` or `failed` follows. */
bool container_start(Container *container, GError **error);
/* Lets all of its processes stand still, or go on. `changed` follows, or `exited`; `changed` with
 * an error perhaps from inside another call. */
bool container_set_paused(Container *container, bool paused, GError **error);
bool container_kill(Container *container, bool whole, int signal, GError **error);
/* Changes the limits that `resources` names; see cgroup_update(). */
bool container_update(Container *container, const Resources *resources, GError **error);
/* `noticed` tells of pressure from then on, see pressure_set(). */
bool container_set_pressure(Container *container, PressureResource resource,
                            uint64_t threshold_usec, uint64_t window_usec, GError **error);
/* The root directory of its main process, as a mere path (O_PATH): whoever uses it needs the rights
 * to each thing there itself, as the mounts inside show them. */
bool container_open_root(const Container *container, int *ret, GError **error);
/* Sends `signal` to the main process, and SIGKILL to all when `timeout_usec` is over (UINT64_MAX:
 * never). A paused container goes on. */
bool container_stop(Container *container, int signal, uint64_t timeout_usec, GError **error);

/* Takes over `listener`, of the filter of a process in it; see events/denials.h. */
void container_take_listener(Container *container, int listener);

/* Takes the StatusFD of the order, if it has one, before the launch. */
bool container_take_status(Container *container, Tellers *tellers, GError **error);
/* The same of a container that a predecessor began, whether it runs or has ended meanwhile. */
void container_adopt_status(Container *container, Tellers *tellers);
/* Tells its StatusFD the present state, once; of the end, with the last line. `path`: its object's,
 * which only those who read the line care about. */
void container_say(Container *container, const char *path);

const ContainerInfo *container_info(const Container *container);
const Order *container_order(const Container *container); /* NULL from exec on */
Output *container_output(Container *container);
int container_pidfd(const Container *container);        /* borrowed; -1: no process */
Cgroup *container_cgroup(const Container *container);   /* borrowed; NULL: it is removed */
const IdMap *container_map(const Container *container); /* the same */
bool container_is_live(const Container *container);     /* has a process */
bool container_is_clean(const Container *container);    /* neither process nor leaf nor ids */
void container_set_remove(Container *container);
void container_drop_watcher(Container *container);
void container_note_session(Container *container);
