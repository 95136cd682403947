#include "dbus/decode/values.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define OVERHEAD 8u /* of a value, about: what a container of values spends on each */

typedef union Number {
        uint8_t y;
        int16_t n;
        uint16_t q;
        int32_t i, b;
        uint32_t u;
        int64_t x;
        uint64_t t;
        double d;
        const char *s;
} Number;

static size_t size_of(char type)
{
        static const char types[] = "ynqiuxtd";
        static const size_t sizes[] = {1, 2, 2, 4, 4, 8, 8, 8};
        const char *found = type ? strchr(types, type) : NULL;

        return found ? sizes[found - types] : 0;
}

/* False: it does not fit in. */
static bool charge(size_t *left, size_t size)
{
        bool fits = *left >= size + OVERHEAD;

        *left -= fits ? size + OVERHEAD : 0;
        return fits;
}

static GVariant *number_new(char type, const Number *number)
{
        const char name[] = {type, '\0'};
        g_autoptr(GBytes) bytes = g_bytes_new(number, size_of(type));

        return g_variant_new_from_bytes(G_VARIANT_TYPE(name), bytes, true);
}

static int read_basic(sd_bus_message *message, char type, size_t *left, GVariant **ret)
{
        bool is_text = strchr("sog", type);
        Number number = {0};
        int r = sd_bus_message_read_basic(message, type, &number);

        if (r < 0)
                return r;
        if (!charge(left, is_text ? strlen(number.s) : sizeof number))
                return r;
        if (is_text)
                *ret = g_variant_ref_sink(g_variant_new_string(number.s));
        else if (type == 'h' || type == 'b')
                *ret = g_variant_ref_sink(g_variant_new_boolean(type == 'h' || number.b));
        else if (size_of(type) > 0)
                *ret = g_variant_ref_sink(number_new(type, &number));
        else
                return -EBADMSG;
        return r;
}

static int read_bytes(sd_bus_message *message, size_t *left, GVariant **ret)
{
        const void *bytes;
        size_t size;
        int r = sd_bus_message_read_array(message, 'y', &bytes, &size);

        if (r < 0)
                return r;
        if (charge(left, size))
                *ret = g_variant_ref_sink(
                        g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes, size, 1));
        return r;
}

static char *name_type(char type, const char *contents)
{
        const char *head = type == 'r' ? "(" : type == 'e' ? "{" : "a";
        const char *tail = type == 'r' ? ")" : type == 'e' ? "}" : "";
        char *name = type == 'v' ? g_strdup("v") : g_strconcat(head, contents, tail, NULL);

        return g_strdelimit(name, "h", 'b');
}

/* What does not fit in is skipped, member by member: a container is left at its end alone. */
static int read_members(sd_bus_message *message, size_t *left, GVariantBuilder *builder,
                        bool *ret_fits)
{
        int r;

        *ret_fits = true;
        while ((r = sd_bus_message_at_end(message, false)) == 0) {
                g_autoptr(GVariant) member = NULL;
                r = *ret_fits ? value_read(message, left, &member)
                              : sd_bus_message_skip(message, NULL);
                if (r < 0)
                        return r;
                if (member)
                        g_variant_builder_add_value(builder, member);
                *ret_fits = *ret_fits && member;
        }
        return r;
}

static int read_container(sd_bus_message *message, char type, const char *contents, size_t *left,
                          GVariant **ret)
{
        g_autofree char *name = name_type(type, contents);
        GVariantBuilder builder;
        bool fits = false;
        int r = sd_bus_message_enter_container(message, type, contents);

        if (r < 0)
                return r;
        g_variant_builder_init(&builder, G_VARIANT_TYPE(name));
        r = read_members(message, left, &builder, &fits);
        if (r >= 0)
                r = sd_bus_message_exit_container(message);
        if (r >= 0 && fits && charge(left, 0))
                *ret = g_variant_ref_sink(g_variant_builder_end(&builder));
        else
                g_variant_builder_clear(&builder);
        return r;
}

int value_read(sd_bus_message *message, size_t *left, GVariant **ret)
{
        const char *contents;
        char type;
        int r = sd_bus_message_peek_type(message, &type, &contents);

        *ret = NULL;
        if (r <= 0)
                return r < 0 ? r : -ENXIO;
        if (!contents)
                return read_basic(message, type, left, ret);
        if (type == 'a' && strcmp(contents, "y") == 0)
                return read_bytes(message, left, ret);
        return read_container(message, type, contents, left, ret);
}

static int append_basic(sd_bus_message *message, char type, GVariant *value)
{
        Number number = {0};

        if (type == 'b')
                number.b = g_variant_get_boolean(value);
        else if (size_of(type) == 0)
                return sd_bus_message_append_basic(message, type,
                                                   g_variant_get_string(value, NULL));
        else
                memcpy(&number, g_variant_get_data(value), size_of(type));
        return sd_bus_message_append_basic(message, type, &number);
}

static int append_members(sd_bus_message *message, GVariant *value)
{
        int r = 0;

        for (gsize i = 0; i < g_variant_n_children(value) && r >= 0; i++) {
                g_autoptr(GVariant) member = g_variant_get_child_value(value, i);
                r = value_append(message, member);
        }
        return r < 0 ? r : sd_bus_message_close_container(message);
}

int value_append(sd_bus_message *message, GVariant *value)
{
        const char *type = g_variant_get_type_string(value);
        g_autofree char *contents = NULL;
        int r;

        if (strcmp(type, "ay") == 0)
                return sd_bus_message_append_array(message, 'y', g_variant_get_data(value),
                                                   g_variant_get_size(value));
        if (!g_variant_is_container(value))
                return append_basic(message, type[0], value);
        if (type[0] == 'v') {
                g_autoptr(GVariant) inside = g_variant_get_variant(value);
                contents = g_strdup(g_variant_get_type_string(inside));
        } else if (type[0] == 'a')
                contents = g_strdup(type + 1);
        else
                contents = g_strndup(type + 1, strlen(type) - 2);
        r = sd_bus_message_open_container(message,
                                          type[0] == '('   ? 'r'
                                          : type[0] == '{' ? 'e'
                                                           : type[0],
                                          contents);
        return r < 0 ? r : append_members(message, value);
}
