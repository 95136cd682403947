/* Calls that come in over a bus of the test's own, and what sees them when. */

#include "dbus/connection/intake.h"

#include <string.h>

#include "service/spec/limits.h"
#include "service/util/bus-auto.h"
#include "tests/lib/case.h"
#include "tests/lib/loop.h"
#include "tests/lib/private-bus.h"

typedef struct Fixture {
        PrivateBus *bus;
        sd_bus *service, *client, *second;
        GSource *source, *client_source;
        sd_bus_slot *object;
        PeerWatches *watches;
        Callers *callers;
        Intake *intake;
        GString *order;   /* the members of the calls that were handled */
        unsigned n_calls; /* that were handled, */
        unsigned n_known; /* of those: of a caller who is known */
        unsigned n_activities, n_replies, n_errors;
        char *error_name;
} Fixture;

/* Of the last message with descriptors: what was told of it before it was read. */
static struct {
        char *name; /* owned */
        unsigned n_fds;
} told;

static void on_next(const char *name, const Credentials *caller, unsigned n_fds)
{
        g_free(told.name);
        told.name = g_strdup(name);
        told.n_fds = n_fds;
}

static int on_call(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Fixture *f = data;

        g_string_append(f->order, sd_bus_message_get_member(message));
        if (strcmp(sd_bus_message_get_member(message), "Slow") == 0)
                g_usleep(100);
        f->n_calls++;
        f->n_known += callers_get(f->callers, message, NULL) != NULL;
        return sd_bus_reply_method_return(message, NULL);
}

static void on_activity(void *data)
{
        ((Fixture *) data)->n_activities++;
}

static void start_intake(Fixture *f)
{
        const BusTurn turn = intake_turn(f->intake);

        g_assert_true(intake_start(f->intake, NULL));
        bus_source_set_turn(f->source, &turn);
}

static void set_up(Fixture *f, const void *unused)
{
        f->bus = private_bus_new();
        f->service = private_bus_connect(f->bus);
        f->client = private_bus_connect(f->bus);
        f->second = private_bus_connect(f->bus);
        f->order = g_string_new(NULL);
        f->watches = peer_watches_new(f->service);
        g_assert_true(peer_watches_start(f->watches, NULL));
        f->callers = callers_new(f->service, f->watches, NULL, NULL);
        f->intake = intake_new(&(IntakeOptions){.bus = f->service,
                                                .callers = f->callers,
                                                .activity = {on_activity, f},
                                                .senders = {.next = on_next}});
        f->source = bus_source_attach(f->service, NULL, NULL, NULL);
        f->client_source = bus_source_attach(f->client, NULL, NULL, NULL);
        g_assert_cmpint(sd_bus_add_object(f->service, &f->object, "/intake", on_call, f), >=, 0);
        start_intake(f);
}

static void release(GSource **source)
{
        g_source_destroy(*source);
        g_source_unref(g_steal_pointer(source));
}

static void tear_down(Fixture *f, const void *unused)
{
        release(&f->client_source);
        sd_bus_slot_unref(f->object);
        intake_free(f->intake);
        callers_free(f->callers);
        peer_watches_free(f->watches);
        release(&f->source);
        sd_bus_unref(f->service);
        sd_bus_close_unref(f->client);
        sd_bus_close_unref(f->second);
        private_bus_free(f->bus);
        g_string_free(f->order, TRUE);
        g_free(f->error_name);
        g_clear_pointer(&told.name, g_free);
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
        return 0;
}

static void call_path(Fixture *f, sd_bus *client, const char *path, const char *member)
{
        const char *name;

        g_assert_cmpint(sd_bus_get_unique_name(f->service, &name), >=, 0);
        g_assert_cmpint(sd_bus_call_method_async(client, NULL, name, path, "test.Intake", member,
                                                 client == f->client ? on_reply : NULL, f, NULL),
                        >=, 0);
        g_assert_cmpint(sd_bus_flush(client), >=, 0);
}

static void call(Fixture *f, sd_bus *client, const char *member)
{
        call_path(f, client, "/intake", member);
}

/* The bus has passed on what this client sent, and it lies in the service's socket. */
static void settle(sd_bus *client)
{
        g_assert_cmpint(sd_bus_call_method(client, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                           "org.freedesktop.DBus", "GetId", NULL, NULL, NULL),
                        >=, 0);
        g_usleep(50 * 1000);
}

/* A client's calls are handled in their order, the first ones too, and its handler knows who calls.
 */
