#pragma once

/* The table of a container's properties, one row for each, in the order of the interface. From a
 * row come the vtable's entry, what a reader gets, and in which PropertiesChanged the property is
 * named. A new property takes a row here and a field of ContainerInfo, and a place in the XML and
 * the manual, which tests compare with the live objects.
 *
 * X(Name, type, field of ContainerInfo, when it changes)
 *
 * PROPERTY_CONST: never. PROPERTY_AT_END: when the state becomes stopped; PROPERTY_AT_START: when
 * it becomes any other. PROPERTY_CHANGES: at other times, and whoever changes it emits the
 * signal. PROPERTY_EXPLICIT: who wants to know it has to Get it by its name; it stands in no list
 * of properties and in no signal, for a signal goes to strangers, and to read it may cost
 * something.
 */

#include <systemd/sd-bus.h>

#include "service/container/info.h"

#define CONTAINER_PROPERTIES(X)                                                                    \
        X(Id, text, id, PROPERTY_CONST)                                                            \
        X(OwnerUID, u32, owner, PROPERTY_CONST)                                                    \
        X(ControlGroup, text, control_group, PROPERTY_CONST)                                       \
        X(CreatedUSec, u64, created_usec, PROPERTY_CONST)                                          \
        X(State, state, state, PROPERTY_AT_START | PROPERTY_AT_END)                                \
        X(Pid, u32, pid, PROPERTY_AT_END)                                                          \
        X(StartedUSec, u64, started_usec, PROPERTY_AT_START)                                       \
        X(ExitedUSec, u64, exited_usec, PROPERTY_AT_END)                                           \
        X(Result, result, result, PROPERTY_AT_END)                                                 \
        X(ExitCode, i32, code, PROPERTY_AT_END)                                                    \
        X(LimitHit, limit, limit_hit, PROPERTY_AT_END)                                             \
        X(OOMKills, u64, oom_kills, PROPERTY_AT_END)                                               \
        X(MemoryMax, u64, memory_max, PROPERTY_CHANGES)                                            \
        X(Deviations, texts, deviations, PROPERTY_CONST)                                           \
        X(Usage, usage, usage, PROPERTY_EXPLICIT)                                                  \
        X(Labels, labels, labels, PROPERTY_EXPLICIT)

/* The types, as D-Bus has them; how a field becomes a value of each stands in the .c. */
#define PROPERTY_TYPE_u32    "u"
#define PROPERTY_TYPE_i32    "i"
#define PROPERTY_TYPE_u64    "t"
#define PROPERTY_TYPE_text   "s"
#define PROPERTY_TYPE_texts  "as"
#define PROPERTY_TYPE_state  "s"
#define PROPERTY_TYPE_result "s"
#define PROPERTY_TYPE_limit  "s"
#define PROPERTY_TYPE_usage  "a{sv}"
#define PROPERTY_TYPE_labels "a{ss}"

enum {
        PROPERTY_CONST = 0,
        PROPERTY_AT_START = 1,
        PROPERTY_AT_END = 2,
        PROPERTY_CHANGES = 4,
        PROPERTY_EXPLICIT = 8,
};

/* A row as an entry of a vtable, read by `getter`. */
#define CONTAINER_PROPERTY_ENTRY(name, type, getter, when)                                         \
        SD_BUS_PROPERTY(#name, PROPERTY_TYPE_##type, getter, 0,                                    \
                        (when) == PROPERTY_CONST      ? SD_BUS_VTABLE_PROPERTY_CONST               \
                        : (when) == PROPERTY_EXPLICIT ? SD_BUS_VTABLE_PROPERTY_EXPLICIT            \
                                                      : SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE)

/* Appends the property's value. Returns a negative errno on failure, as sd-bus wants. */
int container_property_append(sd_bus_message *reply, const ContainerInfo *info, const char *name);

/* Emits PropertiesChanged, after a change to `state`. */
void container_properties_emit(sd_bus *bus, const char *path, ContainerState state);
