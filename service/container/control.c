/* What a caller does to a container that is there: start it, signal it, end it; and what its
 * StatusFD is told of it. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "service/cgroup/live/update.h"
#include "service/container/internal.h"
#include "service/container/status/words.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

bool container_wrong_state(const Container *container, const char *verb, GError **error)
{
        return error_set(error, RUNTIME_ERROR_INVALID_STATE, "cannot %s container '%s': it is %s",
                         verb, container->info.id,
                         container_is_starting(container)
                                 ? "starting"
                                 : container_state_to_string(container->info.state));
}

bool container_must_be_ours(const Container *container, const char *verb, GError **error)
{
        const ContainerInfo *info = &container->info;

        return !info->belongs_to || error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                              "cannot %s container '%s': it belongs to %s", verb,
                                              info->id, info->belongs_to);
}

void container_tell_started(Container *container, uint64_t started_usec)
{
        if (container->info.state != CONTAINER_CREATED)
                return;
        container->info.started_usec = started_usec;
        container_set_state(container, CONTAINER_RUNNING);
        container->hooks->started(container, container->data);
}

bool container_start(Container *container, GError **error)
{
        if (!container_must_be_ours(container, "start", error))
                return false;
        if (container->info.state != CONTAINER_CREATED || container_is_starting(container))
                return container_wrong_state(container, "start", error);
        process_execute(container->process);
        return true;
}

static bool send_signal(Container *container, bool whole, int signal, GError **error)
{
        if (whole && container->cgroup) {
                if (signal != SIGKILL)
                        return cgroup_signal(container->cgroup, signal,
                                             process_init(container->process), error);
                if (cgroup_kill(container->cgroup, NULL))
                        return true;
                /* no leaf could be killed: the end of PID 1 ends all other processes */
        }
        int sent = process_signal(container->process, signal);
        if (sent < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, -sent,
                                       "cannot signal container '%s'", container->info.id);
        return true;
}

/* Of a paused container any other signal waits until it is resumed, as with podman. */
bool container_kill(Container *container, bool whole, int signal, GError **error)
{
        if (!container->process)
                return container_wrong_state(container, "signal", error);
        if (!send_signal(container, whole, signal, error))
                return false;
        if (signal == SIGKILL)
                container_let_die(container);
        return true;
}

bool container_update(Container *container, const Resources *resources, GError **error)
{
        if (!container_state_is_running(container->info.state))
                return container_wrong_state(container, "update", error);
        if (!cgroup_update(container->cgroup, resources, error))
                return false;
        if (resources->memory_max)
                container->info.memory_max = resources->memory_max;
        return true;
}

bool container_set_pressure(Container *container, PressureResource resource,
                            uint64_t threshold_usec, uint64_t window_usec, GError **error)
{
        if (!container->process)
                return container_wrong_state(container, "watch the pressure of", error);
        return pressure_set(&container->pressure, container->cgroup, resource, threshold_usec,
                            window_usec, error);
}

bool container_stop(Container *container, int signal, uint64_t timeout_usec, GError **error)
{
        if (!container->process)
                return container_wrong_state(container, "stop", error);
        /* a command that was never executed has nothing to tidy up */
        if (container->info.state == CONTAINER_CREATED || timeout_usec == 0)
                return container_kill(container, true, SIGKILL, error);
        if (!container_kill(container, false, signal, error) ||
            !container_let_act(container, error))
                return false;
        process_set_time(container->process, timeout_usec);
        return true;
}

/* Of an adopted process somebody else may learn the end first, and its number be given away. */
bool container_open_root(const Container *container, int *ret, GError **error)
{
        int pidfd = container_pidfd(container);
        char path[32];

        if (pidfd < 0)
                return container_wrong_state(container, "open the root directory of", error);
        snprintf(path, sizeof path, "/proc/%d/root", (int) container->info.pid);
        autofd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int errnum = errno;
        if (poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 0) != 0)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE, "container '%s' has ended",
                                 container->info.id);
        if (fd < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errnum,
                                       "cannot open the root directory of container '%s'",
                                       container->info.id);
        *ret = steal_fd(&fd);
        return true;
}

static void on_reader_gone(void *data)
{
        container_kill(data, true, SIGKILL, NULL);
}

bool container_take_status(Container *container, Tellers *tellers, GError **error)
{
        if (!status_fd_take(tellers, container->order, container->info.serial, &container->status,
                            error))
                return false;
        if (container->status)
                status_fd_watch(container->status, on_reader_gone, container);
        return true;
}

void container_adopt_status(Container *container, Tellers *tellers)
{
        container->status = status_fd_adopt(tellers, container->info.owner, container->info.serial);
        container->said = 1u << CONTAINER_CREATED | 1u << CONTAINER_RUNNING;
        if (container->status)
                status_fd_watch(container->status, on_reader_gone, container);
}

void container_say(Container *container, const char *path)
{
        const ContainerInfo *info = &container->info;
        g_autofree char *line = NULL;

        if (!container->status || container->said & 1u << info->state)
                return;
        container->said |= 1u << info->state;
        if (info->state == CONTAINER_STOPPED) {
                line = status_words_stopped(info->result, info->code, info->limit_hit,
                                            &info->usage);
                status_fd_finish(g_steal_pointer(&container->status), line);
                return;
        }
        if (info->state == CONTAINER_CREATED)
                line = status_words_created();
        else if (info->state == CONTAINER_RUNNING)
                line = status_words_running(path, info->id, info->pid);
        if (line)
                status_fd_say(container->status, line);
}

void container_note_session(Container *container)
{
        container->info.has_session = true;
}
