#include "dbus/container-methods.h"

#include <errno.h>
#include <string.h>

#include "dbus/connection/error-map.h"
#include "dbus/decode/spec-decode.h"
#include "dbus/judge.h"
#include "dbus/live/live-methods.h"
#include "dbus/methods.h"
#include "dbus/live/output-calls.h"
#include "dbus/paths.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

/* The handlers. Each is called once its caller may call it. True: answered, or kept to be
 * answered. */

static bool answer(sd_bus_message *message)
{
        sd_bus_reply_method_return(message, NULL);
        return true;
}

static void on_changed(Container *container, GError *error, void *data)
{
        if (error)
                request_fail(data, error);
        else
                request_done(data, "");
}

/* A request for what takes some time; NULL if the call waits for its turn. */
static bool begin(Server *server, sd_bus_message *message, Request **ret, GError **error)
{
        const Credentials *caller = callers_get(server->callers, message, error);

        return caller &&
               request_new(server->requests, message, caller, container_method_call, ret, error);
}

static bool method_start(Server *server, Container *container, sd_bus_message *message,
                         GError **error)
{
        Request *request;

        if (!begin(server, message, &request, error))
                return false;
        if (request)
                manager_start(server->manager, container, on_changed, request);
        return true;
}

static bool method_pause(Server *server, Container *container, sd_bus_message *message,
                         GError **error)
{
        Request *request;

        if (!begin(server, message, &request, error))
                return false;
        if (request)
                manager_set_paused(server->manager, container, true, on_changed, request);
        return true;
}

static bool method_resume(Server *server, Container *container, sd_bus_message *message,
                          GError **error)
{
        Request *request;

        if (!begin(server, message, &request, error))
                return false;
        if (request)
                manager_set_paused(server->manager, container, false, on_changed, request);
        return true;
}

static bool method_stop(Server *server, Container *container, sd_bus_message *message,
                        GError **error)
{
        int signal;
        uint64_t timeout;
        int r = sd_bus_message_read(message, "it", &signal, &timeout);

        if (r < 0)
                return call_bad_arguments(error, r);
        if (signal == 0)
                signal = SIGTERM;
        if (timeout == UINT64_MAX)
                timeout = STOP_TIMEOUT_USEC;
        if (!call_check_signal(signal, error))
                return false;
        /* it has ended, perhaps a moment ago: what the caller wants is so */
        if (container_info(container)->state == CONTAINER_STOPPED)
                return answer(message);
        return waiting_has_room(server->waiting, message, error) &&
               container_stop(container, signal, timeout, error) &&
               waiting_keep(server->waiting, container, message, error);
}

static bool method_kill(Server *server, Container *container, sd_bus_message *message,
                        GError **error)
{
        const char *whom;
        int signal;
        int r = sd_bus_message_read(message, "si", &whom, &signal);

        if (r < 0)
                return call_bad_arguments(error, r);
        if (strcmp(whom, "main") != 0 && strcmp(whom, "all") != 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "whom is '%s', not 'main' or 'all'", whom);
        return call_check_signal(signal, error) &&
               container_kill(container, strcmp(whom, "all") == 0, signal, error) &&
               answer(message);
}

/* A sandbox needs no password, for one because it goes with its caller. */
static bool may_outlive_caller(const Container *container, GError **error)
{
        const ContainerInfo *info = container_info(container);

        return !info->is_sandbox || !info->watcher ||
               error_set(error, RUNTIME_ERROR_ACCESS_DENIED,
                         "container '%s' was begun as a sandbox: it ends with its caller",
                         info->id);
}

static bool method_update(Server *server, Container *container, sd_bus_message *message,
                          GError **error)
{
        const char *watcher = container_info(container)->watcher;
        Resources resources;
        bool unwatches;

        if (!spec_decode_update(message, &resources, &unwatches, error) ||
            (unwatches && !may_outlive_caller(container, error)) ||
            (unwatches && !waiting_may_unwatch(server->waiting, watcher, message, error)) ||
            !manager_update(server->manager, container, &resources, error))
                return false;
        if (unwatches) {
                waiting_unwatch(server->waiting, container);
                manager_drop_watcher(server->manager, container);
        }
        return answer(message);
}

static bool method_delete(Server *server, Container *container, sd_bus_message *message,
                          GError **error)
{
        bool is_live = container_is_live(container);

        /* a created container is ended first: its end answers the call */
        if (!waiting_has_room(server->waiting, message, error) ||
            !manager_delete(server->manager, container, error))
                return false;
        return is_live ? waiting_keep(server->waiting, container, message, error) : answer(message);
}

