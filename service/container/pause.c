/* Pause and resume: the kernel is told, and the container's state changes once all of its processes
 * stand still, or go on. Until then the service does other things. v2 reports the moment; in v1 the
 * service looks again and again. What does not come in time is put back, so that a container is
 * either running or paused. */

#include <unistd.h>

#include "service/cgroup/freeze.h"
#include "service/container/internal.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

#define LOOK_MSEC     1u /* doubled each time */
#define LOOK_MSEC_MAX 128u

static bool is_under_way(const Container *container)
{
        return container->pausing.timeout != 0;
}

static void stop_looking(Pausing *pausing)
{
        watch_clear(&pausing->watch);
        fd_clear(&pausing->events_fd);
        if (pausing->look)
                g_source_remove(pausing->look);
        if (pausing->timeout)
                g_source_remove(pausing->timeout);
        *pausing = (Pausing){.events_fd = -1};
}

static void look(Container *container)
{
        bool paused = container->pausing.wanted;

        if (cgroup_is_frozen(container->cgroup) != paused)
                return;
        stop_looking(&container->pausing);
        container_set_state(container, paused ? CONTAINER_PAUSED : CONTAINER_RUNNING);
        container->hooks->changed(container, NULL, container->data);
}

/* Reads the fd, or it would stay ready. */
static void on_event(int fd, GIOCondition condition, void *data)
{
        char text[512];

        if (pread(fd, text, sizeof text, 0) >= 0)
                look(data);
}

static gboolean on_look(void *data)
{
        Container *container = data;
        Pausing *pausing = &container->pausing;

        pausing->delay = MIN(2 * pausing->delay, LOOK_MSEC_MAX);
        pausing->look = g_timeout_add(pausing->delay, on_look, container);
        look(container);
        return G_SOURCE_REMOVE;
}

static void give_up(Container *container, GError *reason)
{
        container_end_pausing(container);
        container->hooks->changed(container, reason, container->data);
        g_error_free(reason);
}

static gboolean on_timeout(void *data)
{
        Container *container = data;
        bool paused = container->pausing.wanted;
        GError *error = NULL;

        container->pausing.timeout = 0;
        error_set(&error, RUNTIME_ERROR_CGROUP_FAILED,
                  paused ? "container '%s' cannot be paused: some process of it did not stand "
                           "still within %u ms; it runs on"
                         : "container '%s' cannot be resumed: its processes did not go on within "
                           "%u ms, perhaps as a cgroup above it is frozen; it stays paused",
                  container->info.id, PAUSE_TIMEOUT_MSEC);
        give_up(container, error);
        return G_SOURCE_REMOVE;
}

static void begin(Container *container, bool paused)
{
        Pausing *pausing = &container->pausing;

        pausing->wanted = paused;
        pausing->timeout = g_timeout_add(PAUSE_TIMEOUT_MSEC, on_timeout, container);
        if (pausing->events_fd >= 0) {
                pausing->watch = watch_new(pausing->events_fd, G_IO_PRI, on_event, container);
                return;
        }
        pausing->delay = LOOK_MSEC;
        pausing->look = g_timeout_add(0, on_look, container);
}

bool container_set_paused(Container *container, bool paused, GError **error)
{
        const char *verb = paused ? "pause" : "resume";

        if (container->info.state != (paused ? CONTAINER_RUNNING : CONTAINER_PAUSED))
                return container_wrong_state(container, verb, error);
        if (is_under_way(container))
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "cannot %s container '%s': another call does it now", verb,
                                 container->info.id);
        /* opened before: an fd that was never read is ready at once */
        autofd int fd = cgroup_open_freeze_events(container->cgroup);
        if (!cgroup_freeze(container->cgroup, paused, error))
                return false;
        container->pausing.events_fd = steal_fd(&fd);
        begin(container, paused);
        return true;
}

bool container_let_act(Container *container, GError **error)
{
        GError *reason = NULL;

        if (container->info.state == CONTAINER_PAUSED)
                return is_under_way(container) || container_set_paused(container, false, error);
        if (!is_under_way(container))
                return true;
        error_set(&reason, RUNTIME_ERROR_INVALID_STATE,
                  "container '%s' was not paused: it is to end", container->info.id);
        give_up(container, reason);
        return true;
}

void container_let_die(Container *container)
{
        if (container->info.state == CONTAINER_PAUSED || is_under_way(container))
                (void) cgroup_freeze(container->cgroup, false, NULL);
}

void container_end_pausing(Container *container)
{
        Pausing *pausing = &container->pausing;
        bool before = !pausing->wanted;

        if (pausing->events_fd < 0 && !pausing->look)
                return;
        stop_looking(pausing);
        (void) cgroup_freeze(container->cgroup, before, NULL);
}

void container_end_resuming(Container *container)
{
        if (!is_under_way(container) || container->pausing.wanted)
                return;
        stop_looking(&container->pausing);
        container_set_state(container, CONTAINER_RUNNING);
        container->hooks->changed(container, NULL, container->data);
}

/* v1 tells nothing of what others do: there it shows when a caller wants to change it. */
static void on_freezer(int fd, GIOCondition condition, void *data)
{
        Container *container = data;
        char text[512];
        bool paused = container->info.state == CONTAINER_PAUSED;

        if (pread(fd, text, sizeof text, 0) < 0 || is_under_way(container) ||
            !container_state_is_running(container->info.state) ||
            cgroup_is_frozen(container->cgroup) == paused)
                return;
        container_set_state(container, paused ? CONTAINER_RUNNING : CONTAINER_PAUSED);
        container->hooks->changed(container, NULL, container->data);
}

void container_follow(Container *container)
{
        if (container->info.started_usec == 0)
                container->info.state = CONTAINER_CREATED;
        container->freezer_fd = cgroup_open_freeze_events(container->cgroup);
        if (container->freezer_fd >= 0)
                container->freezer_watch =
                        watch_new(container->freezer_fd, G_IO_PRI, on_freezer, container);
}
