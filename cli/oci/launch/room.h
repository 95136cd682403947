#pragma once

/* What a process of a container is put into and held by, beside its namespaces: cgroups and the
 * filter of system calls; and the descriptors and files that its caller names. The same for a
 * container's first process and for one that joins it. Called by making.c and exec. */

#include "cli/oci/engine/engine.h"
#include "cli/oci/verbs/verbs.h"
#include "service/cgroup/path/path.h"
#include "service/sandbox/seccomp.h"

typedef struct Room {
        PathCgroup *cgroup; /* NULL: none */
        int entries[PATH_CGROUPS_MAX + 1];
        GArray *hierarchies; /* of EngineHierarchy */
        char **directories;
        SeccompProgram *filter;
        unsigned filter_flags;
} Room;

void room_init(Room *room);
void room_clear(Room *room);

/* Takes the cgroup over (NULL: none), opens what is entered, compiles the filter. */
bool room_furnish(Room *room, PathCgroup *cgroup, const OciSpec *spec, GError **error);
/* What of an EngineInput comes from the room, and from the flags. */
bool room_fill_input(const Room *room, const OciCall *call, EngineInput *input, GError **error);

/* A terminal and a console socket come together, unless this process serves the terminal. */
bool room_check_console(const OciProcess *process, const OciCall *call, bool has_relay,
                        GError **error);
/* Tells --pidfd-socket and --pid-file. */
bool room_tell_process(const OciCall *call, pid_t pid, int pidfd, GError **error);
