/* Clients that leave, on a bus of the test's own. */

#include "dbus/connection/peer-watch.h"

#include <stdbool.h>

#include "dbus/connection/bus-source.h"
#include "tests/lib/case.h"
#include "tests/lib/loop.h"
#include "tests/lib/private-bus.h"

/* What a connection may have where the bus's configuration does not say: the system bus's 512. */
#define MATCH_RULES_MAX 512u

typedef struct Fixture Fixture;

/* One watch and what it heard; it frees `frees` when told, itself perhaps. */
typedef struct Watcher {
        Fixture *fixture;
        PeerWatch *watch;
        unsigned n_told;
        bool gone, anew;
        struct Watcher *frees;
} Watcher;

struct Fixture {
        PrivateBus *bus;
        sd_bus *service, *client;
        GSource *source;
        const char *client_name;
        PeerWatches *watches;
        Watcher first, second;
        bool inside;
        unsigned n_calls, n_told_before; /* of the first watcher, when the last call came */
};

static void watch_client(Watcher *watcher, const char *name);

static void on_left(bool gone, void *data)
{
        Watcher *watcher = data;

        g_assert_false(watcher->fixture->inside);
        watcher->n_told++;
        watcher->gone = gone;
        if (watcher->frees)
                peer_watch_free(g_steal_pointer(&watcher->frees->watch));
        if (watcher->anew) {
                watcher->anew = false;
                peer_watch_free(g_steal_pointer(&watcher->watch));
                watch_client(watcher, watcher->fixture->client_name);
        }
}

static void watch_client(Watcher *watcher, const char *name)
{
        watcher->fixture->inside = true;
        watcher->watch = peer_watch_new(watcher->fixture->watches, name, on_left, watcher);
        watcher->fixture->inside = false;
        g_assert_nonnull(watcher->watch);
}

static void set_up(Fixture *f, const void *unused)
{
        f->bus = private_bus_new();
        f->service = private_bus_connect(f->bus);
        f->source = bus_source_attach(f->service, NULL, NULL, NULL);
        f->client = private_bus_connect(f->bus);
        f->watches = peer_watches_new(f->service);
        g_assert_true(peer_watches_start(f->watches, NULL));
        f->first.fixture = f->second.fixture = f;
        g_assert_cmpint(sd_bus_get_unique_name(f->client, &f->client_name), >=, 0);
}

static void tear_down(Fixture *f, const void *unused)
{
        peer_watch_free(f->first.watch);
        peer_watch_free(f->second.watch);
        peer_watches_free(f->watches);
        sd_bus_close_unref(f->client);
        g_source_destroy(f->source);
        g_source_unref(f->source);
        sd_bus_unref(f->service);
        private_bus_free(f->bus);
}

static void watch(Fixture *f)
{
        watch_client(&f->first, f->client_name);
}

/* Told in the end, and not a second time. */
static void assert_told_once(const Watcher *watcher, bool gone)
{
        g_assert_true(loop_until(&watcher->n_told, 1, 2000));
        loop_for(50);
        g_assert_cmpuint(watcher->n_told, ==, 1);
        g_assert_cmpint(watcher->gone, ==, gone);
}

/* A client that stays is not told of. */
FIXTURE_TEST(stays)
{
        watch(f);
        loop_for(100);
        g_assert_cmpuint(f->first.n_told, ==, 0);
}

/* A client that leaves is told of, once. */
FIXTURE_TEST(leaves)
{
        watch(f);
        loop_for(50);
        sd_bus_close(f->client);
        assert_told_once(&f->first, true);
}

/* One that leaves while the watch is being set up is told of, once. */
FIXTURE_TEST(leaves_meanwhile)
{
        watch(f);
        sd_bus_close(f->client);
        assert_told_once(&f->first, true);
}

/* One that had left before is told of too. */
FIXTURE_TEST(left_before)
{
        g_autofree char *name = g_strdup(f->client_name);

        sd_bus_close(f->client);
        loop_for(50);
        watch_client(&f->first, name);
        assert_told_once(&f->first, true);
}

/* The watch may be freed by the very call that tells. */
FIXTURE_TEST(free_inside)
{
        f->first.frees = &f->first;
        watch(f);
        loop_for(50);
        sd_bus_close(f->client);
        assert_told_once(&f->first, true);
}

FIXTURE_TEST(free_inside_before)
{
        g_autofree char *name = g_strdup(f->client_name);

        f->first.frees = &f->first;
        sd_bus_close(f->client);
        loop_for(50);
        watch_client(&f->first, name);
        assert_told_once(&f->first, true);
}

