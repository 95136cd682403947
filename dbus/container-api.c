#include <errno.h>
#include <signal.h>
#include <string.h>

#include "dbus/error-map.h"
#include "dbus/names.h"
#include "dbus/server-internal.h"
#include "polkit/actions.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

/* -- methods: each is called once its caller may; true: answered, or kept to be answered -- */

typedef bool (*MethodFunc)(Server *server, Container *container, sd_bus_message *message,
                           GError **error);

static bool answer(sd_bus_message *message)
{
        sd_bus_reply_method_return(message, NULL);
        return true;
}

static bool bad_arguments(GError **error, int r)
{
        return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, -r, "cannot read the arguments");
}

static bool check_signal(int signal, GError **error)
{
        return signal > 0 && signal < _NSIG
                       ? true
                       : error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%d is not a signal", signal);
}

static void on_started(Container *container, GError *error, void *data)
{
        if (error)
                request_fail(data, error);
        else
                request_done(data, "");
}

static bool method_start(Server *server, Container *container, sd_bus_message *message,
                         GError **error)
{
        const Credentials *caller = server_caller(server, message, error);
        Request *request = caller ? request_new(server, message, caller, error) : NULL;

        if (!request)
                return false;
        manager_start(server->manager, container, on_started, request);
        return true;
}

static bool method_stop(Server *server, Container *container, sd_bus_message *message,
                        GError **error)
{
        int signal;
        uint64_t timeout;
        int r = sd_bus_message_read(message, "it", &signal, &timeout);

        if (r < 0)
                return bad_arguments(error, r);
        if (signal == 0)
                signal = SIGTERM;
        if (timeout == UINT64_MAX)
                timeout = STOP_TIMEOUT_USEC;
        return check_signal(signal, error) && server_may_wait(server, message, error) &&
               container_stop(container, signal, timeout, error) &&
               server_wait(server, container, message, error);
}

static bool method_kill(Server *server, Container *container, sd_bus_message *message,
                        GError **error)
{
        const char *whom;
        int signal;
        int r = sd_bus_message_read(message, "si", &whom, &signal);

        if (r < 0)
                return bad_arguments(error, r);
        if (strcmp(whom, "main") != 0 && strcmp(whom, "all") != 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "whom is '%s', not 'main' or 'all'", whom);
        return check_signal(signal, error) &&
               container_kill(container, strcmp(whom, "all") == 0, signal, error) &&
               answer(message);
}

static bool method_delete(Server *server, Container *container, sd_bus_message *message,
                          GError **error)
{
        bool is_live = container_is_live(container);

        /* a created one ends first: its end answers */
        if (!server_may_wait(server, message, error) ||
            !manager_delete(server->manager, container, error))
                return false;
        return is_live ? server_wait(server, container, message, error) : answer(message);
}

static bool method_wait(Server *server, Container *container, sd_bus_message *message,
                        GError **error)
{
        const ContainerInfo *info = container_info(container);

        if (info->state != CONTAINER_STOPPED)
                return server_wait(server, container, message, error);
        sd_bus_reply_method_return(message, "si", container_result_to_string(info->result),
                                   info->code);
        return true;
}

typedef struct ReadOptions {
        int replay, read_only, follow;
        uint64_t offset;
} ReadOptions;

/* a{sv} of Attach and OpenLog: `allowed` names the keys, each at most once. */
static bool read_options(sd_bus_message *message, const char *const *allowed, ReadOptions *options,
                         GError **error)
{
        unsigned seen = 0;
        const struct {
                const char *key, *type;
                void *value;
        } keys[] = {{"Replay", "b", &options->replay},
                    {"ReadOnly", "b", &options->read_only},
                    {"Follow", "b", &options->follow},
                    {"Offset", "t", &options->offset}};
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                const char *key, *contents;
                size_t i = 0;
                if ((r = sd_bus_message_read_basic(message, 's', &key)) < 0 ||
                    (r = sd_bus_message_peek_type(message, NULL, &contents)) < 0)
                        break;
                while (i < G_N_ELEMENTS(keys) && strcmp(keys[i].key, key) != 0)
                        i++;
                if (i == G_N_ELEMENTS(keys) || !g_strv_contains(allowed, key))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "unknown option '%s'",
                                         key);
                if (seen & 1u << i)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "option %s is given twice", key);
                if (strcmp(contents, keys[i].type) != 0)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "option %s has type '%s', not '%s'", key, contents,
                                         keys[i].type);
                seen |= 1u << i;
                if ((r = sd_bus_message_read(message, "v", contents, keys[i].value)) >= 0)
                        r = sd_bus_message_exit_container(message);
        }
        return r < 0 ? bad_arguments(error, r) : true;
}

