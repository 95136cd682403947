#include "dbus/server.h"

#include <string.h>

#include "service/spec/limits.h"

/* Sees every message before its handler does. By the count the idle exit knows that a call came. */
static int on_message(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Server *server = data;

        if (sd_bus_message_is_method_call(message, NULL, NULL) <= 0)
                return 0;
        server->calls++;
        activity_tell(&server->options.activity);
        /* sd-bus looks up every prefix of a path: 30,000 elements take 4 s, in which nobody else is
         * served */
        if (strlen(sd_bus_message_get_path(message)) > OBJECT_PATH_MAX)
                return sd_bus_error_set(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "Unknown object.");
        return 0;
}

Server *server_new(const ServerOptions *options)
{
        Server *server = g_new0(Server, 1);

        server->options = *options;
        server->callers = callers_new(options->bus, options->peer);
        server->watches = peer_watches_new(options->bus);
        server->fd_replies = fd_replies_new(options->bus);
        server->lookups = rootfs_lookups_new();
        if (!options->peer)
                server->authority = authority_new(options->bus, AUTHORITY_TIMEOUT_USEC);
        server->requests = requests_new(&(RequestsOptions){
                .authority = server->authority,
                .watches = server->watches,
                .activity = options->activity,
                .handler_data = server,
        });
        server->waiting = waiting_new(&(WaitingOptions){
                .bus = options->bus,
                .callers = server->callers,
                .watches = options->peer ? NULL : server->watches,
                .activity = options->activity,
        });
        server->signals = signals_new(options->bus, server->waiting, &options->activity);
        return server;
}

bool server_attach(Server *server, Manager *manager, GError **error)
{
        server->manager = manager;
        int r = sd_bus_add_filter(server->options.bus, NULL, on_message, server);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot watch the bus");
        g_autoptr(GPtrArray) adopted = manager_list(manager, UID_ANY);
        for (guint i = 0; i < adopted->len; i++)
                if (container_is_live(adopted->pdata[i]))
                        waiting_watch_caller(server->waiting, adopted->pdata[i]);
        return true;
}

void server_free(Server *server)
{
        if (!server)
                return;
        server_cancel(server);
        signals_free(server->signals);
        requests_free(server->requests);
        authority_free(server->authority);
        waiting_free(server->waiting);
        callers_free(server->callers);
        peer_watches_free(server->watches);
        fd_replies_free(server->fd_replies);
        rootfs_lookups_free(server->lookups);
        g_free(server);
}

bool server_is_idle(const Server *server)
{
        return requests_is_idle(server->requests) && waiting_is_idle(server->waiting);
}

uint64_t server_calls(const Server *server)
{
        return server->calls;
}

static void on_request_cancelled(Request *request, void *data)
{
        Server *server = data;

        manager_forget(server->manager, request);
}

void server_refuse(Server *server)
{
        requests_refuse(server->requests, on_request_cancelled, server);
}

void server_cancel(Server *server)
{
        g_autoptr(GError) error = NULL;

        server_refuse(server);
        error_set(&error, RUNTIME_ERROR_CANCELLED, "the service is stopping");
        waiting_cancel(server->waiting, error);
}
