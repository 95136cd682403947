#include "dbus/manager-api.h"

#include <string.h>

#include "dbus/connection/error-map.h"
#include "dbus/live/manager-methods.h"
#include "dbus/methods.h"
#include "dbus/names.h"
#include "dbus/paths.h"
#include "dbus/rules.h"
#include "dbus/spawn.h"
#include "polkit/actions.h"
#include "service/manager/named.h"
#include "service/spec/order.h"

/* -- reading -- */

static bool parse_name(const char *name, const Credentials *caller, uid_t *ret_owner,
                       const char **ret_id, GError **error)
{
        const char *slash = strchr(name, '/');
        guint64 owner = caller->uid;

        if (slash) {
                g_autofree char *number = g_strndup(name, (gsize) (slash - name));
                if (!g_ascii_string_to_unsigned(number, 10, 0, UINT32_MAX - 1, &owner, NULL))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "'%s' is not a container's id, nor uid/id", name);
        }
        *ret_owner = (uid_t) owner;
        *ret_id = slash ? slash + 1 : name;
        return true;
}

#define NO_CONTAINER "there is no container '%s'"

/* Answers GetContainer after polkit was asked; the call is read anew. `server` is NULL for a caller
 * who may not look. */
static void answer_asked(Request *request, Server *server)
{
        sd_bus_message *message = request_message(request);
        const char *name, *id = "";
        uid_t owner = 0;
        g_autoptr(GError) error = NULL;

        sd_bus_message_rewind(message, true);
        if (sd_bus_message_read(message, "s", &name) > 0)
                parse_name(name, request_caller(request), &owner, &id, NULL);
        Container *container = server ? manager_find_named(server->manager, owner, id) : NULL;
        if (!container) {
                error_set(&error, RUNTIME_ERROR_NO_SUCH_CONTAINER, NO_CONTAINER, id);
                request_fail(request, error);
                return;
        }
        g_autofree char *path = path_of_container(container_info(container));
        request_done(request, "o", path);
}

static void on_may_inspect(Request *request, void *data)
{
        answer_asked(request, data);
}

/* A stranger gets the same answer for another user's container as for none, unless polkit lets the
 * stranger look. */
static void on_may_not_inspect(Request *request, void *data)
{
        answer_asked(request, NULL);
}

static int method_get_container(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Server *server = data;
        const char *name, *id;
        uid_t owner;
        GError *error = NULL;
        const Credentials *caller = callers_get(server->callers, message, &error);
        int r = sd_bus_message_read(message, "s", &name);

        if (r < 0)
                return r;
        if (!caller || !parse_name(name, caller, &owner, &id, &error))
                return error_map_set(ret_error, error);
        /* an id that no container can have is nothing to ask about: polkit's prompt would show it
         */
        if (caller->is_inside || rules_may_see(caller, owner) || !order_id_is_valid(id)) {
                Container *container =
                        caller->is_inside ? NULL : manager_find_named(server->manager, owner, id);
                if (!container)
                        return sd_bus_error_setf(ret_error, ERROR_NO_SUCH_CONTAINER, NO_CONTAINER,
                                                 id);
                g_autofree char *path = path_of_container(container_info(container));
                return sd_bus_reply_method_return(message, "o", path);
        }
        Request *request;
        if (!request_new(server->requests, message, caller, method_get_container, &request, &error))
                return error_map_set(ret_error, error);
        if (!request)
                return 1;
        const MethodRule *rule = rules_find(INTERFACE_MANAGER, sd_bus_message_get_member(message));
        g_autofree char *owner_text = g_strdup_printf("%u", owner);
        const char *const details[] = {DETAIL_ID,   id,           DETAIL_OWNER, owner_text,
                                       DETAIL_VERB, rule->member, NULL};
        request_authorize(request, &(RequestQuestion){
                                           .action = rule->action,
                                           .details = details,
                                           .next = on_may_inspect,
                                           .refused = on_may_not_inspect,
                                           .data = server,
                                   });
        return 1;
}

static int append_container(sd_bus_message *reply, Container *container)
{
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = path_of_container(info);

        return sd_bus_message_append(reply, "(ssuto)", info->id,
                                     container_state_to_string(info->state), info->owner,
                                     info->created_usec, path);
}

static int method_list_containers(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Server *server = data;
        GError *error = NULL;
        const Credentials *caller = callers_get(server->callers, message, &error);
        sd_bus_message *reply = NULL;

        if (!caller)
                return error_map_set(ret_error, error);
        g_autofree char **labels = NULL;
        if (!filter_read(message, &labels, &error))
                return error_map_set(ret_error, error);
        g_autoptr(GPtrArray) list = server_list(server, caller);
        int r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssuto)");
        for (guint i = 0; i < list->len && r >= 0; i++)
                if (filter_passes(labels, container_info(list->pdata[i])))
                        r = append_container(reply, list->pdata[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *data, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", PROJECT_VERSION);
}

/* Tells a caller other than root only how many containers it has itself. */
static int get_n_containers(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *data,
                            sd_bus_error *error)
{
        Server *server = data;
        sd_bus_message *call = sd_bus_get_current_message(bus);
        const Credentials *caller = call ? callers_get(server->callers, call, NULL) : NULL;

        if (!caller)
                return sd_bus_message_append(reply, "u", 0u);
        if (caller->uid == 0 && !caller->is_inside)
                return sd_bus_message_append(reply, "u", manager_count(server->manager));
        g_autoptr(GPtrArray) own = server_list(server, caller);
        return sd_bus_message_append(reply, "u", own->len);
}

static int get_cgroup_mode(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *data,
                           sd_bus_error *error)
{
        Server *server = data;

        return sd_bus_message_append(
                reply, "s", cgroup_mode_to_string(cgroup_tree_mode(server->options.cgroups)));
}

/* -- vtables -- */

#define METHOD(name, in, out, handler, action, owner_is_free) METHOD_ENTRY(name, in, out, handler),

static const sd_bus_vtable runc_vtable[] = {
        SD_BUS_VTABLE_START(0),
        RUNC_METHODS(METHOD) SD_BUS_VTABLE_END,
};

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        MANAGER_METHODS(METHOD)
                SD_BUS_SIGNAL_WITH_ARGS("ContainerNew", SD_BUS_ARGS("s", id, "o", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ContainerRemoved", SD_BUS_ARGS("s", id, "o", path), 0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("NContainers", "u", get_n_containers, 0, 0),
        SD_BUS_PROPERTY("CgroupMode", "s", get_cgroup_mode, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

bool manager_api_export(Server *server, GError **error)
{
        sd_bus *bus = server->options.bus;
        int r = sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, INTERFACE_RUNC, runc_vtable,
                                         server);

        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, INTERFACE_MANAGER,
                                             manager_vtable, server);
        if (r >= 0)
                r = sd_bus_add_object_manager(bus, NULL, MANAGER_PATH);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot export " MANAGER_PATH)
                     : true;
}
