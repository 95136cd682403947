#include "dbus/server.h"

#include "service/manager/sandboxes.h"
#include "service/spec/limits.h"

static void charge(uid_t uid, uint64_t usec, void *data)
{
        Server *server = data;

        intake_charge(server->intake, uid, usec);
}

/* -- sandboxes end with their owner's last session -- */

static void on_session_found(uid_t uid, void *data)
{
        const Server *server = data;

        manager_note_session(server->manager, uid);
}

static void on_sessions_ended(uid_t uid, void *data)
{
        const Server *server = data;

        g_message("user %u has no session any more: its sandboxes end", uid);
        manager_kill_sandboxes(server->manager, uid);
}

static const SessionsEvents sessions_events = {on_session_found, on_sessions_ended};

Server *server_new(const ServerOptions *options)
{
        Server *server = g_new0(Server, 1);

        server->options = *options;
        server->watches = peer_watches_new(options->bus);
        if (!options->peer)
                server->sessions = sessions_new(options->bus, &sessions_events, server);
        server->fd_replies = fd_replies_new(options->bus);
        server->callers =
                callers_new(options->bus, server->watches, options->peer, options->cgroups);
        server->intake = intake_new(&(IntakeOptions){
                .bus = options->bus,
                .callers = server->callers,
                .is_private = options->peer,
                .activity = options->activity,
                .senders = options->senders,
        });
        server->lookups = rootfs_lookups_new();
        if (!options->peer)
                server->authority = authority_new(options->bus, AUTHORITY_TIMEOUT_USEC);
        server->requests = requests_new(&(RequestsOptions){
                .authority = server->authority,
                .watches = server->watches,
                .activity = options->activity,
                .handler_data = server,
                .charge = charge,
        });
        server->waiting = waiting_new(&(WaitingOptions){
                .bus = options->bus,
                .callers = server->callers,
                .watches = options->peer ? NULL : server->watches,
                .sessions = server->sessions,
                .activity = options->activity,
        });
        server->signals =
                signals_new(options->bus, server->waiting, server->callers, &options->activity);
        return server;
}

bool server_attach(Server *server, Manager *manager, GError **error)
{
        server->manager = manager;
        if (!intake_start(server->intake, error) ||
            (!server->options.peer && (!peer_watches_start(server->watches, error) ||
                                       !sessions_start(server->sessions, error))))
                return false;
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
        intake_free(server->intake);
        callers_free(server->callers);
        peer_watches_free(server->watches);
        sessions_free(server->sessions);
        fd_replies_free(server->fd_replies);
        rootfs_lookups_free(server->lookups);
        g_free(server);
}

GPtrArray *server_list(const Server *server, const Credentials *caller)
{
        return caller->is_inside
                       ? g_ptr_array_new()
                       : manager_list(server->manager, caller->uid == 0 ? UID_ANY : caller->uid);
}

bool server_is_idle(const Server *server)
{
        return intake_is_idle(server->intake) && requests_is_idle(server->requests) &&
               waiting_is_idle(server->waiting);
}

uint64_t server_calls(const Server *server)
{
        return intake_calls(server->intake);
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
        intake_cancel(server->intake, error);
}
