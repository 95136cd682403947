/* The table of containers: rows come by create.c and restore.c, and stay until slot_drop(). What a
 * row has on disk, its record, is written and deleted here. */

#include <string.h>

#include "service/container/record.h"
#include "service/manager/internal.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/proc.h"

void slot_free(void *data)
{
        Slot *slot = data;

        if (slot->save_timer)
                g_source_remove(slot->save_timer);
        g_clear_pointer(&slot->execs, g_ptr_array_unref); /* before the container's process */
        container_free(slot->container);
        journal_stream_free(slot->journal);
        g_free(slot);
}

void owner_free(void *data)
{
        Owner *owner = data;

        g_queue_clear(&owner->stopped);
        g_free(owner);
}

Owner *manager_owner(Manager *manager, uid_t uid)
{
        Owner *owner = g_hash_table_lookup(manager->owners, GUINT_TO_POINTER(uid));

        if (!owner) {
                owner = g_new0(Owner, 1);
                owner->uid = uid;
                owner->next_number = 1;
                g_queue_init(&owner->stopped);
                g_hash_table_insert(manager->owners, GUINT_TO_POINTER(uid), owner);
        }
        return owner;
}

char *slot_name(uid_t owner, const char *id)
{
        return g_strdup_printf("%u/%s", owner, id);
}

char *slot_terminal_name(const Slot *slot)
{
        return g_strdup_printf("pty-%" G_GUINT64_FORMAT, container_info(slot->container)->serial);
}

Slot *manager_find_slot(Manager *manager, uid_t owner, const char *id)
{
        g_autofree char *name = slot_name(owner, id);

        return g_hash_table_lookup(manager->slots, name);
}

Slot *manager_slot_of(Manager *manager, Container *container)
{
        const ContainerInfo *info = container_info(container);

        return manager_find_slot(manager, info->owner, info->id);
}

/* -- leaving the table -- */

void slot_drop(Slot *slot)
{
        Manager *manager = slot->manager;
        const ContainerInfo *info = container_info(slot->container);
        g_autofree char *name = slot_name(info->owner, info->id);

        slot_drop_execs(slot);
        if (slot->is_seen) {
                manager->events->removed(slot->container, manager->data);
                manager->seen--;
                if (manager->options.records >= 0 && !info->belongs_to)
                        record_delete(manager->options.records, info->serial);
        }
        g_queue_remove(&slot->owner->stopped, slot);
        g_hash_table_remove(manager->slots, name);
}

/* A bounded number is kept, so that a short command's result can still be read. */
void slot_keep_stopped(Slot *slot)
{
        Owner *owner = slot->owner;
        const Config *config = slot->manager->options.config;

        g_queue_push_tail(&owner->stopped, slot);
        /* drops `slot` itself if 0 are kept */
        while (owner->stopped.length > config->stopped_per_user_max)
                slot_drop(owner->stopped.head->data);
}

static bool save(Slot *slot, GError **error)
{
        int records = slot->manager->options.records;
        ContainerInfo info = *container_info(slot->container);
        Output *output = container_output(slot->container);

        if (info.state != CONTAINER_STOPPED) {
                if (!proc_start_time(info.pid, &info.start_time))
                        return error_set(error, RUNTIME_ERROR_FAILED,
                                         "cannot read the start time of its process");
                return record_save(records, &info, NULL, error);
        }
        /* output that only the old record has must not be lost by writing the record anew, and a
         * damaged log not become a whole one without words */
        bool is_whole = manager_load_output(slot->manager, slot->container, &output, NULL) ||
                        !record_has_log(records, info.serial);
        return record_save(records, &info, is_whole ? output_log(output) : NULL, error);
}

void slot_save(Slot *slot)
{
        g_autoptr(GError) error = NULL;

        if (slot->save_timer)
                g_source_remove(slot->save_timer);
        slot->save_timer = 0;
        if (slot->manager->options.records >= 0 && !save(slot, &error))
                g_warning("container %s: %s; it is known only while the service runs",
                          container_info(slot->container)->id, error->message);
}

static gboolean on_save(void *data)
{
        slot_save(data);
        return G_SOURCE_CONTINUE; /* slot_save() has removed the source */
}

/* Writing waits a moment: the call that made the container and the next calls come first, and a
 * short-lived container is recorded once, or never. If the service is killed before that, the next
 * service ends the container. */
void slot_save_soon(Slot *slot)
{
        if (container_info(slot->container)->belongs_to)
                return; /* its own runtime keeps it */
        if (!slot->save_timer && slot->manager->options.records >= 0)
                slot->save_timer = g_timeout_add(SAVE_DELAY_MSEC, on_save, slot);
}

bool manager_load_output(Manager *manager, Container *container, Output **ret, GError **error)
{
        Slot *slot = manager_slot_of(manager, container);
        Output *output = container_output(container);

        if (!container_must_be_ours(container, "read the output of", error))
                return false;
        if (slot->is_log_on_disk &&
            !record_load_log(manager->options.records, container_info(container)->serial,
                             output_log(output), error))
                return false;
        slot->is_log_on_disk = false;
        *ret = output;
        return true;
}

/* -- reading the table -- */

Container *manager_find(Manager *manager, uid_t owner, const char *id)
{
        Slot *slot = manager_find_slot(manager, owner, id);

        return slot && slot->is_seen ? slot->container : NULL;
}

/* By time, not by serial: a prepared sandbox has got its serial before its container was made. */
static gint compare_ages(gconstpointer a, gconstpointer b)
{
        const ContainerInfo *one = container_info(*(Container *const *) a);
        const ContainerInfo *other = container_info(*(Container *const *) b);

        if (one->created_usec != other->created_usec)
                return one->created_usec < other->created_usec ? -1 : 1;
        return one->serial < other->serial ? -1 : one->serial > other->serial;
}

GPtrArray *manager_list(Manager *manager, uid_t owner)
{
        GPtrArray *list = g_ptr_array_new();
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->slots);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                Slot *slot = value;
                if (slot->is_seen && (owner == UID_ANY || slot->owner->uid == owner))
                        g_ptr_array_add(list, slot->container);
        }
        g_ptr_array_sort(list, compare_ages);
        return list;
}

/* In the container's cgroup or one below it; without cgroups only the main process is known. */
static bool has_process(const ContainerInfo *info, pid_t pid, const ProcCgroup *cgroups, unsigned n)
{
        size_t length = strlen(info->control_group);

        for (unsigned i = 0; i < n && length > 0; i++) {
                const char *rest = cgroups[i].path + length;
                if (strncmp(cgroups[i].path, info->control_group, length) == 0 &&
                    (*rest == '\0' || *rest == '/'))
                        return true;
        }
        return length == 0 && info->pid == pid;
}

Container *manager_find_by_pid(Manager *manager, uid_t owner, pid_t pid)
{
        char text[PROC_CGROUP_SIZE];
        ProcCgroup cgroups[PROC_CGROUPS_MAX];
        unsigned n = proc_list_cgroups(pid, text, cgroups);
        g_autoptr(GPtrArray) list = manager_list(manager, owner);

        for (guint i = 0; i < list->len; i++)
                if (container_is_live(list->pdata[i]) &&
                    has_process(container_info(list->pdata[i]), pid, cgroups, n))
                        return list->pdata[i];
        return NULL;
}

unsigned manager_count(Manager *manager)
{
        return manager->seen;
}
