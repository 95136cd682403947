#include "dbus/decode/spec-decode.h"

#include <string.h>

#include "dbus/decode/arguments.h"
#include "dbus/decode/decoders.h"
#include "dbus/decode/fds-decode.h"
#include "service/spec/error.h"

typedef struct OptionDecoder {
        const char *key, *signature;
        bool (*decode)(sd_bus_message *, Order *, GError **);
} OptionDecoder;

#define X(Key, signature, flag, metavar, help) {#Key, signature, decode_##Key},
static const OptionDecoder spawn_options[] = {SPAWN_OPTIONS(X)};
static const OptionDecoder exec_options[] = {EXEC_OPTIONS(X)};
#undef X

#define X(Key, signature) {#Key, signature, decode_##Key},
static const OptionDecoder update_options[] = {UPDATE_OPTIONS(X)};
static const OptionDecoder exec_update_options[] = {X(WatchBus, "b")};
#undef X

enum { N_DECODERS = G_N_ELEMENTS(spawn_options) };

/* The options that a method takes, and those of them that were seen in its message. */
typedef struct OptionReader {
        const OptionDecoder *decoders;
        size_t n;
        bool seen[N_DECODERS];
} OptionReader;

static bool read_value(sd_bus_message *message, const OptionDecoder *option, Order *order,
                       GError **error)
{
        const char *contents;
        char type;
        int r = sd_bus_message_peek_type(message, &type, &contents);

        if (r < 0)
                return arguments_malformed(error, r, "options");
        if (strcmp(contents, option->signature) != 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "option %s has type '%s', not '%s'", option->key, contents,
                                 option->signature);
        if ((r = sd_bus_message_enter_container(message, 'v', contents)) < 0)
                return arguments_malformed(error, r, option->key);
        if (!option->decode(message, order, error))
                return false;
        r = sd_bus_message_exit_container(message);
        return r < 0 ? arguments_malformed(error, r, option->key) : true;
}

static bool read_option(sd_bus_message *message, OptionReader *reader, Order *order, GError **error)
{
        const char *key;
        int r = sd_bus_message_read_basic(message, 's', &key);

        if (r < 0)
                return arguments_malformed(error, r, "options");
        for (size_t i = 0; i < reader->n; i++) {
                if (strcmp(reader->decoders[i].key, key) != 0)
                        continue;
                if (reader->seen[i])
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "option %s is given twice", key);
                reader->seen[i] = true;
                return read_value(message, &reader->decoders[i], order, error);
        }
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "unknown option '%s'", key);
}

static bool read_options(sd_bus_message *message, const OptionDecoder *decoders, size_t n,
                         Order *order, GError **error)
{
        OptionReader reader = {.decoders = decoders, .n = n};
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                if (!read_option(message, &reader, order, error))
                        return false;
                r = sd_bus_message_exit_container(message);
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "options");
        return true;
}

bool spec_decode_run(sd_bus_message *message, Order **ret, GError **error)
{
        g_autoptr(Order) order = order_new();

        if (!arguments_read_bytes(message, 's', "rootfs", &order->tree.rootfs, error) ||
            !decode_MemoryMax(message, order, error) ||
            !arguments_read_list(message, "s", "argv", &order->process.argv, error) ||
            !order_validate(order, error))
                return false;
        *ret = g_steal_pointer(&order);
        return true;
}

bool spec_decode_spawn(sd_bus_message *message, Order **ret, GError **error)
{
        g_autoptr(Order) order = order_new();

        if (!arguments_read_bytes(message, 'a', "rootfs", &order->tree.rootfs, error) ||
            !arguments_read_list(message, "ay", "argv", &order->process.argv, error) ||
            !fds_decode(message, order, error) ||
            !read_options(message, spawn_options, G_N_ELEMENTS(spawn_options), order, error) ||
            !order_validate(order, error))
                return false;
        *ret = g_steal_pointer(&order);
        return true;
}

/* A watch can be dropped, and not be taken up: that would be for another caller than the first. */
static bool read_update(sd_bus_message *message, const OptionDecoder *decoders, size_t n,
                        Order *order, bool *ret_unwatches, GError **error)
{
        if (!read_options(message, decoders, n, order, error))
                return false;
        if (order->watch_bus)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "WatchBus can only be dropped: false");
        *ret_unwatches = order->has_watch_bus;
        return true;
}

bool spec_decode_update(sd_bus_message *message, Resources *ret, bool *ret_unwatches,
                        GError **error)
{
        g_autoptr(Order) order = order_new();

        resources_init_update(&order->resources);
        if (!read_update(message, update_options, G_N_ELEMENTS(update_options), order,
                         ret_unwatches, error) ||
            !resources_validate(&order->resources, error))
                return false;
        *ret = order->resources;
        return true;
}

bool spec_decode_exec_update(sd_bus_message *message, bool *ret_unwatches, GError **error)
{
        g_autoptr(Order) order = order_new();

        return read_update(message, exec_update_options, G_N_ELEMENTS(exec_update_options), order,
                           ret_unwatches, error);
}

bool spec_decode_exec(sd_bus_message *message, Order **ret, GError **error)
{
        g_autoptr(Order) order = order_new();

        process_spec_init_join(&order->process);
        order->execute = true;
        if (!arguments_read_list(message, "ay", "argv", &order->process.argv, error) ||
            !fds_decode(message, order, error) ||
            !read_options(message, exec_options, G_N_ELEMENTS(exec_options), order, error) ||
            !order_validate_process(order, error))
                return false;
        *ret = g_steal_pointer(&order);
        return true;
}
