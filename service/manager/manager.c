#include "service/manager/manager.h"

#include <signal.h>

#include "service/container/record.h"
#include "service/manager/internal.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"

/* -- what containers tell -- */

static void answer(Slot *slot, GError *error)
{
        ManagerFunc function = slot->function;

        slot->function = NULL;
        if (function)
                function(error ? NULL : slot->container, error, slot->data);
}

static void show(Slot *slot)
{
        Manager *manager = slot->manager;

        slot->is_seen = true;
        manager->seen++;
        answer(slot, NULL);
        manager->events->added(slot->container, manager->data);
}

static void on_created(Container *container, void *data)
{
        show(data);
        slot_save_soon(data);
}

static void on_started(Container *container, void *data)
{
        Slot *slot = data;

        if (!slot->is_seen)
                show(slot);
        else {
                answer(slot, NULL);
                slot->manager->events->changed(container, slot->manager->data);
        }
        slot_save_soon(slot);
}

static void on_changed(Container *container, GError *error, void *data)
{
        Slot *slot = data;

        answer(slot, error);
        if (error)
                return;
        slot->manager->events->changed(container, slot->manager->data);
        slot_save_soon(slot);
}

/* All output has come by now: a last line without an end is complete. */
static void end_journal(Slot *slot)
{
        output_set_sink(container_output(slot->container), NULL, NULL);
        g_clear_pointer(&slot->journal, journal_stream_free);
}

static void on_exited(Container *container, void *data)
{
        Slot *slot = data;

        /* somebody may wait for its start, and it was killed: they get an answer, too */
        g_autoptr(GError) error = NULL;
        error_set(&error, RUNTIME_ERROR_INVALID_STATE, "container '%s' has ended",
                  container_info(container)->id);
        end_journal(slot);
        answer(slot, error);
        slot->manager->events->exited(container, slot->manager->data);
}

static void on_failed(Container *container, GError *error, void *data)
{
        Slot *slot = data;

        answer(slot, error);
        if (slot->is_seen)
                slot->manager->events->exited(container, slot->manager->data);
}

static void on_cleaned(Container *container, void *data)
{
        Slot *slot = data;
        Manager *manager = slot->manager;
        const FdKeeper *keeper = &manager->options.keeper;
        g_autofree char *name = slot_terminal_name(slot);

        if (container_info(container)->belongs_to) {
                manager->events->settled(manager->data);
                return; /* it stays until it leaves the index */
        }
        manager->live--;
        slot->owner->live--;
        if (container_info(container)->terminal && keeper->drop)
                keeper->drop(name, keeper->data);
        if (!slot->is_seen || container_info(container)->remove)
                slot_drop(slot);
        else {
                slot_save_soon(slot);
                slot_keep_stopped(slot);
        }
        manager->events->settled(manager->data);
}

static void on_terminal(Container *container, int master, void *data)
{
        Slot *slot = data;
        const FdKeeper *keeper = &slot->manager->options.keeper;
        g_autofree char *name = slot_terminal_name(slot);

        if (keeper->keep)
                keeper->keep(name, master, keeper->data);
}

static bool on_noticed(Container *container, const Notice *notice, void *data)
{
        Slot *slot = data;

        return slot->manager->events->noticed(container, notice, slot->manager->data);
}

static const ContainerHooks hooks = {on_created, on_started, on_changed,  on_failed,
                                     on_exited,  on_cleaned, on_terminal, on_noticed};

static void on_output(const uint8_t *bytes, size_t n, void *data)
{
        journal_stream_write(data, bytes, n);
}

Slot *manager_add_slot(Manager *manager, ContainerInfo *info, Order *order)
{
        Slot *slot = g_new0(Slot, 1);

        slot->manager = manager;
        slot->owner = manager_owner(manager, info->owner);
        g_hash_table_insert(manager->slots, slot_name(info->owner, info->id), slot);
        bool has_output = info->state != CONTAINER_STOPPED && !info->belongs_to;
        slot->container = container_new(info, order, &hooks, slot);
        if (manager->options.journal && has_output) {
                slot->journal =
                        journal_stream_new(manager->options.journal,
                                           container_info(slot->container)->id, slot->owner->uid);
                output_set_sink(container_output(slot->container), on_output, slot->journal);
        }
        return slot;
}

