/* Processes that join a container: how many there may be, and how long those that have ended are
 * kept. */

#include "service/manager/internal.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"

/* Tells the number of an exec's StatusFD from a container's, which is its serial. Numbers go on
 * from the time at which the service began, in µs: what a predecessor has left is no number of
 * ours. */
#define EXEC_STATUS (UINT64_C(1) << 63)

typedef struct ExecRow {
        Slot *slot;
        Exec *exec;
        bool is_seen;             /* `exec_added` was called: callers can see it */
        ManagerExecFunc function; /* of a start that is pending; NULL: nobody waits */
        void *data;
} ExecRow;

static void row_free(void *data)
{
        ExecRow *row = data;

        row->slot->owner->execs--;
        exec_free(row->exec);
        g_free(row);
}

static void drop(ExecRow *row)
{
        Manager *manager = row->slot->manager;

        if (row->is_seen)
                manager->events->exec_removed(row->exec, manager->data);
        g_ptr_array_remove(row->slot->execs, row);
}

static bool has_ended(const ExecRow *row)
{
        return exec_info(row->exec)->state == CONTAINER_STOPPED;
}

static ExecRow *oldest_ended(const Slot *slot)
{
        for (guint i = 0; slot->execs && i < slot->execs->len; i++)
                if (has_ended(slot->execs->pdata[i]))
                        return slot->execs->pdata[i];
        return NULL;
}

/* -- what execs tell -- */

static void answer(ExecRow *row, GError *error)
{
        ManagerExecFunc function = row->function;

        row->function = NULL;
        if (function)
                function(error ? NULL : row->exec, error, row->data);
}

static void on_started(Exec *exec, void *data)
{
        ExecRow *row = data;
        Manager *manager = row->slot->manager;

        row->is_seen = true;
        answer(row, NULL);
        manager->events->exec_added(exec, manager->data);
}

static void on_failed(Exec *exec, GError *error, void *data)
{
        answer(data, error);
        drop(data);
}

static void on_ended(Exec *exec, void *data)
{
        Manager *manager = ((ExecRow *) data)->slot->manager;

        manager->events->exec_ended(exec, manager->data);
}

static const ExecHooks hooks = {on_started, on_failed, on_ended};

/* -- admission -- */

bool manager_admit_exec(Manager *manager, Container *container, GError **error)
{
        Slot *slot = manager_slot_of(manager, container);
        uid_t owner = slot->owner->uid;

        if (!exec_may_begin(container, error))
                return false;
        if (oldest_ended(slot)) /* which would make room */
                return true;
        if (slot->execs && slot->execs->len >= EXECS_MAX)
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "container '%s' has %u processes that joined it already, the most "
                                 "allowed",
                                 container_info(container)->id, EXECS_MAX);
        if (owner != 0 && slot->owner->execs >= EXECS_PER_UID_MAX)
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "all containers of user %u have %u processes that joined them "
                                 "already, the most allowed",
                                 owner, EXECS_PER_UID_MAX);
        return true;
}

/* Results are kept as long as nobody needs their room. */
static void make_room(Slot *slot)
{
        ExecRow *oldest = oldest_ended(slot);

        if (oldest && (slot->execs->len >= EXECS_MAX ||
                       (slot->owner->uid != 0 && slot->owner->execs >= EXECS_PER_UID_MAX)))
                drop(oldest);
}

void manager_exec(Manager *manager, Container *container, Order *consumed, ManagerExecFunc function,
                  void *data)
{
        g_autoptr(Order) order = consumed;
        g_autoptr(GError) error = NULL;
        Slot *slot = manager_slot_of(manager, container);
        StatusFd *status = NULL;
        Exec *exec;

        /* checked again: things may have changed while polkit was asked */
        if (!manager_admit_exec(manager, container, &error) ||
            !status_fd_take(manager->tellers, order, EXEC_STATUS | (manager->last_exec_status + 1),
                            &status, &error) ||
            !exec_new(container, manager->options.profile, slot->last_exec + 1,
                      g_steal_pointer(&order), &exec, &error)) {
                status_fd_free(status);
                function(NULL, error, data);
                return;
        }
        make_room(slot);
        if (!slot->execs)
                slot->execs = g_ptr_array_new_with_free_func(row_free);
        slot->last_exec++;
        manager->last_exec_status++;
        exec_set_status(exec, status);
        slot->owner->execs++;
        ExecRow *row = g_new0(ExecRow, 1);
        *row = (ExecRow){.slot = slot, .exec = exec, .function = function, .data = data};
        exec_set_hooks(exec, &hooks, row);
        g_ptr_array_add(slot->execs, row);
}

/* -- the table -- */

void slot_drop_execs(Slot *slot)
{
        while (slot->execs && slot->execs->len > 0)
                drop(slot->execs->pdata[slot->execs->len - 1]);
}

void slot_release_execs(Slot *slot)
{
        for (guint i = 0; slot->execs && i < slot->execs->len; i++)
                exec_release(((ExecRow *) slot->execs->pdata[i])->exec);
}

void slot_forget_execs(Slot *slot, const void *data)
{
        for (guint i = 0; slot->execs && i < slot->execs->len; i++) {
                ExecRow *row = slot->execs->pdata[i];
                if (row->data == data)
                        row->function = NULL;
        }
}

Exec *manager_find_exec(Manager *manager, Container *container, unsigned number)
{
        const Slot *slot = manager_slot_of(manager, container);

        for (guint i = 0; slot->execs && i < slot->execs->len; i++) {
                ExecRow *row = slot->execs->pdata[i];
                if (row->is_seen && exec_info(row->exec)->number == number)
                        return row->exec;
        }
        return NULL;
}

GPtrArray *manager_list_execs(Manager *manager, Container *container)
{
        const Slot *slot = manager_slot_of(manager, container);
        GPtrArray *list = g_ptr_array_new();

        for (guint i = 0; slot->execs && i < slot->execs->len; i++) {
                ExecRow *row = slot->execs->pdata[i];
                if (row->is_seen)
                        g_ptr_array_add(list, row->exec);
        }
        return list;
}
