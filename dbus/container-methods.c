#include "dbus/container-methods.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "dbus/connection/error-map.h"
#include "dbus/decode/spec-decode.h"
#include "dbus/live/live-methods.h"
#include "dbus/methods.h"
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
                return bad_arguments(error, r);
        if (signal == 0)
                signal = SIGTERM;
        if (timeout == UINT64_MAX)
                timeout = STOP_TIMEOUT_USEC;
        if (!check_signal(signal, error))
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
                return bad_arguments(error, r);
        if (strcmp(whom, "main") != 0 && strcmp(whom, "all") != 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "whom is '%s', not 'main' or 'all'", whom);
        return check_signal(signal, error) &&
               container_kill(container, strcmp(whom, "all") == 0, signal, error) &&
               answer(message);
}

static bool method_update(Server *server, Container *container, sd_bus_message *message,
                          GError **error)
{
        Resources resources;

        return spec_decode_update(message, &resources, error) &&
               manager_update(server->manager, container, &resources, error) && answer(message);
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

typedef struct ReadOptions {
        int replay, read_only, follow, hold, packets;
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
        } keys[] = {{"Replay", "b", &options->replay},   {"ReadOnly", "b", &options->read_only},
                    {"Follow", "b", &options->follow},   {"Hold", "b", &options->hold},
                    {"Packets", "b", &options->packets}, {"Offset", "t", &options->offset}};
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

        return fd_replies_may(server->fd_replies, message, error) &&
               manager_load_output(server->manager, container, &output, error) &&
               output_attach(output, how, &fd, error) &&
               fd_replies_send(server->fd_replies, message, fd, container_info(container)->id,
                               error);
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
                .holds = !options.read_only,
        };
        return open_output(server, container, &how, message, error);
}

static bool method_open_log(Server *server, Container *container, sd_bus_message *message,
                            GError **error)
{
        static const char *const allowed[] = {"Follow", "Offset", "Hold", "Packets", NULL};
        const Credentials *caller = callers_get(server->callers, message, error);
        ReadOptions options = {0};

        if (!caller || !read_options(message, allowed, &options, error))
                return false;
        if (options.hold && caller->uid != 0 && caller->uid != container_info(container)->owner)
                return error_set(error, RUNTIME_ERROR_ACCESS_DENIED,
                                 "Hold is for the container's owner and root");
        OutputReader how = {.offset = options.offset,
                            .follow = options.follow,
                            .holds = options.hold,
                            .packets = options.packets};
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

static bool method_resize_terminal(Server *server, Container *container, sd_bus_message *message,
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
        const char *id = container_info(container)->id;

        if (!container_is_live(container))
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "container '%s' has no process", id);
        return fd_replies_may(server->fd_replies, message, error) &&
               fd_replies_send(server->fd_replies, message, container_pidfd(container), id, error);
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

int container_unknown(sd_bus_message *message, sd_bus_error *ret_error)
{
        /* the same text as sd-bus has */
        return sd_bus_error_setf(ret_error, SD_BUS_ERROR_UNKNOWN_OBJECT, "Unknown object '%s'.",
                                 sd_bus_message_get_path(message));
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
                return container_unknown(message, ret_error);
        return call_handler(server, container, message, &error) ? 1
                                                                : error_map_set(ret_error, error);
}
