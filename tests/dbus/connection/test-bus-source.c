#include "dbus/connection/bus-source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/case.h"
#include "tests/lib/loop.h"
#include "tests/lib/private-bus.h"

#define ECHO_PATH      "/echo"
#define ECHO_INTERFACE "test.Echo"

typedef struct Fixture {
        PrivateBus *bus;
        sd_bus *client; /* served by the source under test */
        sd_bus *mute;   /* a peer that never reads, and so never answers */
        GSource *source;
        unsigned n_lost;
        int lost_error;
        unsigned n_replies;
        unsigned n_errors; /* of the replies */
        char *error_name;  /* of the last one */
} Fixture;

static unsigned n_polls; /* a poll function gets no user data */

static int counting_poll(GPollFD *fds, unsigned n_fds, int timeout)
{
        n_polls++;
        return g_poll(fds, n_fds, timeout);
}

static void on_lost(int error, void *data)
{
        Fixture *f = data;

        f->n_lost++;
        f->lost_error = error;
}

static int on_reply(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        Fixture *f = data;
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        f->n_replies++;
        if (error) {
                f->n_errors++;
                g_free(f->error_name);
                f->error_name = g_strdup(error->name);
        }
        return 1;
}

static void set_up(Fixture *f, const void *data)
{
        f->bus = private_bus_new();
        f->client = private_bus_connect(f->bus);
        f->source = bus_source_attach(f->client, NULL, on_lost, f);
        g_main_context_set_poll_func(NULL, counting_poll);
        n_polls = 0;
}

static void release_source(GSource **source)
{
        if (!*source)
                return;
        g_source_destroy(*source);
        g_source_unref(g_steal_pointer(source));
}

static void tear_down(Fixture *f, const void *data)
{
        g_main_context_set_poll_func(NULL, NULL);
        release_source(&f->source);
        sd_bus_unref(f->client);
        sd_bus_unref(f->mute);
        private_bus_free(f->bus);
        g_free(f->error_name);
}

static void call(Fixture *f, const char *destination, uint64_t timeout_usec)
{
        g_autoptr(sd_bus_message) message = NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(f->client, &message, destination, ECHO_PATH,
                                                       ECHO_INTERFACE, "Echo"),
                        >=, 0);
        g_assert_cmpint(sd_bus_call_async(f->client, NULL, message, on_reply, f, timeout_usec), >=,
                        0);
}

static const char *connect_mute(Fixture *f)
{
        const char *name;

        f->mute = private_bus_connect(f->bus);
        g_assert_cmpint(sd_bus_get_unique_name(f->mute, &name), >=, 0);
        return name;
}

static int on_echo(sd_bus_message *message, void *data, sd_bus_error *error)
{
        return sd_bus_reply_method_return(message, NULL);
}

static const sd_bus_vtable echo_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Echo", "", "", on_echo, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* Fifty calls at once, between two connections in one loop, are all answered. */
FIXTURE_TEST(fifty_calls)
{
        g_autoptr(sd_bus) server = private_bus_connect(f->bus);
        const char *name;

        g_assert_cmpint(sd_bus_get_unique_name(server, &name), >=, 0);
        g_assert_cmpint(sd_bus_add_object_vtable(server, NULL, ECHO_PATH, ECHO_INTERFACE,
                                                 echo_vtable, NULL),
                        >=, 0);
        GSource *source = bus_source_attach(server, NULL, NULL, NULL);

        for (unsigned i = 0; i < 50; i++)
                call(f, name, 0);
        g_assert_true(loop_until(&f->n_replies, 50, 900));
        g_assert_cmpuint(f->n_errors, ==, 0);
        g_assert_cmpuint(f->n_lost, ==, 0);
        release_source(&source);
}

/* A call without an answer times out at its time: not before, and soon after. */
FIXTURE_TEST(time_out_on_time)
{
        const char *name = connect_mute(f);
        int64_t start = g_get_monotonic_time();

        call(f, name, 200 * 1000);
        g_assert_true(loop_until(&f->n_replies, 1, 900));

        int64_t took = g_get_monotonic_time() - start;

        g_assert_cmpint(took, >=, 200 * 1000);
        g_assert_cmpint(took, <, 500 * 1000);
        g_assert_cmpstr(f->error_name, ==, SD_BUS_ERROR_NO_REPLY);
        g_assert_cmpuint(f->n_lost, ==, 0);
}

