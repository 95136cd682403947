#include "dbus/error-map.h"

#include "dbus/names.h"
#include "polkit/authority.h"

static const char *const names[_RUNTIME_ERROR_MAX] = {
        [RUNTIME_ERROR_INVALID_ARGS] = SD_BUS_ERROR_INVALID_ARGS,
        [RUNTIME_ERROR_ACCESS_DENIED] = SD_BUS_ERROR_ACCESS_DENIED,
        [RUNTIME_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED] =
                SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
        [RUNTIME_ERROR_LIMITS_EXCEEDED] = SD_BUS_ERROR_LIMITS_EXCEEDED,
        [RUNTIME_ERROR_NOT_SUPPORTED] = SD_BUS_ERROR_NOT_SUPPORTED,
        [RUNTIME_ERROR_NO_MEMORY] = SD_BUS_ERROR_NO_MEMORY,
        [RUNTIME_ERROR_FAILED] = SD_BUS_ERROR_FAILED,
        [RUNTIME_ERROR_CANCELLED] = "org.freedesktop.DBus.Error.Cancelled",
        [RUNTIME_ERROR_CONTAINER_EXISTS] = ERROR_CONTAINER_EXISTS,
        [RUNTIME_ERROR_NO_SUCH_CONTAINER] = ERROR_NO_SUCH_CONTAINER,
        [RUNTIME_ERROR_INVALID_STATE] = ERROR_INVALID_STATE,
        [RUNTIME_ERROR_ROOTFS_INVALID] = ERROR_ROOTFS_INVALID,
        [RUNTIME_ERROR_MOUNT_INVALID] = ERROR_MOUNT_INVALID,
        [RUNTIME_ERROR_COMMAND_NOT_FOUND] = ERROR_COMMAND_NOT_FOUND,
        [RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE] = ERROR_COMMAND_NOT_EXECUTABLE,
        [RUNTIME_ERROR_SETUP_FAILED] = ERROR_SETUP_FAILED,
        [RUNTIME_ERROR_MEMORY_TOO_LOW] = ERROR_MEMORY_TOO_LOW,
        [RUNTIME_ERROR_CGROUP_FAILED] = ERROR_CGROUP_FAILED,
        [RUNTIME_ERROR_NO_TERMINAL] = ERROR_NO_TERMINAL,
        [RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE] = ERROR_AUTHORIZATION_UNAVAILABLE,
};

const char *error_map_name(RuntimeError code)
{
        return names[code];
}

int error_map_set(sd_bus_error *ret_error, GError *error)
{
        g_autofree char *text = authority_escape(error->message);
        const char *name =
                error->domain == RUNTIME_ERROR ? names[error->code] : SD_BUS_ERROR_FAILED;
        int r = sd_bus_error_set(ret_error, name, text);

        g_error_free(error);
        return r;
}

void error_map_reply(sd_bus_message *message, const GError *error)
{
        sd_bus_error reply = SD_BUS_ERROR_NULL;

        error_map_set(&reply, g_error_copy(error));
        sd_bus_reply_method_error(message, &reply);
        sd_bus_error_free(&reply);
}