FIXTURE_TEST(in_order)
{
        for (const char *letter = "ABCDEFGH"; *letter; letter++)
                call(f, f->client, (char[]){*letter, 0});
        g_assert_true(loop_until(&f->n_replies, 8, 2000));
        g_assert_cmpstr(f->order->str, ==, "ABCDEFGH");
        g_assert_cmpuint(f->n_known, ==, 8);
        g_assert_cmpuint(f->n_errors, ==, 0);
        g_assert_cmpuint(intake_calls(f->intake), ==, 8);
}

/* The clients of a user take turns. */
FIXTURE_TEST(turns)
{
        call(f, f->client, "A");
        call(f, f->second, "B");
        g_assert_true(loop_until(&f->n_calls, 2, 2000));
        g_string_truncate(f->order, 0);
        for (unsigned i = 0; i < 4; i++)
                call(f, f->client, "A");
        for (unsigned i = 0; i < 2; i++)
                call(f, f->second, "B");
        settle(f->client);
        settle(f->second);
        g_assert_true(loop_until(&f->n_calls, 8, 2000));
        g_assert_cmpstr(f->order->str, ==, "ABABAA");
}

/* While calls wait, there is work to be done; when they are handled there is none, and that is
 * told. */
FIXTURE_TEST(idle)
{
        g_assert_true(intake_is_idle(f->intake));
        for (unsigned i = 0; i < 5; i++)
                call(f, f->client, "A");
        settle(f->client);
        while (intake_calls(f->intake) < 5)
                g_main_context_iteration(NULL, TRUE);
        g_assert_false(intake_is_idle(f->intake));
        g_assert_true(loop_until(&f->n_replies, 5, 2000));
        g_assert_true(intake_is_idle(f->intake));
        g_assert_cmpuint(f->n_activities, >=, 2);
        loop_for(50);
        unsigned before = f->n_activities;
        loop_for(50);
        g_assert_cmpuint(f->n_activities, ==, before);
}

/* The calls of a client that has left are not handled; another's are. */
FIXTURE_TEST(left)
{
        for (unsigned i = 0; i < 20; i++)
                call(f, f->second, "X");
        call(f, f->client, "A");
        settle(f->second);
        sd_bus_close(f->second);
        settle(f->client);
        g_assert_true(loop_until(&f->n_replies, 1, 2000));
        loop_for(50);
        g_assert_cmpstr(f->order->str, ==, "A");
        g_assert_true(intake_is_idle(f->intake));
}

/* Calls that wait are answered when all are cancelled. In one turn no more than one is handled. */
FIXTURE_TEST(cancelled)
{
        g_autoptr(GError) error = NULL;

        error_set(&error, RUNTIME_ERROR_CANCELLED, "the end");
        for (unsigned i = 0; i < 5; i++)
                call(f, f->client, "A");
        settle(f->client);
        while (intake_calls(f->intake) < 5)
                g_main_context_iteration(NULL, TRUE);
        intake_cancel(f->intake, error);
        g_assert_true(intake_is_idle(f->intake));
        g_assert_true(loop_until(&f->n_replies, 5, 2000));
        g_assert_cmpuint(f->n_errors, >=, 4);
        g_assert_cmpstr(f->error_name, ==, error_name(RUNTIME_ERROR_CANCELLED));
}

/* A path that is longer than any object's is answered at once. */
FIXTURE_TEST(long_path)
{
        char path[OBJECT_PATH_MAX + 2];

        memset(path, 'a', sizeof path - 1);
        path[0] = '/';
        path[sizeof path - 1] = '\0';
        call_path(f, f->client, path, "A");
        g_assert_true(loop_until(&f->n_replies, 1, 2000));
        g_assert_cmpstr(f->error_name, ==, SD_BUS_ERROR_UNKNOWN_OBJECT);
        path[sizeof path - 2] = '\0';
        call_path(f, f->client, path, "A");
        g_assert_true(loop_until(&f->n_replies, 2, 2000));
        g_assert_cmpuint(f->n_calls, ==, 0);
}

static void call_with_fds(Fixture *f, sd_bus *client, const char *path)
{
        const char *name;

        g_assert_cmpint(sd_bus_get_unique_name(f->service, &name), >=, 0);
        g_assert_cmpint(sd_bus_call_method_async(client, NULL, name, path, "test.Intake", "Fds",
                                                 on_reply, f, "hh", 0, 0),
                        >=, 0);
        g_assert_cmpint(sd_bus_flush(client), >=, 0);
}

