#include "dbus/peer-watch.h"

typedef struct Peer {
        PeerWatches *watches;
        char *name;
        sd_bus_slot *match, *query;
        GPtrArray *watching; /* PeerWatch, borrowed */
        bool telling, is_present;
        guint failed; /* tells that no rule could even be asked for */
} Peer;

struct PeerWatches {
        sd_bus *bus;
        GHashTable *peers; /* name → Peer, owned */
};

struct PeerWatch {
        Peer *peer; /* NULL once it was told */
        PeerWatchFunc function;
        PeerPresentFunc present; /* awaited; NULL once it was called */
        void *data;
};

static void peer_free(void *data)
{
        Peer *peer = data;

        if (peer->failed)
                g_source_remove(peer->failed);
        sd_bus_slot_unref(peer->query);
        sd_bus_slot_unref(peer->match);
        g_ptr_array_free(peer->watching, TRUE);
        g_free(peer->name);
        g_free(peer);
}

/* Each is out of the list before it is told, so that it may free itself and others, or watch anew.
 */
static int tell(Peer *peer, bool gone)
{
        peer->telling = true;
        while (peer->watching->len > 0) {
                PeerWatch *watch = g_ptr_array_steal_index_fast(peer->watching, 0);
                watch->peer = NULL;
                watch->function(gone, watch->data);
        }
        g_hash_table_remove(peer->watches->peers, peer->name);
        return 0;
}

/* One may free its watch and others' meanwhile, so each time the list is looked through anew. */
static void tell_present(Peer *peer)
{
        peer->is_present = true;
        peer->telling = true;
        for (guint i = 0; i < peer->watching->len;) {
                PeerWatch *watch = peer->watching->pdata[i];
                PeerPresentFunc present = watch->present;
                if (present) {
                        watch->present = NULL;
                        present(watch->data);
                        i = 0;
                } else
                        i++;
        }
        peer->telling = false;
        if (peer->watching->len == 0)
                g_hash_table_remove(peer->watches->peers, peer->name);
}

static int on_owner_changed(sd_bus_message *message, void *data, sd_bus_error *error)
{
        const char *name, *old_owner, *new_owner;

        /* from the bus itself: sd-bus does not check the sender of what passes a match */
        if (g_strcmp0(sd_bus_message_get_sender(message), "org.freedesktop.DBus") != 0 ||
            sd_bus_message_read(message, "sss", &name, &old_owner, &new_owner) < 0 || *new_owner)
                return 0;
        return tell(data, true);
}

static int on_reply(sd_bus_message *message, void *data, sd_bus_error *error)
{
        int has_owner = 0;

        if (sd_bus_message_is_method_error(message, NULL) ||
            sd_bus_message_read(message, "b", &has_owner) < 0)
                return tell(data, false);
        if (!has_owner)
                return tell(data, true);
        tell_present(data);
        return 0;
}

static int on_installed(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Peer *peer = data;

        if (sd_bus_message_is_method_error(message, NULL) ||
            sd_bus_call_method_async(peer->watches->bus, &peer->query, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "NameHasOwner", on_reply, peer, "s", peer->name) < 0)
                return tell(peer, false);
        return 0;
}

static gboolean on_failed(void *data)
{
        Peer *peer = data;

        peer->failed = 0;
        tell(peer, false);
        return G_SOURCE_REMOVE;
}

static Peer *peer_new(PeerWatches *watches, const char *name)
{
        Peer *peer = g_new0(Peer, 1);
        g_autofree char *rule = g_strdup_printf(
                "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                "member='NameOwnerChanged',arg0='%s'",
                name);

        peer->watches = watches;
        peer->name = g_strdup(name);
        peer->watching = g_ptr_array_new();
        g_hash_table_insert(watches->peers, peer->name, peer);
        if (sd_bus_add_match_async(watches->bus, &peer->match, rule, on_owner_changed, on_installed,
                                   peer) < 0)
                peer->failed = g_idle_add(on_failed, peer);
        return peer;
}

PeerWatch *peer_watch_new(PeerWatches *watches, const char *name, PeerWatchFunc function,
                          void *data)
{
        PeerWatch *watch = g_new0(PeerWatch, 1);
        Peer *peer = g_hash_table_lookup(watches->peers, name);

        watch->peer = peer ? peer : peer_new(watches, name);
        watch->function = function;
        watch->data = data;
        g_ptr_array_add(watch->peer->watching, watch);
        return watch;
}

void peer_watch_await(PeerWatch *watch, PeerPresentFunc present)
{
        if (watch->peer && watch->peer->is_present)
                present(watch->data);
        else
                watch->present = present;
}

void peer_watch_free(PeerWatch *watch)
{
        if (!watch)
                return;
        if (watch->peer) {
                g_ptr_array_remove_fast(watch->peer->watching, watch);
                if (watch->peer->watching->len == 0 && !watch->peer->telling)
                        g_hash_table_remove(watch->peer->watches->peers, watch->peer->name);
        }
        g_free(watch);
}

PeerWatches *peer_watches_new(sd_bus *bus)
{
        PeerWatches *watches = g_new0(PeerWatches, 1);

        watches->bus = bus;
        watches->peers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, peer_free);
        return watches;
}

void peer_watches_free(PeerWatches *watches)
{
        if (!watches)
                return;
        g_hash_table_destroy(watches->peers);
        g_free(watches);
}
