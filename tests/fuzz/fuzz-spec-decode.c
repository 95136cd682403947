/* The input is a little program that appends values to a message, right and wrong ones; the message
 * is then decoded as a Spawn and as a Run. What is accepted keeps all promises of a valid order,
 * what is refused has an error and leaves nothing. */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dbus/options.h"
#include "dbus/decode/spec-decode.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/bus-auto.h"
#include "tests/fuzz/target.h"
#include "tests/lib/mute-bus.h"

typedef struct Input {
        const uint8_t *at, *end;
} Input;

static const char *const keys[] = {
#define X(Key, signature, flag, metavar, help) #Key,
        SPAWN_OPTIONS(X)
#undef X
                "Seccomp",
        "id",
        "",
};
static const char *const signatures[] = {"s",  "t",   "b", "u",     "ay",
                                         "as", "aay", "v", "a{sv}", "(ss)"};

static sd_bus *bus;
static int null_fd;

static void open_bus(void)
{
        bus = mute_bus_new();
        null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
}

static unsigned take(Input *input)
{
        return input->at < input->end ? *input->at++ : 0;
}

static uint64_t take_number(Input *input)
{
        static const uint64_t numbers[] = {0, 1, 4096, UINT32_MAX, INT64_MAX, UINT64_MAX};
        unsigned byte = take(input);

        return byte < G_N_ELEMENTS(numbers) ? numbers[byte] : byte;
}

/* Up to 255 of the bytes that follow. */
static size_t take_bytes(Input *input, char bytes[256])
{
        size_t wanted = take(input), left = (size_t) (input->end - input->at),
               n = MIN(wanted, left);

        memcpy(bytes, input->at, n);
        bytes[n] = '\0';
        input->at += n;
        return n;
}

static void append_bytes(sd_bus_message *message, Input *input)
{
        char bytes[256];
        size_t n = take_bytes(input, bytes);

        sd_bus_message_append_array(message, 'y', bytes, n);
}

static void append_string(sd_bus_message *message, Input *input)
{
        char bytes[256];

        take_bytes(input, bytes);
        if (g_utf8_validate(bytes, -1, NULL)) /* the bus lets no other pass */
                sd_bus_message_append_basic(message, 's', bytes);
}

static void append_many(sd_bus_message *message, Input *input)
{
        unsigned n = take(input) * 6;
        void *space;

        for (unsigned i = 0; i < n; i++)
                sd_bus_message_append_array_space(message, 'y', 0, &space);
}

/* An instruction; returns by how much the depth has changed. Whatever sd-bus refuses to build is
 * left out. */
static int step(sd_bus_message *message, Input *input)
{
        switch (take(input) % 16) {
        case 0:
                append_string(message, input);
                return 0;
        case 1:
                sd_bus_message_append(message, "t", take_number(input));
                return 0;
        case 2:
                sd_bus_message_append(message, "b", (int) take(input) & 1);
                return 0;
        case 3:
                sd_bus_message_append(message, "u", (uint32_t) take_number(input));
                return 0;
        case 4:
                append_bytes(message, input);
                return 0;
        case 5:
                return sd_bus_message_open_container(message, 'a', "ay") >= 0;
        case 6:
                return sd_bus_message_open_container(message, 'a', "{uh}") >= 0;
        case 7:
                return sd_bus_message_open_container(message, 'a', "{sv}") >= 0;
        case 8:
                return sd_bus_message_open_container(message, 'e', "sv") >= 0;
        case 9:
                return sd_bus_message_open_container(
                               message, 'v', signatures[take(input) % G_N_ELEMENTS(signatures)]) >=
                       0;
        case 10:
                return -(sd_bus_message_close_container(message) >= 0);
        case 11:
                sd_bus_message_append(message, "{uh}", (uint32_t) take_number(input), null_fd);
                return 0;
        case 12:
                sd_bus_message_append_basic(message, 's', keys[take(input) % G_N_ELEMENTS(keys)]);
                return 0;
        case 13:
                append_many(message, input);
                return 0;
        case 14:
                return sd_bus_message_open_container(message, 'a', "s") >= 0;
        default: /* what a Spawn begins with, to get further in */
                sd_bus_message_append_array(message, 'y', "/tree", 5);
                return 0;
        }
}

static void check(bool accepted, Order *order, GError *error)
{
        g_assert_true(accepted == (order != NULL));
        g_assert_true(accepted == (error == NULL));
        if (error)
                g_assert_true(error->domain == RUNTIME_ERROR && error->code < _RUNTIME_ERROR_MAX &&
                              *error->message);
        if (!order)
                return;
        g_assert_cmpuint(order->n_fds, <=, SPAWN_FDS_MAX);
        g_assert_true(order_validate(order, NULL));
        for (size_t i = 0; i < order->n_fds; i++) {
                g_assert_cmpint(order->fds[i].target, <=, (int) SPAWN_FD_NUMBER_MAX);
                g_assert_cmpint(order->fds[i].target, >=,
                                order->process.attributes.terminal ? 3 : 0);
        }
}

static void decode(sd_bus_message *message, bool is_spawn)
{
        g_autoptr(Order) order = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(sd_bus_message_rewind(message, true), >=, 0);
        bool accepted = is_spawn ? spec_decode_spawn(message, &order, &error)
                                 : spec_decode_run(message, &order, &error);
        check(accepted, order, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Input input = {data, data + size};
        g_autoptr(sd_bus_message) message = NULL;
        int depth = 0;

        if (!bus)
                open_bus();
        g_assert_cmpint(sd_bus_message_new_method_call(bus, &message, "a.b", "/a", "a.b", "M"), >=,
                        0);
        while (input.at < input.end)
                depth += step(message, &input);
        while (depth-- > 0)
                if (sd_bus_message_close_container(message) < 0)
                        return 0; /* half an entry cannot be closed, nor sent */
        if (sd_bus_message_seal(message, 1, 0) < 0)
                return 0;
        decode(message, true);
        decode(message, false);
        return 0;
}
