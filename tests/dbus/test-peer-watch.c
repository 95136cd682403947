/* Clients that leave, on a bus of the test's own. */

#include "dbus/peer-watch.h"

#include <stdbool.h>

#include "dbus/bus-source.h"
#include "tests/lib/loop.h"
#include "tests/lib/private-bus.h"

typedef struct Fixture {
        PrivateBus *bus;
        sd_bus *service, *client;
        GSource *source;
        const char *client_name;
        PeerWatch *watch;
        unsigned n_told;
        bool free_inside;
} Fixture;

static void on_left(void *data)
{
        Fixture *f = data;

        f->n_told++;
        if (f->free_inside)
                peer_watch_free(g_steal_pointer(&f->watch));
}

static void set_up(Fixture *f, const void *unused)
{
        f->bus = private_bus_new();
        f->service = private_bus_connect(f->bus);
        f->source = bus_source_attach(f->service, NULL, NULL, NULL);
        f->client = private_bus_connect(f->bus);
        g_assert_cmpint(sd_bus_get_unique_name(f->client, &f->client_name), >=, 0);
}

static void tear_down(Fixture *f, const void *unused)
{
        peer_watch_free(f->watch);
        sd_bus_close_unref(f->client);
        g_source_destroy(f->source);
        g_source_unref(f->source);
        sd_bus_unref(f->service);
        private_bus_free(f->bus);
}

static void watch(Fixture *f)
{
        f->watch = peer_watch_new(f->service, f->client_name, on_left, f);
        g_assert_nonnull(f->watch);
        g_assert_cmpuint(f->n_told, ==, 0); /* never from inside */
}

/* A client that stays is not told of. */
static void test_stays(Fixture *f, const void *unused)
{
        watch(f);
        loop_for(100);
        g_assert_cmpuint(f->n_told, ==, 0);
}

/* A client that leaves is told of, once. */
static void test_leaves(Fixture *f, const void *unused)
{
        watch(f);
        loop_for(50);
        sd_bus_close(f->client);
        g_assert_true(loop_until(&f->n_told, 1, 2000));
        loop_for(50);
        g_assert_cmpuint(f->n_told, ==, 1);
}

/* One that leaves while the watch is being set up is told of, once. */
static void test_leaves_meanwhile(Fixture *f, const void *unused)
{
        watch(f);
        sd_bus_close(f->client);
        g_assert_true(loop_until(&f->n_told, 1, 2000));
        loop_for(50);
        g_assert_cmpuint(f->n_told, ==, 1);
}

/* One that had left before is told of too. */
static void test_left_before(Fixture *f, const void *unused)
{
        g_autofree char *name = g_strdup(f->client_name);

        sd_bus_close(f->client);
        loop_for(50);
        f->watch = peer_watch_new(f->service, name, on_left, f);
        g_assert_true(loop_until(&f->n_told, 1, 2000));
        loop_for(50);
        g_assert_cmpuint(f->n_told, ==, 1);
}

/* The watch may be freed by the very call that tells. */
static void test_free_inside(Fixture *f, const void *unused)
{
        f->free_inside = true;
        watch(f);
        loop_for(50);
        sd_bus_close(f->client);
        g_assert_true(loop_until(&f->n_told, 1, 2000));
        loop_for(50);
        g_assert_cmpuint(f->n_told, ==, 1);
}

static void test_free_inside_before(Fixture *f, const void *unused)
{
        g_autofree char *name = g_strdup(f->client_name);

        f->free_inside = true;
        sd_bus_close(f->client);
        loop_for(50);
        f->watch = peer_watch_new(f->service, name, on_left, f);
        g_assert_true(loop_until(&f->n_told, 1, 2000));
        loop_for(50);
        g_assert_cmpuint(f->n_told, ==, 1);
}

/* A watch that was freed tells nobody, at whatever point of its setting up. */
static void test_freed(Fixture *f, const void *unused)
{
        for (unsigned wait = 0; wait < 6; wait++) {
                watch(f);
                if (wait > 0)
                        loop_for(wait);
                peer_watch_free(g_steal_pointer(&f->watch));
        }
        sd_bus_close(f->client);
        loop_for(100);
        g_assert_cmpuint(f->n_told, ==, 0);
        peer_watch_free(NULL);
}

/* A stranger's leaving is not the client's. */
static void test_other_leaves(Fixture *f, const void *unused)
{
        sd_bus *other = private_bus_connect(f->bus);

        watch(f);
        loop_for(50);
        sd_bus_close_unref(other);
        loop_for(50);
        g_assert_cmpuint(f->n_told, ==, 0);
}

static void forge(Fixture *f, sd_bus *sender, const char *destination)
{
        g_autoptr(sd_bus_message) signal = NULL;

        g_assert_cmpint(sd_bus_message_new_signal(sender, &signal, "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                                  "NameOwnerChanged"),
                        >=, 0);
        g_assert_cmpint(sd_bus_message_append(signal, "sss", f->client_name, f->client_name, ""), >=, 0);
        if (destination)
                g_assert_cmpint(sd_bus_message_set_destination(signal, destination), >=, 0);
        g_assert_cmpint(sd_bus_send(sender, signal, NULL), >=, 0);
        g_assert_cmpint(sd_bus_flush(sender), >=, 0);
}

/* Another client's word that somebody left, sent to all or to us alone, ends nobody's container. */
static void test_forged(Fixture *f, const void *unused)
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
        g_assert_cmpuint(f->n_told, ==, 0);
        sd_bus_close(f->client);
        g_assert_true(loop_until(&f->n_told, 1, 2000));
        sd_bus_close_unref(liar);
}

/* A bus that ends takes everybody with it, or the watch with it: never a hang, never twice. */
static void test_bus_ends(Fixture *f, const void *unused)
{
        watch(f);
        private_bus_kill(f->bus);
        loop_for(100);
        g_assert_cmpuint(f->n_told, <=, 1);
}

/* Without a connection there is no watch. */
static void test_no_connection(Fixture *f, const void *unused)
{
        sd_bus_close(f->service);
        g_assert_null(peer_watch_new(f->service, f->client_name, on_left, f));
}

#define ADD(name, function) g_test_add("/peer-watch/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        ADD("stays", test_stays);
        ADD("leaves", test_leaves);
        ADD("leaves-meanwhile", test_leaves_meanwhile);
        ADD("left-before", test_left_before);
        ADD("free-inside", test_free_inside);
        ADD("free-inside-before", test_free_inside_before);
        ADD("freed", test_freed);
        ADD("other-leaves", test_other_leaves);
        ADD("forged", test_forged);
        ADD("bus-ends", test_bus_ends);
        ADD("no-connection", test_no_connection);
        return g_test_run();
}