/* Waiting for a deadline costs a few polls, none of them in vain just before it: time is rounded
 * up. */
FIXTURE_TEST(deadlines_do_not_spin)
{
        const char *name = connect_mute(f);

        for (unsigned i = 0; i < 10; i++)
                call(f, name, 20 * 1000 + i * 10 * 1000 + 900);
        g_assert_true(loop_until(&f->n_replies, 10, 900));
        g_assert_cmpuint(n_polls, <, 40);
}

/* An idle bus does not wake the loop. */
FIXTURE_TEST(idle_is_idle)
{
        loop_for(100); /* the daemon's greetings */
        n_polls = 0;
        loop_for(600);
        g_assert_cmpuint(n_polls, <, 6);
}

/* When the bus dies, the loss is told exactly once and the source leaves the loop. */
FIXTURE_TEST(loss_is_told_once)
{
        private_bus_kill(f->bus);
        g_assert_true(loop_until(&f->n_lost, 1, 900));
        g_assert_cmpint(f->lost_error, >, 0);
        g_assert_true(g_source_is_destroyed(f->source));

        n_polls = 0;
        loop_for(100);
        g_assert_cmpuint(f->n_lost, ==, 1);
        g_assert_cmpuint(n_polls, <, 6);
}

static void on_lost_after_replies(int error, void *data)
{
        Fixture *f = data;

        g_assert_cmpuint(f->n_errors, ==, 3);
        f->n_lost++;
}

/* Calls that wait when the bus dies fail first; the loss is told after them. */
FIXTURE_TEST(loss_ends_pending_calls)
{
        const char *name = connect_mute(f);

        release_source(&f->source);
        sd_bus_unref(f->client);
        f->client = private_bus_connect(f->bus);
        f->source = bus_source_attach(f->client, NULL, on_lost_after_replies, f);
        for (unsigned i = 0; i < 3; i++)
                call(f, name, UINT64_MAX);
        private_bus_kill(f->bus);
        g_assert_true(loop_until(&f->n_lost, 1, 900));
}

static void on_lost_release(int error, void *data)
{
        Fixture *f = data;

        f->n_lost++;
        release_source(&f->source);
        g_clear_pointer(&f->client, sd_bus_unref);
}

/* The callback may drop the source and the bus: that is what a daemon does then. */
FIXTURE_TEST(loss_may_release)
{
        release_source(&f->source);
        sd_bus_unref(f->client);
        f->client = private_bus_connect(f->bus);
        f->source = bus_source_attach(f->client, NULL, on_lost_release, f);
        private_bus_kill(f->bus);
        g_assert_true(loop_until(&f->n_lost, 1, 900));
        loop_for(50);
        g_assert_cmpuint(f->n_lost, ==, 1);
}

typedef struct Fairness {
        unsigned n_signals;
        unsigned seen;    /* n_signals at the other source's last turn */
        unsigned longest; /* signals between two of its turns */
} Fairness;

static int on_signal(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Fairness *fairness = data;

        fairness->n_signals++;
        return 0;
}

static gboolean on_other_source(void *data)
{
        Fairness *fairness = data;

        fairness->longest = MAX(fairness->longest, fairness->n_signals - fairness->seen);
        fairness->seen = fairness->n_signals;
        return G_SOURCE_CONTINUE;
}

/* However many messages wait, every other source gets its turn after each one. */
FIXTURE_TEST(queue_starves_nobody)
{
        g_autoptr(sd_bus) sender = private_bus_connect(f->bus);
        Fairness fairness = {0};

        g_assert_cmpint(sd_bus_match_signal(f->client, NULL, NULL, "/flood", "test.Flood", "Flood",
                                            on_signal, &fairness),
                        >=, 0);
        for (unsigned i = 0; i < 50; i++)
                g_assert_cmpint(sd_bus_emit_signal(sender, "/flood", "test.Flood", "Flood", ""), >=,
                                0);
        g_assert_cmpint(sd_bus_flush(sender), >=, 0);
        g_usleep(50 * 1000); /* all 50 lie in the socket */

        GSource *other = g_idle_source_new();

        g_source_set_priority(other, G_PRIORITY_DEFAULT);
        g_source_set_callback(other, on_other_source, &fairness, NULL);
        g_source_attach(other, NULL);
        g_assert_true(loop_until(&fairness.n_signals, 50, 900));
        g_assert_cmpuint(fairness.longest, <=, 1);
        release_source(&other);
}

