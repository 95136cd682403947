/* Who sent a message, on a bus of the test's own: by that bus's word, asked once and without
 * waiting. */

#include "dbus/connection/callers.h"

#include <grp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dbus/connection/bus-source.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/loop.h"
#include "tests/lib/must.h"
#include "tests/lib/private-bus.h"

#define OTHER_UID 65534u /* nobody: dbus-daemon turns away who has no passwd entry */
#define OTHER_GID 54400u

typedef struct Fixture {
        PrivateBus *bus;
        sd_bus *service;
        GSource *source;
        sd_bus_slot *object;
        PeerWatches *watches;
        Callers *callers;
        unsigned n_calls, n_learned, n_unknown, n_left;
        sd_bus_message *last; /* held */
        pid_t clients[4];
        size_t n_clients;
} Fixture;

static int on_call(sd_bus_message *message, void *data, sd_bus_error *error)
{
        Fixture *f = data;

        if (!sd_bus_message_is_method_call(message, "test.Who", "Hello"))
                return 0;
        sd_bus_message_unref(f->last);
        f->last = sd_bus_message_ref(message);
        f->n_calls++;
        callers_ask(f->callers, sd_bus_message_get_sender(message));
        return 1;
}

static void on_learned(const char *name, const Credentials *credentials, void *data)
{
        Fixture *f = data;

        f->n_learned++;
        f->n_unknown += !credentials;
}

static void on_left(const char *name, void *data)
{
        ((Fixture *) data)->n_left++;
}

static void set_up(Fixture *f, const void *unused)
{
        f->bus = private_bus_new();
        f->service = private_bus_connect(f->bus);
        f->source = bus_source_attach(f->service, NULL, NULL, NULL);
        g_assert_cmpint(sd_bus_add_object(f->service, &f->object, "/who", on_call, f), >=, 0);
        f->watches = peer_watches_new(f->service);
        g_assert_true(peer_watches_start(f->watches, NULL));
        f->callers = callers_new(f->service, f->watches, NULL, NULL);
        callers_listen(f->callers, &(CallersEvents){on_learned, on_left, f});
}

static void end_clients(Fixture *f)
{
        for (size_t i = 0; i < f->n_clients; i++) {
                kill(f->clients[i], SIGKILL);
                waitpid(f->clients[i], NULL, 0);
        }
        f->n_clients = 0;
}

static void tear_down(Fixture *f, const void *unused)
{
        end_clients(f);
        callers_free(f->callers);
        peer_watches_free(f->watches);
        sd_bus_message_unref(f->last);
        sd_bus_slot_unref(f->object);
        g_source_destroy(f->source);
        g_source_unref(f->source);
        sd_bus_unref(f->service);
        private_bus_free(f->bus);
}

/* A client of its own process that calls `n` times and then lives on. As another user, if asked and
 * able. */
static void add_client(Fixture *f, unsigned n, bool other_user)
{
        const char *name;

        g_assert_cmpint(sd_bus_get_unique_name(f->service, &name), >=, 0);
        unsigned before = f->n_calls;
        pid_t pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                if (other_user &&
                    (setgroups(0, NULL) < 0 || setgid(OTHER_GID) < 0 || setuid(OTHER_UID) < 0))
                        _exit(1);
                sd_bus *bus = private_bus_connect(f->bus);
                for (unsigned i = 0; i < n; i++)
                        if (sd_bus_call_method_async(bus, NULL, name, "/who", "test.Who", "Hello",
                                                     NULL, NULL, NULL) < 0)
                                _exit(2);
                sd_bus_flush(bus);
                for (;;)
                        pause();
        }
        f->clients[f->n_clients++] = pid;
        g_assert_true(loop_until(&f->n_calls, before + n, 5000));
}

/* The bus has answered about `n` clients. */
static void await_answers(Fixture *f, unsigned n)
{
        g_assert_true(loop_until(&f->n_learned, n, 5000));
}

static const Credentials *get(Fixture *f)
{
        g_autoptr(GError) error = NULL;
        const Credentials *caller = callers_get(f->callers, f->last, &error);

        g_assert_no_error(error);
        g_assert_nonnull(caller);
        return caller;
}

