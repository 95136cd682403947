#include "dbus/waiting.h"

#include <signal.h>
#include <string.h>

#include "dbus/connection/error-map.h"
#include "dbus/log.h"
#include "dbus/uid-counts.h"
#include "service/spec/limits.h"

struct Waiting {
        WaitingOptions options;
        GHashTable *bonds; /* WaitingFor → Bond, owned */
        GHashTable *calls; /* uid → count of KeptCalls */
        unsigned n_calls;
};

/* What waits for one container, or one process that has joined a container. */
typedef struct Bond {
        Waiting *waiting;
        const void *object;
        WaitingEndFunc end;
        GPtrArray *calls;  /* of KeptCall, owned; NULL: none so far */
        PeerWatch *caller; /* the caller whose leaving ends the container (WatchBus) */
} Bond;

typedef struct KeptCall {
        Bond *bond;
        sd_bus_message *message;
        PeerWatch *caller; /* NULL on a private connection */
        uid_t uid;
} KeptCall;

static void kept_call_free(void *data)
{
        KeptCall *call = data;
        Waiting *waiting = call->bond->waiting;

        peer_watch_free(call->caller);
        uid_count(waiting->calls, call->uid, -1);
        waiting->n_calls--;
        sd_bus_message_unref(call->message);
        g_free(call);
}

static void bond_free(void *data)
{
        Bond *bond = data;

        peer_watch_free(bond->caller);
        if (bond->calls)
                g_ptr_array_free(bond->calls, TRUE);
        g_free(bond);
}

static Bond *bond_of(Waiting *waiting, const void *object)
{
        Bond *bond = g_hash_table_lookup(waiting->bonds, object);

        if (!bond) {
                bond = g_new0(Bond, 1);
                bond->waiting = waiting;
                bond->object = object;
                g_hash_table_insert(waiting->bonds, (void *) object, bond);
        }
        return bond;
}

/* -- the caller whose leaving ends a container -- */

/* What cannot be watched would live on without its caller: it ends as well. */
static void on_caller_left(bool gone, void *data)
{
        Bond *bond = data;

        bond->end(bond->object, gone);
}

static void end_container(const void *object, bool gone)
{
        Container *container = (Container *) object;

        if (container_is_live(container)) {
                log_container(container_info(container), NULL, "%s",
                              gone ? "ends: its caller left"
                                   : "ends: the bus does not say whether its caller is there");
                container_kill(container, true, SIGKILL, NULL);
        }
}

void waiting_watch_caller(Waiting *waiting, Container *container)
{
        const ContainerInfo *info = container_info(container);

        waiting_watch(waiting, container, info->watcher, end_container);
        if (info->is_sandbox && waiting->options.sessions)
                sessions_watch(waiting->options.sessions, info->owner, info->has_session);
}

void waiting_watch(Waiting *waiting, const void *object, const char *watcher, WaitingEndFunc end)
{
        if (!watcher)
                return;
        g_autofree char *prefix = waiting_watcher(waiting->options.bus, "");
        Bond *bond = bond_of(waiting, object);
        bond->end = end;
        if (g_str_has_prefix(watcher, prefix))
                bond->caller = peer_watch_new(waiting->options.watches, watcher + strlen(prefix),
                                              on_caller_left, bond);
        else
                on_caller_left(true, bond);
}

bool waiting_may_unwatch(Waiting *waiting, const char *watcher, sd_bus_message *message,
                         GError **error)
{
        g_autofree char *sender = NULL;

        if (!waiting->options.watches)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "on a private connection nothing outlives its caller");
        sender = waiting_watcher(waiting->options.bus, sd_bus_message_get_sender(message));
        return !watcher || strcmp(watcher, sender) == 0 ||
               error_set(error, RUNTIME_ERROR_ACCESS_DENIED,
                         "WatchBus is for the connection alone that asked for it");
}

void waiting_unwatch(Waiting *waiting, const void *object)
{
        Bond *bond = g_hash_table_lookup(waiting->bonds, object);

        if (bond)
                g_clear_pointer(&bond->caller, peer_watch_free);
}

char *waiting_watcher(sd_bus *bus, const char *name)
{
        char text[SD_ID128_STRING_MAX] = "";
        sd_id128_t id;

        if (sd_bus_get_bus_id(bus, &id) >= 0)
                sd_id128_to_string(id, text);
        return g_strdup_printf("%s %s", text, name);
}

/* -- calls that are answered at a container's end -- */