static bool open_output(Server *server, Container *container, const OutputReader *how,
                        sd_bus_message *message, GError **error)
{
        Output *output;
        autofd int fd = -1;

        if (!manager_load_output(server->manager, container, &output, error) ||
            !output_attach(output, how, &fd, error))
                return false;
        int r = sd_bus_reply_method_return(message, "h", fd);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot pass the fd")
                     : true;
}

static bool method_attach(Server *server, Container *container, sd_bus_message *message,
                          GError **error)
{
        static const char *const allowed[] = {"Replay", "ReadOnly", NULL};
        ReadOptions options = {.replay = true};

        if (!read_options(message, allowed, &options, error))
                return false;
        if (!container_is_live(container) || !output_is_terminal(container_output(container)))
                return error_set(error, RUNTIME_ERROR_NO_TERMINAL, "container '%s' has no terminal",
                                 container_info(container)->id);
        OutputReader how = {
                .offset = options.replay ? 0
                                         : output_log_end(output_log(container_output(container))),
                .follow = true,
                .writes = !options.read_only,
        };
        return open_output(server, container, &how, message, error);
}

static bool method_open_log(Server *server, Container *container, sd_bus_message *message,
                            GError **error)
{
        static const char *const allowed[] = {"Follow", "Offset", NULL};
        ReadOptions options = {0};

        if (!read_options(message, allowed, &options, error))
                return false;
        OutputReader how = {.offset = options.offset, .follow = options.follow};
        return open_output(server, container, &how, message, error);
}

static bool method_read_log(Server *server, Container *container, sd_bus_message *message,
                            GError **error)
{
        uint64_t offset;
        uint32_t max;
        Output *output;
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_read(message, "tu", &offset, &max);

        if (r < 0)
                return bad_arguments(error, r);
        if (!manager_load_output(server->manager, container, &output, error))
                return false;
        g_autofree uint8_t *buffer = g_malloc(LOG_BYTES_MAX);
        size_t n = output_log_read(output_log(output), &offset, buffer, MIN(max, LOG_BYTES_MAX));
        if ((r = sd_bus_message_new_method_return(message, &reply)) >= 0 &&
            (r = sd_bus_message_append(reply, "t", offset)) >= 0 &&
            (r = sd_bus_message_append_array(reply, 'y', buffer, n)) >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot send the log")
                     : true;
}

static bool method_resize(Server *server, Container *container, sd_bus_message *message,
                          GError **error)
{
        uint16_t rows, columns;
        int r = sd_bus_message_read(message, "qq", &rows, &columns);

        if (r < 0)
                return bad_arguments(error, r);
        return output_resize(container_output(container), rows, columns, error) && answer(message);
}

static bool method_open_pidfd(Server *server, Container *container, sd_bus_message *message,
                              GError **error)
{
        int r;

        if (!container_is_live(container))
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "container '%s' has no process", container_info(container)->id);
        r = sd_bus_reply_method_return(message, "h", container_pidfd(container));
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot pass the pidfd")
                     : true;
}

static const struct {
        const char *member;
        MethodFunc function;
} methods[] = {
        {"Start", method_start},
        {"Stop", method_stop},
        {"Kill", method_kill},
        {"Delete", method_delete},
        {"Wait", method_wait},
        {"Attach", method_attach},
        {"OpenLog", method_open_log},
        {"ReadLog", method_read_log},
        {"ResizeTerminal", method_resize},
        {"OpenPIDFD", method_open_pidfd},
};

/* -- dispatch: find, judge, call -- */

static int unknown_object(sd_bus_message *message, sd_bus_error *ret_error)
{
        /* the words of sd-bus */
        return sd_bus_error_setf(ret_error, SD_BUS_ERROR_UNKNOWN_OBJECT, "Unknown object '%s'.",
                                 sd_bus_message_get_path(message));
}

static Container *find_by_path(Server *server, const char *path)
{
        g_autofree char *id = NULL;
        uid_t owner;

        return server_parse_path(path, &owner, &id) ? manager_find(server->manager, owner, id)
                                                    : NULL;
}

/* By path, at every step anew: the container may be gone since the question was asked. */
static int call_method(Server *server, sd_bus_message *message, sd_bus_error *ret_error)
{
        Container *container = find_by_path(server, sd_bus_message_get_path(message));
        const char *member = sd_bus_message_get_member(message);
        GError *error = NULL;

        if (!container)
                return unknown_object(message, ret_error);
        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
                if (strcmp(methods[i].member, member) == 0)
                        return methods[i].function(server, container, message, &error)
                                       ? 1
                                       : reply_error(ret_error, error);
        return -EINVAL;
}

