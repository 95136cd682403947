#include "cli/lib/session/target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "cli/lib/session.h"
#include "dbus/names.h"

int target_new_call(const Target *target, const char *member, sd_bus_message **ret)
{
        return client_new_call(target->client, target->path, target->interface, member, ret);
}

static void send_and_forget(const Target *target, sd_bus_message *call)
{
        if (sd_bus_message_set_expect_reply(call, 0) >= 0)
                sd_bus_send(client_bus(target->client), call, NULL);
}

void target_tell_signal(const Target *target, int signal)
{
        g_autoptr(sd_bus_message) call = NULL;
        int r = target_new_call(target, "Kill", &call);

        if (r >= 0 && strcmp(target->interface, INTERFACE_CONTAINER) == 0)
                r = sd_bus_message_append(call, "s", "main");
        if (r >= 0 && sd_bus_message_append(call, "i", signal) >= 0)
                send_and_forget(target, call);
}

void target_tell_size(const Target *target, unsigned short rows, unsigned short columns)
{
        g_autoptr(sd_bus_message) call = NULL;

        if (target_new_call(target, "ResizeTerminal", &call) >= 0 &&
            sd_bus_message_append(call, "qq", rows, columns) >= 0)
                send_and_forget(target, call);
}

int target_unwatch(const Target *target, sd_bus_message_handler_t on_reply, void *data)
{
        g_autoptr(sd_bus_message) call = NULL;
        int r = target_new_call(target, "Update", &call);

        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 1, "WatchBus", "b", false);
        return r < 0 ? r
                     : sd_bus_call_async(client_bus(target->client), NULL, call, on_reply, data, 0);
}

int target_attach(const Target *target, bool is_read_only, int *ret_fd)
{
        g_autoptr(sd_bus_message) call = NULL, reply = NULL;
        g_auto(sd_bus_error) error = SD_BUS_ERROR_NULL;
        int fd, r = target_new_call(target, "Attach", &call);

        if (r >= 0)
                r = sd_bus_message_append(call, "a{sv}", 1, "ReadOnly", "b", is_read_only);
        if (r >= 0)
                r = client_call(target->client, call, 0, &error, &reply);
        if (sd_bus_error_is_set(&error)) {
                client_complain(target->client, NULL, &error);
                return session_status_of_error(error.name);
        }
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r >= 0 && (*ret_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                r = -errno;
        if (r >= 0)
                return 0;
        client_complain_errno(target->client, "Attach", r);
        return EXIT_RUNTIME_FAILED;
}
