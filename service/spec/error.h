#pragma once

/* The one error type of naive-runc: a GError of one domain, one code for each error name of the bus
 * interface. Errors are born with what failed, where and why, gain a prefix at layer borders, and
 * are logged once, where they stop. The core knows no bus: dbus/error-map.c maps a code to its
 * D-Bus name. */

#include <glib.h>
#include <stdbool.h>

#define RUNTIME_ERROR runtime_error_quark()
GQuark runtime_error_quark(void);

typedef enum RuntimeError {
        RUNTIME_ERROR_INVALID_ARGS,
        RUNTIME_ERROR_ACCESS_DENIED,
        RUNTIME_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
        RUNTIME_ERROR_LIMITS_EXCEEDED,
        RUNTIME_ERROR_NOT_SUPPORTED,
        RUNTIME_ERROR_NO_MEMORY,
        RUNTIME_ERROR_FAILED,    /* the service's own trouble: a bus call, a file of its own */
        RUNTIME_ERROR_CANCELLED, /* the service stops, or the caller left */
        RUNTIME_ERROR_CONTAINER_EXISTS,
        RUNTIME_ERROR_NO_SUCH_CONTAINER,
        RUNTIME_ERROR_INVALID_STATE,
        RUNTIME_ERROR_ROOTFS_INVALID,
        RUNTIME_ERROR_MOUNT_INVALID,
        RUNTIME_ERROR_COMMAND_NOT_FOUND,
        RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
        RUNTIME_ERROR_SETUP_FAILED,
        RUNTIME_ERROR_MEMORY_TOO_LOW,
        RUNTIME_ERROR_CGROUP_FAILED,
        RUNTIME_ERROR_NO_TERMINAL,
        RUNTIME_ERROR_AUTHORIZATION_UNAVAILABLE,
        _RUNTIME_ERROR_MAX,
} RuntimeError;

/* Sets `error` (if not NULL) and returns false, so that a check reads `return error_set(...)`. */
bool error_set(GError **error, RuntimeError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The same for a failed system call: ": <words for errnum>" is appended. `errnum` is positive. */
bool error_set_errno(GError **error, RuntimeError code, int errnum, const char *format, ...)
        G_GNUC_PRINTF(4, 5);
