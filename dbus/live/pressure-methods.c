#include "dbus/live/live-methods.h"
#include "dbus/live/output-calls.h"

bool method_set_pressure_trigger(Server *server, Container *container, sd_bus_message *message,
                                 GError **error)
{
        const char *word;
        uint64_t threshold, window;
        PressureResource resource;
        int r = sd_bus_message_read(message, "stt", &word, &threshold, &window);

        if (r < 0)
                return call_bad_arguments(error, r);
        if (!pressure_resource_parse(word, &resource, error) ||
            !container_set_pressure(container, resource, threshold, window, error))
                return false;
        sd_bus_reply_method_return(message, NULL);
        return true;
}
