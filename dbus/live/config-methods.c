#include "dbus/decode/made-with.h"
#include "dbus/live/live-methods.h"
#include "service/spec/error.h"

bool method_get_config(Server *server, Container *container, sd_bus_message *message,
                       GError **error)
{
        const ContainerInfo *info = container_info(container);
        sd_bus_message *reply = NULL;

        if (!container_must_be_ours(container, "tell what made", error))
                return false;
        if (!info->made_with)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "what container '%s' was made with is not known: a service older "
                                 "than this method made it",
                                 info->id);
        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = made_with_append(reply, info->made_with, info->id);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot send it") : true;
}
