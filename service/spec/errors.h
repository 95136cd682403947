#pragma once

/* The table of errors, one row for each: code, name on the bus, what a caller may take it for. The
 * enum RuntimeError, error_name() and the client's ERROR_* constants come from these rows, and a
 * test holds the manual org.naive.Runc(5) against them. `meaning` is for the reader. To the core a
 * name is mere text. */

#define ERROR_OF_BUS     "org.freedesktop.DBus.Error."
#define ERROR_OF_SERVICE "org.naive.Runc.Error."

/* X(CODE, name, meaning) */
#define ERRORS(X)                                                                                  \
        X(INVALID_ARGS, ERROR_OF_BUS "InvalidArgs", "a malformed argument or option")              \
        X(ACCESS_DENIED, ERROR_OF_BUS "AccessDenied", "polkit said no")                            \
        X(INTERACTIVE_AUTHORIZATION_REQUIRED, ERROR_OF_BUS "InteractiveAuthorizationRequired",     \
          "polkit wants a password, and the call does not allow to ask for one")                   \
        X(LIMITS_EXCEEDED, ERROR_OF_BUS "LimitsExceeded", "too many of what is counted")           \
        X(BUSY, ERROR_OF_SERVICE "Busy", "too much at once: it passes with time")                  \
        X(NOT_SUPPORTED, ERROR_OF_BUS "NotSupported", "kernel, cgroups or mode cannot do that")    \
        X(NO_MEMORY, ERROR_OF_BUS "NoMemory", "the kernel has none left")                          \
        X(FAILED, ERROR_OF_BUS "Failed", "trouble of the service's own: a bus call, its files")    \
        X(CANCELLED, ERROR_OF_BUS "Cancelled", "the service stops, or the caller left")            \
        X(NO_REPLY, ERROR_OF_BUS "NoReply", "a later call has taken the place of this one")        \
        X(CONTAINER_EXISTS, ERROR_OF_SERVICE "ContainerExists", "the id is taken")                 \
        X(NO_SUCH_CONTAINER, ERROR_OF_SERVICE "NoSuchContainer", "none that the caller may see")   \
        X(INVALID_STATE, ERROR_OF_SERVICE "InvalidState", "not in this state of the container")    \
        X(ROOTFS_INVALID, ERROR_OF_SERVICE "RootfsInvalid", "the root cannot be used")             \
        X(MOUNT_INVALID, ERROR_OF_SERVICE "MountInvalid", "a mount's source or target cannot be")  \
        X(COMMAND_NOT_FOUND, ERROR_OF_SERVICE "CommandNotFound", "no such program in the root")    \
        X(COMMAND_NOT_EXECUTABLE, ERROR_OF_SERVICE "CommandNotExecutable",                         \
          "found, but cannot be executed")                                                         \
        X(SETUP_FAILED, ERROR_OF_SERVICE "SetupFailed", "a step of making the sandbox failed")     \
        X(MEMORY_TOO_LOW, ERROR_OF_SERVICE "MemoryTooLow",                                         \
          "the limit does not let the command start")                                              \
        X(CGROUP_FAILED, ERROR_OF_SERVICE "CgroupFailed", "a cgroup operation failed")             \
        X(NO_TERMINAL, ERROR_OF_SERVICE "NoTerminal", "the container has none, or has ended")      \
        X(AUTHORIZATION_UNAVAILABLE, ERROR_OF_SERVICE "AuthorizationUnavailable",                  \
          "polkit is absent, or gave no usable answer")
