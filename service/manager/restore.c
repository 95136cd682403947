/* What a start finds: records of stopped containers, containers that a predecessor left running,
 * and whatever else lies in the leaves. Everything is either in the table afterwards, or ended. */

#include "service/container/adoption.h"
#include "service/container/record.h"
#include "service/container/usage.h"
#include "service/manager/internal.h"

#define LEAVES_WAIT_USEC G_USEC_PER_SEC

/* Ended while no service ran: what its leaf has counted is told still, before the sweep. */
static void take_usage(Manager *manager, ContainerInfo *info)
{
        g_autoptr(Cgroup) cgroup = NULL;

        if (!cgroup_open(manager->options.cgroups, info->owner, info->serial, &cgroup, NULL))
                return;
        info->oom_kills = cgroup_oom_kills(cgroup);
        usage_take(info, cgroup);
        /* when it has ended, nobody knows */
        info->usage.known &= ~(UINT64_C(1) << CGROUP_FIGURE_WallUSec);
}

/* False: the container has ended, and `info` says so from here on. */
static bool find_running(Manager *manager, ContainerInfo *info, ContainerAdoption *ret)
{
        g_autoptr(GError) error = NULL;

        if (adoption_find(manager->options.cgroups, manager->ranges, info, ret, &error))
                return true;
        g_warning("container %s of user %u cannot be taken over: %s", info->id, info->owner,
                  error->message);
        info->state = CONTAINER_STOPPED;
        info->result = RESULT_UNKNOWN;
        info->pid = 0;
        take_usage(manager, info);
        return false;
}

static void take_terminal(const Slot *slot, ContainerAdoption *adoption)
{
        const FdKeeper *keeper = &slot->manager->options.keeper;
        g_autofree char *name = slot_terminal_name(slot);

        if (container_info(slot->container)->terminal && keeper->take)
                adoption->source = keeper->take(name, keeper->data);
}

/* From here on the log is in memory: after a crash the copy on disk must not be read again. */
static void take_log(Manager *manager, const Slot *slot)
{
        const ContainerInfo *info = container_info(slot->container);
        OutputLog *log = output_log(container_output(slot->container));
        int records = manager->options.records;
        g_autoptr(GError) error = NULL;

        if (!record_load_log(records, info->serial, log, &error)) {
                if (record_has_log(records, info->serial))
                        g_warning("container %s of user %u: %s; its output until now is lost",
                                  info->id, info->owner, error->message);
                output_log_lose(log);
        }
        record_delete_log(records, info->serial);
}

static void take_record(ContainerInfo *info, void *data)
{
        Manager *manager = data;

        if (manager_find_slot(manager, info->owner, info->id)) {
                g_warning("container %s of user %u has two records; ignoring that of serial "
                          "%" G_GUINT64_FORMAT,
                          info->id, info->owner, info->serial);
                container_info_clear(info);
                return;
        }
        ContainerAdoption adoption;
        bool was_live = info->state == CONTAINER_RUNNING;
        bool is_ours = was_live && find_running(manager, info, &adoption);
        if (info->result == RESULT_UNKNOWN && info->exited_usec == 0)
                info->exited_usec = (uint64_t) g_get_real_time();
        Slot *slot = manager_add_slot(manager, info, NULL);
        slot->is_seen = true;
        manager->seen++;
        if (was_live)
                container_adopt_status(slot->container, manager->tellers);
        if (is_ours) {
                take_log(manager, slot);
                take_terminal(slot, &adoption);
                container_adopt(slot->container, &adoption);
                manager->live++;
                slot->owner->live++;
        } else {
                slot->is_log_on_disk = true;
                output_finish(container_output(slot->container));
                container_say(slot->container, NULL);
        }
}

static bool is_adopted(Manager *manager, uint64_t serial)
{
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->slots);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                Slot *slot = value;
                if (container_info(slot->container)->serial == serial)
                        return container_is_live(slot->container);
        }
        return false;
}

static gint compare_exits(gconstpointer a, gconstpointer b)
{
        uint64_t one = container_info(*(Container *const *) a)->exited_usec;
        uint64_t other = container_info(*(Container *const *) b)->exited_usec;

        return one < other ? -1 : one > other;
}

static void free_cgroup(void *data)
{
        cgroup_free(data);
}

typedef struct Restore {
        Manager *manager;
        GPtrArray *ended; /* Cgroup, owned */
} Restore;

/* Ends processes whose supervisor is gone, and with it their pidfd, pipes and terminal: nothing may
 * run on without being listed. */
static void end_leaf(uid_t owner, uint64_t serial, bool populated, void *data)
{
        Restore *restore = data;
        Manager *manager = restore->manager;
        g_autoptr(Cgroup) cgroup = NULL;
        g_autoptr(GError) error = NULL;

        manager->next_serial = MAX(manager->next_serial, serial + 1);
        if (!populated || is_adopted(manager, serial))
                return; /* the sweep removes an empty leaf */
        if (!cgroup_open(manager->options.cgroups, owner, serial, &cgroup, &error) ||
            !cgroup_kill(cgroup, &error)) {
                g_warning("container %" G_GUINT64_FORMAT " of user %u runs unsupervised: %s",
                          serial, owner, error->message);
                return;
        }
        g_warning("container %" G_GUINT64_FORMAT
                  " of user %u was left by a service that died: ended",
                  serial, owner);
        g_ptr_array_add(restore->ended, g_steal_pointer(&cgroup));
}

/* Nobody is served before this ends, so it waits no longer than LEAVES_WAIT_USEC for all leaves
 * together. A later sweep removes what is left then. */
static void end_leaves(Manager *manager)
{
        g_autoptr(GPtrArray) ended = g_ptr_array_new_with_free_func(free_cgroup);
        Restore restore = {manager, ended};

        cgroup_tree_foreach_leaf(manager->options.cgroups, end_leaf, &restore);
        gint64 deadline = g_get_monotonic_time() + LEAVES_WAIT_USEC;
        for (guint i = 0; i < ended->len; i++)
                while (!cgroup_remove(ended->pdata[i], NULL) && g_get_monotonic_time() < deadline)
                        g_usleep(10000);
}

void manager_restore(Manager *manager)
{
        if (manager->options.records >= 0)
                manager->next_serial =
                        record_load_all(manager->options.records, take_record, manager) + 1;
        tellers_sweep(manager->tellers);
        g_autoptr(GPtrArray) stopped = manager_list(manager, UID_ANY);
        g_ptr_array_sort(stopped, compare_exits);
        for (guint i = 0; i < stopped->len; i++) {
                Slot *slot = manager_slot_of(manager, stopped->pdata[i]);
                const ContainerInfo *info = container_info(slot->container);
                if (info->state != CONTAINER_STOPPED)
                        continue;
                if (info->remove) {
                        slot_drop(slot);
                        continue;
                }
                if (info->result == RESULT_UNKNOWN)
                        slot_save(slot);
                slot_keep_stopped(slot);
        }
        end_leaves(manager);
        cgroup_tree_sweep(manager->options.cgroups);
        if (manager->options.state_dir > 0)
                manager->index = index_open(manager);
}