/* A watch that was freed tells nobody, at whatever point of its setting up. */
FIXTURE_TEST(freed)
{
        for (unsigned wait = 0; wait < 6; wait++) {
                watch(f);
                if (wait > 0)
                        loop_for(wait);
                peer_watch_free(g_steal_pointer(&f->first.watch));
        }
        sd_bus_close(f->client);
        loop_for(100);
        g_assert_cmpuint(f->first.n_told, ==, 0);
        peer_watch_free(NULL);
}

/* A stranger's leaving is not the client's. */
FIXTURE_TEST(other_leaves)
{
        sd_bus *other = private_bus_connect(f->bus);

        watch(f);
        loop_for(50);
        sd_bus_close_unref(other);
        loop_for(50);
        g_assert_cmpuint(f->first.n_told, ==, 0);
}

static void forge(Fixture *f, sd_bus *sender, const char *destination)
{
        g_autoptr(sd_bus_message) signal = NULL;

        g_assert_cmpint(sd_bus_message_new_signal(sender, &signal, "/org/freedesktop/DBus",
                                                  "org.freedesktop.DBus", "NameOwnerChanged"),
                        >=, 0);
        g_assert_cmpint(sd_bus_message_append(signal, "sss", f->client_name, f->client_name, ""),
                        >=, 0);
        if (destination)
                g_assert_cmpint(sd_bus_message_set_destination(signal, destination), >=, 0);
        g_assert_cmpint(sd_bus_send(sender, signal, NULL), >=, 0);
        g_assert_cmpint(sd_bus_flush(sender), >=, 0);
}

/* Another client's word that somebody left, sent to all or to us alone, ends nobody's container. */
FIXTURE_TEST(forged)
{
        sd_bus *liar = private_bus_connect(f->bus);
        const char *service_name;

        g_assert_cmpint(sd_bus_get_unique_name(f->service, &service_name), >=, 0);
        watch(f);
        loop_for(50);
        forge(f, liar, NULL);
        forge(f, liar, service_name);
        forge(f, f->client, service_name); /* of itself, too */
        loop_for(100);
        g_assert_cmpuint(f->first.n_told, ==, 0);
        sd_bus_close(f->client);
        g_assert_true(loop_until(&f->first.n_told, 1, 2000));
        sd_bus_close_unref(liar);
}

/* A bus that ends takes everybody with it, or the watch with it: never a hang, never twice. */
FIXTURE_TEST(bus_ends)
{
        watch(f);
        private_bus_kill(f->bus);
        loop_for(100);
        g_assert_cmpuint(f->first.n_told, <=, 1);
}

/* Two that watch one client are both told. */
FIXTURE_TEST(two)
{
        watch(f);
        loop_for(20);
        watch_client(&f->second, f->client_name);
        loop_for(50);
        sd_bus_close(f->client);
        assert_told_once(&f->first, true);
        assert_told_once(&f->second, true);
}

/* Freeing one of two leaves the other its rule. */
FIXTURE_TEST(one_of_two)
{
        watch(f);
        watch_client(&f->second, f->client_name);
        loop_for(50);
        peer_watch_free(g_steal_pointer(&f->first.watch));
        loop_for(50);
        sd_bus_close(f->client);
        assert_told_once(&f->second, true);
        g_assert_cmpuint(f->first.n_told, ==, 0);
}

/* A watch that another's function freed is not told, whichever comes first. */
FIXTURE_TEST(frees_other)
{
        f->first.frees = &f->second;
        f->second.frees = &f->first;
        watch(f);
        watch_client(&f->second, f->client_name);
        loop_for(50);
        sd_bus_close(f->client);
        loop_for(200);
        g_assert_cmpuint(f->first.n_told + f->second.n_told, ==, 1);
}

/* A watch made anew by the function, of one that has left, is told as well: later, not from inside.
 */
FIXTURE_TEST(watch_anew)
{
        f->first.anew = true;
        watch(f);
        loop_for(50);
        sd_bus_close(f->client);
        g_assert_true(loop_until(&f->first.n_told, 2, 2000));
        loop_for(50);
        g_assert_cmpuint(f->first.n_told, ==, 2);
        g_assert_true(f->first.gone);
}

static void use_rules(Fixture *f, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                g_autofree char *rule = g_strdup_printf("type='signal',member='Unused%u'", i);
                g_autoptr(sd_bus_message) reply = NULL;

                g_assert_cmpint(sd_bus_call_method(f->service, "org.freedesktop.DBus",
                                                   "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                                   "AddMatch", NULL, &reply, "s", rule),
                                >=, 0);
        }
}