static bool method_wait(Server *server, Container *container, sd_bus_message *message,
                        GError **error)
{
        const ContainerInfo *info = container_info(container);

        if (info->state != CONTAINER_STOPPED)
                return waiting_keep(server->waiting, container, message, error);
        sd_bus_reply_method_return(message, "si", container_result_to_string(info->result),
                                   info->code);
        return true;
}

static bool load_output(Server *server, Container *container, OutputCall *ret, GError **error)
{
        const ContainerInfo *info = container_info(container);

        *ret = (OutputCall){
                .of = info->id, .owner = info->owner, .is_live = container_is_live(container)};
        return manager_load_output(server->manager, container, &ret->output, error);
}

static bool method_attach(Server *server, Container *container, sd_bus_message *message,
                          GError **error)
{
        OutputCall call;

        return load_output(server, container, &call, error) &&
               output_call_attach(server, &call, message, error);
}

static bool method_open_log(Server *server, Container *container, sd_bus_message *message,
                            GError **error)
{
        OutputCall call;

        return load_output(server, container, &call, error) &&
               output_call_open_log(server, &call, message, error);
}

static bool method_read_log(Server *server, Container *container, sd_bus_message *message,
                            GError **error)
{
        OutputCall call;

        return load_output(server, container, &call, error) &&
               output_call_read_log(&call, message, error);
}

static bool method_resize_terminal(Server *server, Container *container, sd_bus_message *message,
                                   GError **error)
{
        return output_call_resize(container_output(container), message, error);
}

static void on_execed(Exec *exec, GError *error, void *data)
{
        if (error) {
                request_fail(data, error);
                return;
        }
        g_autofree char *path =
                path_of_exec(container_info(exec_container(exec)), exec_info(exec)->number);
        request_done(data, "o", path);
}

static bool method_exec(Server *server, Container *container, sd_bus_message *message,
                        GError **error)
{
        const Credentials *caller = callers_get(server->callers, message, error);
        g_autoptr(Order) order = NULL;
        Request *request;

        if (!caller || !spec_decode_exec(message, &order, error) ||
            !manager_admit_exec(server->manager, container, error) ||
            !request_new(server->requests, message, caller, container_method_call, &request, error))
                return false;
        if (!request)
                return true;
        order->owner = credentials_copy(caller);
        if (order->watch_bus && !server->options.peer)
                order->watcher =
                        waiting_watcher(server->options.bus, sd_bus_message_get_sender(message));
        manager_exec(server->manager, container, g_steal_pointer(&order), on_execed, request);
        return true;
}

static bool method_open_pidfd(Server *server, Container *container, sd_bus_message *message,
                              GError **error)
{
        const char *id = container_info(container)->id;

        if (!container_is_live(container))
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "container '%s' has no process", id);
        return fd_replies_may(server->fd_replies, message, error) &&
               fd_replies_send(server->fd_replies, message, container_pidfd(container), id, error);
}

static bool method_open_root_directory(Server *server, Container *container,
                                       sd_bus_message *message, GError **error)
{
        autofd int fd = -1;

        return fd_replies_may(server->fd_replies, message, error) &&
               container_open_root(container, &fd, error) &&
               fd_replies_send(server->fd_replies, message, fd, container_info(container)->id,
                               error);
}

static bool method_get_processes(Server *server, Container *container, sd_bus_message *message,
                                 GError **error)
{
        const Credentials *caller = callers_get(server->callers, message, error);
        Request *request;

        if (!caller ||
            !request_new(server->requests, message, caller, container_method_call, &request, error))
                return false;
        if (request)
                processes_answer(server, container, request);
        return true;
}

Container *container_at(Server *server, const char *path)
{
        g_autofree char *id = NULL;
        uid_t owner;

        return path_parse(path, &owner, &id) ? manager_find(server->manager, owner, id) : NULL;
}

static bool call_handler(Server *server, Container *container, sd_bus_message *message,
                         GError **error)
{
        static const struct {
                const char *name;
                bool (*handler)(Server *server, Container *container, sd_bus_message *message,
                                GError **error);
        } methods[] = {
#define METHOD(name, in, out, handler, action, owner_is_free) {#name, handler},
                CONTAINER_METHODS(METHOD)
#undef METHOD
        };
        const char *member = sd_bus_message_get_member(message);

        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
                if (strcmp(methods[i].name, member) == 0)
                        return methods[i].handler(server, container, message, error);
        return error_set(error, RUNTIME_ERROR_FAILED, "no handler for %s", member);
}

/* Finds the container by its path at every step anew: it may be gone since the call came. */
int container_method_call(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Server *server = data;
        Container *container = container_at(server, sd_bus_message_get_path(message));
        GError *error = NULL;

        if (!container)
                return judge_unknown(message, ret_error);
        return call_handler(server, container, message, &error) ? 1
                                                                : error_map_set(ret_error, error);
}