/* -- admission -- */

static bool check_counts(Manager *manager, uid_t uid, GError **error)
{
        const Config *config = manager->options.config;
        unsigned live = manager_owner(manager, uid)->live;

        if (manager->live >= config->containers_max)
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "%u containers run already, the most allowed (ContainersMax)",
                                 manager->live);
        if (uid != 0 && live >= config->containers_per_user_max)
                return error_set(
                        error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                        "you have %u containers already, the most allowed (ContainersPerUserMax)",
                        live);
        return true;
}

/* In a user namespace a container can have any capability; without one, only those of the
 * service. */
static bool check_capabilities(const Profile *profile, const Order *order, GError **error)
{
        uint64_t missing = order->process.capabilities & ~profile->own_capabilities;

        if (order->tree.user_namespace != USER_NAMESPACE_HOST || !missing)
                return true;
        return error_set(
                error, RUNTIME_ERROR_NOT_SUPPORTED,
                "without a user namespace only the service's own capabilities can be had, not %s",
                capability_name((unsigned) __builtin_ctzll(missing)));
}

/* A service without ranges of ids to give out can only map the caller. */
static bool settle_user_namespace(const Manager *manager, TreeSpec *tree, GError **error)
{
        if (manager->options.has_id_ranges)
                return true;
        if (tree->has_user_namespace && (tree->user_namespace == USER_NAMESPACE_SELF ||
                                         tree->user_namespace == USER_NAMESPACE_KEEP_ID))
                return true;
        if (tree->has_user_namespace)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "UserNamespace '%s' needs a service that runs as root",
                                 tree->user_namespace == USER_NAMESPACE_AUTO ? "auto" : "host");
        tree->user_namespace = USER_NAMESPACE_SELF;
        return true;
}

/* The caller is itself, unless it says who else it is to be. */
static void settle_user(Order *order)
{
        ProcessSpec *process = &order->process;

        if (order->tree.user_namespace != USER_NAMESPACE_KEEP_ID || process->has_user)
                return;
        process->attributes.uid = order->owner->uid;
        process->attributes.gid = id_map_primary_group(order->owner);
}

static bool check_tasks_max(const Manager *manager, const Resources *resources, uid_t owner,
                            GError **error)
{
        uint64_t most = manager->options.config->tasks_max;

        return owner == 0 || resources->tasks_max <= most ||
               error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                         "TasksMax is at most %" G_GUINT64_FORMAT
                         " (TasksMax of the configuration)",
                         most);
}

static bool settle_tasks_max(const Manager *manager, Resources *resources, uid_t owner,
                             GError **error)
{
        if (!resources->has_tasks_max)
                resources->tasks_max = manager->options.config->tasks_max;
        return check_tasks_max(manager, resources, owner, error);
}

bool manager_admit(Manager *manager, Order *order, GError **error)
{
        uid_t owner = order->owner->uid;

        if (!manager->options.profile)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED, "%s",
                                 manager->options.profile_error);
        if (!settle_user_namespace(manager, &order->tree, error))
                return false;
        settle_user(order);
        if (!check_capabilities(manager->options.profile, order, error) ||
            !manager_admit_process(manager->options.profile, order, error) ||
            !settle_tasks_max(manager, &order->resources, owner, error))
                return false;
        if (order->id && manager_find_slot(manager, owner, order->id))
                return error_set(error, RUNTIME_ERROR_CONTAINER_EXISTS,
                                 "there is a container '%s' already", order->id);
        return check_counts(manager, owner, error);
}

/* -- start, delete -- */

void manager_start(Manager *manager, Container *container, ManagerFunc function, void *data)
{
        Slot *slot = manager_slot_of(manager, container);
        g_autoptr(GError) error = NULL;

        if (!container_start(container, &error)) {
                function(NULL, error, data);
                return;
        }
        slot->function = function;
        slot->data = data;
}

void manager_set_paused(Manager *manager, Container *container, bool paused, ManagerFunc function,
                        void *data)
{
        Slot *slot = manager_slot_of(manager, container);
        g_autoptr(GError) error = NULL;

        if (!container_set_paused(container, paused, &error)) {
                function(NULL, error, data);
                return;
        }
        slot->function = function;
        slot->data = data;
}

