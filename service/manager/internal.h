#pragma once

/* The Manager's table, for the files that work on it: table.c has its rows, manager.c lives with
 * them, create.c adds to them, restore.c fills in what a start finds, index.c what others have. */

#include "service/manager/manager.h"
#include "service/manager/pool.h"

/* What one user has. Kept for the service's life: a few bytes for each user ever seen. */
typedef struct Owner {
        uid_t uid;
        unsigned execs;       /* of all containers: those that run, and those that are kept */
        unsigned live;        /* containers that have a process, or traces that are still to go */
        uint64_t next_number; /* of container-N */
        GQueue stopped;       /* Slots, the oldest first */
} Owner;

/* A row of the table. */
typedef struct Slot {
        Manager *manager;
        Container *container;
        Owner *owner;
        bool is_seen; /* `added` was called: callers can see it */
        JournalStream *journal;
        guint save_timer; /* not 0: its record is still to be written */
        /* It was stopped before this service began: its output is read from the record when
         * somebody asks for it. */
        bool is_log_on_disk;
        ManagerFunc function; /* of a pending create, start or pause; NULL: nobody waits */
        void *data;
        GPtrArray *execs;   /* of ExecRow, owned; NULL: none so far */
        unsigned last_exec; /* the number given out last */
} Slot;

typedef struct Index Index;

struct Manager {
        ManagerOptions options;
        Index *index; /* NULL: none is read */
        const ManagerEvents *events;
        void *data;
        GHashTable *slots;  /* "uid/id" → Slot, owned */
        GHashTable *owners; /* uid → Owner, owned */
        IdRanges *ranges;
        Pool *pool;
        Tellers *tellers;
        uint64_t last_exec_status; /* number of a StatusFD of an exec, see exec.c */
        uint64_t next_serial;
        unsigned live;
        unsigned seen;
};

/* -- table.c -- */
void slot_free(void *slot);
void owner_free(void *owner);
char *slot_name(uid_t owner, const char *id);      /* key of the table; owned */
char *slot_terminal_name(const Slot *slot);        /* of its master with the FdKeeper; owned */
Owner *manager_owner(Manager *manager, uid_t uid); /* adds a row if need be */
Slot *manager_find_slot(Manager *manager, uid_t owner, const char *id);
Slot *manager_slot_of(Manager *manager, Container *container);
void slot_drop(Slot *slot);         /* calls `removed`, deletes the record, frees the row */
void slot_keep_stopped(Slot *slot); /* counts it as stopped; drops the owner's oldest ones */
void slot_save(Slot *slot);         /* writes the record now, with the output if it is stopped */
/* Writes the record a moment later: the call that made the container, and the next calls, come
 * first. */
void slot_save_soon(Slot *slot);

/* -- process-admission.c: a check of manager_admit(), once the user namespace is settled -- */
bool manager_admit_process(const Profile *profile, const Order *order, GError **error);

/* -- exec.c -- */
void slot_drop_execs(Slot *slot);    /* calls `exec_removed` for each, and ends it */
void slot_release_execs(Slot *slot); /* before the end of the service */
void slot_forget_execs(Slot *slot, const void *data); /* as manager_forget() */

/* -- index.c: containers of the OCI command line -- */
Index *index_open(Manager *manager); /* NULL, with a word in the log, if it cannot be watched */
void index_close(Index *index);      /* NULL is fine; the containers stay */

/* -- manager.c -- */
Slot *manager_add_slot(Manager *manager, ContainerInfo *info, Order *order); /* consumes both */
