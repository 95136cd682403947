#include "dbus/figures.h"

int figures_append(sd_bus_message *reply, uint64_t known, const uint64_t *values, unsigned n)
{
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        for (CgroupFigure i = 0; i < n && r >= 0; i++)
                if (known & UINT64_C(1) << i)
                        r = sd_bus_message_append(reply, "{sv}", cgroup_figure_name(i), "t",
                                                  values[i]);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}
