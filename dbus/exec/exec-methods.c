#include "dbus/exec/exec-methods.h"

#include <string.h>

#include "dbus/connection/error-map.h"
#include "dbus/decode/spec-decode.h"
#include "dbus/judge.h"
#include "dbus/methods.h"
#include "dbus/live/output-calls.h"
#include "dbus/paths.h"

/* The handlers, as those of a container. */

static bool method_kill(Server *server, Exec *exec, sd_bus_message *message, GError **error)
{
        int signal;
        int r = sd_bus_message_read(message, "i", &signal);

        if (r < 0)
                return call_bad_arguments(error, r);
        if (!call_check_signal(signal, error) || !exec_kill(exec, signal, error))
                return false;
        sd_bus_reply_method_return(message, NULL);
        return true;
}

static bool method_update(Server *server, Exec *exec, sd_bus_message *message, GError **error)
{
        const ExecInfo *info = exec_info(exec);
        bool unwatches;

        if (!spec_decode_exec_update(message, &unwatches, error))
                return false;
        if (info->state == CONTAINER_STOPPED)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "exec %u of container '%s' has ended", info->number,
                                 container_info(exec_container(exec))->id);
        if (unwatches && !waiting_may_unwatch(server->waiting, info->watcher, message, error))
                return false;
        if (unwatches) {
                waiting_unwatch(server->waiting, exec);
                exec_drop_watcher(exec);
        }
        sd_bus_reply_method_return(message, NULL);
        return true;
}

static bool method_wait(Server *server, Exec *exec, sd_bus_message *message, GError **error)
{
        const ExecInfo *info = exec_info(exec);

        if (info->state != CONTAINER_STOPPED)
                return waiting_keep(server->waiting, exec, message, error);
        sd_bus_reply_method_return(message, "si", container_result_to_string(info->result),
                                   info->code);
        return true;
}

static OutputCall output_of(Exec *exec)
{
        const ContainerInfo *info = container_info(exec_container(exec));

        return (OutputCall){.output = exec_output(exec),
                            .of = info->id,
                            .number = exec_info(exec)->number,
                            .owner = info->owner,
                            /* also to the terminal of one that has ended: nobody could attach
                             * before it began */
                            .is_live = true};
}

static bool method_attach(Server *server, Exec *exec, sd_bus_message *message, GError **error)
{
        const OutputCall call = output_of(exec);

        return output_call_attach(server, &call, message, error);
}

static bool method_open_log(Server *server, Exec *exec, sd_bus_message *message, GError **error)
{
        const OutputCall call = output_of(exec);

        return output_call_open_log(server, &call, message, error);
}

static bool method_read_log(Server *server, Exec *exec, sd_bus_message *message, GError **error)
{
        const OutputCall call = output_of(exec);

        return output_call_read_log(&call, message, error);
}

static bool method_resize_terminal(Server *server, Exec *exec, sd_bus_message *message,
                                   GError **error)
{
        return output_call_resize(exec_output(exec), message, error);
}

static bool method_open_pidfd(Server *server, Exec *exec, sd_bus_message *message, GError **error)
{
        const char *id = container_info(exec_container(exec))->id;

        if (exec_pidfd(exec) < 0)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "exec %u of container '%s' has ended", exec_info(exec)->number,
                                 id);
        return fd_replies_may(server->fd_replies, message, error) &&
               fd_replies_send(server->fd_replies, message, exec_pidfd(exec), id, error);
}

Exec *exec_at(Server *server, const char *path)
{
        g_autofree char *id = NULL;
        unsigned number;
        uid_t owner;

        if (!path_parse_exec(path, &owner, &id, &number))
                return NULL;
        Container *container = manager_find(server->manager, owner, id);
        return container ? manager_find_exec(server->manager, container, number) : NULL;
}

static bool call_handler(Server *server, Exec *exec, sd_bus_message *message, GError **error)
{
        static const struct {
                const char *name;
                bool (*handler)(Server *server, Exec *exec, sd_bus_message *message,
                                GError **error);
        } methods[] = {
#define METHOD(name, in, out, handler, action, owner_is_free) {#name, handler},
                EXEC_METHODS(METHOD)
#undef METHOD
        };
        const char *member = sd_bus_message_get_member(message);

        for (size_t i = 0; i < G_N_ELEMENTS(methods); i++)
                if (strcmp(methods[i].name, member) == 0)
                        return methods[i].handler(server, exec, message, error);
        return error_set(error, RUNTIME_ERROR_FAILED, "no handler for %s", member);
}

/* Finds the object by its path at every step anew: it may be gone since the call came. */
int exec_method_call(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Exec *exec = exec_at(data, sd_bus_message_get_path(message));
        GError *error = NULL;

        if (!exec)
                return judge_unknown(message, ret_error);
        return call_handler(data, exec, message, &error) ? 1 : error_map_set(ret_error, error);
}
