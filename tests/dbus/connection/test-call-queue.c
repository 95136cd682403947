/* Whose call is next: users by what they cost, their clients in turn, a client's calls in order. */

#include "dbus/connection/call-queue.h"

#include "service/spec/limits.h"
#include "service/util/bus-auto.h"
#include "tests/lib/case.h"
#include "tests/lib/mute-bus.h"

enum { ALICE = 1001, BOB = 1002 };

typedef struct Fixture {
        sd_bus *bus; /* to nobody: a message belongs to one */
        CallQueue *queue;
        GString *order;
        unsigned n_refused;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        f->bus = mute_bus_new();
        f->queue = call_queue_new();
        f->order = g_string_new(NULL);
}

static void tear_down(Fixture *f, const void *unused)
{
        call_queue_free(f->queue);
        sd_bus_close_unref(f->bus);
        g_string_free(f->order, TRUE);
}

/* A call by `member`, a letter, of a client of a user; uid 0 is root, -1 a stranger. */
static bool push(Fixture *f, const char *sender, int uid, const char *member, size_t size)
{
        g_autoptr(sd_bus_message) message = NULL;
        const Credentials caller = {.uid = (uid_t) uid};

        g_assert_cmpint(
                sd_bus_message_new_method_call(f->bus, &message, "a.b", "/a", "a.b", member), >=,
                0);
        g_assert_cmpint(sd_bus_message_set_sender(message, sender), >=, 0);
        return call_queue_push(f->queue, message, uid == -1 ? NULL : &caller, size, 0);
}

/* Takes all that are due, each at this cost; the letters in their order. */
static const char *drain(Fixture *f, uint64_t usec)
{
        sd_bus_message *message;
        uid_t uid;

        g_string_truncate(f->order, 0);
        while ((message = call_queue_next(f->queue, &uid))) {
                g_string_append(f->order, sd_bus_message_get_member(message));
                call_queue_charge(f->queue, uid, usec);
                sd_bus_message_unref(message);
        }
        return f->order->str;
}

static void on_refused(sd_bus_message *message, void *data)
{
        ((Fixture *) data)->n_refused++;
}

/* A client's calls stay in their order. */
FIXTURE_TEST(in_order)
{
        push(f, ":1.1", ALICE, "A", 10);
        push(f, ":1.1", ALICE, "B", 10);
        push(f, ":1.1", ALICE, "C", 10);
        g_assert_cmpuint(call_queue_n_due(f->queue), ==, 1);
        g_assert_cmpstr(drain(f, 0), ==, "ABC");
        g_assert_true(call_queue_is_empty(f->queue));
}

/* The clients of one user take turns. */
FIXTURE_TEST(clients_take_turns)
{
        push(f, ":1.1", 0, "A", 10);
        push(f, ":1.1", 0, "B", 10);
        push(f, ":1.1", 0, "C", 10);
        push(f, ":1.2", 0, "X", 10);
        push(f, ":1.2", 0, "Y", 10);
        g_assert_cmpstr(drain(f, 0), ==, "AXBYC");
}

/* Users who cost the same take turns, however many calls one of them has; root has no better place.
 */
FIXTURE_TEST(users_take_turns)
{
        for (unsigned i = 0; i < 4; i++)
                push(f, ":1.1", 0, "R", 10);
        push(f, ":1.2", ALICE, "A", 10);
        push(f, ":1.2", ALICE, "A", 10);
        push(f, ":1.3", BOB, "B", 10);
        g_assert_cmpstr(drain(f, 0), ==, "RABRARR");
}

/* The user who has cost less is served first, until both have cost the same. */
FIXTURE_TEST(least_cost_first)
{
        call_queue_charge(f->queue, ALICE, G_USEC_PER_SEC * UINT64_C(1000));
        for (unsigned i = 0; i < 4; i++) {
                push(f, ":1.1", ALICE, "A", 10);
                push(f, ":1.2", BOB, "B", 10);
        }
        g_assert_cmpstr(drain(f, 1000), ==, "BBBBAAAA");
}

/* Dear calls of one user, cheap ones of another: time is what is shared, not the number of calls.
 */
FIXTURE_TEST(time_is_shared)
{
        sd_bus_message *message;
        uid_t uid;
        unsigned n_alice = 0, n_bob = 0;

        for (unsigned i = 0; i < 200; i++) {
                push(f, ":1.1", ALICE, "A", 10);
                push(f, ":1.2", BOB, "B", 10);
        }
        while (n_bob < 100 && (message = call_queue_next(f->queue, &uid))) {
                *(uid == ALICE ? &n_alice : &n_bob) += 1;
                call_queue_charge(f->queue, uid, uid == ALICE ? 10000000 : 1000000);
                sd_bus_message_unref(message);
        }
        g_assert_cmpuint(n_alice, <=, 20);
}

/* A cost is held against a user whose clients have left and come again. */
FIXTURE_TEST(cost_is_remembered)
{
        push(f, ":1.1", ALICE, "A", 10);
        drain(f, G_USEC_PER_SEC * UINT64_C(1000));
        push(f, ":1.9", ALICE, "A", 10);
        push(f, ":1.2", BOB, "B", 10);
        g_assert_cmpstr(drain(f, 1), ==, "BA");
}

/* A stranger's calls wait until it is known whose they are, and go on in their order. */
FIXTURE_TEST(stranger)
{
        const Credentials alice = {.uid = ALICE};

        push(f, ":1.1", -1, "A", 10);
        push(f, ":1.1", -1, "B", 10);
        g_assert_cmpuint(call_queue_n_due(f->queue), ==, 0);
        g_assert_cmpstr(drain(f, 0), ==, "");
        g_assert_false(call_queue_is_empty(f->queue));
        call_queue_meet(f->queue, ":1.1", &alice, on_refused, f);
        push(f, ":1.1", ALICE, "C", 10);
        g_assert_cmpstr(drain(f, 0), ==, "ABC");
        g_assert_cmpuint(f->n_refused, ==, 0);
}

