#include "dbus/connection/bus-source.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

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
        Fixture *fixture = data;

        fixture->n_lost++;
        fixture->lost_error = error;
}

static int on_reply(sd_bus_message *reply, void *data, sd_bus_error *ret_error)
{
        Fixture *fixture = data;
        const sd_bus_error *error = sd_bus_message_get_error(reply);

        fixture->n_replies++;
        if (error) {
                fixture->n_errors++;
                g_free(fixture->error_name);
                fixture->error_name = g_strdup(error->name);
        }
        return 1;
}

static void set_up(Fixture *fixture, const void *data)
{
        fixture->bus = private_bus_new();
        fixture->client = private_bus_connect(fixture->bus);
        fixture->source = bus_source_attach(fixture->client, NULL, on_lost, fixture);
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

static void tear_down(Fixture *fixture, const void *data)
{
        g_main_context_set_poll_func(NULL, NULL);
        release_source(&fixture->source);
        sd_bus_unref(fixture->client);
        sd_bus_unref(fixture->mute);
        private_bus_free(fixture->bus);
        g_free(fixture->error_name);
}

static void call(Fixture *fixture, const char *destination, uint64_t timeout_usec)
{
        g_autoptr(sd_bus_message) message = NULL;

        g_assert_cmpint(sd_bus_message_new_method_call(fixture->client, &message, destination,
                                                       ECHO_PATH, ECHO_INTERFACE, "Echo"),
                        >=, 0);
        g_assert_cmpint(
                sd_bus_call_async(fixture->client, NULL, message, on_reply, fixture, timeout_usec),
                >=, 0);
}

static const char *connect_mute(Fixture *fixture)
{
        const char *name;

        fixture->mute = private_bus_connect(fixture->bus);
        g_assert_cmpint(sd_bus_get_unique_name(fixture->mute, &name), >=, 0);
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
static void test_fifty_calls(Fixture *fixture, const void *data)
{
        g_autoptr(sd_bus) server = private_bus_connect(fixture->bus);
        const char *name;

        g_assert_cmpint(sd_bus_get_unique_name(server, &name), >=, 0);
        g_assert_cmpint(sd_bus_add_object_vtable(server, NULL, ECHO_PATH, ECHO_INTERFACE,
                                                 echo_vtable, NULL),
                        >=, 0);
        GSource *source = bus_source_attach(server, NULL, NULL, NULL);

        for (unsigned i = 0; i < 50; i++)
                call(fixture, name, 0);
        g_assert_true(loop_until(&fixture->n_replies, 50, 900));
        g_assert_cmpuint(fixture->n_errors, ==, 0);
        g_assert_cmpuint(fixture->n_lost, ==, 0);
        release_source(&source);
}

/* A call without an answer times out at its time: not before, and soon after. */
static void test_time_out_on_time(Fixture *fixture, const void *data)
{
        const char *name = connect_mute(fixture);
        int64_t start = g_get_monotonic_time();

        call(fixture, name, 200 * 1000);
        g_assert_true(loop_until(&fixture->n_replies, 1, 900));

        int64_t took = g_get_monotonic_time() - start;

        g_assert_cmpint(took, >=, 200 * 1000);
        g_assert_cmpint(took, <, 500 * 1000);
        g_assert_cmpstr(fixture->error_name, ==, SD_BUS_ERROR_NO_REPLY);
        g_assert_cmpuint(fixture->n_lost, ==, 0);
}

/* Waiting for a deadline costs a few polls, none of them in vain just before it: time is rounded
 * up. */
static void test_deadlines_do_not_spin(Fixture *fixture, const void *data)
{
        const char *name = connect_mute(fixture);

        for (unsigned i = 0; i < 10; i++)
                call(fixture, name, 20 * 1000 + i * 10 * 1000 + 900);
        g_assert_true(loop_until(&fixture->n_replies, 10, 900));
        g_assert_cmpuint(n_polls, <, 40);
}

/* An idle bus does not wake the loop. */
static void test_idle_is_idle(Fixture *fixture, const void *data)
{
        loop_for(100); /* the daemon's greetings */
        n_polls = 0;
        loop_for(600);
        g_assert_cmpuint(n_polls, <, 6);
}

/* When the bus dies, the loss is told exactly once and the source leaves the loop. */
static void test_loss_is_told_once(Fixture *fixture, const void *data)
{
        private_bus_kill(fixture->bus);
        g_assert_true(loop_until(&fixture->n_lost, 1, 900));
        g_assert_cmpint(fixture->lost_error, >, 0);
        g_assert_true(g_source_is_destroyed(fixture->source));

        n_polls = 0;
        loop_for(100);
        g_assert_cmpuint(fixture->n_lost, ==, 1);
        g_assert_cmpuint(n_polls, <, 6);
}

static void on_lost_after_replies(int error, void *data)
{
        Fixture *fixture = data;

        g_assert_cmpuint(fixture->n_errors, ==, 3);
        fixture->n_lost++;
}

/* Calls that wait when the bus dies fail first; the loss is told after them. */
static void test_loss_ends_pending_calls(Fixture *fixture, const void *data)
{
        const char *name = connect_mute(fixture);

        release_source(&fixture->source);
        sd_bus_unref(fixture->client);
        fixture->client = private_bus_connect(fixture->bus);
        fixture->source = bus_source_attach(fixture->client, NULL, on_lost_after_replies, fixture);
        for (unsigned i = 0; i < 3; i++)
                call(fixture, name, UINT64_MAX);
        private_bus_kill(fixture->bus);
        g_assert_true(loop_until(&fixture->n_lost, 1, 900));
}

static void on_lost_release(int error, void *data)
{
        Fixture *fixture = data;

        fixture->n_lost++;
        release_source(&fixture->source);
        g_clear_pointer(&fixture->client, sd_bus_unref);
}

/* The callback may drop the source and the bus: that is what a daemon does then. */
static void test_loss_may_release(Fixture *fixture, const void *data)
{
        release_source(&fixture->source);
        sd_bus_unref(fixture->client);
        fixture->client = private_bus_connect(fixture->bus);
        fixture->source = bus_source_attach(fixture->client, NULL, on_lost_release, fixture);
        private_bus_kill(fixture->bus);
        g_assert_true(loop_until(&fixture->n_lost, 1, 900));
        loop_for(50);
        g_assert_cmpuint(fixture->n_lost, ==, 1);
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
static void test_queue_starves_nobody(Fixture *fixture, const void *data)
{
        g_autoptr(sd_bus) sender = private_bus_connect(fixture->bus);
        Fairness fairness = {0};

        g_assert_cmpint(sd_bus_match_signal(fixture->client, NULL, NULL, "/flood", "test.Flood",
                                            "Flood", on_signal, &fairness),
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
static void test_fd_changes_while_connecting(Fixture *fixture, const void *data)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *directory = g_dir_make_tmp("late-bus-XXXXXX", &error);
        g_autofree char *path = g_build_filename(directory, "bus", NULL);
        g_autofree char *address = g_strdup_printf("unix:path=%s", path);

        g_assert_no_error(error);
        release_source(&fixture->source);
        sd_bus_unref(fixture->client);
        g_assert_cmpint(sd_bus_new(&fixture->client), >=, 0);
        g_assert_cmpint(sd_bus_set_address(fixture->client, address), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(fixture->client, true), >=, 0);
        g_assert_cmpint(sd_bus_set_watch_bind(fixture->client, true), >=, 0);
        g_assert_cmpint(sd_bus_start(fixture->client), >=, 0);
        fixture->source = bus_source_attach(fixture->client, NULL, on_lost, fixture);

        int first = sd_bus_get_fd(fixture->client);

        call(fixture, "org.freedesktop.DBus", 0);
        loop_for(50);
        g_assert_cmpint(symlink(private_bus_socket_path(fixture->bus), path), ==, 0);
        g_assert_true(loop_until(&fixture->n_replies, 1, 900));
        g_assert_cmpint(sd_bus_get_fd(fixture->client), !=, first);
        n_polls = 0;
        loop_for(100);
        g_assert_cmpuint(n_polls, <, 6); /* a poll on the closed one would never sleep */
        g_assert_cmpuint(fixture->n_lost, ==, 0);
        remove(path);
        remove(directory);
}

/* A bus that was never started is a lost one: an error, not a loop that spins. */
static void test_unstarted_bus_is_lost(Fixture *fixture, const void *data)
{
        release_source(&fixture->source);
        sd_bus_unref(fixture->client);
        g_assert_cmpint(sd_bus_new(&fixture->client), >=, 0);
        fixture->source = bus_source_attach(fixture->client, NULL, on_lost, fixture);
        g_assert_true(loop_until(&fixture->n_lost, 1, 900));
        g_assert_cmpint(fixture->lost_error, ==, ENOTCONN);
}

/* A peer that hangs up during the handshake is a lost connection, and its waiting calls fail. */
static void test_refused_connection_is_lost(Fixture *fixture, const void *data)
{
        int fds[2];

        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
        release_source(&fixture->source);
        sd_bus_unref(fixture->client);
        g_assert_cmpint(sd_bus_new(&fixture->client), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(fixture->client, fds[0], fds[0]), >=, 0);
        g_assert_cmpint(sd_bus_set_bus_client(fixture->client, true), >=, 0);
        g_assert_cmpint(sd_bus_start(fixture->client), >=, 0);
        fixture->source = bus_source_attach(fixture->client, NULL, on_lost, fixture);
        call(fixture, "org.freedesktop.DBus", 0);
        close(fds[1]);
        g_assert_true(loop_until(&fixture->n_lost, 1, 900));
        g_assert_cmpuint(fixture->n_errors, ==, 1);
}

/* Separate fds for the two directions cannot be polled as one: refused as lost, not spun on. */
static void test_two_fds_are_refused(Fixture *fixture, const void *data)
{
        int in[2], out[2];

        g_assert_cmpint(pipe(in), ==, 0);
        g_assert_cmpint(pipe(out), ==, 0);
        release_source(&fixture->source);
        sd_bus_unref(fixture->client);
        g_assert_cmpint(sd_bus_new(&fixture->client), >=, 0);
        g_assert_cmpint(sd_bus_set_fd(fixture->client, in[0], out[1]), >=, 0);
        g_assert_cmpint(sd_bus_start(fixture->client), >=, 0);
        fixture->source = bus_source_attach(fixture->client, NULL, on_lost, fixture);
        g_assert_true(loop_until(&fixture->n_lost, 1, 900));
        close(in[1]);
        close(out[0]);
}

/* With the source goes the connection, even if others hold a reference that nobody serves any more.
 */
static void test_source_closes_bus(Fixture *fixture, const void *data)
{
        g_assert_cmpint(sd_bus_is_open(fixture->client), >, 0);
        release_source(&fixture->source);
        g_assert_cmpint(sd_bus_is_open(fixture->client), ==, 0);
        g_assert_cmpuint(fixture->n_lost, ==, 0);
}

static void add(const char *name, void (*test)(Fixture *, const void *))
{
        g_autofree char *path = g_strdup_printf("/bus-source/%s", name);

        g_test_add(path, Fixture, NULL, set_up, test, tear_down);
}

int main(int argc, char **argv)
{
        g_test_init(&argc, &argv, NULL);
        add("fifty-calls", test_fifty_calls);
        add("time-out-on-time", test_time_out_on_time);
        add("deadlines-do-not-spin", test_deadlines_do_not_spin);
        add("idle-is-idle", test_idle_is_idle);
        add("loss-is-told-once", test_loss_is_told_once);
        add("loss-ends-pending-calls", test_loss_ends_pending_calls);
        add("loss-may-release", test_loss_may_release);
        add("queue-starves-nobody", test_queue_starves_nobody);
        add("fd-changes-while-connecting", test_fd_changes_while_connecting);
        add("unstarted-bus-is-lost", test_unstarted_bus_is_lost);
        add("refused-connection-is-lost", test_refused_connection_is_lost);
        add("two-fds-are-refused", test_two_fds_are_refused);
        add("source-closes-bus", test_source_closes_bus);
        return g_test_run();
}
