#include "dbus/figures.h"
#include "dbus/live/live-methods.h"
#include "service/container/usage.h"
#include "service/spec/error.h"

bool method_get_stats(Server *server, Container *container, sd_bus_message *message, GError **error)
{
        CgroupStats stats;
        sd_bus_message *reply = NULL;

        if (!container_stats(container, &stats, error))
                return false;
        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = figures_append(reply, stats.known, stats.values, _CGROUP_FIGURE_MAX);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot send the figures")
                     : true;
}
