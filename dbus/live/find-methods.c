#include "dbus/live/manager-methods.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "dbus/connection/error-map.h"
#include "dbus/decode/arguments.h"
#include "dbus/names.h"
#include "dbus/paths.h"
#include "service/spec/labels.h"
#include "service/spec/limits.h"
#include "service/util/envelope.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

/* -- ListContainers' filter -- */

static bool read_filter_value(sd_bus_message *message, const char *key, char ***labels,
                              GError **error)
{
        const char *contents;
        int r = sd_bus_message_peek_type(message, NULL, &contents);

        if (strcmp(key, "Labels") != 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "unknown key '%s' in the filter", key);
        if (*labels)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Labels stands in the filter twice");
        if (r >= 0 && strcmp(contents, "as") != 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Labels in the filter has type '%s', not 'as'", contents);
        if (r >= 0)
                r = sd_bus_message_enter_container(message, 'v', "as");
        if (r < 0)
                return arguments_malformed(error, r, "the filter");
        if (!arguments_read_list(message, "s", "Labels in the filter", labels, error))
                return false;
        if (g_strv_length(*labels) > LABELS_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Labels in the filter has more than the %u allowed", LABELS_MAX);
        r = sd_bus_message_exit_container(message);
        return r < 0 ? arguments_malformed(error, r, "the filter") : true;
}

bool filter_read(sd_bus_message *message, char ***ret_labels, GError **error)
{
        g_autofree char **labels = NULL;
        const char *key;
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                if ((r = sd_bus_message_read_basic(message, 's', &key)) < 0)
                        break;
                if (!read_filter_value(message, key, &labels, error))
                        return false;
                r = sd_bus_message_exit_container(message);
        }
        if (r < 0)
                return arguments_malformed(error, r, "the filter");
        *ret_labels = g_steal_pointer(&labels);
        return true;
}

bool filter_passes(char *const *labels, const ContainerInfo *info)
{
        for (; labels && *labels; labels++)
                if (!labels_have(info->labels, *labels))
                        return false;
        return true;
}

/* -- GetContainerByPIDFD -- */

/* A pidfd may be taken out of its envelope: what it is, the kernel's name for it says, and to close
 * one that is open elsewhere, as that in the envelope is, takes no time. */
static int open_pidfd(int fd, GError **error)
{
        EnvelopeNote note;

        if (!envelope_read(fd, &note))
                note = envelope_note(fd);
        if (note.error == 0 && !note.is_pidfd) {
                error_set(error, RUNTIME_ERROR_INVALID_ARGS, "pidfd is another kind of descriptor");
                return -1;
        }
        int inside = note.error == 0 ? envelope_open(fd) : -1;
        if (inside == fd)
                inside = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (inside < 0)
                error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, note.error ? note.error : errno,
                                "pidfd");
        return inside;
}

/* The number may be another process's as soon as that of the pidfd is reaped: it is looked at once
 * more behind. */
static Container *find_by_pidfd(Server *server, uid_t owner, int pidfd)
{
        pid_t pid = proc_of_pidfd(pidfd);
        Container *container = pid > 0 ? manager_find_by_pid(server->manager, owner, pid) : NULL;

        return container && proc_of_pidfd(pidfd) == pid ? container : NULL;
}

/* Only the caller's own are looked for, or for root all: another's process is in none, and whose it
 * is stays untold. */
int method_get_container_by_pidfd(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Server *server = data;
        GError *error = NULL;
        const Credentials *caller = callers_get(server->callers, message, &error);
        int fd;

        if (!caller || !arguments_read_fd(message, "pidfd", &fd, &error))
                return error_map_set(ret_error, error);
        autofd int pidfd = open_pidfd(fd, &error);
        if (pidfd < 0)
                return error_map_set(ret_error, error);
        Container *container =
                caller->is_inside
                        ? NULL
                        : find_by_pidfd(server, caller->uid == 0 ? UID_ANY : caller->uid, pidfd);
        if (!container)
                return sd_bus_error_set(ret_error, ERROR_NO_SUCH_CONTAINER,
                                        "that process is in no container of yours");
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = path_of_container(info);
        return sd_bus_reply_method_return(message, "so", info->id, path);
}