/* A client of our own uid is known by it, once the bus has answered. */
FIXTURE_TEST(own_uid)
{
        add_client(f, 1, false);
        g_assert_null(callers_get(f->callers, f->last, NULL));
        await_answers(f, 1);
        g_assert_cmpuint(get(f)->uid, ==, geteuid());
        g_assert_false(get(f)->is_inside);
}

/* A client of another uid is known by that, with its groups and none of ours. */
FIXTURE_TEST(other_uid)
{
        if (geteuid() != 0) {
                g_test_skip("needs root to have another user");
                return;
        }
        add_client(f, 1, true);
        await_answers(f, 1);
        const Credentials *caller = get(f);
        g_assert_cmpuint(caller->uid, ==, OTHER_UID);
        g_assert_true(credentials_has_group(caller, OTHER_GID));
}

/* Two clients of different uids at once are not mixed up. */
FIXTURE_TEST(two)
{
        if (geteuid() != 0) {
                g_test_skip("needs root to have another user");
                return;
        }
        add_client(f, 1, true);
        g_autoptr(sd_bus_message) first = sd_bus_message_ref(f->last);
        add_client(f, 1, false);
        await_answers(f, 2);
        g_assert_cmpuint(get(f)->uid, ==, 0);
        g_assert_cmpuint(callers_get(f->callers, first, NULL)->uid, ==, OTHER_UID);
        g_assert_cmpuint(get(f)->uid, ==, 0);
}

/* The bus is asked once for each client, however many messages it sends. */
FIXTURE_TEST(asked_once)
{
        add_client(f, 50, false);
        await_answers(f, 1);
        add_client(f, 1, false);
        await_answers(f, 2);
        loop_for(50);
        g_assert_cmpuint(f->n_learned, ==, 2);
}

/* With a bus that hangs nobody waits: who is known is known, who is not is not. */
FIXTURE_TEST(bus_hangs)
{
        add_client(f, 1, false);
        await_answers(f, 1);
        private_bus_stop(f->bus);
        gint64 start = g_get_monotonic_time();
        for (int i = 0; i < 1000; i++)
                g_assert_cmpuint(get(f)->uid, ==, geteuid());
        g_assert_true(callers_ask(f->callers, ":1.77"));
        g_assert_null(callers_find(f->callers, ":1.77"));
        g_assert_cmpint(g_get_monotonic_time() - start, <, 1000000);
}

