/* What a call has said, kept and told again: a message made as a client would, and a reply that is
 * read as a client would. */

#include "dbus/decode/made-with.h"

#include <string.h>

#include "dbus/decode/values.h"
#include "service/spec/limits.h"
#include "service/util/bus-auto.h"
#include "tests/lib/case.h"
#include "tests/lib/must.h"
#include "tests/lib/mute-bus.h"

typedef struct Fixture {
        sd_bus *bus; /* never served: a message needs one to belong to */
        sd_bus_message *message, *reply;
        Order *order;
        GVariant *made;
} Fixture;

static sd_bus_message *message_new(const Fixture *f)
{
        sd_bus_message *message = NULL;

        must(sd_bus_message_new_method_call(f->bus, &message, "a.b", "/a", "a.b", "Spawn"));
        return message;
}

static char *words[] = {(char *) "/bin/echo", (char *) "a\xff", (char *) "", NULL};

static void set_up(Fixture *f, const void *unused)
{
        f->bus = mute_bus_new();
        f->message = message_new(f);
        f->reply = message_new(f);
        f->order = order_new();
        f->order->tree.rootfs = g_strdup("/tree\xff");
        f->order->process.argv =
                g_memdup2(words, sizeof words); /* in one block, with the strings */
}

static void tear_down(Fixture *f, const void *unused)
{
        sd_bus_message_unref(f->message);
        sd_bus_message_unref(f->reply);
        sd_bus_close_unref(f->bus);
        order_free(f->order);
        g_clear_pointer(&f->made, g_variant_unref);
}

static void seal(sd_bus_message *message)
{
        must(sd_bus_message_seal(message, 1, 0));
        must(sd_bus_message_rewind(message, true));
}

static void up_to_options(Fixture *f)
{
        must(sd_bus_message_append_array(f->message, 'y', "/x", 2));
        must(sd_bus_message_append(f->message, "aaya{uh}", 0, 0));
        must(sd_bus_message_open_container(f->message, 'a', "{sv}"));
}

static void keep(Fixture *f)
{
        must(sd_bus_message_close_container(f->message));
        seal(f->message);
        f->made = made_with_read(f->message, f->order);
        g_assert_nonnull(f->made);
        g_assert_true(g_variant_is_of_type(f->made, G_VARIANT_TYPE_VARDICT));
}

static void assert_value(const Fixture *f, const char *key, const char *text)
{
        g_autoptr(GVariant) value = g_variant_lookup_value(f->made, key, NULL);

        g_assert_nonnull(value);
        g_autofree char *printed = g_variant_print(value, true);
        g_assert_cmpstr(printed, ==, text);
}

/* Each type that an option has or may get, and a descriptor, which is only told to have been there.
 */
FIXTURE_TEST(types)
{
        up_to_options(f);
        must(sd_bus_message_append(f->message, "{sv}", "b", "b", 1));
        must(sd_bus_message_append(f->message, "{sv}", "t", "t", UINT64_MAX));
        must(sd_bus_message_append(f->message, "{sv}", "i", "i", -7));
        must(sd_bus_message_append(f->message, "{sv}", "s", "s", "text"));
        must(sd_bus_message_append(f->message, "{sv}", "pair", "(tt)", UINT64_C(1), UINT64_C(2)));
        must(sd_bus_message_append(f->message, "{sv}", "au", "au", 2, 5u, 6u));
        must(sd_bus_message_append(f->message, "{sv}", "as", "as", 0));
        must(sd_bus_message_append(f->message, "{sv}", "ss", "a{ss}", 1, "k", "v"));
        must(sd_bus_message_append(f->message, "{sv}", "mounts", "a(ayaysas)", 1, 1, '/', 2, '/',
                                   0xff, "bind", 1, "ro"));
        must(sd_bus_message_append(f->message, "{sv}", "h", "h", 0));
        must(sd_bus_message_append(f->message, "{sv}", "fds", "a{uh}", 1, 3u, 0));
        keep(f);
        assert_value(f, "b", "true");
        assert_value(f, "t", "uint64 18446744073709551615");
        assert_value(f, "i", "-7");
        assert_value(f, "s", "'text'");
        assert_value(f, "pair", "(uint64 1, uint64 2)");
        assert_value(f, "au", "[uint32 5, 6]");
        assert_value(f, "as", "@as []");
        assert_value(f, "ss", "{'k': 'v'}");
        assert_value(f, "mounts", "[([byte 0x2f], [byte 0x2f, 0xff], 'bind', ['ro'])]");
        assert_value(f, "h", "true");
        assert_value(f, "fds", "{uint32 3: true}");
}