bool manager_update(Manager *manager, Container *container, const Resources *resources,
                    GError **error)
{
        Slot *slot = manager_slot_of(manager, container);
        uint64_t most = manager->options.config->user_memory_max;

        if (resources->has_tasks_max &&
            !check_tasks_max(manager, resources, slot->owner->uid, error))
                return false;
        if (slot->owner->uid != 0 && resources->memory_max != UINT64_MAX &&
            resources->memory_max > most)
                return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                                 "MemoryMax is at most %" G_GUINT64_FORMAT
                                 " bytes (UserMemoryMax of the configuration)",
                                 most);
        if (!container_update(container, resources, error))
                return false;
        if (resources->memory_max)
                manager->events->limited(container, manager->data);
        slot_save_soon(slot);
        return true;
}

void manager_drop_watcher(Manager *manager, Container *container)
{
        container_drop_watcher(container);
        if (container_is_live(container))
                slot_save(manager_slot_of(manager, container));
}

bool manager_delete(Manager *manager, Container *container, GError **error)
{
        const ContainerInfo *info = container_info(container);

        if (!container_must_be_ours(container, "delete", error))
                return false;
        if (info->state != CONTAINER_STOPPED && info->state != CONTAINER_CREATED)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "cannot delete container '%s': it is %s", info->id,
                                 container_state_to_string(info->state));
        if (container_is_clean(container)) {
                slot_drop(manager_slot_of(manager, container));
                return true;
        }
        container_set_remove(container);
        return info->state == CONTAINER_STOPPED || container_kill(container, true, SIGKILL, error);
}

void manager_forget(Manager *manager, const void *data)
{
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->slots);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                Slot *slot = value;
                if (slot->data == data)
                        slot->function = NULL;
                slot_forget_execs(slot, data);
        }
}

void manager_kill_all(Manager *manager)
{
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->slots);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                Container *container = ((Slot *) value)->container;
                if (container_is_live(container))
                        container_kill(container, true, SIGKILL, NULL);
        }
}

bool manager_has_readers(Manager *manager)
{
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->slots);
        while (g_hash_table_iter_next(&iterator, NULL, &value))
                if (output_has_readers(container_output(((Slot *) value)->container)))
                        return true;
        return false;
}

bool manager_is_idle(Manager *manager)
{
        return manager->live == 0;
}

/* -- life -- */

Manager *manager_new(const ManagerOptions *options, const ManagerEvents *events, void *data)
{
        Manager *manager = g_new0(Manager, 1);

        manager->options = *options;
        manager->events = events;
        manager->data = data;
        manager->next_serial = 1;
        manager->last_exec_status = (uint64_t) g_get_monotonic_time();
        manager->slots = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, slot_free);
        manager->owners = g_hash_table_new_full(NULL, NULL, NULL, owner_free);
        manager->ranges = options->ranges;
        manager->tellers = tellers_new(&options->keeper);
        manager->pool = pool_new(&(PoolOptions){
                .size = options->profile ? options->prepared : 0,
                .profile = options->profile,
                .cgroups = options->cgroups,
                .ranges = manager->ranges,
                .next_serial = &manager->next_serial,
        });
        return manager;
}

/* Writes for the next service what is not recorded yet, and the output so far of containers that
 * run on. */
static void release(Manager *manager)
{
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->slots);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                Slot *slot = value;
                const ContainerInfo *info = container_info(slot->container);
                if (info->belongs_to)
                        continue; /* freed without an end */
                bool is_known_end = info->state == CONTAINER_STOPPED && slot->is_seen &&
                                    !info->remove && !container_is_clean(slot->container);
                if (slot->save_timer || container_state_is_running(info->state) || is_known_end)
                        slot_save(slot);
                if (!container_state_is_running(info->state))
                        continue;
                /* also reads what still waits in the pipe */
                output_release(container_output(slot->container));
                record_save_log(manager->options.records, info->serial,
                                output_log(container_output(slot->container)), NULL);
                slot_release_execs(slot);
                container_release(slot->container);
        }
}

void manager_free(Manager *manager)
{
        if (!manager)
                return;
        index_close(manager->index);
        if (manager->options.records >= 0)
                release(manager);
        g_hash_table_destroy(manager->slots);
        g_hash_table_destroy(manager->owners);
        tellers_free(manager->tellers);
        pool_free(manager->pool);
        g_free(manager);
}
