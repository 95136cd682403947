#include "tests/bench/client-calls.h"

#include <string.h>

#include "dbus/names.h"

int calls_run(sd_bus *bus, const ContainerOrder *order, sd_bus_message **ret)
{
        int r = sd_bus_message_new_method_call(bus, ret, BUS_NAME, MANAGER_PATH, INTERFACE_RUNC,
                                               "Run");

        if (r >= 0)
                r = sd_bus_message_append(*ret, "st", order->rootfs, order->memory);
        return r < 0 ? r : sd_bus_message_append_strv(*ret, order->argv);
}

static int append_bytes(sd_bus_message *call, const char *text)
{
        return sd_bus_message_append_array(call, 'y', text, strlen(text));
}

static int append_list(sd_bus_message *call, char **list)
{
        int r = sd_bus_message_open_container(call, 'a', "ay");

        for (; r >= 0 && *list; list++)
                r = append_bytes(call, *list);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int append_environment(sd_bus_message *call, char **environment)
{
        int r;

        (void) ((r = sd_bus_message_open_container(call, 'e', "sv")) >= 0 &&
                (r = sd_bus_message_append(call, "s", "Environment")) >= 0 &&
                (r = sd_bus_message_open_container(call, 'v', "aay")) >= 0 &&
                (r = append_list(call, environment)) >= 0 &&
                (r = sd_bus_message_close_container(call)) >= 0 &&
                (r = sd_bus_message_close_container(call)) >= 0);
        return r;
}

static int append_options(sd_bus_message *call, const ContainerOrder *order, bool bound, int status)
{
        int r;

        (void) ((r = sd_bus_message_open_container(call, 'a', "{sv}")) >= 0 &&
                (r = sd_bus_message_append(call, "{sv}", "TasksMax", "t", order->tasks)) >= 0 &&
                (r = sd_bus_message_append(call, "{sv}", "Hostname", "s", order->hostname)) >= 0 &&
                (r = append_environment(call, order->environment)) >= 0);
        if (r >= 0 && order->memory)
                r = sd_bus_message_append(call, "{sv}", "MemoryMax", "t", order->memory);
        if (r >= 0 && bound)
                (void) ((r = sd_bus_message_append(call, "{sv}", "WatchBus", "b", true)) >= 0 &&
                        (r = sd_bus_message_append(call, "{sv}", "Remove", "b", true)) >= 0);
        if (r >= 0 && status >= 0)
                (void) ((r = sd_bus_message_append(call, "{sv}", "StatusFD", "h", status)) >= 0 &&
                        (r = sd_bus_message_append(call, "{sv}", "Remove", "b", true)) >= 0);
        return r < 0 ? r : sd_bus_message_close_container(call);
}

static int spawn(sd_bus *bus, const ContainerOrder *order, int output, bool bound, int status,
                 sd_bus_message **ret)
{
        int r = sd_bus_message_new_method_call(bus, ret, BUS_NAME, MANAGER_PATH, INTERFACE_MANAGER,
                                               "Spawn");

        (void) (r >= 0 && (r = append_bytes(*ret, order->rootfs)) >= 0 &&
                (r = append_list(*ret, order->argv)) >= 0);
        if (r >= 0)
                r = output < 0 ? sd_bus_message_append(*ret, "a{uh}", 0)
                               : sd_bus_message_append(*ret, "a{uh}", 2, 1, output, 2, output);
        return r < 0 ? r : append_options(*ret, order, bound, status);
}

int calls_spawn(sd_bus *bus, const ContainerOrder *order, int output, bool bound,
                sd_bus_message **ret)
{
        return spawn(bus, order, output, bound, -1, ret);
}

int calls_spawn_told(sd_bus *bus, const ContainerOrder *order, int status, sd_bus_message **ret)
{
        return spawn(bus, order, -1, false, status, ret);
}

int calls_container(sd_bus *bus, const char *path, const char *method, sd_bus_message **ret)
{
        return sd_bus_message_new_method_call(bus, ret, BUS_NAME, path, INTERFACE_CONTAINER,
                                              method);
}

int calls_read_result(sd_bus_message *reply, int *ret_status)
{
        const char *result;
        int code, r = sd_bus_message_read(reply, "si", &result, &code);

        if (r >= 0)
                *ret_status = strcmp(result, "success") == 0 ? 0 : code ? code : -1;
        return r;
}
