#include "cli/lib/properties.h"

#include <string.h>

#include "dbus/names.h"

/* A property of a basic type or a list of strings. `text` points into the reply. */
typedef struct {
        const char *name;
        char type; /* 'a': as */
        const char *text;
        char **strings;  /* owned */
        uint64_t number; /* a value of type u, t or b; of type i, sign-extended */
} Property;

static int read_value(sd_bus_message *reply, char type, Property *property)
{
        uint32_t u = 0;
        int32_t i = 0;
        int r;

        switch (type) {
        case 'a':
                r = sd_bus_message_read_strv(reply, &property->strings);
                if (r >= 0 && !property->strings)
                        property->strings = g_new0(char *, 1);
                return r;
        case 's':
        case 'o':
                return sd_bus_message_read_basic(reply, type, (void *) &property->text);
        case 't':
                return sd_bus_message_read_basic(reply, type, &property->number);
        case 'u':
                r = sd_bus_message_read_basic(reply, type, &u);
                property->number = u;
                return r;
        case 'i':
        case 'b':
                r = sd_bus_message_read_basic(reply, type, &i);
                property->number = (uint64_t) (int64_t) i;
                return r;
        default:
                return -EBADMSG;
        }
}

static void property_clear(void *data)
{
        g_strfreev(((Property *) data)->strings);
}

/* Adds the next property if its type is known. A newer service may have properties of other types.
 */
static int read_property(sd_bus_message *reply, GArray *properties)
{
        Property property = {0};
        const char *contents;
        int r = sd_bus_message_read(reply, "s", &property.name);

        if (r >= 0)
                r = sd_bus_message_peek_type(reply, NULL, &contents);
        if (r < 0)
                return r;
        property.type = contents[0];
        if (strcmp(contents, "as") != 0 && (contents[1] || !strchr("sotuib", property.type)))
                return sd_bus_message_skip(reply, "v");
        r = sd_bus_message_enter_container(reply, 'v', contents);
        if (r >= 0)
                r = read_value(reply, property.type, &property);
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                g_array_append_val(properties, property);
        return r;
}

static int read_properties(sd_bus_message *reply, GArray *properties)
{
        int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                r = read_property(reply, properties);
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

int properties_fetch(Properties *properties, Client *client, const char *path, sd_bus_error *error)
{
        g_autoptr(sd_bus_message) call = NULL;
        int r = client_new_call(client, path, "org.freedesktop.DBus.Properties", "GetAll", &call);

        *properties = (Properties){.list = g_array_new(FALSE, FALSE, sizeof(Property))};
        g_array_set_clear_func(properties->list, property_clear);
        if (r >= 0)
                r = sd_bus_message_append(call, "s", INTERFACE_CONTAINER);
        if (r < 0)
                return sd_bus_error_set_errno(error, r);
        r = client_call(client, call, 0, error, &properties->reply);
        if (r < 0)
                return r;
        r = read_properties(properties->reply, properties->list);
        return r < 0 ? sd_bus_error_set_errno(error, r) : 0;
}

void properties_clear(Properties *properties)
{
        g_clear_pointer(&properties->list, g_array_unref);
        properties->reply = sd_bus_message_unref(properties->reply);
}

static const Property *find(const Properties *properties, const char *name)
{
        static const Property none;

        for (unsigned i = 0; i < properties->list->len; i++)
                if (!strcmp(g_array_index(properties->list, Property, i).name, name))
                        return &g_array_index(properties->list, Property, i);
        return &none;
}

const char *properties_text(const Properties *properties, const char *name)
{
        const Property *property = find(properties, name);

        return property->text ? property->text : "";
}

uint64_t properties_number(const Properties *properties, const char *name)
{
        return find(properties, name)->number;
}

char *properties_line(const Properties *properties, const char *name)
{
        const Property *property = find(properties, name);

        return property->strings ? g_strjoinv(" ", property->strings) : g_strdup("");
}

static void strings_to_json(char *const *strings, Json *json)
{
        json_open(json, '[');
        for (; *strings; strings++)
                json_string(json, *strings);
        json_close(json, ']');
}

void properties_to_json(const Properties *properties, Json *json)
{
        json_open(json, '{');
        properties_members_to_json(properties, json);
        json_close(json, '}');
}

void properties_members_to_json(const Properties *properties, Json *json)
{
        for (unsigned i = 0; i < properties->list->len; i++) {
                const Property *property = &g_array_index(properties->list, Property, i);

                json_key(json, property->name);
                if (property->text)
                        json_string(json, property->text);
                else if (property->strings)
                        strings_to_json(property->strings, json);
                else if (property->type == 'i')
                        json_signed(json, (int64_t) property->number);
                else if (property->type == 'b')
                        json_bool(json, property->number);
                else
                        json_unsigned(json, property->number);
        }
}
