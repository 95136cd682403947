#include "dbus/decode/fds-decode.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dbus/decode/arguments.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/envelope.h"

/* Refuses an fd by which more can be reached than the fd itself gives: a directory, or a mere
 * path. */
static bool check_fd(int fd, const char *what, GError **error)
{
        EnvelopeNote note;

        if (!envelope_read(fd, &note))
                note = envelope_note(fd);
        if (note.error != 0)
                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, note.error, "%s", what);
        if (note.status & O_PATH)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "%s is open as a path only, not to read or write", what);
        if (S_ISDIR(note.mode))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s is a directory", what);
        return true;
}

bool fds_have(const Order *order, unsigned target)
{
        for (size_t i = 0; i < order->n_fds; i++)
                if (order->fds[i].target == (int) target)
                        return true;
        return false;
}

bool fds_decode_one(sd_bus_message *message, Order *order, unsigned target, const char *what,
                    GError **error)
{
        int fd;

        if (!arguments_read_fd(message, what, &fd, error))
                return false;
        if (order->n_fds == SPAWN_FDS_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "more than the %u fds allowed",
                                 SPAWN_FDS_MAX);
        if (!check_fd(fd, what, error))
                return false;
        if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot keep %s", what);
        order_add_fd(order, fd, (int) target);
        return true;
}

static bool read_fd(sd_bus_message *message, Order *order, GError **error)
{
        char what[16];
        uint32_t target;
        int r = sd_bus_message_read_basic(message, 'u', &target);

        if (r < 0)
                return arguments_malformed(error, r, "fds");
        if (target > SPAWN_FD_NUMBER_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "fd number %u is above %u",
                                 target, SPAWN_FD_NUMBER_MAX);
        if (fds_have(order, target))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "fd number %u is given twice",
                                 target);
        g_snprintf(what, sizeof what, "fd %u", target);
        return fds_decode_one(message, order, target, what, error);
}

bool fds_decode(sd_bus_message *message, Order *order, GError **error)
{
        int r = sd_bus_message_enter_container(message, 'a', "{uh}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "uh")) > 0) {
                if (!read_fd(message, order, error))
                        return false;
                r = sd_bus_message_exit_container(message);
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "fds");
        return true;
}