/* The fd changes while a bus connects (here from a watch on the directory to the socket that
 * appears in it): the source follows it. */
FIXTURE_TEST(fd_changes_while_connecting)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *directory = g_dir_make_tmp("late-bus-XXXXXX", &error);
        g_autofree char *path = g_build_filename(directory, "bus", NULL);
        g_autofree char *address = g_strdup_printf("unix:path=%s", path);

        g_assert_no_error(error);
        release_source(&f->source);
        sd_bus_unref(f->client);
        g_assert_cmpint(sd_bus_new(&f->client), >=, 0);
        g_assert_cmpint(sd_bus_set_address(f->client, address), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(f->client, true), >=, 0);
        g_assert_cmpint(sd_bus_set_watch_bind(f->client, true), >=, 0);
        g_assert_cmpint(sd_bus_start(f->client), >=, 0);
        f->source = bus_source_attach(f->client, NULL, on_lost, f);

        int first = sd_bus_get_fd(f->client);

        call(f, "org.freedesktop.DBus", 0);
        loop_for(50);
        g_assert_cmpint(symlink(private_bus_socket_path(f->bus), path), ==, 0);
        g_assert_true(loop_until(&f->n_replies, 1, 900));
        g_assert_cmpint(sd_bus_get_fd(f->client), !=, first);
        n_polls = 0;
        loop_for(100);
        g_assert_cmpuint(n_polls, <, 6); /* a poll on the closed one would never sleep */
        g_assert_cmpuint(f->n_lost, ==, 0);
        remove(path);
        remove(directory);
}

/* A bus that was never started is a lost one: an error, not a loop that spins. */
FIXTURE_TEST(unstarted_bus_is_lost)
{
        release_source(&f->source);
        sd_bus_unref(f->client);
        g_assert_cmpint(sd_bus_new(&f->client), >=, 0);
        f->source = bus_source_attach(f->client, NULL, on_lost, f);
        g_assert_true(loop_until(&f->n_lost, 1, 900));
        g_assert_cmpint(f->lost_error, ==, ENOTCONN);
}

/* A peer that hangs up during the handshake is a lost connection, and its waiting calls fail. */
FIXTURE_TEST(refused_connection_is_lost)
{
        int fds[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
        release_source(&f->source);
        sd_bus_unref(f->client);
        g_assert_cmpint(sd_bus_new(&f->client), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(f->client, fds[0], fds[0]), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(f->client, true), >=, 0);
        g_assert_cmpint(sd_bus_start(f->client), >=, 0);
        f->source = bus_source_attach(f->client, NULL, on_lost, f);
        call(f, "org.freedesktop.DBus", 0);
        close(fds[1]);
        g_assert_true(loop_until(&f->n_lost, 1, 900));
        g_assert_cmpuint(f->n_errors, ==, 1);
}

/* Separate fds for the two directions cannot be polled as one: refused as lost, not spun on. */
FIXTURE_TEST(two_fds_are_refused)
{
        int in[2], out[2];

        g_assert_cmpint(pipe(in), ==, 0);
        g_assert_cmpint(pipe(out), ==, 0);
        release_source(&f->source);
        sd_bus_unref(f->client);
        g_assert_cmpint(sd_bus_new(&f->client), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(f->client, in[0], out[1]), >=, 0);
        g_assert_cmpint(sd_bus_start(f->client), >=, 0);
        f->source = bus_source_attach(f->client, NULL, on_lost, f);
        g_assert_true(loop_until(&f->n_lost, 1, 900));
        close(in[1]);
        close(out[0]);
}

/* With the source goes the connection, even if others hold a reference that nobody serves any more.
 */
FIXTURE_TEST(source_closes_bus)
{
        g_assert_cmpint(sd_bus_is_open(f->client), >, 0);
        release_source(&f->source);
        g_assert_cmpint(sd_bus_is_open(f->client), ==, 0);
        g_assert_cmpuint(f->n_lost, ==, 0);
}
