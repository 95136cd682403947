#include "dbus/server.h"

#include <signal.h>
#include <string.h>

#include "dbus/error-map.h"
#include "dbus/log.h"
#include "dbus/names.h"
#include "dbus/server-internal.h"
#include "polkit/actions.h"
#include "service/spec/limits.h"

/* The one table of who may do what. An action is asked of everybody but root and, where it is free
 * for them, the container's owner. */
const MethodRule method_rules[] = {
        {INTERFACE_RUNC, "Run", ACTION_RUN, false},
        {INTERFACE_MANAGER, "Spawn", ACTION_RUN, false},
        {INTERFACE_MANAGER, "Create", ACTION_RUN, false},
        {INTERFACE_MANAGER, "GetContainer", ACTION_INSPECT, true},
        {INTERFACE_MANAGER, "ListContainers", NULL, true}, /* tells of the caller's own */
        {INTERFACE_CONTAINER, "Start", ACTION_MANAGE, true},
        {INTERFACE_CONTAINER, "Stop", ACTION_MANAGE, true},
        {INTERFACE_CONTAINER, "Kill", ACTION_MANAGE, true},
        {INTERFACE_CONTAINER, "Delete", ACTION_MANAGE, true},
        {INTERFACE_CONTAINER, "Wait", ACTION_INSPECT, true},
        {INTERFACE_CONTAINER, "Attach", ACTION_EXEC, true},
        {INTERFACE_CONTAINER, "ResizeTerminal", ACTION_EXEC, true},
        {INTERFACE_CONTAINER, "OpenPIDFD", ACTION_MANAGE, true}, /* whoever has it can signal */
        {INTERFACE_CONTAINER, "ReadLog", ACTION_INSPECT, true},
        {INTERFACE_CONTAINER, "OpenLog", ACTION_INSPECT, true},
        {NULL, NULL, NULL, false},
};

const MethodRule *server_rule(const char *interface, const char *member)
{
        for (const MethodRule *rule = method_rules; rule->interface; rule++)
                if (strcmp(rule->interface, interface) == 0 && strcmp(rule->member, member) == 0)
                        return rule;
        return NULL;
}

int reply_error(sd_bus_error *ret_error, GError *error)
{
        return error_map_set(ret_error, error);
}

const Credentials *server_caller(Server *server, sd_bus_message *message, GError **error)
{
        return callers_get(server->callers, message, error);
}

bool server_may_see(const Credentials *caller, uid_t owner)
{
        return caller->uid == 0 || caller->uid == owner;
}

/* -- paths -- */

char *server_container_path(const ContainerInfo *info)
{
        char prefix[64];
        char *path = NULL;

        g_snprintf(prefix, sizeof prefix, CONTAINER_PATH_PREFIX "/%u", info->owner);
        return sd_bus_path_encode(prefix, info->id, &path) < 0 ? NULL : path;
}

bool server_parse_path(const char *path, uid_t *ret_owner, char **ret_id)
{
        char prefix[64];
        char *end;

        if (!g_str_has_prefix(path, CONTAINER_PATH_PREFIX "/"))
                return false;
        guint64 owner = g_ascii_strtoull(path + strlen(CONTAINER_PATH_PREFIX "/"), &end, 10);
        if (*end != '/' || owner >= UINT32_MAX)
                return false;
        g_snprintf(prefix, sizeof prefix, CONTAINER_PATH_PREFIX "/%" G_GUINT64_FORMAT, owner);
        if (sd_bus_path_decode(path, prefix, ret_id) <= 0)
                return false;
        *ret_owner = (uid_t) owner;
        return true;
}

/* -- bonds -- */

/* Somebody's call that is answered at a container's end. */
typedef struct Waiting {
        ContainerBond *bond;
        sd_bus_message *message;
        PeerWatch *caller; /* NULL on a private connection */
        uid_t uid;
} Waiting;

static void waiting_free(void *data)
{
        Waiting *waiting = data;
        Server *server = waiting->bond->server;

        peer_watch_free(waiting->caller);
        server_count(server->waiting, waiting->uid, -1);
        server->n_waiting--;
        sd_bus_message_unref(waiting->message);
        g_free(waiting);
}

unsigned server_count(GHashTable *counts, uid_t uid, int change)
{
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(counts, GUINT_TO_POINTER(uid))) +
                     (unsigned) change;

        if (n > 0)
                g_hash_table_insert(counts, GUINT_TO_POINTER(uid), GUINT_TO_POINTER(n));
        else
                g_hash_table_remove(counts, GUINT_TO_POINTER(uid));
        return n;
}

static void bond_free(void *data)
{
        ContainerBond *bond = data;

        peer_watch_free(bond->caller);
        if (bond->waiting)
                g_ptr_array_free(bond->waiting, TRUE);
        g_free(bond->id);
        g_free(bond);
}

ContainerBond *server_bond(Server *server, Container *container)
{
        ContainerBond *bond = g_hash_table_lookup(server->bonds, container);

        if (!bond) {
                bond = g_new0(ContainerBond, 1);
                bond->server = server;
                bond->owner = container_info(container)->owner;
                bond->id = g_strdup(container_info(container)->id);
                g_hash_table_insert(server->bonds, container, bond);
        }
        return bond;
}

