#include "service/container/events/pressure.h"

#include <glib-unix.h>

#include "service/util/fd.h"

static void end(PressureTrigger *trigger)
{
        if (!trigger->source)
                return;
        g_source_destroy(trigger->source);
        g_clear_pointer(&trigger->source, g_source_unref);
        fd_clear(&trigger->fd);
}

static gboolean on_pressure(int fd, GIOCondition condition, void *data)
{
        PressureTrigger *trigger = data;
        const Pressure *pressure = trigger->owner;
        PressureResource resource = (PressureResource) (trigger - pressure->triggers);

        if (condition & G_IO_PRI)
                pressure->function(resource, cgroup_read_pressure(fd), pressure->data);
        if (!(condition & (G_IO_ERR | G_IO_HUP | G_IO_NVAL)))
                return G_SOURCE_CONTINUE;
        end(trigger); /* somebody else has removed the leaf */
        return G_SOURCE_REMOVE;
}

/* Not by a Watch: whoever polls takes the report away, and the loop polls the epoll set of all
 * watches, which polls what is in it, before it asks that set which of them it was. And before all
 * others: what the loop has polled and does not come to in that turn, it polls anew. */
static void watch(PressureTrigger *trigger)
{
        trigger->source = g_unix_fd_source_new(trigger->fd, G_IO_PRI);
        g_source_set_callback(trigger->source, G_SOURCE_FUNC(on_pressure), trigger, NULL);
        g_source_set_priority(trigger->source, G_PRIORITY_HIGH);
        g_source_attach(trigger->source, NULL);
}

bool pressure_set(Pressure *pressure, const Cgroup *cgroup, PressureResource resource,
                  uint64_t threshold_usec, uint64_t window_usec, GError **error)
{
        PressureTrigger *trigger = &pressure->triggers[resource];
        autofd int fd = -1;

        if (threshold_usec != 0 &&
            !cgroup_open_pressure(cgroup, resource, threshold_usec, window_usec, &fd, error))
                return false;
        end(trigger);
        *trigger = (PressureTrigger){.owner = pressure, .fd = fd};
        if (steal_fd(&fd) >= 0)
                watch(trigger);
        return true;
}

void pressure_end(Pressure *pressure)
{
        for (PressureResource i = 0; i < _PRESSURE_MAX; i++)
                end(&pressure->triggers[i]);
}