/* Who is told of a stranger that no call waits of, changes nothing. */
FIXTURE_TEST(stranger_without_calls)
{
        const Credentials alice = {.uid = ALICE};

        call_queue_meet(f->queue, ":1.1", &alice, on_refused, f);
        call_queue_drop(f->queue, ":1.1", on_refused, f);
        g_assert_true(call_queue_is_empty(f->queue));
        g_assert_cmpuint(f->n_refused, ==, 0);
}

/* The calls of one client go, and no other's. */
FIXTURE_TEST(dropped)
{
        push(f, ":1.1", ALICE, "A", 10);
        push(f, ":1.2", ALICE, "B", 10);
        push(f, ":1.1", ALICE, "C", 10);
        push(f, ":1.3", -1, "D", 10);
        call_queue_drop(f->queue, ":1.1", NULL, NULL);
        call_queue_drop(f->queue, ":1.3", on_refused, f);
        g_assert_cmpuint(f->n_refused, ==, 1);
        g_assert_cmpstr(drain(f, 0), ==, "B");
        g_assert_true(call_queue_is_empty(f->queue));
}

/* So many calls of a user wait, not one more; another user's still do, and so again the user's when
 * one was served. */
FIXTURE_TEST(bounded_by_number)
{
        uid_t uid;

        for (unsigned i = 0; i < QUEUED_PER_UID_MAX; i++)
                g_assert_true(push(f, i % 2 ? ":1.1" : ":1.2", ALICE, "A", 10));
        g_assert_false(push(f, ":1.1", ALICE, "A", 10));
        g_assert_false(push(f, ":1.4", ALICE, "A", 10));
        g_assert_true(push(f, ":1.3", BOB, "B", 10));
        call_queue_charge(f->queue, BOB, G_USEC_PER_SEC);
        sd_bus_message_unref(call_queue_next(f->queue, &uid));
        g_assert_cmpuint(uid, ==, ALICE);
        g_assert_true(push(f, ":1.1", ALICE, "A", 10));
        g_assert_false(push(f, ":1.1", ALICE, "A", 10));
}

/* One call of any size waits; with others of the user only so many bytes do. */
FIXTURE_TEST(bounded_by_size)
{
        g_assert_true(push(f, ":1.1", ALICE, "A", QUEUED_BYTES_PER_UID_MAX + 1));
        g_assert_false(push(f, ":1.1", ALICE, "A", 10));
        call_queue_drop(f->queue, ":1.1", NULL, NULL);
        g_assert_true(push(f, ":1.2", BOB, "B", QUEUED_BYTES_PER_UID_MAX - 10));
        g_assert_true(push(f, ":1.2", BOB, "B", 10));
        g_assert_false(push(f, ":1.2", BOB, "B", 1));
}

/* When users have filled what there is for all, another one has still a little. */
FIXTURE_TEST(bounded_in_all)
{
        for (int uid = 2000; uid < 2004; uid++) {
                g_autofree char *sender = g_strdup_printf(":1.%d", uid);
                g_assert_true(push(f, sender, uid, "A", QUEUED_BYTES_MAX / 4));
        }
        g_assert_false(push(f, ":1.2000", 2000, "A", 10));
        g_assert_false(push(f, ":1.1", ALICE, "A", QUEUED_BYTES_ALWAYS + 1));
        g_assert_true(push(f, ":1.1", ALICE, "A", QUEUED_BYTES_ALWAYS - 10));
        g_assert_true(push(f, ":1.1", ALICE, "A", 10));
        g_assert_false(push(f, ":1.1", ALICE, "A", 1));
        call_queue_drop_all(f->queue, NULL, NULL);
        g_assert_true(push(f, ":1.1", ALICE, "A", QUEUED_BYTES_ALWAYS + 1));
}

/* A user's bounds hold for what its clients sent as strangers: what is too much is refused. */
FIXTURE_TEST(bounded_strangers)
{
        const Credentials alice = {.uid = ALICE};

        g_assert_true(push(f, ":1.1", -1, "A", QUEUED_BYTES_PER_UID_MAX));
        g_assert_true(push(f, ":1.2", -1, "B", QUEUED_BYTES_PER_UID_MAX));
        call_queue_meet(f->queue, ":1.1", &alice, on_refused, f);
        g_assert_cmpuint(f->n_refused, ==, 0);
        call_queue_meet(f->queue, ":1.2", &alice, on_refused, f);
        g_assert_cmpuint(f->n_refused, ==, 1);
        g_assert_cmpstr(drain(f, 0), ==, "A");
}

/* A user who has cost much rests after a call, if there are others; it is not held up otherwise. */
FIXTURE_TEST(rest)
{
        uint64_t now = (uint64_t) g_get_monotonic_time();

        g_assert_cmpuint(call_queue_due_at(f->queue), ==, UINT64_MAX);
        push(f, ":1.1", ALICE, "A", 10);
        call_queue_charge(f->queue, ALICE, G_USEC_PER_SEC * UINT64_C(1000));
        g_assert_cmpuint(call_queue_due_at(f->queue), ==, 0);
        call_queue_charge(f->queue, BOB, 1000);
        g_assert_cmpuint(call_queue_due_at(f->queue), >, now + G_USEC_PER_SEC * UINT64_C(2000));
        push(f, ":1.2", BOB, "B", 10);
        g_assert_cmpuint(call_queue_due_at(f->queue), ==, 0);
        g_assert_cmpstr(drain(f, 0), ==, "BA");
}
