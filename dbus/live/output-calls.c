#include "dbus/live/output-calls.h"

#include <signal.h>
#include <string.h>

#include "service/spec/limits.h"
#include "service/util/fd.h"

bool call_bad_arguments(GError **error, int r)
{
        return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, -r, "cannot read the arguments");
}

bool call_check_signal(int signal, GError **error)
{
        return signal > 0 && signal < _NSIG
                       ? true
                       : error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%d is not a signal", signal);
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
        return r < 0 ? call_bad_arguments(error, r) : true;
}

static bool open_output(Server *server, const OutputCall *call, const OutputReader *how,
                        sd_bus_message *message, GError **error)
{
        autofd int fd = -1;

        return fd_replies_may(server->fd_replies, message, error) &&
               output_attach(call->output, how, &fd, error) &&
               fd_replies_send(server->fd_replies, message, fd, call->of, error);
}

bool output_call_attach(Server *server, const OutputCall *call, sd_bus_message *message,
                        GError **error)
{
        static const char *const allowed[] = {"Replay", "ReadOnly", NULL};
        ReadOptions options = {.replay = true};

        if (!read_options(message, allowed, &options, error))
                return false;
        if (!call->is_live || !output_is_terminal(call->output))
                return error_set(error, RUNTIME_ERROR_NO_TERMINAL, "%s '%s' has no terminal",
                                 call->number ? "that exec of container" : "container", call->of);
        OutputReader how = {
                .offset = options.replay ? 0 : output_log_end(output_log(call->output)),
                .follow = true,
                .writes = !options.read_only,
                .holds = !options.read_only,
        };
        return open_output(server, call, &how, message, error);
}

bool output_call_open_log(Server *server, const OutputCall *call, sd_bus_message *message,
                          GError **error)
{
        static const char *const allowed[] = {"Follow", "Offset", "Hold", "Packets", NULL};
        const Credentials *caller = callers_get(server->callers, message, error);
        ReadOptions options = {0};

        if (!caller || !read_options(message, allowed, &options, error))
                return false;
        if (options.hold && caller->uid != 0 && caller->uid != call->owner)
                return error_set(error, RUNTIME_ERROR_ACCESS_DENIED,
                                 "Hold is for the container's owner and root");
        OutputReader how = {.offset = options.offset,
                            .follow = options.follow,
                            .holds = options.hold,
                            .packets = options.packets};
        return open_output(server, call, &how, message, error);
}

bool output_call_read_log(const OutputCall *call, sd_bus_message *message, GError **error)
{
        uint64_t offset;
        uint32_t max;
        sd_bus_message *reply = NULL;
        int r = sd_bus_message_read(message, "tu", &offset, &max);

        if (r < 0)
                return call_bad_arguments(error, r);
        g_autofree uint8_t *buffer = g_malloc(LOG_BYTES_MAX);
        size_t n =
                output_log_read(output_log(call->output), &offset, buffer, MIN(max, LOG_BYTES_MAX));
        if ((r = sd_bus_message_new_method_return(message, &reply)) >= 0 &&
            (r = sd_bus_message_append(reply, "t", offset)) >= 0 &&
            (r = sd_bus_message_append_array(reply, 'y', buffer, n)) >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot send the log")
                     : true;
}

bool output_call_resize(Output *output, sd_bus_message *message, GError **error)
{
        uint16_t rows, columns;
        int r = sd_bus_message_read(message, "qq", &rows, &columns);

        if (r < 0)
                return call_bad_arguments(error, r);
        if (!output_resize(output, rows, columns, error))
                return false;
        sd_bus_reply_method_return(message, NULL);
        return true;
}
