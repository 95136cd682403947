#include "dbus/line/weight.h"

#include <stdbool.h>

#include "service/util/bus-auto.h"
#include "tests/lib/case.h"
#include "tests/lib/must.h"
#include "tests/lib/mute-bus.h"

#define MOST (1u << 20)

typedef struct Fixture {
        sd_bus *bus; /* never served: a message needs one to belong to */
        sd_bus_message *message;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        f->bus = mute_bus_new();
        must(sd_bus_message_new_method_call(f->bus, &f->message, "a.b", "/a", "a.b", "Spawn"));
}

static void tear_down(Fixture *f, const void *unused)
{
        sd_bus_message_unref(f->message);
        sd_bus_unref(f->bus);
}

static size_t weigh(Fixture *f, size_t most)
{
        must(sd_bus_message_seal(f->message, 1, 0));
        return weight_of_message(f->message, most);
}

/* All that a Spawn is made of counts with its bytes, and the message can be read afterwards. */
FIXTURE_TEST(of_a_spawn)
{
        g_autofree char *bytes = g_malloc0(5000);
        const char *text;

        must(sd_bus_message_append(f->message, "s", "/tmp/rootfs"));
        must(sd_bus_message_append_array(f->message, 'y', bytes, 5000));
        must(sd_bus_message_append(f->message, "as", 2, "/bin/sh", "-c"));
        must(sd_bus_message_append(f->message, "a{sv}", 2, "MemoryMax", "t", UINT64_C(1), "Id", "s",
                                   "web"));
        must(sd_bus_message_append(f->message, "(yb)", 1, true));
        size_t weight = weigh(f, MOST);
        g_assert_cmpuint(weight, >, 5000);
        g_assert_cmpuint(weight, <, 8000);
        must(sd_bus_message_read(f->message, "s", &text));
        g_assert_cmpstr(text, ==, "/tmp/rootfs");
}

/* A message without arguments weighs nothing. */
FIXTURE_TEST(of_nothing)
{
        g_assert_cmpuint(weigh(f, MOST), ==, 0);
}

/* What is larger than is asked about is known to be larger. */
FIXTURE_TEST(of_much)
{
        g_autofree char *bytes = g_malloc0(5000);

        must(sd_bus_message_append_array(f->message, 'y', bytes, 5000));
        g_assert_cmpuint(weigh(f, 4999), ==, 5000);
}

/* Millions of empty strings cost no time: the look ends soon. */
FIXTURE_TEST(of_many)
{
        must(sd_bus_message_open_container(f->message, 'a', "s"));
        for (unsigned i = 0; i < 4000000; i++)
                must(sd_bus_message_append_basic(f->message, 's', ""));
        must(sd_bus_message_close_container(f->message));
        must(sd_bus_message_seal(f->message, 1, 0));
        gint64 before = g_get_monotonic_time();
        g_assert_cmpuint(weight_of_message(f->message, MOST), >, MOST);
        g_assert_cmpint(g_get_monotonic_time() - before, <, G_USEC_PER_SEC / 5);
}
