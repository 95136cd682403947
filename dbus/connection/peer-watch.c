#include "dbus/connection/peer-watch.h"

#define RESTING_MAX 16u

typedef struct Peer {
        PeerWatches *watches;
        char *name;
        sd_bus_slot *match, *query;
        GQueue watching; /* PeerWatch, borrowed */
        GList link;      /* in `resting`, while `is_resting` */
        bool telling, is_present, is_resting;
        guint failed; /* tells the watches, later, that the rule could not even be asked for */
} Peer;

struct PeerWatches {
        sd_bus *bus;
        GHashTable *peers; /* name → Peer, owned */
        GQueue resting;    /* Peer, borrowed: watched by nobody, the longest so first */
};

struct PeerWatch {
        Peer *peer; /* NULL once it was told */
        GList link; /* in the peer's `watching` */
        PeerWatchFunc function;
        PeerPresentFunc present; /* awaited; NULL once it was called */
        void *data;
};

static void peer_free(void *data)
{
        Peer *peer = data;

        if (peer->is_resting)
                g_queue_unlink(&peer->watches->resting, &peer->link);
        if (peer->failed)
                g_source_remove(peer->failed);
        sd_bus_slot_unref(peer->query);
        sd_bus_slot_unref(peer->match);
        g_free(peer->name);
        g_free(peer);
}

static void drop(Peer *peer)
{
        g_hash_table_remove(peer->watches->peers, peer->name);
}

/* The rule stays for a while when nobody needs it: a caller often calls again, and asking for a
 * rule, asking for the name and taking the rule back cost together as much as the rest of a
 * call. */
static void rest(Peer *peer)
{
        GQueue *resting = &peer->watches->resting;

        peer->is_resting = true;
        g_queue_push_tail_link(resting, &peer->link);
        if (resting->length > RESTING_MAX)
                drop(resting->head->data);
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

/* A function may free its watch and others, so the list is looked through anew after each. */
static void tell_present(Peer *peer)
{
        peer->is_present = true;
        peer->telling = true;
        for (GList *link = peer->watching.head; link;) {
                PeerWatch *watch = link->data;
                PeerPresentFunc present = watch->present;
                link = link->next;
                if (present) {
                        watch->present = NULL;
                        present(watch->data);
                        link = peer->watching.head;
                }
        }
        peer->telling = false;
        if (!peer->watching.head && !peer->is_resting)
                rest(peer);
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

static int on_installed(sd_bus_message *message, void *data, sd_bus_error *error);

static bool install(Peer *peer)
{
        g_autofree char *rule = g_strdup_printf(
                "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',"
                "member='NameOwnerChanged',arg0='%s'",
                peer->name);

        peer->match = sd_bus_slot_unref(peer->match);
        return sd_bus_add_match_async(peer->watches->bus, &peer->match, rule, on_owner_changed,
                                      on_installed, peer) >= 0;
}

/* False: there was none. */
static bool drop_resting(PeerWatches *watches)
{
        bool any = watches->resting.head;

        while (watches->resting.head)
                drop(watches->resting.head->data);
        return any;
}

static int on_installed(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Peer *peer = data;

        /* perhaps the bus has one rule too many of us: drop those that rest, and try again */
        if (sd_bus_message_is_method_error(message, NULL) && !peer->is_resting &&
            drop_resting(peer->watches) && install(peer))
                return 0;
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

        peer->watches = watches;
        peer->name = g_strdup(name);
        peer->link.data = peer;
        g_hash_table_insert(watches->peers, peer->name, peer);
        if (!install(peer))
                peer->failed = g_idle_add(on_failed, peer);
        return peer;
}

PeerWatch *peer_watch_new(PeerWatches *watches, const char *name, PeerWatchFunc function,
                          void *data)
{
        PeerWatch *watch = g_new0(PeerWatch, 1);
        Peer *peer = g_hash_table_lookup(watches->peers, name);

        if (peer && peer->is_resting) {
                g_queue_unlink(&watches->resting, &peer->link);
                peer->is_resting = false;
        }
        watch->peer = peer ? peer : peer_new(watches, name);
        watch->function = function;
        watch->data = data;
        watch->link.data = watch;
        g_queue_push_tail_link(&watch->peer->watching, &watch->link);
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
                g_queue_unlink(&watch->peer->watching, &watch->link);
                if (!watch->peer->watching.head && !watch->peer->telling)
                        rest(watch->peer);
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
