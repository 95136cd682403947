#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "dbus/decode/arguments.h"
#include "dbus/decode/decoders.h"
#include "service/spec/error.h"
#include "service/spec/labels.h"
#include "service/util/envelope.h"

DECODE(Id, arguments_read_string, id)
DECODE(WatchFD, arguments_read_bool, watch_fd)
DECODE(Remove, arguments_read_bool, remove)

bool decode_Labels(sd_bus_message *message, Order *order, GError **error)
{
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
        const char *key, *value;
        int r = sd_bus_message_enter_container(message, 'a', "{ss}");

        while (r >= 0 && (r = sd_bus_message_read(message, "{ss}", &key, &value)) > 0)
                if (!labels_add(list, key, value, error))
                        return false;
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "Labels");
        g_ptr_array_add(list, NULL);
        order->labels = (char **) g_ptr_array_steal(list, NULL);
        return true;
}

bool decode_WatchBus(sd_bus_message *message, Order *order, GError **error)
{
        order->has_watch_bus = true;
        return arguments_read_bool(message, "WatchBus", &order->watch_bus, error);
}

static const char *name_type(mode_t mode)
{
        switch (mode & S_IFMT) {
        case S_IFREG:
                return "a file";
        case S_IFDIR:
                return "a directory";
        case S_IFCHR:
                return "a character device";
        case S_IFBLK:
                return "a block device";
        case S_IFSOCK:
                return "a socket that is no stream";
        default:
                return "something else";
        }
}

static bool check_pipe(const EnvelopeNote *note, GError **error)
{
        if (note->error != 0)
                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, note->error, "StatusFD");
        if (!S_ISFIFO(note->mode) && !(S_ISSOCK(note->mode) && note->socket == SOCK_STREAM))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "StatusFD is %s, not a pipe, a FIFO or a stream socket",
                                 name_type(note->mode));
        return (!(note->status & O_PATH) && (note->status & O_ACCMODE) != O_RDONLY) ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS, "StatusFD is not open to be written");
}

bool decode_StatusFD(sd_bus_message *message, Order *order, GError **error)
{
        EnvelopeNote note;
        int fd;

        if (!arguments_read_fd(message, "StatusFD", &fd, error))
                return false;
        if (!envelope_read(fd, &note))
                note = envelope_note(fd);
        if (!check_pipe(&note, error))
                return false;
        order->status_is_read = S_ISFIFO(note.mode) && (note.status & O_ACCMODE) == O_RDWR;
        order->status_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return order->status_fd >= 0 ||
               error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno, "cannot keep StatusFD");
}
