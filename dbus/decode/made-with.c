#include "dbus/decode/made-with.h"

#include <string.h>

#include "dbus/decode/values.h"
#include "service/spec/limits.h"

/* What was read so far, and the names of what is not kept. */
typedef struct MadeWith {
        GVariantDict dict;
        GVariantBuilder omitted; /* as */
        bool has_omitted;
        size_t left;
} MadeWith;

/* `value` is consumed, NULL: it did not fit in. */
static void add(MadeWith *made, const char *key, GVariant *value)
{
        if (value) {
                g_variant_dict_insert_value(&made->dict, key, value);
                g_variant_unref(value);
                return;
        }
        g_variant_builder_add(&made->omitted, "s", key);
        made->has_omitted = true;
}

static void add_bytes(MadeWith *made, const char *key, const char *text)
{
        size_t size = strlen(text);

        made->left -= size; /* a path is always kept: it is at most 4095 bytes */
        add(made, key,
            g_variant_ref_sink(g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, text, size, 1)));
}

/* As values.c would read it, an `aay` in the message; of Run it is an `as`. */
static void add_argv(MadeWith *made, char *const *argv)
{
        size_t size = 0;
        GVariantBuilder builder;

        for (char *const *word = argv; *word; word++)
                size += strlen(*word) + sizeof(uint64_t);
        if (size > made->left) {
                add(made, "argv", NULL);
                return;
        }
        made->left -= size;
        g_variant_builder_init(&builder, G_VARIANT_TYPE("aay"));
        for (; *argv; argv++)
                g_variant_builder_add_value(
                        &builder,
                        g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, *argv, strlen(*argv), 1));
        add(made, "argv", g_variant_ref_sink(g_variant_builder_end(&builder)));
}

static void add_fds(MadeWith *made, const Order *order)
{
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("au"));
        for (size_t i = 0; i < order->n_fds; i++)
                g_variant_builder_add(&builder, "u", (guint32) order->fds[i].target);
        add(made, "fds", g_variant_ref_sink(g_variant_builder_end(&builder)));
}

static int read_option(sd_bus_message *message, MadeWith *made)
{
        const char *key, *contents;
        g_autoptr(GVariant) value = NULL;
        size_t left = made->left;
        int r = sd_bus_message_read_basic(message, 's', &key);

        if (r >= 0)
                r = sd_bus_message_peek_type(message, NULL, &contents);
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'v', contents);
        if (r >= 0)
                r = value_read(message, &left, &value);
        if (r < 0)
                return r;
        if (value)
                made->left = left;
        add(made, key, g_steal_pointer(&value));
        return sd_bus_message_exit_container(message);
}

static int read_options(sd_bus_message *message, MadeWith *made)
{
        int r = sd_bus_message_rewind(message, true);

        if (r >= 0)
                r = sd_bus_message_skip(message, "ayaaya{uh}");
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0)
                if ((r = read_option(message, made)) >= 0)
                        r = sd_bus_message_exit_container(message);
        return r;
}

/* What the call has left to the service. */
static void add_settled(MadeWith *made, const Order *order)
{
        const Resources *resources = &order->resources;

        if (!g_variant_dict_contains(&made->dict, "MemoryMax") &&
            resources->memory_max != UINT64_MAX) /* of Run */
                g_variant_dict_insert(&made->dict, "MemoryMax", "t", resources->memory_max);
        if (!g_variant_dict_contains(&made->dict, "TasksMax"))
                g_variant_dict_insert(&made->dict, "TasksMax", "t", resources->tasks_max);
        if (!g_variant_dict_contains(&made->dict, "UserNamespace"))
                g_variant_dict_insert(&made->dict, "UserNamespace", "s",
                                      order->tree.user_namespace == USER_NAMESPACE_SELF ? "self"
                                                                                        : "auto");
}

GVariant *made_with_read(sd_bus_message *message, const Order *order)
{
        MadeWith made = {.left = MADE_WITH_BYTES_MAX};

        g_variant_dict_init(&made.dict, NULL);
        g_variant_builder_init(&made.omitted, G_VARIANT_TYPE_STRING_ARRAY);
        add_bytes(&made, "rootfs", order->tree.rootfs);
        add_argv(&made, order->process.argv);
        add_fds(&made, order);
        int r = sd_bus_message_has_signature(message, "ayaaya{uh}a{sv}") > 0
                        ? read_options(message, &made)
                        : 0;
        add_settled(&made, order);
        GVariant *omitted = g_variant_ref_sink(g_variant_builder_end(&made.omitted));
        if (made.has_omitted)
                g_variant_dict_insert_value(&made.dict, "Omitted", omitted);
        g_variant_unref(omitted);
        GVariant *all = g_variant_ref_sink(g_variant_dict_end(&made.dict));
        if (r < 0)
                g_clear_pointer(&all, g_variant_unref);
        return all;
}

static int append_entry(sd_bus_message *reply, const char *key, GVariant *value)
{
        const char *type = g_variant_get_type_string(value);
        int r = sd_bus_message_open_container(reply, 'e', "sv");

        if (r >= 0)
                r = sd_bus_message_append_basic(reply, 's', key);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', type);
        if (r >= 0)
                r = value_append(reply, value);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int made_with_append(sd_bus_message *reply, GVariant *made_with, const char *id)
{
        static const char *const named[] = {"Id", "Hostname"};
        GVariantIter iterator;
        const char *key;
        GVariant *value;
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        g_variant_iter_init(&iterator, made_with);
        while (g_variant_iter_loop(&iterator, "{&sv}", &key, &value))
                if (r >= 0)
                        r = append_entry(reply, key, value);
        for (size_t i = 0; i < G_N_ELEMENTS(named) && r >= 0; i++) {
                g_autoptr(GVariant) said = g_variant_lookup_value(made_with, named[i], NULL);
                if (!said)
                        r = sd_bus_message_append(reply, "{sv}", named[i], "s", id);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}