static void on_may(Request *request, void *data)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *message = sd_bus_message_ref(request_message(request));
        Server *server = request_server(request);

        request_drop(request);
        sd_bus_message_rewind(message, true);
        int r = call_method(server, message, &error);
        if (r < 0)
                sd_bus_reply_method_errno(message, r, &error);
        sd_bus_error_free(&error);
        sd_bus_message_unref(message);
}

/* A stranger learns nothing of another's container, not even that there is one. */
static void on_may_not(Request *request, void *data)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;

        unknown_object(request_message(request), &error);
        sd_bus_reply_method_error(request_message(request), &error);
        sd_bus_error_free(&error);
        request_drop(request);
}

static int method(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Server *server = data;
        GError *error = NULL;
        const Credentials *caller = server_caller(server, message, &error);
        const char *path = sd_bus_message_get_path(message);
        const MethodRule *rule =
                server_rule(INTERFACE_CONTAINER, sd_bus_message_get_member(message));
        g_autofree char *id = NULL;
        uid_t owner;

        if (!caller)
                return reply_error(ret_error, error);
        if (!rule || !server_parse_path(path, &owner, &id))
                return unknown_object(message, ret_error);
        if (server_may_see(caller, owner) && (rule->owner_is_free || caller->uid == 0))
                return call_method(server, message, ret_error);
        Request *request = request_new(server, message, caller, &error);
        if (!request)
                return reply_error(ret_error, error);
        g_autofree char *owner_text = g_strdup_printf("%u", owner);
        const char *const details[] = {DETAIL_ID,           id,          DETAIL_OWNER,
                                       owner_text,          DETAIL_VERB, rule->member,
                                       DETAIL_COMMAND_LINE, "",          NULL};
        request_authorize(request, &(RequestQuestion){
                                           .action = rule->action,
                                           .details = details,
                                           .next = on_may,
                                           .refused = on_may_not,
                                   });
        return 1;
}

/* -- properties -- */

typedef enum Property {
        PROPERTY_ID,
        PROPERTY_OWNER,
        PROPERTY_CGROUP,
        PROPERTY_CREATED,
        PROPERTY_STATE,
        PROPERTY_PID,
        PROPERTY_STARTED,
        PROPERTY_EXITED,
        PROPERTY_RESULT,
        PROPERTY_CODE,
        PROPERTY_OOM,
        PROPERTY_MEMORY,
        PROPERTY_DEVIATIONS,
} Property;

static int append_property(sd_bus_message *reply, const ContainerInfo *info, Property property)
{
        switch (property) {
        case PROPERTY_ID:
                return sd_bus_message_append(reply, "s", info->id);
        case PROPERTY_OWNER:
                return sd_bus_message_append(reply, "u", info->owner);
        case PROPERTY_CGROUP:
                return sd_bus_message_append(reply, "s",
                                             info->control_group ? info->control_group : "");
        case PROPERTY_CREATED:
                return sd_bus_message_append(reply, "t", info->created_usec);
        case PROPERTY_STATE:
                return sd_bus_message_append(reply, "s", container_state_to_string(info->state));
        case PROPERTY_PID:
                return sd_bus_message_append(reply, "u", (uint32_t) info->pid);
        case PROPERTY_STARTED:
                return sd_bus_message_append(reply, "t", info->started_usec);
        case PROPERTY_EXITED:
                return sd_bus_message_append(reply, "t", info->exited_usec);
        case PROPERTY_RESULT:
                return sd_bus_message_append(reply, "s", container_result_to_string(info->result));
        case PROPERTY_CODE:
                return sd_bus_message_append(reply, "i", info->code);
        case PROPERTY_OOM:
                return sd_bus_message_append(reply, "t", info->oom_kills);
        case PROPERTY_MEMORY:
                return sd_bus_message_append(reply, "t", info->memory_max);
        case PROPERTY_DEVIATIONS:
                return sd_bus_message_append_strv(reply, info->deviations);
        }
        return -EINVAL;
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *name,
                        sd_bus_message *reply, void *data, sd_bus_error *error)
{
        static const struct {
                const char *name;
                Property property;
        } properties[] = {
                {"Id", PROPERTY_ID},
                {"OwnerUID", PROPERTY_OWNER},
                {"ControlGroup", PROPERTY_CGROUP},
                {"CreatedUSec", PROPERTY_CREATED},
                {"State", PROPERTY_STATE},
                {"Pid", PROPERTY_PID},
                {"StartedUSec", PROPERTY_STARTED},
                {"ExitedUSec", PROPERTY_EXITED},
                {"Result", PROPERTY_RESULT},
                {"ExitCode", PROPERTY_CODE},
                {"OOMKills", PROPERTY_OOM},
                {"MemoryMax", PROPERTY_MEMORY},
                {"Deviations", PROPERTY_DEVIATIONS},
        };
        Container *container = find_by_path(data, path);

        for (size_t i = 0; container && i < G_N_ELEMENTS(properties); i++)
                if (strcmp(properties[i].name, name) == 0)
                        return append_property(reply, container_info(container),
                                               properties[i].property);
        return -ENOENT;
}