bool waiting_has_room(Waiting *waiting, sd_bus_message *message, GError **error)
{
        const Credentials *caller = callers_get(waiting->options.callers, message, error);

        if (!caller)
                return false;
        if (caller->uid != 0 && uid_count(waiting->calls, caller->uid, 0) >= WAITING_PER_UID_MAX)
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "%u calls of yours are waiting already", WAITING_PER_UID_MAX);
        return true;
}

/* A caller who left needs no answer. One who cannot be watched is answered all the same. */
static void on_waiter_left(bool gone, void *data)
{
        KeptCall *call = data;

        if (gone)
                g_ptr_array_remove_fast(call->bond->calls, call);
}

/* Puts `message` in the place of the same connection's older call of the same method, if there is
 * such a call. A client that gives up on a call and calls again tells nobody: the older call would
 * count among the unanswered ones of its connection until the container ends, and dbus-daemon lets
 * a connection that has 128 of them call nobody any more. */
static bool supersede(Bond *bond, sd_bus_message *message)
{
        const char *member = sd_bus_message_get_member(message);

        for (guint i = 0; bond->calls && i < bond->calls->len; i++) {
                KeptCall *call = bond->calls->pdata[i];
                g_autoptr(GError) error = NULL;
                if (strcmp(sd_bus_message_get_member(call->message), member) != 0 ||
                    g_strcmp0(sd_bus_message_get_sender(call->message),
                              sd_bus_message_get_sender(message)) != 0)
                        continue;
                error_set(&error, RUNTIME_ERROR_NO_REPLY, "superseded by a later %s", member);
                error_map_reply(call->message, error);
                sd_bus_message_unref(call->message);
                call->message = sd_bus_message_ref(message);
                return true;
        }
        return false;
}

bool waiting_keep(Waiting *waiting, const void *object, sd_bus_message *message, GError **error)
{
        const Credentials *caller = callers_get(waiting->options.callers, message, error);

        if (!caller)
                return false;
        if (sd_bus_message_get_expect_reply(message) <= 0)
                return true; /* nobody to answer */
        Bond *bond = bond_of(waiting, object);
        if (supersede(bond, message))
                return true;
        if (!waiting_has_room(waiting, message, error))
                return false;
        if (!bond->calls)
                bond->calls = g_ptr_array_new_with_free_func(kept_call_free);
        KeptCall *call = g_new0(KeptCall, 1);
        call->bond = bond;
        call->message = sd_bus_message_ref(message);
        call->uid = caller->uid;
        if (waiting->options.watches)
                call->caller =
                        peer_watch_new(waiting->options.watches, sd_bus_message_get_sender(message),
                                       on_waiter_left, call);
        g_ptr_array_add(bond->calls, call);
        uid_count(waiting->calls, call->uid, 1);
        waiting->n_calls++;
        activity_tell(&waiting->options.activity);
        return true;
}

/* Wait is answered with the result, the other methods with nothing. */
void waiting_answer(Waiting *waiting, const void *object, ContainerResult result, int code)
{
        Bond *bond = g_hash_table_lookup(waiting->bonds, object);

        for (guint i = 0; bond && bond->calls && i < bond->calls->len; i++) {
                sd_bus_message *message = ((KeptCall *) bond->calls->pdata[i])->message;
                if (strcmp(sd_bus_message_get_member(message), "Wait") == 0)
                        sd_bus_reply_method_return(message, "si",
                                                   container_result_to_string(result), code);
                else
                        sd_bus_reply_method_return(message, NULL);
        }
        g_hash_table_remove(waiting->bonds, object);
}

void waiting_cancel(Waiting *waiting, const GError *error)
{
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, waiting->bonds);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                GPtrArray *calls = ((Bond *) value)->calls;
                for (guint i = 0; calls && i < calls->len; i++)
                        error_map_reply(((KeptCall *) calls->pdata[i])->message, error);
                if (calls)
                        g_ptr_array_set_size(calls, 0);
        }
}

bool waiting_is_idle(const Waiting *waiting)
{
        return waiting->n_calls == 0;
}

Waiting *waiting_new(const WaitingOptions *options)
{
        Waiting *waiting = g_new0(Waiting, 1);

        waiting->options = *options;
        waiting->bonds = g_hash_table_new_full(NULL, NULL, NULL, bond_free);
        waiting->calls = g_hash_table_new(NULL, NULL);
        return waiting;
}

void waiting_free(Waiting *waiting)
{
        if (!waiting)
                return;
        g_hash_table_destroy(waiting->bonds);
        g_hash_table_destroy(waiting->calls);
        g_free(waiting);
}
