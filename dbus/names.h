#pragma once

/* Every name that crosses the bus, once. */

#define BUS_NAME              "org.naive.Runc"
#define MANAGER_PATH          "/org/naive/Runc"
#define CONTAINER_PATH_PREFIX "/org/naive/Runc/container"

#define INTERFACE_RUNC      "org.naive.Runc"
#define INTERFACE_MANAGER   "org.naive.Runc.Manager1"
#define INTERFACE_CONTAINER "org.naive.Runc.Container1"

#define ERROR_PREFIX                    "org.naive.Runc.Error."
#define ERROR_CONTAINER_EXISTS          ERROR_PREFIX "ContainerExists"
#define ERROR_NO_SUCH_CONTAINER         ERROR_PREFIX "NoSuchContainer"
#define ERROR_INVALID_STATE             ERROR_PREFIX "InvalidState"
#define ERROR_ROOTFS_INVALID            ERROR_PREFIX "RootfsInvalid"
#define ERROR_MOUNT_INVALID             ERROR_PREFIX "MountInvalid"
#define ERROR_COMMAND_NOT_FOUND         ERROR_PREFIX "CommandNotFound"
#define ERROR_COMMAND_NOT_EXECUTABLE    ERROR_PREFIX "CommandNotExecutable"
#define ERROR_SETUP_FAILED              ERROR_PREFIX "SetupFailed"
#define ERROR_MEMORY_TOO_LOW            ERROR_PREFIX "MemoryTooLow"
#define ERROR_CGROUP_FAILED             ERROR_PREFIX "CgroupFailed"
#define ERROR_NO_TERMINAL               ERROR_PREFIX "NoTerminal"
#define ERROR_AUTHORIZATION_UNAVAILABLE ERROR_PREFIX "AuthorizationUnavailable"