/* A long answer to a call of the service's own, and a message with descriptors behind it. */
static int on_ask(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Fixture *f = data;
        g_autofree char *text = g_strnfill(3000, 'a');
        int r = sd_bus_reply_method_return(message, "s", text);

        call_with_fds(f, f->client, "/intake");
        return r;
}

/* Whose descriptors come next is told before they are read, also behind a long reply. */
FIXTURE_TEST(whose_next)
{
        const char *name;

        g_assert_cmpint(sd_bus_get_unique_name(f->client, &name), >=, 0);
        g_assert_cmpint(sd_bus_add_object(f->client, NULL, "/ask", on_ask, f), >=, 0);
        call(f, f->client, "A");
        g_assert_true(loop_until(&f->n_replies, 1, 2000));
        g_assert_cmpint(sd_bus_call_method_async(f->service, NULL, name, "/ask", "test.Ask", "Ask",
                                                 NULL, NULL, NULL),
                        >=, 0);
        g_assert_true(loop_until(&f->n_replies, 2, 2000));
        g_assert_cmpstr(told.name, ==, name);
        g_assert_cmpuint(told.n_fds, ==, 2);
}

/* Descriptors of a message whose head hides its sender are nobody's. */
FIXTURE_TEST(hidden_sender)
{
        char path[OBJECT_PATH_MAX + 2];

        memset(path, 'a', sizeof path - 1);
        path[0] = '/';
        path[sizeof path - 1] = '\0';
        on_next("nobody", NULL, 0);
        call_with_fds(f, f->client, path);
        g_assert_true(loop_until(&f->n_replies, 1, 2000));
        g_assert_null(told.name);
        g_assert_cmpuint(told.n_fds, >, 0);
}

static void flood(Fixture *f, unsigned n)
{
        const char *name;

        g_assert_cmpint(sd_bus_get_unique_name(f->service, &name), >=, 0);
        for (unsigned i = 0; i < n; i++) {
                g_autoptr(sd_bus_message) message = NULL;
                g_assert_cmpint(sd_bus_message_new_method_call(f->second, &message, name, "/intake",
                                                               "test.Intake", "Slow"),
                                >=, 0);
                g_assert_cmpint(sd_bus_message_set_expect_reply(message, false), >=, 0);
                g_assert_cmpint(sd_bus_send(f->second, message, NULL), >=, 0);
                if (i % 256 == 0)
                        g_assert_cmpint(sd_bus_flush(f->second), >=, 0);
        }
        settle(f->second);
}

/* Of a flood of calls that want no reply a user's share is handled, the rest is skipped, and what
 * comes behind and between is not. */
FIXTURE_TEST(surplus)
{
        call(f, f->second, "K");
        g_assert_true(loop_until(&f->n_calls, 1, 2000));
        flood(f, QUEUED_PER_UID_MAX + 3000);
        g_assert_true(loop_until(&f->n_calls, QUEUED_PER_UID_MAX + 1, 20000));
        flood(f, 10);
        call(f, f->client, "A");
        g_assert_true(loop_until(&f->n_replies, 1, 20000));
        g_assert_cmpuint(f->n_errors, ==, 0);
        loop_for(100);
        g_assert_cmpuint(intake_calls(f->intake), ==, QUEUED_PER_UID_MAX + 3012);
        g_assert_cmpuint(f->n_calls, <, QUEUED_PER_UID_MAX + 3000);
        g_assert_cmpuint(f->n_calls, ==, f->n_known);
        g_assert_nonnull(strchr(f->order->str, 'A'));
        g_assert_true(intake_is_idle(f->intake));
}

/* With a bus that hangs the loop goes on: the call of a client that is not known yet just waits. */
FIXTURE_TEST(bus_hangs)
{
        call(f, f->client, "A");
        settle(f->client);
        private_bus_stop(f->bus);
        gint64 start = g_get_monotonic_time();
        loop_for(200);
        g_assert_cmpint(g_get_monotonic_time() - start, <, 1000000);
        g_assert_cmpuint(intake_calls(f->intake), ==, 1);
        g_assert_cmpuint(f->n_calls, ==, 0);
        g_assert_false(intake_is_idle(f->intake));
}

/* An end of the bus while calls wait ends nothing else. */
FIXTURE_TEST(bus_ends)
{
        for (unsigned i = 0; i < 10; i++)
                call(f, f->client, "A");
        settle(f->client);
        g_main_context_iteration(NULL, TRUE);
        private_bus_kill(f->bus);
        loop_for(100);
        g_assert_true(g_source_is_destroyed(f->source));
}