/* One that cannot be watched would live on without its caller: it ends as well. */
static void on_caller_left(bool gone, void *data)
{
        ContainerBond *bond = data;
        Container *container = manager_find(bond->server->manager, bond->owner, bond->id);

        if (container && container_is_live(container)) {
                log_container(container_info(container), NULL, "%s",
                              gone ? "ends: its caller left"
                                   : "ends: the bus lets no more callers be watched");
                container_kill(container, true, SIGKILL, NULL);
        }
}

void server_watch_caller(Server *server, Container *container)
{
        const char *watcher = container_info(container)->watcher;
        g_autofree char *prefix = server_watcher(server, "");

        if (!watcher)
                return;
        ContainerBond *bond = server_bond(server, container);
        if (g_str_has_prefix(watcher, prefix))
                bond->caller = peer_watch_new(server->watches, watcher + strlen(prefix),
                                              on_caller_left, bond);
        else
                on_caller_left(true, bond);
}

char *server_watcher(Server *server, const char *name)
{
        char text[SD_ID128_STRING_MAX] = "";
        sd_id128_t id;

        if (sd_bus_get_bus_id(server->options.bus, &id) >= 0)
                sd_id128_to_string(id, text);
        return g_strdup_printf("%s %s", text, name);
}

bool server_may_wait(Server *server, sd_bus_message *message, GError **error)
{
        const Credentials *caller = server_caller(server, message, error);

        if (!caller)
                return false;
        if (caller->uid != 0 &&
            server_count(server->waiting, caller->uid, 0) >= WAITING_PER_UID_MAX)
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "%u calls of yours are waiting already", WAITING_PER_UID_MAX);
        return true;
}

/* Nobody is left to be answered; or the caller cannot be watched, and is answered all the same. */
static void on_waiting_left(bool gone, void *data)
{
        Waiting *waiting = data;

        if (gone)
                g_ptr_array_remove_fast(waiting->bond->waiting, waiting);
}

bool server_wait(Server *server, Container *container, sd_bus_message *message, GError **error)
{
        const Credentials *caller = server_caller(server, message, error);

        if (!caller || !server_may_wait(server, message, error))
                return false;
        if (sd_bus_message_get_expect_reply(message) <= 0)
                return true; /* nobody to answer */
        ContainerBond *bond = server_bond(server, container);
        if (!bond->waiting)
                bond->waiting = g_ptr_array_new_with_free_func(waiting_free);
        Waiting *waiting = g_new0(Waiting, 1);
        waiting->bond = bond;
        waiting->message = sd_bus_message_ref(message);
        waiting->uid = caller->uid;
        if (!server->options.peer)
                waiting->caller =
                        peer_watch_new(server->watches, sd_bus_message_get_sender(message),
                                       on_waiting_left, waiting);
        g_ptr_array_add(bond->waiting, waiting);
        server_count(server->waiting, waiting->uid, 1);
        server->n_waiting++;
        server_activity(server);
        return true;
}

/* Wait is answered with the result, the other verbs with nothing. */
static void answer_waiting(Server *server, Container *container)
{
        const ContainerInfo *info = container_info(container);
        ContainerBond *bond = g_hash_table_lookup(server->bonds, container);

        for (guint i = 0; bond && bond->waiting && i < bond->waiting->len; i++) {
                sd_bus_message *message = ((Waiting *) bond->waiting->pdata[i])->message;
                if (strcmp(sd_bus_message_get_member(message), "Wait") == 0)
                        sd_bus_reply_method_return(message, "si",
                                                   container_result_to_string(info->result),
                                                   info->code);
                else
                        sd_bus_reply_method_return(message, NULL);
        }
        g_hash_table_remove(server->bonds, container);
}

/* -- what the manager tells -- */

static void emit_changed(Server *server, Container *container, const char *path)
{
        if (container_info(container)->state == CONTAINER_STOPPED)
                sd_bus_emit_properties_changed(server->options.bus, path, INTERFACE_CONTAINER,
                                               "State", "Pid", "ExitedUSec", "Result", "ExitCode",
                                               "OOMKills", NULL);
        else
                sd_bus_emit_properties_changed(server->options.bus, path, INTERFACE_CONTAINER,
                                               "State", "StartedUSec", NULL);
}

static void announce(Server *server, Container *container)
{
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = server_container_path(info);

        server->emitting = true;
        sd_bus_emit_object_added(server->options.bus, path);
        sd_bus_emit_signal(server->options.bus, MANAGER_PATH, INTERFACE_MANAGER, "ContainerNew",
                           "so", info->id, path);
        server->emitting = false;
        log_container(info, LOG_ID_NEW, "is %s", container_state_to_string(info->state));
}

/* In order, and before anything else is said of them. */
static void announce_all(Server *server)
{
        Container *container;

        if (server->announce_source)
                g_source_remove(server->announce_source);
        server->announce_source = 0;
        while ((container = g_queue_pop_head(&server->unannounced)))
                announce(server, container);
}

