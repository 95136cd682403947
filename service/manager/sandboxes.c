#include "service/manager/sandboxes.h"

#include <signal.h>

#include "service/manager/internal.h"

typedef void (*SlotFunc)(Slot *slot);

static void foreach_sandbox(Manager *manager, uid_t owner, SlotFunc function)
{
        GHashTableIter iterator;
        void *value;

        g_hash_table_iter_init(&iterator, manager->slots);
        while (g_hash_table_iter_next(&iterator, NULL, &value)) {
                Slot *slot = value;
                const ContainerInfo *info = container_info(slot->container);
                if (info->owner == owner && info->is_sandbox && container_is_live(slot->container))
                        function(slot);
        }
}

static void kill_slot(Slot *slot)
{
        container_kill(slot->container, true, SIGKILL, NULL);
}

static void note_session(Slot *slot)
{
        if (container_info(slot->container)->has_session)
                return;
        container_note_session(slot->container);
        if (slot->is_seen)
                slot_save_soon(slot);
}

void manager_kill_sandboxes(Manager *manager, uid_t owner)
{
        foreach_sandbox(manager, owner, kill_slot);
}

void manager_note_session(Manager *manager, uid_t owner)
{
        foreach_sandbox(manager, owner, note_session);
}
