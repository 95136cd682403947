#include "dbus/container-api.h"

#include <errno.h>
#include <string.h>

#include "dbus/container-methods.h"
#include "dbus/container-properties.h"
#include "dbus/decode/spec-decode.h"
#include "dbus/judge.h"
#include "dbus/methods.h"
#include "dbus/names.h"
#include "dbus/paths.h"
#include "dbus/rules.h"
#include "dbus/spawn.h"
#include "service/container/usage.h"

/* -- dispatch: judge, call -- */

/* What polkit's rules and prompts see of an Exec; owned. NULL: bad arguments, which the handler
 * refuses, and a stranger hears of only then, or the answer would tell that the container exists.
 */
static char *describe_exec(sd_bus_message *message)
{
        g_autoptr(Order) order = NULL;
        g_autoptr(GError) error = NULL;
        bool is_valid = spec_decode_exec(message, &order, &error);

        sd_bus_message_rewind(message, true);
        return is_valid ? spawn_quote(order->process.argv) : NULL;
}

static bool is_strangers(Server *server, sd_bus_message *message, uid_t owner)
{
        const Credentials *caller = callers_get(server->callers, message, NULL);

        return caller && !rules_may_see(caller, owner);
}

static int method(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        g_autofree char *id = NULL, *command = NULL;
        const char *member = sd_bus_message_get_member(message);
        JudgedCall call = {
                .interface = INTERFACE_CONTAINER, .again = method, .call = container_method_call};

        if (!path_parse(sd_bus_message_get_path(message), &call.owner, &id))
                return judge_unknown(message, ret_error);
        if (strcmp(member, "Exec") == 0 && is_strangers(data, message, call.owner))
                command = describe_exec(message);
        call.id = id;
        call.command_line = command;
        return judge_call(data, message, &call, ret_error);
}

/* -- the vtable -- */

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *name,
                        sd_bus_message *reply, void *data, sd_bus_error *error)
{
        Container *container = data;

        if (!container)
                return -ENOENT;
        if (strcmp(name, "Usage") != 0)
                return container_property_append(reply, container_info(container), name);
        ContainerInfo info = *container_info(container);
        container_usage(container, &info.usage); /* of one that lives it is read now */
        return container_property_append(reply, &info, name);
}

#define METHOD(name, in, out, handler, action, owner_is_free) METHOD_ENTRY(name, in, out, method),
#define PROPERTY(name, type, field, when)                     CONTAINER_PROPERTY_ENTRY(name, type, get_property, when),

static const sd_bus_vtable container_vtable[] = {
        SD_BUS_VTABLE_START(0),
        CONTAINER_METHODS(METHOD)
                SD_BUS_SIGNAL_WITH_ARGS("Exited", SD_BUS_ARGS("s", result, "i", code), 0),
        SD_BUS_SIGNAL_WITH_ARGS("OutOfMemory", SD_BUS_ARGS("t", kills, "s", level), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Denied", SD_BUS_ARGS("s", call, "u", count), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Pressure", SD_BUS_ARGS("s", resource, "t", someUSec), 0),
        CONTAINER_PROPERTIES(PROPERTY) SD_BUS_VTABLE_END,
};

/* -- objects -- */

static bool is_our_call(sd_bus_message *message)
{
        const char *interface = sd_bus_message_get_interface(message);

        return sd_bus_message_is_method_call(message, NULL, NULL) > 0 && interface &&
               strcmp(interface, INTERFACE_CONTAINER) == 0;
}

/* Decides which objects exist for a caller. Properties and introspection exist for those who may
 * see the container, which their getters get as data. For our own methods every well-formed path
 * exists, so that method() answers a stranger alike, whether there is such a container or not. */
static int find_container(sd_bus *bus, const char *path, const char *interface, void *data,
                          void **ret_found, sd_bus_error *error)
{
        Server *server = data;
        sd_bus_message *message = sd_bus_get_current_message(bus);
        g_autofree char *id = NULL;
        uid_t owner;

        if (!path_parse(path, &owner, &id))
                return 0;
        Container *container = manager_find(server->manager, owner, id);
        if (signals_is_emitting(server->signals)) {
                *ret_found = container;
                return 1;
        }
        const Credentials *caller = message ? callers_get(server->callers, message, NULL) : NULL;
        bool is_call = message && is_our_call(message);
        if (!caller || (!rules_may_see(caller, owner) && !is_call))
                return 0;
        *ret_found = is_call ? (void *) server : container;
        return container || (is_call && !rules_may_see(caller, owner)) ? 1 : 0;
}

/* Shows each caller its own containers, and root all. */
static int enumerate(sd_bus *bus, const char *prefix, void *data, char ***ret_nodes,
                     sd_bus_error *error)
{
        Server *server = data;
        sd_bus_message *message = sd_bus_get_current_message(bus);
        const Credentials *caller = message ? callers_get(server->callers, message, NULL) : NULL;

        /* who walks the tree asks for each node, and below a container there is no other */
        if (!caller || path_is_in_container(prefix)) {
                *ret_nodes = NULL;
                return 0;
        }
        g_autoptr(GPtrArray) list = server_list(server, caller);
        /* sd-bus frees it with free(), which is what g_free() is */
        char **nodes = g_new0(char *, list->len + 1);
        for (guint i = 0; i < list->len; i++)
                nodes[i] = path_of_container(container_info(list->pdata[i]));
        *ret_nodes = nodes;
        return 0;
}

bool container_api_export(Server *server, GError **error)
{
        sd_bus *bus = server->options.bus;
        int r = sd_bus_add_fallback_vtable(bus, NULL, CONTAINER_PATH_PREFIX, INTERFACE_CONTAINER,
                                           container_vtable, find_container, server);

        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, CONTAINER_PATH_PREFIX, enumerate, server);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot export " CONTAINER_PATH_PREFIX)
                     : true;
}
