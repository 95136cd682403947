#pragma once

/* The table of containers: admits, names and limits them, keeps the stopped ones for a while, and
 * takes over what a predecessor left. Nothing else iterates over containers. Knows no bus: who may
 * do what is decided above; what happens is reported through ManagerEvents. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/cgroup/cgroup.h"
#include "service/container/container.h"
#include "service/container/exec.h"
#include "service/container/journal.h"
#include "service/container/status/fd-keeper.h"
#include "service/spec/config.h"
#include "service/spec/credentials.h"

typedef struct Manager Manager;

typedef struct ManagerEvents {
        void (*added)(Container *container, void *data);   /* callers can see it from now on */
        void (*changed)(Container *container, void *data); /* its state has changed */
        void (*limited)(Container *container, void *data); /* its MemoryMax has changed */
        void (*exited)(Container *container, void *data);  /* state is stopped, result is known */
        void (*removed)(Container *container, void *data); /* about to be freed */
        void (*settled)(void *data); /* a container has ended and all of its traces are gone */
        /* The same three of a process that has joined a container; `exec_removed` comes before the
         * container's. */
        void (*exec_added)(Exec *exec, void *data);
        void (*exec_ended)(Exec *exec, void *data);
        void (*exec_removed)(Exec *exec, void *data);
        bool (*noticed)(Container *container, const Notice *notice, void *data);
} ManagerEvents;

typedef struct ManagerOptions {
        const Config *config;
        CgroupTree *cgroups;    /* borrowed, as all of these */
        const Profile *profile; /* NULL: `profile_error` says why nothing can be started */
        const char *profile_error;
        int records;        /* directory for records; -1: none are kept */
        bool has_id_ranges; /* the service has the rights to give out ranges of ids */
        IdRanges *ranges;
        int state_dir; /* in which the index lies; 0: none is read */
        LaunchFunc launch;
        unsigned prepared; /* sandboxes kept ready, at most; 0: none */
        Journal *journal;  /* gets the containers' output as well; may be NULL */
        FdKeeper keeper;
} ManagerOptions;

Manager *manager_new(const ManagerOptions *options, const ManagerEvents *events, void *data);
/* If records are kept, containers go on, for the next service to take over; otherwise they end. */
void manager_free(Manager *manager);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Manager, manager_free)

/* Call this before the bus name is taken. Loads the records, takes over each process that surely is
 * the recorded container's, and ends everything else that a predecessor left. */
void manager_restore(Manager *manager);

/* Would the order be admitted now? Only then is it worth a question to the user. Creates nothing,
 * but fills in what the order leaves to the service: the user namespace and TasksMax. */
bool manager_admit(Manager *manager, Order *order, GError **error);

/* Exactly one of `container` and `error` is not NULL. The container is created, or running if the
 * order asks for that. Failures may be told from inside manager_create(). */
typedef void (*ManagerFunc)(Container *container, GError *error, void *data);

/* Makes a container of the order, which is consumed. */
void manager_create(Manager *manager, Order *order, ManagerFunc function, void *data);

/* Executes the command of a created container. The answer comes from the loop; for a wrong state,
 * from inside the call. */
void manager_start(Manager *manager, Container *container, ManagerFunc function, void *data);

/* Pauses or resumes a container, and answers when it is so; else as manager_start(). */
void manager_set_paused(Manager *manager, Container *container, bool paused, ManagerFunc function,
                        void *data);

/* Changes the limits of a running container, all of them or none. */
bool manager_update(Manager *manager, Container *container, const Resources *resources,
                    GError **error);
/* From now on the container outlives its watcher; when this returns, also over a restart. */
void manager_drop_watcher(Manager *manager, Container *container);

/* Removes a stopped container at once if its leaf is gone. Otherwise `removed` follows, and a
 * created container is ended first. */
bool manager_delete(Manager *manager, Container *container, GError **error);

/* Gets the output, read back from the record if need be. */
bool manager_load_output(Manager *manager, Container *container, Output **ret, GError **error);

/* Exactly one of `exec` and `error` is not NULL: the command is executed, or could not be. */
typedef void (*ManagerExecFunc)(Exec *exec, GError *error, void *data);

/* Would the container take one more process now? Only then is it worth a question to the user. */
bool manager_admit_exec(Manager *manager, Container *container, GError **error);
/* Executes the command of `order`, which is consumed, in the container. Failures may be told from
 * inside the call. */
void manager_exec(Manager *manager, Container *container, Order *order, ManagerExecFunc function,
                  void *data);
Exec *manager_find_exec(Manager *manager, Container *container, unsigned number); /* or NULL */
/* In order of creation. Owned array of borrowed Execs. */
GPtrArray *manager_list_execs(Manager *manager, Container *container);

/* NULL: there is none. A container that is still being created is not found. */
Container *manager_find(Manager *manager, uid_t owner, const char *id);
/* The live container of `owner`, or of anybody with UID_ANY, that the process `pid` is in. */
Container *manager_find_by_pid(Manager *manager, uid_t owner, pid_t pid);
/* The containers of `owner`, or of everybody with UID_ANY, in order of creation. Owned array of
 * borrowed Containers. */
#define UID_ANY ((uid_t) -1)
GPtrArray *manager_list(Manager *manager, uid_t owner);
unsigned manager_count(Manager *manager);
/* Drops the answer to the create, start or pause with this `data`: nobody waits for it any more.
 * Looks at all containers: meant for the end of the service. */
void manager_forget(Manager *manager, const void *data);
/* Does somebody still read a log? Looks at all containers: not for every event. */
bool manager_has_readers(Manager *manager);
void manager_kill_all(Manager *manager); /* also those that are being created */
bool manager_is_idle(Manager *manager);  /* no container lives or waits to be cleaned up */
