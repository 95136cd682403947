#include "dbus/line/weight.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What looking at a value costs, in the currency of bytes: it bounds how long the look may take. */
#define VALUE_WEIGHT 64u

typedef struct Weight {
        size_t bytes, most;
} Weight;

static int weigh_values(sd_bus_message *message, Weight *weight);

static int weigh_basic(sd_bus_message *message, char type, Weight *weight)
{
        union {
                const char *text;
                uint64_t number;
        } value;
        int r = sd_bus_message_read_basic(message, type, &value);

        if (r > 0 && strchr("sog", type))
                weight->bytes += strlen(value.text);
        return r;
}

static int weigh_container(sd_bus_message *message, char type, const char *contents, Weight *weight)
{
        int r = sd_bus_message_enter_container(message, type, contents);

        if (r > 0 && (r = weigh_values(message, weight)) >= 0)
                r = sd_bus_message_exit_container(message);
        return r;
}

static int weigh_bytes(sd_bus_message *message, Weight *weight)
{
        const void *bytes;
        size_t size;
        int r = sd_bus_message_read_array(message, 'y', &bytes, &size);

        if (r > 0)
                weight->bytes += size;
        return r;
}

static int weigh_values(sd_bus_message *message, Weight *weight)
{
        const char *contents;
        char type;
        int r = 0;

        while (weight->bytes <= weight->most &&
               (r = sd_bus_message_peek_type(message, &type, &contents)) > 0) {
                weight->bytes += VALUE_WEIGHT;
                if (type == 'a' && strcmp(contents, "y") == 0)
                        r = weigh_bytes(message, weight);
                else if (strchr("arev", type))
                        r = weigh_container(message, type, contents, weight);
                else
                        r = weigh_basic(message, type, weight);
                if (r < 0)
                        break;
        }
        return weight->bytes > weight->most ? -1 : r;
}

size_t weight_of_message(sd_bus_message *message, size_t most)
{
        Weight weight = {.most = most};

        sd_bus_message_rewind(message, true);
        int r = weigh_values(message, &weight);
        sd_bus_message_rewind(message, true);
        return r < 0 ? most + 1 : weight.bytes;
}
