#include "cli/naivec/variants.h"

#include <errno.h>
#include <string.h>

static int number_to_json(sd_bus_message *message, char type, Json *json)
{
        union {
                uint8_t y;
                int b, i;
                int16_t n;
                uint16_t q;
                uint32_t u;
                int64_t x;
                uint64_t t;
        } value = {0};
        int r = sd_bus_message_read_basic(message, type, &value);

        if (r < 0)
                return r;
        switch (type) {
        case 'b':
                json_bool(json, value.b);
                return 0;
        case 'n':
                json_signed(json, value.n);
                return 0;
        case 'i':
                json_signed(json, value.i);
                return 0;
        case 'x':
                json_signed(json, value.x);
                return 0;
        default:
                json_unsigned(json, type == 'y'   ? value.y
                                    : type == 'q' ? value.q
                                    : type == 'u' ? value.u
                                                  : value.t);
                return 0;
        }
}

static int basic_to_json(sd_bus_message *message, char type, Json *json)
{
        const char *text;
        int r;

        if (strchr("ynqiuxtb", type))
                return number_to_json(message, type, json);
        if (!strchr("sog", type))
                return -EBADMSG;
        r = sd_bus_message_read_basic(message, type, (void *) &text);
        if (r >= 0)
                json_string(json, text);
        return r;
}

static int bytes_to_json(sd_bus_message *message, Json *json)
{
        const void *bytes;
        size_t length;
        int r = sd_bus_message_read_array(message, 'y', &bytes, &length);

        if (r < 0)
                return r;
        g_autofree char *text = g_strndup(bytes, length);
        json_string(json, text);
        return 0;
}

static int entry_to_json(sd_bus_message *message, Json *json)
{
        const char *key;
        int r = sd_bus_message_read_basic(message, 's', (void *) &key);

        if (r < 0)
                return r;
        json_key(json, key);
        return variants_to_json(message, json);
}

/* The inside of a container that the message has entered. */
static int members_to_json(sd_bus_message *message, bool is_dictionary, Json *json)
{
        int r;

        while ((r = sd_bus_message_at_end(message, false)) == 0) {
                const char *contents;
                char type;
                r = is_dictionary ? sd_bus_message_peek_type(message, &type, &contents) : 0;
                if (r >= 0 && is_dictionary)
                        r = sd_bus_message_enter_container(message, 'e', contents);
                if (r >= 0)
                        r = is_dictionary ? entry_to_json(message, json)
                                          : variants_to_json(message, json);
                if (r >= 0 && is_dictionary)
                        r = sd_bus_message_exit_container(message);
                if (r < 0)
                        return r;
        }
        return r;
}

int variants_to_json(sd_bus_message *message, Json *json)
{
        const char *contents;
        char type;
        int r = sd_bus_message_peek_type(message, &type, &contents);

        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (!contents)
                return basic_to_json(message, type, json);
        if (type == 'a' && strcmp(contents, "y") == 0)
                return bytes_to_json(message, json);
        bool is_dictionary = type == 'a' && contents[0] == '{';
        if ((r = sd_bus_message_enter_container(message, type, contents)) < 0)
                return r;
        if (type == 'v') {
                r = variants_to_json(message, json);
        } else {
                json_open(json, is_dictionary ? '{' : '[');
                r = members_to_json(message, is_dictionary, json);
                json_close(json, is_dictionary ? '}' : ']');
        }
        return r < 0 ? r : sd_bus_message_exit_container(message);
}

static int find_number(sd_bus_message *reply, const char *wanted, uint64_t *ret)
{
        const char *key, *contents;
        int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                if ((r = sd_bus_message_read_basic(reply, 's', (void *) &key)) < 0 ||
                    (r = sd_bus_message_peek_type(reply, NULL, &contents)) < 0)
                        return r;
                if (strcmp(key, wanted) == 0 && strcmp(contents, "t") == 0)
                        return sd_bus_message_read(reply, "v", "t", ret);
                if ((r = sd_bus_message_skip(reply, "v")) >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r;
}

bool variants_number(sd_bus_message *reply, const char *key, uint64_t *ret)
{
        sd_bus_message_rewind(reply, true);
        int r = find_number(reply, key, ret);
        sd_bus_message_rewind(reply, true);
        return r > 0;
}
