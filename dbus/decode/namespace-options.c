#include <errno.h>
#include <fcntl.h>

#include "dbus/decode/arguments.h"
#include "dbus/decode/decoders.h"
#include "service/spec/error.h"
#include "service/util/envelope.h"
#include "service/util/fd.h"
#include "service/util/namespace.h"

/* Only what lies on the kernel's own file system of namespaces is opened: of a file elsewhere, the
 * file system could make us wait. */
static bool is_namespace(const EnvelopeNote *note)
{
        uint64_t device;

        return note->error == 0 && !(note->status & O_PATH) && namespace_device(&device) &&
               note->device == device;
}

static bool judge_network(int fd, NetworkNamespace *ret, GError **error)
{
        EnvelopeNote note;
        bool is_envelope = envelope_read(fd, &note);

        if (!is_envelope)
                note = envelope_note(fd);
        autofd int inside = is_envelope && is_namespace(&note) ? envelope_open(fd) : -1;
        int network = is_envelope ? inside : fd;
        if (!is_namespace(&note) || !namespace_is_network(network))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "NetworkNamespaceFD is not a network namespace, opened to read");
        ret->has_owner = namespace_owner(network, &ret->owner);
        return true;
}

bool decode_NetworkNamespaceFD(sd_bus_message *message, Order *order, GError **error)
{
        NetworkNamespace *network = &order->tree.network_namespace;
        int fd;

        if (!arguments_read_fd(message, "NetworkNamespaceFD", &fd, error) ||
            !judge_network(fd, network, error))
                return false;
        network->is_given = true;
        network->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return network->fd >= 0 || error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                                   "cannot keep NetworkNamespaceFD");
}

bool decode_Sysctl(sd_bus_message *message, Order *order, GError **error)
{
        const char *key, *value;
        int r = sd_bus_message_enter_container(message, 'a', "{ss}");

        while (r >= 0 && (r = sd_bus_message_read(message, "{ss}", &key, &value)) > 0)
                if (!sysctls_add(&order->tree.sysctls, key, value, error))
                        return false;
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "Sysctl");
        return true;
}
