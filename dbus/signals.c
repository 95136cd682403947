#include "dbus/signals.h"

#include <signal.h>

#include "dbus/container-properties.h"
#include "dbus/log.h"
#include "dbus/names.h"
#include "dbus/notices/notices.h"
#include "dbus/paths.h"

struct Signals {
        sd_bus *bus;
        Waiting *waiting;
        Notices *notices;
        Activity activity;
        GQueue unannounced; /* Containers that the bus has not been told of */
        guint announce_source;
        bool emitting;
};

static void announce(Signals *signals, Container *container)
{
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = path_of_container(info);

        signals->emitting = true;
        sd_bus_emit_object_added(signals->bus, path);
        sd_bus_emit_signal(signals->bus, MANAGER_PATH, INTERFACE_MANAGER, "ContainerNew", "so",
                           info->id, path);
        signals->emitting = false;
        log_container(info, LOG_ID_NEW, "is %s", container_state_to_string(info->state));
}

static void announce_all(Signals *signals)
{
        Container *container;

        if (signals->announce_source)
                g_source_remove(signals->announce_source);
        signals->announce_source = 0;
        while ((container = g_queue_pop_head(&signals->unannounced)))
                announce(signals, container);
}

static gboolean on_announce(void *data)
{
        announce_all(data);
        return G_SOURCE_CONTINUE; /* announce_all() has removed the source */
}

/* Everybody hears of the container once there is nothing more urgent, such as its caller's next
 * call, or its end. */
static void on_added(Container *container, void *data)
{
        Signals *signals = data;

        g_autofree char *path = path_of_container(container_info(container));

        waiting_watch_caller(signals->waiting, container);
        container_say(container, path);
        g_queue_push_tail(&signals->unannounced, container);
        if (!signals->announce_source)
                signals->announce_source =
                        g_idle_add_full(G_PRIORITY_DEFAULT, on_announce, signals, NULL);
        activity_tell(&signals->activity);
}

static void on_changed(Container *container, void *data)
{
        Signals *signals = data;
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = path_of_container(info);

        container_say(container, path);
        announce_all(signals);
        signals->emitting = true;
        container_properties_emit(signals->bus, path, info->state);
        signals->emitting = false;
}

static void on_limited(Container *container, void *data)
{
        Signals *signals = data;
        g_autofree char *path = path_of_container(container_info(container));

        announce_all(signals);
        signals->emitting = true;
        sd_bus_emit_properties_changed(signals->bus, path, INTERFACE_CONTAINER, "MemoryMax", NULL);
        signals->emitting = false;
}

static void on_exited(Container *container, void *data)
{
        Signals *signals = data;
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = path_of_container(info);
        const char *result = container_result_to_string(info->result);

        container_say(container, path);
        waiting_answer(signals->waiting, container, info->result, info->code);
        announce_all(signals);
        signals->emitting = true;
        sd_bus_emit_signal(signals->bus, path, INTERFACE_CONTAINER, "Exited", "si", result,
                           info->code);
        container_properties_emit(signals->bus, path, info->state);
        signals->emitting = false;
        log_container(info, LOG_ID_ENDED, "has ended: %s %d", result, info->code);
        activity_tell(&signals->activity);
}

static void on_removed(Container *container, void *data)
{
        Signals *signals = data;
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = path_of_container(info);
        bool has_ended = info->state == CONTAINER_STOPPED;

        waiting_answer(signals->waiting, container, has_ended ? info->result : RESULT_UNKNOWN,
                       info->code);
        announce_all(signals);
        signals->emitting = true;
        sd_bus_emit_signal(signals->bus, MANAGER_PATH, INTERFACE_MANAGER, "ContainerRemoved", "so",
                           info->id, path);
        sd_bus_emit_object_removed(signals->bus, path);
        signals->emitting = false;
        activity_tell(&signals->activity);
}

static void on_settled(void *data)
{
        activity_tell(&((Signals *) data)->activity);
}

static void end_exec(const void *object, bool gone)
{
        exec_kill((Exec *) object, SIGKILL, NULL);
}

static char *path_of(Exec *exec)
{
        return path_of_exec(container_info(exec_container(exec)), exec_info(exec)->number);
}

static void on_exec_added(Exec *exec, void *data)
{
        Signals *signals = data;
        g_autofree char *path = path_of(exec);

        log_container(container_info(exec_container(exec)), NULL, "runs exec %u as well",
                      exec_info(exec)->number);
        waiting_watch(signals->waiting, exec, exec_info(exec)->watcher, end_exec);
        exec_say(exec, path);
        announce_all(signals);
        signals->emitting = true;
        sd_bus_emit_object_added(signals->bus, path);
        signals->emitting = false;
        activity_tell(&signals->activity);
}

static void on_exec_ended(Exec *exec, void *data)
{
        Signals *signals = data;
        const ExecInfo *info = exec_info(exec);
        g_autofree char *path = path_of(exec);

        log_container(container_info(exec_container(exec)), NULL, "exec %u has ended: %s %d",
                      info->number, container_result_to_string(info->result), info->code);
        exec_say(exec, path);
        waiting_answer(signals->waiting, exec, info->result, info->code);
        signals->emitting = true;
        sd_bus_emit_signal(signals->bus, path, INTERFACE_EXEC, "Exited", "si",
                           container_result_to_string(info->result), info->code);
        sd_bus_emit_properties_changed(signals->bus, path, INTERFACE_EXEC, "Pid", "State", "Result",
                                       "ExitCode", NULL);
        signals->emitting = false;
        activity_tell(&signals->activity);
}

static void on_exec_removed(Exec *exec, void *data)
{
        Signals *signals = data;
        const ExecInfo *info = exec_info(exec);
        g_autofree char *path = path_of(exec);
        bool has_ended = info->state == CONTAINER_STOPPED;

        waiting_answer(signals->waiting, exec, has_ended ? info->result : RESULT_UNKNOWN,
                       info->code);
        signals->emitting = true;
        sd_bus_emit_object_removed(signals->bus, path);
        signals->emitting = false;
        activity_tell(&signals->activity);
}

static bool on_noticed(Container *container, const Notice *notice, void *data)
{
        Signals *signals = data;
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = path_of_container(info);

        announce_all(signals);
        return notices_send(signals->notices, path, info->owner, notice);
}

const ManagerEvents signals_events = {
        .added = on_added,
        .changed = on_changed,
        .limited = on_limited,
        .exited = on_exited,
        .removed = on_removed,
        .settled = on_settled,
        .exec_added = on_exec_added,
        .exec_ended = on_exec_ended,
        .exec_removed = on_exec_removed,
        .noticed = on_noticed,
};

bool signals_is_emitting(const Signals *signals)
{
        return signals->emitting;
}

Signals *signals_new(sd_bus *bus, Waiting *waiting, const Callers *callers,
                     const Activity *activity)
{
        Signals *signals = g_new0(Signals, 1);

        signals->bus = bus;
        signals->waiting = waiting;
        signals->notices = notices_new(bus, callers);
        signals->activity = *activity;
        g_queue_init(&signals->unannounced);
        return signals;
}

void signals_free(Signals *signals)
{
        if (!signals)
                return;
        if (signals->announce_source)
                g_source_remove(signals->announce_source);
        g_queue_clear(&signals->unannounced);
        notices_free(signals->notices);
        g_free(signals);
}
