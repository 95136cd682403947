#include <unistd.h>

#include "dbus/decode/arguments.h"
#include "dbus/decode/decoders.h"
#include "dbus/decode/fds-decode.h"
#include "service/spec/error.h"

DECODE(Environment, arguments_read_byte_strings, process.environment)
DECODE(WorkingDirectory, arguments_read_path, process.working_directory)
DECODE(Init, arguments_read_bool, process.attributes.init)
DECODE(Terminal, arguments_read_bool, process.attributes.terminal)
DECODE(SeccompLog, arguments_read_bool, process.seccomp_log)

bool decode_NoNewPrivileges(sd_bus_message *message, Order *order, GError **error)
{
        order->process.has_no_new_privileges = true;
        return arguments_read_bool(message, "NoNewPrivileges", &order->process.no_new_privileges,
                                   error);
}

bool decode_UMask(sd_bus_message *message, Order *order, GError **error)
{
        uint32_t *umask = &order->process.attributes.umask;
        int r = sd_bus_message_read_basic(message, 'u', umask);

        if (r < 0)
                return arguments_malformed(error, r, "UMask");
        return *umask <= 0777 ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS, "UMask is 0%o, not 0 to 0777", *umask);
}

/* The fds have been read before the options. */
static bool take_standard_fd(sd_bus_message *message, Order *order, unsigned target,
                             const char *what, GError **error)
{
        return fds_have(order, target)
                       ? error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                   "%s and fd %u are both given: they are the same descriptor",
                                   what, target)
                       : fds_decode_one(message, order, target, what, error);
}

#define DECODE_STANDARD(Key, target)                                                               \
        bool decode_##Key(sd_bus_message *message, Order *order, GError **error)                   \
        {                                                                                          \
                return take_standard_fd(message, order, target, #Key, error);                      \
        }

DECODE_STANDARD(StandardInput, STDIN_FILENO)
DECODE_STANDARD(StandardOutput, STDOUT_FILENO)
DECODE_STANDARD(StandardError, STDERR_FILENO)

bool decode_Seccomp(sd_bus_message *message, Order *order, GError **error)
{
        static const char *const modes[] = {"default", "strict", "unconfined", NULL};
        unsigned mode;

        if (!arguments_read_word(message, "Seccomp", modes, &mode, error))
                return false;
        order->process.seccomp = mode < 2;
        order->process.seccomp_strict = mode == 1;
        return true;
}

bool decode_SeccompFilters(sd_bus_message *message, Order *order, GError **error)
{
        const void *code;
        size_t size;
        int r = sd_bus_message_enter_container(message, 'a', "ay");

        while (r >= 0 && (r = sd_bus_message_at_end(message, false)) == 0) {
                if ((r = sd_bus_message_read_array(message, 'y', &code, &size)) >= 0 &&
                    !filters_add(&order->process.filters, code, size, error))
                        return false;
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "SeccompFilters");
        return true;
}