/* The tree and the command are those of the order; what the call left open is as it was settled. */
FIXTURE_TEST(of_the_order)
{
        order_add_fd(f->order, -1, 7);
        up_to_options(f);
        keep(f);
        assert_value(f, "rootfs", "[byte 0x2f, 0x74, 0x72, 0x65, 0x65, 0xff]");
        g_autoptr(GVariant) argv = g_variant_lookup_value(f->made, "argv", G_VARIANT_TYPE("aay"));
        g_assert_cmpuint(g_variant_n_children(argv), ==, 3);
        assert_value(f, "fds", "[uint32 7]");
        assert_value(f, "TasksMax", "uint64 4096");
        assert_value(f, "UserNamespace", "'auto'");
        g_assert_false(g_variant_lookup(f->made, "Omitted", "as", NULL));
        g_assert_false(g_variant_lookup(f->made, "MemoryMax", "t", NULL));
}

/* A call of Run has no options; its limit stands under the name of the option. */
FIXTURE_TEST(run)
{
        f->order->resources.memory_max = 4096;
        must(sd_bus_message_append(f->message, "stas", "/x", UINT64_C(4096), 1, "true"));
        seal(f->message);
        f->made = made_with_read(f->message, f->order);
        assert_value(f, "MemoryMax", "uint64 4096");
}

static void append_words(sd_bus_message *message, const char *key, unsigned n)
{
        must(sd_bus_message_open_container(message, 'e', "sv"));
        must(sd_bus_message_append(message, "s", key));
        must(sd_bus_message_open_container(message, 'v', "aay"));
        must(sd_bus_message_open_container(message, 'a', "ay"));
        for (unsigned i = 0; i < n; i++)
                must(sd_bus_message_append_array(message, 'y', "A=b", 3));
        for (int i = 0; i < 3; i++)
                must(sd_bus_message_close_container(message));
}

/* What is too much is named, and what follows it is read all the same, as far as it fits. */
FIXTURE_TEST(too_much)
{
        g_autofree char *text = g_strnfill(MADE_WITH_BYTES_MAX, 'x');

        up_to_options(f);
        must(sd_bus_message_append(f->message, "{sv}", "Id", "s", "web"));
        append_words(f->message, "Environment", 100000);
        must(sd_bus_message_append(f->message, "{sv}", "Hostname", "s", text));
        must(sd_bus_message_append(f->message, "{sv}", "Remove", "b", 1));
        keep(f);
        assert_value(f, "Id", "'web'");
        assert_value(f, "Remove", "true");
        assert_value(f, "Omitted", "['Environment', 'Hostname']");
        g_assert_cmpuint(g_variant_get_size(f->made), <, 2 * MADE_WITH_BYTES_MAX);
}

/* A command that is too large is named like an option. */
FIXTURE_TEST(large_command)
{
        g_autofree char *word = g_strnfill(MADE_WITH_BYTES_MAX, 'x');
        char *argv[] = {word, NULL};

        g_free(f->order->process.argv);
        f->order->process.argv = g_memdup2(argv, sizeof argv);
        up_to_options(f);
        keep(f);
        assert_value(f, "Omitted", "['argv']");
}

/* What is told is what was kept, byte by byte, with the container's name where none was given; also
 * after a way through memory, as a record has it. */
FIXTURE_TEST(told)
{
        const char *id, *host;
        g_autoptr(GVariant) again = NULL;
        size_t left = SIZE_MAX;

        up_to_options(f);
        must(sd_bus_message_append(f->message, "{sv}", "pair", "(tt)", UINT64_C(1), UINT64_C(2)));
        must(sd_bus_message_append(f->message, "{sv}", "mounts", "a(ayaysas)", 1, 1, '/', 2, '/',
                                   0xff, "bind", 1, "ro"));
        must(sd_bus_message_append(f->message, "{sv}", "b", "b", 1));
        must(sd_bus_message_append(f->message, "{sv}", "ss", "a{ss}", 1, "k", "v"));
        must(sd_bus_message_append(f->message, "{sv}", "Hostname", "s", "host"));
        keep(f);
        g_autoptr(GBytes) bytes = g_variant_get_data_as_bytes(f->made);
        g_autoptr(GVariant) kept =
                g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_VARDICT, bytes, false));
        must(made_with_append(f->reply, kept, "container-1"));
        seal(f->reply);
        g_assert_cmpint(value_read(f->reply, &left, &again), >=, 0);
        for (gsize i = 0; i < g_variant_n_children(f->made); i++) {
                const char *key;
                g_autoptr(GVariant) value = NULL;
                g_variant_get_child(f->made, i, "{&sv}", &key, &value);
                g_autoptr(GVariant) there = g_variant_lookup_value(again, key, NULL);
                g_assert_true(g_variant_equal(value, there));
        }
        g_assert_true(g_variant_lookup(again, "Id", "&s", &id));
        g_assert_cmpstr(id, ==, "container-1");
        g_assert_true(g_variant_lookup(again, "Hostname", "&s", &host));
        g_assert_cmpstr(host, ==, "host");
}
