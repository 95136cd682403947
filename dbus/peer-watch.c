#include "dbus/peer-watch.h"

#include <glib.h>
#include <stdbool.h>

struct PeerWatch {
        sd_bus_slot *match, *query;
        char *name;
        PeerWatchFunc function;
        void *data;
};

static int tell(PeerWatch *watch)
{
        PeerWatchFunc function = watch->function;

        watch->function = NULL; /* once */
        if (function)
                function(watch->data);
        return 0;
}

static int on_owner_changed(sd_bus_message *message, void *data, sd_bus_error *error)
{
        const char *name, *old_owner, *new_owner;

        /* from the bus itself: sd-bus does not check the sender of what passes a match */
        if (g_strcmp0(sd_bus_message_get_sender(message), "org.freedesktop.DBus") != 0 ||
            sd_bus_message_read(message, "sss", &name, &old_owner, &new_owner) < 0 || *new_owner)
                return 0;
        return tell(data);
}

static int on_reply(sd_bus_message *message, void *data, sd_bus_error *error)
{
        PeerWatch *watch = data;
        int has_owner = 0;

        if (sd_bus_message_is_method_error(message, NULL) ||
            sd_bus_message_read(message, "b", &has_owner) < 0 || !has_owner)
                return tell(watch);
        return 0;
}

static int on_installed(sd_bus_message *message, void *data, sd_bus_error *error)
{
        PeerWatch *watch = data;

        if (sd_bus_message_is_method_error(message, NULL) ||
            sd_bus_call_method_async(sd_bus_message_get_bus(message), &watch->query, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner",
                                     on_reply, watch, "s", watch->name) < 0)
                return tell(watch);
        return 0;
}

PeerWatch *peer_watch_new(sd_bus *bus, const char *name, PeerWatchFunc function, void *data)
{
        PeerWatch *watch = g_new0(PeerWatch, 1);
        g_autofree char *rule = g_strdup_printf(
                "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                "member='NameOwnerChanged',arg0='%s'",
                name);

        watch->name = g_strdup(name);
        watch->function = function;
        watch->data = data;
        if (sd_bus_add_match_async(bus, &watch->match, rule, on_owner_changed, on_installed, watch) < 0) {
                peer_watch_free(watch);
                return NULL;
        }
        return watch;
}

void peer_watch_free(PeerWatch *watch)
{
        if (!watch)
                return;
        sd_bus_slot_unref(watch->query);
        sd_bus_slot_unref(watch->match);
        g_free(watch->name);
        g_free(watch);
}
