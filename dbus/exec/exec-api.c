#include "dbus/exec/exec-api.h"

#include <errno.h>
#include <string.h>

#include "dbus/exec/exec-methods.h"
#include "dbus/figures.h"
#include "dbus/judge.h"
#include "dbus/methods.h"
#include "dbus/names.h"
#include "dbus/paths.h"
#include "dbus/rules.h"

static int method(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        g_autofree char *id = NULL;
        JudgedCall call = {.interface = INTERFACE_EXEC, .again = method, .call = exec_method_call};
        unsigned number;

        if (!path_parse_exec(sd_bus_message_get_path(message), &call.owner, &id, &number))
                return judge_unknown(message, ret_error);
        call.id = id;
        return judge_call(data, message, &call, ret_error);
}

/* -- the vtable -- */

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *name,
                        sd_bus_message *reply, void *data, sd_bus_error *error)
{
        Exec *exec = exec_at(data, path);
        const ExecInfo *info = exec ? exec_info(exec) : NULL;

        if (!exec)
                return -ENOENT;
        if (strcmp(name, "Pid") == 0)
                return sd_bus_message_append(reply, "u", (uint32_t) info->pid);
        if (strcmp(name, "ExitCode") == 0)
                return sd_bus_message_append(reply, "i", info->code);
        if (strcmp(name, "Usage") == 0)
                return figures_append(reply, info->usage.known, info->usage.values,
                                      _CGROUP_USAGE_MAX);
        return sd_bus_message_append(reply, "s",
                                     strcmp(name, "State") == 0
                                             ? container_state_to_string(info->state)
                                             : container_result_to_string(info->result));
}

#define METHOD(name, in, out, handler, action, owner_is_free) METHOD_ENTRY(name, in, out, method),
#define PROPERTY(name, type)                                                                       \
        SD_BUS_PROPERTY(name, type, get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

static const sd_bus_vtable exec_vtable[] = {
        SD_BUS_VTABLE_START(0),
        EXEC_METHODS(METHOD)
                SD_BUS_SIGNAL_WITH_ARGS("Exited", SD_BUS_ARGS("s", result, "i", code), 0),
        PROPERTY("Pid", "u"),
        PROPERTY("State", "s"),
        PROPERTY("Result", "s"),
        PROPERTY("ExitCode", "i"),
        /* who wants to know it asks for it by name, for a signal goes to strangers */
        SD_BUS_PROPERTY("Usage", "a{sv}", get_property, 0, SD_BUS_VTABLE_PROPERTY_EXPLICIT),
        SD_BUS_VTABLE_END,
};

/* -- objects -- */

static bool is_our_call(sd_bus_message *message)
{
        const char *interface = sd_bus_message_get_interface(message);

        return sd_bus_message_is_method_call(message, NULL, NULL) > 0 && interface &&
               strcmp(interface, INTERFACE_EXEC) == 0;
}

/* As the objects of containers: for our own methods every well-formed path exists, so that a
 * stranger is answered alike, whatever there is. */
static int find_exec(sd_bus *bus, const char *path, const char *interface, void *data,
                     void **ret_found, sd_bus_error *error)
{
        Server *server = data;
        sd_bus_message *message = sd_bus_get_current_message(bus);
        g_autofree char *id = NULL;
        unsigned number;
        uid_t owner;

        if (!path_parse_exec(path, &owner, &id, &number))
                return 0;
        *ret_found = server;
        if (signals_is_emitting(server->signals))
                return 1;
        const Credentials *caller = message ? callers_get(server->callers, message, NULL) : NULL;
        if (!caller)
                return 0;
        if (!rules_may_see(caller, owner))
                return is_our_call(message) ? 1 : 0;
        return exec_at(server, path) ? 1 : 0;
}

/* Those containers whose processes a caller may see at or below `prefix`: a container, or the node
 * above its processes. Who walks the tree asks for each node. Owned; NULL: none. */
static GPtrArray *list_containers(Server *server, const Credentials *caller, const char *prefix)
{
        g_autofree char *above = g_path_get_dirname(prefix);
        g_autofree char *id = NULL;
        Container *container;
        uid_t owner;

        if (!path_is_in_container(prefix))
                return server_list(server, caller);
        if (!(path_parse(prefix, &owner, &id) || path_parse(above, &owner, &id)) ||
            !rules_may_see(caller, owner) ||
            !(container = manager_find(server->manager, owner, id)))
                return NULL;
        GPtrArray *list = g_ptr_array_new();
        g_ptr_array_add(list, container);
        return list;
}

/* Shows each caller those in its own containers, and root all. */
static int enumerate(sd_bus *bus, const char *prefix, void *data, char ***ret_nodes,
                     sd_bus_error *error)
{
        Server *server = data;
        sd_bus_message *message = sd_bus_get_current_message(bus);
        const Credentials *caller = message ? callers_get(server->callers, message, NULL) : NULL;
        g_autoptr(GPtrArray) containers = caller ? list_containers(server, caller, prefix) : NULL;

        if (!containers) {
                *ret_nodes = NULL;
                return 0;
        }
        g_autoptr(GStrvBuilder) nodes = g_strv_builder_new();
        for (guint i = 0; i < containers->len; i++) {
                g_autoptr(GPtrArray) execs =
                        manager_list_execs(server->manager, containers->pdata[i]);
                for (guint k = 0; k < execs->len; k++) {
                        g_autofree char *path = path_of_exec(container_info(containers->pdata[i]),
                                                             exec_info(execs->pdata[k])->number);
                        g_strv_builder_add(nodes, path);
                }
        }
        /* sd-bus frees it with free(), which is what g_free() is */
        *ret_nodes = g_strv_builder_end(nodes);
        return 0;
}

bool exec_api_export(Server *server, GError **error)
{
        sd_bus *bus = server->options.bus;
        int r = sd_bus_add_fallback_vtable(bus, NULL, CONTAINER_PATH_PREFIX, INTERFACE_EXEC,
                                           exec_vtable, find_exec, server);

        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, CONTAINER_PATH_PREFIX, enumerate, server);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot export processes in containers")
                     : true;
}