/* Any number of clients cost the bus no rule: with none left, each is watched. */
FIXTURE_TEST(no_rule_each)
{
        enum { CLIENTS = 40 };
        sd_bus *clients[CLIENTS];
        Watcher watchers[CLIENTS] = {0};
        const char *name;

        use_rules(f, MATCH_RULES_MAX - 1);
        for (unsigned i = 0; i < CLIENTS; i++) {
                clients[i] = private_bus_connect(f->bus);
                watchers[i].fixture = f;
                g_assert_cmpint(sd_bus_get_unique_name(clients[i], &name), >=, 0);
                watch_client(&watchers[i], name);
        }
        loop_for(100);
        for (unsigned i = 0; i < CLIENTS; i++) {
                g_assert_cmpuint(watchers[i].n_told, ==, 0);
                sd_bus_close_unref(clients[i]);
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
                assert_told_once(&watchers[i], true);
                peer_watch_free(watchers[i].watch);
        }
}

/* A bus that refuses the one rule is an error at the start. */
FIXTURE_TEST(refused_rule)
{
        g_autoptr(PeerWatches) watches = peer_watches_new(f->service);
        g_autoptr(GError) error = NULL;

        use_rules(f, MATCH_RULES_MAX - 1);
        g_assert_false(peer_watches_start(watches, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_FAILED);
}

static int on_call(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Fixture *f = data;
        const char *sender = sd_bus_message_get_sender(message);

        if (!sd_bus_message_is_method_call(message, "test.Watch", "Hello"))
                return 0;
        f->n_told_before = f->first.n_told;
        if (!f->first.watch)
                f->first.watch = peer_watch_new_sender(f->watches, sender, on_left, &f->first);
        f->n_calls++;
        return 1;
}

static void call_service(Fixture *f, sd_bus *client)
{
        const char *service_name;

        g_assert_cmpint(sd_bus_get_unique_name(f->service, &service_name), >=, 0);
        g_assert_cmpint(sd_bus_call_method_async(client, NULL, service_name, "/watch", "test.Watch",
                                                 "Hello", NULL, NULL, NULL),
                        >=, 0);
        g_assert_cmpint(sd_bus_flush(client), >=, 0);
}

/* The sender of the message that is being read is there, though it has left already; that is told
 * after. */
FIXTURE_TEST(sender)
{
        g_autoptr(sd_bus_slot) object = NULL;

        g_assert_cmpint(sd_bus_add_object(f->service, &object, "/watch", on_call, f), >=, 0);
        call_service(f, f->client);
        sd_bus_close(f->client);
        g_usleep(50 * 1000); /* both lie in the socket */
        g_assert_true(loop_until(&f->n_calls, 1, 2000));
        g_assert_cmpuint(f->n_told_before, ==, 0);
        assert_told_once(&f->first, true);
}

/* The bus tells that a client has left before anything that somebody says who has found it gone:
 * polkit's answer about it comes too late. */
FIXTURE_TEST(told_first)
{
        g_autoptr(sd_bus_slot) object = NULL;
        g_autofree char *name = g_strdup(f->client_name);
        sd_bus *other = private_bus_connect(f->bus);

        g_assert_cmpint(sd_bus_add_object(f->service, &object, "/watch", on_call, f), >=, 0);
        watch(f);
        loop_for(50);
        sd_bus_close(f->client);
        while (sd_bus_call_method(other, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                  "org.freedesktop.DBus", "GetConnectionCredentials", NULL, NULL,
                                  "s", name) >= 0)
                ;
        call_service(f, other);
        g_assert_true(loop_until(&f->n_calls, 1, 2000));
        g_assert_cmpuint(f->n_told_before, ==, 1);
        sd_bus_close_unref(other);
}

/* Without a connection nobody can be watched: said from the loop as well. */
FIXTURE_TEST(no_connection)
{
        sd_bus_close(f->service);
        watch(f);
        watch_client(&f->second, f->client_name);
        assert_told_once(&f->first, false);
        assert_told_once(&f->second, false);
}

/* One that is freed before the loop runs hears nothing of it. */
FIXTURE_TEST(no_connection_freed)
{
        sd_bus_close(f->service);
        watch(f);
        peer_watch_free(g_steal_pointer(&f->first.watch));
        loop_for(50);
        g_assert_cmpuint(f->first.n_told, ==, 0);
        peer_watches_free(NULL);
}