static gboolean on_announce(void *data)
{
        announce_all(data);
        return G_SOURCE_CONTINUE; /* removed by then */
}

/* Everybody hears of it once there is nothing more urgent: its caller's next call, or its end. */
static void on_added(Container *container, void *data)
{
        Server *server = data;

        g_queue_push_tail(&server->unannounced, container);
        if (!server->announce_source)
                server->announce_source =
                        g_idle_add_full(G_PRIORITY_DEFAULT, on_announce, server, NULL);
        server_activity(server);
}

static void on_changed(Container *container, void *data)
{
        Server *server = data;
        g_autofree char *path = server_container_path(container_info(container));

        announce_all(server);
        server->emitting = true;
        emit_changed(server, container, path);
        server->emitting = false;
}

static void on_exited(Container *container, void *data)
{
        Server *server = data;
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = server_container_path(info);
        const char *result = container_result_to_string(info->result);

        /* who waits is told first; then everybody */
        answer_waiting(server, container);
        announce_all(server);
        server->emitting = true;
        sd_bus_emit_signal(server->options.bus, path, INTERFACE_CONTAINER, "Exited", "si", result,
                           info->code);
        emit_changed(server, container, path);
        server->emitting = false;
        log_container(info, LOG_ID_ENDED, "has ended: %s %d", result, info->code);
        server_activity(server);
}

static void on_removed(Container *container, void *data)
{
        Server *server = data;
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = server_container_path(info);

        answer_waiting(server, container);
        announce_all(server);
        server->emitting = true;
        sd_bus_emit_signal(server->options.bus, MANAGER_PATH, INTERFACE_MANAGER, "ContainerRemoved",
                           "so", info->id, path);
        sd_bus_emit_object_removed(server->options.bus, path);
        server->emitting = false;
        server_activity(server);
}

static void on_settled(void *data)
{
        server_activity(data);
}

const ManagerEvents server_events = {on_added, on_changed, on_exited, on_removed, on_settled};

/* -- life -- */

void server_activity(Server *server)
{
        if (server->options.activity)
                server->options.activity(server->options.data);
}

/* Sees every message before its handler does; counting is how the idle exit knows that one came. */
static int on_message(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Server *server = data;

        if (sd_bus_message_is_method_call(message, NULL, NULL) <= 0)
                return 0;
        server->calls++;
        server_activity(server);
        /* sd-bus looks up every prefix of a path: with 30,000 elements for 4 s, and nobody else is
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
        server->lookups = rootfs_lookups_new();
        if (!options->peer)
                server->authority = authority_new(options->bus, AUTHORITY_TIMEOUT_USEC);
        g_queue_init(&server->unannounced);
        server->bonds = g_hash_table_new_full(NULL, NULL, NULL, bond_free);
        server->requests = g_hash_table_new(NULL, NULL);
        server->pending = g_hash_table_new(NULL, NULL);
        server->waiting = g_hash_table_new(NULL, NULL);
        server->refusals = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        return server;
}

bool server_export(Server *server, Manager *manager, GError **error)
{
        server->manager = manager;
        int r = sd_bus_add_filter(server->options.bus, NULL, on_message, server);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "cannot watch the bus");
        g_autoptr(GPtrArray) adopted = manager_list(manager, UID_ANY);
        for (guint i = 0; i < adopted->len; i++)
                if (container_is_live(adopted->pdata[i]))
                        server_watch_caller(server, adopted->pdata[i]);
        return manager_api_export(server, error) && container_api_export(server, error);
}

void server_free(Server *server)
{
        if (!server)
                return;
        if (server->announce_source)
                g_source_remove(server->announce_source);
        g_queue_clear(&server->unannounced);
        server_cancel(server);
        authority_free(server->authority);
        callers_free(server->callers);
        g_hash_table_destroy(server->bonds);
        peer_watches_free(server->watches);
        rootfs_lookups_free(server->lookups);
        g_hash_table_destroy(server->waiting);
        g_hash_table_destroy(server->refusals);
        g_hash_table_destroy(server->requests);
        g_hash_table_destroy(server->pending);
        g_free(server);
}

bool server_is_idle(const Server *server)
{
        return server->n_pending == 0 && server->n_waiting == 0;
}

uint64_t server_calls(const Server *server)
{
        return server->calls;
}

void server_refuse(Server *server)
{
        server->refuses = true;
        request_cancel_all(server);
}

void server_cancel(Server *server)
{
        g_autoptr(GError) error = NULL;
        GHashTableIter iterator;
        void *value;

        server_refuse(server);
        error_set(&error, RUNTIME_ERROR_CANCELLED, "the service is stopping");
        g_hash_table_iter_init(&iterator, server->bonds);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                GPtrArray *waiting = ((ContainerBond *) value)->waiting;
                for (guint i = 0; waiting && i < waiting->len; i++)
                        error_map_reply(((Waiting *) waiting->pdata[i])->message, error);
                if (waiting)
                        g_ptr_array_set_size(waiting, 0);
        }
}