/* A client that left before the bus was asked is nobody: AccessDenied, not root. */
FIXTURE_TEST(gone)
{
        g_autoptr(GError) error = NULL;

        add_client(f, 1, false);
        await_answers(f, 1);
        end_clients(f);
        g_assert_true(loop_until(&f->n_left, 1, 5000));
        g_assert_true(callers_ask(f->callers, sd_bus_message_get_sender(f->last)));
        g_assert_true(loop_until(&f->n_unknown, 1, 5000));
        g_assert_null(callers_get(f->callers, f->last, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_ACCESS_DENIED);
}

/* A client is forgotten when it leaves, and that is told once. */
FIXTURE_TEST(forgotten)
{
        add_client(f, 3, false);
        await_answers(f, 1);
        get(f);
        end_clients(f);
        g_assert_true(loop_until(&f->n_left, 1, 5000));
        g_assert_null(callers_get(f->callers, f->last, NULL));
        loop_for(50);
        g_assert_cmpuint(f->n_left, ==, 1);
}

/* A bus that ends while it is asked makes nobody somebody. */
FIXTURE_TEST(bus_gone)
{
        private_bus_stop(f->bus);
        g_assert_true(callers_ask(f->callers, ":1.0"));
        private_bus_kill(f->bus);
        g_assert_true(loop_until(&f->n_unknown, 1, 5000));
        g_assert_null(callers_find(f->callers, ":1.0"));
        g_assert_false(callers_ask(f->callers, ":1.0"));
}

/* A message without a sender is nobody's. */
FIXTURE_TEST(no_sender)
{
        g_autoptr(sd_bus_message) message = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(
                sd_bus_message_new_method_call(f->service, &message, "a.b", "/a", "a.b", "C"), >=,
                0);
        g_assert_null(callers_get(f->callers, message, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_ACCESS_DENIED);
}

/* On a private connection the caller is the one peer, whatever a message says of its sender. */
FIXTURE_TEST(peer)
{
        gid_t groups[] = {7};
        const Credentials peer = {.uid = 1234, .groups = groups, .n_groups = 1};
        g_autoptr(Callers) callers = callers_new(f->service, NULL, &peer, NULL);
        g_autoptr(sd_bus_message) message = NULL;

        g_assert_cmpint(
                sd_bus_message_new_method_call(f->service, &message, "a.b", "/a", "a.b", "C"), >=,
                0);
        g_assert_cmpint(sd_bus_message_set_sender(message, ":1.0"), >=, 0);
        const Credentials *caller = callers_get(callers, message, NULL);
        groups[0] = 8; /* it keeps a copy */
        g_assert_cmpuint(caller->uid, ==, 1234);
        g_assert_true(credentials_has_group(caller, 7));
}

/* -- a bus that gives a pidfd, played by the other end of a private connection -- */

typedef struct Pidfd {
        sd_bus *ends[2];
        GSource *sources[2];
        int fd; /* owned */
        unsigned n_learned;
        bool is_inside;
} Pidfd;

static int give_pidfd(sd_bus_message *message, void *data, sd_bus_error *error)
{
        const Pidfd *pidfd = data;

        /* the number is of a process that is in no container */
        return sd_bus_reply_method_return(message, "a{sv}", 3, "UnixUserID", "u", 7u, "ProcessID",
                                          "u", (uint32_t) getpid(), "ProcessFD", "h", pidfd->fd);
}

static void on_pidfd(const char *name, const Credentials *credentials, void *data)
{
        Pidfd *pidfd = data;

        g_assert_nonnull(credentials);
        g_assert_cmpuint(credentials->uid, ==, 7);
        pidfd->is_inside = credentials->is_inside;
        pidfd->n_learned++;
}

static void open_ends(Pidfd *pidfd)
{
        sd_id128_t id;
        int fds[2];

        must(sd_id128_randomize(&id));
        g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==,
                        0);
        for (int i = 0; i < 2; i++) {
                must(sd_bus_new(&pidfd->ends[i]));
                must(sd_bus_set_fd(pidfd->ends[i], fds[i], fds[i]));
                must(sd_bus_negotiate_fds(pidfd->ends[i], true));
        }
        must(sd_bus_set_server(pidfd->ends[1], true, id));
        must(sd_bus_add_object(pidfd->ends[1], NULL, "/org/freedesktop/DBus", give_pidfd, pidfd));
        for (int i = 0; i < 2; i++) {
                must(sd_bus_start(pidfd->ends[i]));
                pidfd->sources[i] = bus_source_attach(pidfd->ends[i], NULL, NULL, NULL);
        }
}

/* Is the caller taken for one in a container, whose process the bus gives as `fd`? */
static bool is_inside_by(int fd)
{
        Pidfd pidfd = {.fd = fd};

        open_ends(&pidfd);
        PeerWatches *watches = peer_watches_new(pidfd.ends[0]);
        Callers *callers = callers_new(pidfd.ends[0], watches, NULL, NULL);
        callers_listen(callers, &(CallersEvents){on_pidfd, NULL, &pidfd});
        g_assert_true(callers_ask(callers, ":1.1"));
        g_assert_true(loop_until(&pidfd.n_learned, 1, 5000));
        callers_free(callers);
        peer_watches_free(watches);
        for (int i = 0; i < 2; i++) {
                g_source_destroy(pidfd.sources[i]);
                g_source_unref(pidfd.sources[i]);
                sd_bus_unref(pidfd.ends[i]);
        }
        fd_close(pidfd.fd);
        return pidfd.is_inside;
}

/* A pidfd from the bus decides, not the number beside it, which may be another process's. */
TEST(pidfd)
{
        g_assert_false(is_inside_by((int) syscall(SYS_pidfd_open, getpid(), 0)));

        pid_t child = fork();
        if (child == 0)
                _exit(0);
        int ended = (int) syscall(SYS_pidfd_open, child, 0);
        g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
        g_assert_true(is_inside_by(ended));

        int ends[2];
        g_assert_cmpint(pipe(ends), ==, 0);
        fd_close(ends[1]);
        g_assert_true(is_inside_by(ends[0]));
}
