#include "dbus/connection/error-map.h"

#include "polkit/authority.h"

int error_map_set(sd_bus_error *ret_error, GError *error)
{
        g_autofree char *text = authority_escape(error->message);
        const char *name = error->domain == RUNTIME_ERROR ? error_name((RuntimeError) error->code)
                                                          : SD_BUS_ERROR_FAILED;
        int r = sd_bus_error_set(ret_error, name, text);

        g_error_free(error);
        return r;
}

void error_map_reply(sd_bus_message *message, const GError *error)
{
        sd_bus_error reply = SD_BUS_ERROR_NULL;

        error_map_set(&reply, g_error_copy(error));
        sd_bus_reply_method_error(message, &reply);
        sd_bus_error_free(&reply);
}