#define PROPERTY(name, type, flags) SD_BUS_PROPERTY(name, type, get_property, 0, flags)
#define CONST                       SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE                      SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable container_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Start", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("i", signal, "t", timeoutUSec),
                                SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Kill", SD_BUS_ARGS("s", whom, "i", signal), SD_BUS_NO_RESULT,
                                method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Wait", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", result, "i", code),
                                method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Attach", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("h", terminal), method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ResizeTerminal", SD_BUS_ARGS("q", rows, "q", columns),
                                SD_BUS_NO_RESULT, method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenPIDFD", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", pidfd), method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReadLog", SD_BUS_ARGS("t", offset, "u", max),
                                SD_BUS_RESULT("t", next, "ay", data), method,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("OpenLog", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("h", log),
                                method, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("Exited", SD_BUS_ARGS("s", result, "i", code), 0),
        PROPERTY("Id", "s", CONST),
        PROPERTY("OwnerUID", "u", CONST),
        PROPERTY("ControlGroup", "s", CONST),
        PROPERTY("CreatedUSec", "t", CONST),
        PROPERTY("State", "s", CHANGE),
        PROPERTY("Pid", "u", CHANGE),
        PROPERTY("StartedUSec", "t", CHANGE),
        PROPERTY("ExitedUSec", "t", CHANGE),
        PROPERTY("Result", "s", CHANGE),
        PROPERTY("ExitCode", "i", CHANGE),
        PROPERTY("OOMKills", "t", CHANGE),
        PROPERTY("MemoryMax", "t", CHANGE),
        PROPERTY("Deviations", "as", CONST),
        SD_BUS_VTABLE_END,
};

/* -- objects -- */

static bool is_our_call(sd_bus_message *message)
{
        const char *interface = sd_bus_message_get_interface(message);

        return sd_bus_message_is_method_call(message, NULL, NULL) > 0 && interface &&
               strcmp(interface, INTERFACE_CONTAINER) == 0;
}

/* What exists for whom. To look at properties or introspection a caller must be one who may see the
 * container. For our own methods every well-formed path exists, so that a stranger is answered
 * alike for what there is and what there is not: by method(). */
static int find_container(sd_bus *bus, const char *path, const char *interface, void *data,
                          void **ret_found, sd_bus_error *error)
{
        Server *server = data;
        sd_bus_message *message = sd_bus_get_current_message(bus);
        g_autofree char *id = NULL;
        uid_t owner;

        if (!server_parse_path(path, &owner, &id))
                return 0;
        *ret_found = server;
        if (server->emitting)
                return 1;
        const Credentials *caller = message ? server_caller(server, message, NULL) : NULL;
        if (!caller)
                return 0;
        if (!server_may_see(caller, owner))
                return is_our_call(message) ? 1 : 0;
        return manager_find(server->manager, owner, id) ? 1 : 0;
}

/* Each caller is shown its own, root all. */
static int enumerate(sd_bus *bus, const char *prefix, void *data, char ***ret_nodes,
                     sd_bus_error *error)
{
        Server *server = data;
        sd_bus_message *message = sd_bus_get_current_message(bus);
        const Credentials *caller = message ? server_caller(server, message, NULL) : NULL;

        if (!caller) {
                *ret_nodes = NULL;
                return 0;
        }
        g_autoptr(GPtrArray) list =
                manager_list(server->manager, caller->uid == 0 ? UID_ANY : caller->uid);
        /* for sd-bus to free with free(), which is what g_free() is */
        char **nodes = g_new0(char *, list->len + 1);
        for (guint i = 0; i < list->len; i++)
                nodes[i] = server_container_path(container_info(list->pdata[i]));
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
