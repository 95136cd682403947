#pragma once

/* The table of containers: admits, names and limits them, keeps the stopped ones for a while, and
 * takes up what a predecessor left. The only iterator over containers. Knows no bus: who may do
 * what is decided above, what happens is told through ManagerEvents. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "service/cgroup/cgroup.h"
#include "service/container/container.h"
#include "service/container/journal.h"
#include "service/manager/fd-keeper.h"
#include "service/spec/config.h"
#include "service/spec/credentials.h"

typedef struct Manager Manager;

typedef struct ManagerEvents {
        void (*added)(Container *container, void *data);   /* now to be seen */
        void (*changed)(Container *container, void *data); /* its state */
        void (*exited)(Container *container, void *data);  /* state is stopped, result is known */
        void (*removed)(Container *container, void *data); /* about to be freed */
        void (*settled)(void *data); /* one has ended and all of its traces are gone */
} ManagerEvents;

typedef struct ManagerOptions {
        const Config *config;
        CgroupTree *cgroups;    /* borrowed, as all of these */
        const Profile *profile; /* NULL: `profile_error` says why nothing can be started */
        const char *profile_error;
        int records;        /* directory for records; -1: none are kept */
        bool has_id_ranges; /* the service has the rights to give out ranges of ids */
        IdRanges *ranges;
        LaunchFunc launch;
        unsigned prepared; /* sandboxes kept ready, at most; 0: none */
        Journal *journal;  /* gets the containers' output as well; may be NULL */
        FdKeeper keeper;
} ManagerOptions;

Manager *manager_new(const ManagerOptions *options, const ManagerEvents *events, void *data);
/* With records kept, what runs goes on running, for the next service to take over; without, it
 * ends. */
void manager_free(Manager *manager);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Manager, manager_free)

/* Loads records, takes over what a predecessor left running if it is surely that, and ends all else
 * that it left. Before the bus name. */
void manager_restore(Manager *manager);

/* Would it be admitted now? Changes nothing; a question to the user is worth it only if so. Also
 * settles what depends on the service: the default user namespace. */
bool manager_admit(Manager *manager, Order *order, GError **error);

/* Exactly one of `container` and `error` is not NULL. The container is created, or running if that
 * was asked for. May be called from inside manager_create(), for failures. */
typedef void (*ManagerFunc)(Container *container, GError *error, void *data);

void manager_create(Manager *manager, Order *order, ManagerFunc function,
                    void *data); /* consumed */

/* Executes a created one; the answer comes from the loop, or from inside for a wrong state. */
void manager_start(Manager *manager, Container *container, ManagerFunc function, void *data);

/* A stopped one is gone at once, if its leaf is; a created one is ended first, and `removed`
 * follows. */
bool manager_delete(Manager *manager, Container *container, GError **error);

/* The output, read back from the record if need be. */
bool manager_load_output(Manager *manager, Container *container, Output **ret, GError **error);

/* NULL: unknown. One that is being created is unknown. */
Container *manager_find(Manager *manager, uid_t owner, const char *id);
/* Those of `owner`, or with UID_ANY of everybody, in order of creation. Container pointers,
 * borrowed. */
#define UID_ANY ((uid_t) -1)
GPtrArray *manager_list(Manager *manager, uid_t owner);
unsigned manager_count(Manager *manager);
/* Nobody waits any more for the answer to the create or start with this `data`. Looks at all: for
 * the end. */
void manager_forget(Manager *manager, const void *data);
bool manager_has_readers(
        Manager *manager); /* somebody still reads a log. Looks at all: not for every event */
void manager_kill_all(Manager *manager); /* those that are being created as well */
bool manager_is_idle(Manager *manager);  /* nothing lives, nothing waits to be cleaned up */
