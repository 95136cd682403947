#pragma once

/* The table of methods, one row for each, in the order of the interfaces. From a row come the
 * vtable's entry (introspection with it), the call of its handler, and the rule of who may call it.
 * A new method takes a row here and its handler, and a place in the XML and the manual, which tests
 * compare with the live objects.
 *
 * X(name, (types and names in), (types and names out), handler, polkit action, who needs none)
 *
 * The vtables let everybody call, for it is polkit that decides. A NULL action: the method changes
 * nothing, and tells nothing of other users. */

#include <stdbool.h>
#include <systemd/sd-bus.h>

#include "polkit/actions.h"

#define METHOD_NOTHING        (NULL)
#define METHOD_OWNER_IS_FREE  true /* root needs no permission anyway */
#define METHOD_OWNER_IS_ASKED false

#define RUNC_METHODS(X)                                                                            \
        X(Run, ("s", rootfs, "t", memMax, "as", argv), ("o", container), spawn_method_run,         \
          ACTION_RUN, METHOD_OWNER_IS_ASKED)

/* Spawn and Create ask for run-privileged in its place where an option needs that */
#define METHOD_SPAWN_ARGUMENTS ("ay", rootfs, "aay", argv, "a{uh}", fds, "a{sv}", options)
#define MANAGER_METHODS(X)                                                                         \
        X(Spawn, METHOD_SPAWN_ARGUMENTS, ("o", container), spawn_method_spawn, ACTION_RUN,         \
          METHOD_OWNER_IS_ASKED)                                                                   \
        X(Create, METHOD_SPAWN_ARGUMENTS, ("o", container), spawn_method_spawn, ACTION_RUN,        \
          METHOD_OWNER_IS_ASKED)                                                                   \
        X(GetContainer, ("s", id), ("o", container), method_get_container, ACTION_INSPECT,         \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(GetContainerByPIDFD, ("h", pidfd), ("s", id, "o", container),                            \
          method_get_container_by_pidfd, NULL, METHOD_OWNER_IS_FREE)                               \
        X(ListContainers, ("a{sv}", filter), ("a(ssuto)", containers), method_list_containers,     \
          NULL, METHOD_OWNER_IS_FREE)                                                              \
        X(GetFeatures, METHOD_NOTHING, ("a{sv}", features), method_get_features, NULL,             \
          METHOD_OWNER_IS_FREE)

/* OpenPIDFD is "manage": whoever has the fd can signal. OpenRootDirectory is "exec": it shows
 * files, as a command inside would. */
#define CONTAINER_METHODS(X)                                                                       \
        X(Start, METHOD_NOTHING, METHOD_NOTHING, method_start, ACTION_MANAGE,                      \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Stop, ("i", signal, "t", timeoutUSec), METHOD_NOTHING, method_stop, ACTION_MANAGE,       \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Kill, ("s", whom, "i", signal), METHOD_NOTHING, method_kill, ACTION_MANAGE,              \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Pause, METHOD_NOTHING, METHOD_NOTHING, method_pause, ACTION_MANAGE,                      \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Resume, METHOD_NOTHING, METHOD_NOTHING, method_resume, ACTION_MANAGE,                    \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Update, ("a{sv}", resources), METHOD_NOTHING, method_update, ACTION_MANAGE,              \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Delete, METHOD_NOTHING, METHOD_NOTHING, method_delete, ACTION_MANAGE,                    \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Wait, METHOD_NOTHING, ("s", result, "i", code), method_wait, ACTION_INSPECT,             \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Attach, ("a{sv}", options), ("h", terminal), method_attach, ACTION_EXEC,                 \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(ResizeTerminal, ("q", rows, "q", columns), METHOD_NOTHING, method_resize_terminal,       \
          ACTION_EXEC, METHOD_OWNER_IS_FREE)                                                       \
        X(OpenPIDFD, METHOD_NOTHING, ("h", pidfd), method_open_pidfd, ACTION_MANAGE,               \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(OpenRootDirectory, METHOD_NOTHING, ("h", root), method_open_root_directory, ACTION_EXEC, \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(ReadLog, ("t", offset, "u", max), ("t", next, "ay", data), method_read_log,              \
          ACTION_INSPECT, METHOD_OWNER_IS_FREE)                                                    \
        X(OpenLog, ("a{sv}", options), ("h", log), method_open_log, ACTION_INSPECT,                \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(GetProcesses, METHOD_NOTHING, ("a(us)", processes), method_get_processes,                \
          ACTION_INSPECT, METHOD_OWNER_IS_FREE)                                                    \
        X(GetStats, METHOD_NOTHING, ("a{sv}", stats), method_get_stats, ACTION_INSPECT,            \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(GetConfig, METHOD_NOTHING, ("a{sv}", config), method_get_config, ACTION_INSPECT,         \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Exec, ("aay", argv, "a{uh}", fds, "a{sv}", options), ("o", exec), method_exec,           \
          ACTION_EXEC, METHOD_OWNER_IS_FREE)                                                       \
        X(SetPressureTrigger, ("s", resource, "t", thresholdUSec, "t", windowUSec),                \
          METHOD_NOTHING, method_set_pressure_trigger, ACTION_MANAGE, METHOD_OWNER_IS_FREE)

/* Of a process that Exec has started. */
#define EXEC_METHODS(X)                                                                            \
        X(Kill, ("i", signal), METHOD_NOTHING, method_kill, ACTION_MANAGE, METHOD_OWNER_IS_FREE)   \
        X(Update, ("a{sv}", options), METHOD_NOTHING, method_update, ACTION_MANAGE,                \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Wait, METHOD_NOTHING, ("s", result, "i", code), method_wait, ACTION_INSPECT,             \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(Attach, ("a{sv}", options), ("h", terminal), method_attach, ACTION_EXEC,                 \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(ResizeTerminal, ("q", rows, "q", columns), METHOD_NOTHING, method_resize_terminal,       \
          ACTION_EXEC, METHOD_OWNER_IS_FREE)                                                       \
        X(OpenPIDFD, METHOD_NOTHING, ("h", pidfd), method_open_pidfd, ACTION_MANAGE,               \
          METHOD_OWNER_IS_FREE)                                                                    \
        X(ReadLog, ("t", offset, "u", max), ("t", next, "ay", data), method_read_log,              \
          ACTION_INSPECT, METHOD_OWNER_IS_FREE)                                                    \
        X(OpenLog, ("a{sv}", options), ("h", log), method_open_log, ACTION_INSPECT,                \
          METHOD_OWNER_IS_FREE)

/* A row as an entry of a vtable whose `handler` is one of sd-bus's own kind. */
#define METHOD_ENTRY(name, in, out, handler)                                                       \
        SD_BUS_METHOD_WITH_ARGS(#name, SD_BUS_ARGS in, SD_BUS_RESULT out, handler,                 \
                                SD_BUS_VTABLE_UNPRIVILEGED)
