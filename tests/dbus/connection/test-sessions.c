/* Users whose sessions end, on a bus of the test's own with a logind that says what the test wants.
 */

#include "dbus/connection/sessions.h"

#include "dbus/connection/bus-source.h"
#include "tests/lib/case.h"
#include "tests/lib/loop.h"
#include "tests/lib/private-bus.h"

#define USER 1234u

typedef struct Fixture {
        PrivateBus *bus;
        sd_bus *service, *logind, *stranger;
        GSource *source, *logind_source, *stranger_source;
        Sessions *sessions;
        bool has_user, is_mute, removes_meanwhile;
        unsigned n_asked, n_found, n_ended;
} Fixture;

static void on_found(uid_t uid, void *data)
{
        g_assert_cmpuint(uid, ==, USER);
        ((Fixture *) data)->n_found++;
}

static void on_ended(uid_t uid, void *data)
{
        g_assert_cmpuint(uid, ==, USER);
        ((Fixture *) data)->n_ended++;
}

static const SessionsEvents events = {on_found, on_ended};

static void tell_removed(sd_bus *bus, uint32_t uid)
{
        g_assert_cmpint(sd_bus_emit_signal(bus, "/org/freedesktop/login1",
                                           "org.freedesktop.login1.Manager", "UserRemoved", "uo",
                                           uid, "/org/freedesktop/login1/user/_1234"),
                        >=, 0);
}

static int on_call(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Fixture *f = data;
        uint32_t uid;

        if (!sd_bus_message_is_method_call(message, "org.freedesktop.login1.Manager", "GetUser"))
                return 0;
        f->n_asked++;
        g_assert_cmpint(sd_bus_message_read(message, "u", &uid), >, 0);
        g_assert_cmpuint(uid, ==, USER);
        if (f->is_mute)
                return sd_bus_reply_method_errorf(message, SD_BUS_ERROR_FAILED, "not now");
        if (!f->has_user)
                return sd_bus_reply_method_errorf(message, "org.freedesktop.login1.NoSuchUser",
                                                  "none");
        int r = sd_bus_reply_method_return(message, "o", "/org/freedesktop/login1/user/_1234");
        if (f->removes_meanwhile) {
                f->has_user = f->removes_meanwhile = false;
                tell_removed(f->logind, USER);
        }
        return r;
}

static sd_bus *connect_to(const Fixture *f, GSource **source)
{
        sd_bus *bus = private_bus_connect(f->bus);

        *source = bus_source_attach(bus, NULL, NULL, NULL);
        return bus;
}

static void start_logind(Fixture *f)
{
        f->logind = connect_to(f, &f->logind_source);
        g_assert_cmpint(sd_bus_add_object(f->logind, NULL, "/org/freedesktop/login1", on_call, f),
                        >=, 0);
        g_assert_cmpint(sd_bus_request_name(f->logind, "org.freedesktop.login1", 0), >=, 0);
}

static void set_up(Fixture *f, const void *unused)
{
        f->bus = private_bus_new();
        f->service = connect_to(f, &f->source);
        f->stranger = connect_to(f, &f->stranger_source);
        f->sessions = sessions_new(f->service, &events, f);
        g_assert_true(sessions_start(f->sessions, NULL));
}

static void disconnect(sd_bus *bus, GSource *source)
{
        if (!bus)
                return;
        g_source_destroy(source);
        g_source_unref(source);
        sd_bus_close_unref(bus);
}

static void tear_down(Fixture *f, const void *unused)
{
        sessions_free(f->sessions);
        disconnect(f->logind, f->logind_source);
        disconnect(f->stranger, f->stranger_source);
        disconnect(f->service, f->source);
        private_bus_free(f->bus);
}

static void watch(Fixture *f, bool has_user, bool had)
{
        start_logind(f);
        f->has_user = has_user;
        sessions_watch(f->sessions, USER, had);
        g_assert_true(loop_until(&f->n_asked, 1, 5000));
        loop_for(50);
}

/* Nobody has ended before the last session has, and then it is told once. */
FIXTURE_TEST(removed)
{
        watch(f, true, false);
        g_assert_cmpuint(f->n_found, ==, 1);
        g_assert_cmpuint(f->n_ended, ==, 0);
        f->has_user = false;
        tell_removed(f->logind, USER);
        g_assert_true(loop_until(&f->n_ended, 1, 5000));
        tell_removed(f->logind, USER);
        loop_for(50);
        g_assert_cmpuint(f->n_ended, ==, 1);
        g_assert_cmpuint(f->n_asked, ==, 2);
}

/* Who never had a session is not told of, whatever is signalled. */
FIXTURE_TEST(never_had)
{
        watch(f, false, false);
        tell_removed(f->logind, USER);
        sessions_watch(f->sessions, USER, false);
        g_assert_true(loop_until(&f->n_asked, 2, 5000));
        loop_for(50);
        g_assert_cmpuint(f->n_found + f->n_ended, ==, 0);
}

/* Whose session ended while no service ran is told of. */
FIXTURE_TEST(had_before)
{
        watch(f, false, true);
        g_assert_true(loop_until(&f->n_ended, 1, 5000));
        g_assert_cmpuint(f->n_found, ==, 0);
}

/* A stranger who says that somebody's sessions have ended is not believed; nor is logind itself
 * about somebody else's. */
FIXTURE_TEST(stranger)
{
        watch(f, true, false);
        for (unsigned i = 0; i < 100; i++)
                tell_removed(f->stranger, USER);
        tell_removed(f->logind, USER + 1);
        loop_for(100);
        g_assert_cmpuint(f->n_ended, ==, 0);
        f->has_user = false;
        tell_removed(f->logind, USER);
        g_assert_true(loop_until(&f->n_ended, 1, 5000));
}

/* A session that ends while its user is asked about is not missed. */
FIXTURE_TEST(ends_meanwhile)
{
        f->removes_meanwhile = true;
        watch(f, true, false);
        g_assert_true(loop_until(&f->n_ended, 1, 5000));
}

/* Where there is no logind, or one that fails, nothing ends. */
FIXTURE_TEST(no_logind)
{
        sessions_watch(f->sessions, USER, true);
        loop_for(100);
        f->is_mute = true;
        watch(f, true, true);
        tell_removed(f->logind, USER);
        g_assert_true(loop_until(&f->n_asked, 2, 5000));
        loop_for(50);
        g_assert_cmpuint(f->n_found + f->n_ended, ==, 0);
        f->is_mute = f->has_user = false;
        tell_removed(f->logind, USER);
        g_assert_true(loop_until(&f->n_ended, 1, 5000));
}
