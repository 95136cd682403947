#include "dbus/connection/peer-watch.h"

#define LEFT                                                                                       \
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"            \
        "member='NameOwnerChanged',arg2=''"

typedef struct Peer {
        PeerWatches *watches;
        char *name;
        sd_bus_slot *query;
        GQueue watching; /* PeerWatch, borrowed */
        bool telling;
        guint failed; /* tells the watches, later, that the bus could not even be asked */
} Peer;

struct PeerWatches {
        sd_bus *bus;
        sd_bus_slot *match;
        GHashTable *peers; /* name → Peer, owned */
};

struct PeerWatch {
        Peer *peer; /* NULL once it was told */
        GList link; /* in the peer's `watching` */
        PeerWatchFunc function;
        void *data;
};

static void peer_free(void *data)
{
        Peer *peer = data;

        if (peer->failed)
                g_source_remove(peer->failed);
        sd_bus_slot_unref(peer->query);
        g_free(peer->name);
        g_free(peer);
}

static void drop(Peer *peer)
{
        g_hash_table_remove(peer->watches->peers, peer->name);
}

/* Takes each watch out of the list before telling it, so that its owner may free it and others, or
 * watch anew. */
static int tell(Peer *peer, bool gone)
{
        peer->telling = true;
        while (peer->watching.head) {
                PeerWatch *watch = peer->watching.head->data;
                g_queue_unlink(&peer->watching, &watch->link);
                watch->peer = NULL;
                watch->function(gone, watch->data);
        }
        drop(peer);
        return 0;
}

static int on_left(sd_bus_message *message, void *data, sd_bus_error *error)
{
        PeerWatches *watches = data;
        const char *name, *old_owner, *new_owner;

        /* from the bus itself: sd-bus does not check the sender of what passes a match */
        if (g_strcmp0(sd_bus_message_get_sender(message), "org.freedesktop.DBus") != 0 ||
            sd_bus_message_read(message, "sss", &name, &old_owner, &new_owner) < 0 || *new_owner)
                return 0;
        Peer *peer = g_hash_table_lookup(watches->peers, name);
        return peer ? tell(peer, true) : 0;
}

static int on_reply(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Peer *peer = data;
        int has_owner = 0;

        peer->query = sd_bus_slot_unref(peer->query);
        if (sd_bus_message_is_method_error(message, NULL) ||
            sd_bus_message_read(message, "b", &has_owner) < 0)
                return tell(peer, false);
        return has_owner ? 0 : tell(peer, true);
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

        peer->watches = watches;
        peer->name = g_strdup(name);
        g_hash_table_insert(watches->peers, peer->name, peer);
        return peer;
}

static void ask(Peer *peer)
{
        if (sd_bus_call_method_async(peer->watches->bus, &peer->query, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "NameHasOwner", on_reply, peer, "s", peer->name) < 0)
                peer->failed = g_idle_add(on_failed, peer);
}

static PeerWatch *watch_peer(Peer *peer, PeerWatchFunc function, void *data)
{
        PeerWatch *watch = g_new0(PeerWatch, 1);

        watch->peer = peer;
        watch->function = function;
        watch->data = data;
        watch->link.data = watch;
        g_queue_push_tail_link(&peer->watching, &watch->link);
        return watch;
}

PeerWatch *peer_watch_new(PeerWatches *watches, const char *name, PeerWatchFunc function,
                          void *data)
{
        Peer *peer = g_hash_table_lookup(watches->peers, name);

        if (!peer) {
                peer = peer_new(watches, name);
                ask(peer);
        }
        return watch_peer(peer, function, data);
}

PeerWatch *peer_watch_new_sender(PeerWatches *watches, const char *name, PeerWatchFunc function,
                                 void *data)
{
        Peer *peer = g_hash_table_lookup(watches->peers, name);

        return watch_peer(peer ? peer : peer_new(watches, name), function, data);
}

void peer_watch_free(PeerWatch *watch)
{
        if (!watch)
                return;
        if (watch->peer) {
                g_queue_unlink(&watch->peer->watching, &watch->link);
                if (!watch->peer->watching.head && !watch->peer->telling)
                        drop(watch->peer);
        }
        g_free(watch);
}

bool peer_watches_start(PeerWatches *watches, GError **error)
{
        int r = sd_bus_add_match(watches->bus, &watches->match, LEFT, on_left, watches);

        return r >= 0 ||
               error_set_errno(error, RUNTIME_ERROR_FAILED, -r, "the bus does not tell who leaves");
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
        sd_bus_slot_unref(watches->match);
        g_hash_table_destroy(watches->peers);
        g_free(watches);
}
