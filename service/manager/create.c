/* How a container comes to be: a name, a leaf and ids, a process. With luck the leaf, the ids and
 * the process are there already, in the pool; else they are made now. */

#include "service/manager/internal.h"
#include "service/spec/error.h"

static char *next_id(Manager *manager, Owner *owner)
{
        for (;;) {
                g_autofree char *id =
                        g_strdup_printf("container-%" G_GUINT64_FORMAT, owner->next_number++);
                if (!manager_find_slot(manager, owner->uid, id))
                        return g_steal_pointer(&id);
        }
}

static CgroupLimits limits_of(const Order *order)
{
        const Resources *resources = &order->resources;
        bool has_swap_max = resources->memory_max != UINT64_MAX || resources->has_memory_swap_max;

        return (CgroupLimits){
                .memory_max = resources->memory_max,
                .memory_swap_max = has_swap_max ? resources->memory_swap_max : CGROUP_NO_LIMIT,
                .tasks_max = resources->tasks_max,
                .is_sandbox = order->is_sandbox,
                .more = resources,
        };
}

/* What waits in the pool lies among its owner's other containers, not where the action `sandbox`
 * has its bounds. A prepared sandbox may use more already than the order allows. v1 then refuses to
 * set the limit, and v2 kills the sandbox: in both cases the run makes a sandbox of its own, and
 * reports why that fails. */
static bool take_prepared(Manager *manager, const Order *order, Prepared *ret)
{
        const CgroupLimits limits = limits_of(order);

        if (order->is_sandbox || !launch_fits_prepared(order) ||
            !pool_take(manager->pool, order->owner, order->tree.root.gid, ret))
                return false;
        if (cgroup_limit(ret->cgroup, &limits, NULL) && sandbox_is_sound(ret->sandbox))
                return true;
        prepared_clear(ret);
        return false;
}

static bool make_leaf(Slot *slot, Prepared *made, GError **error)
{
        Manager *manager = slot->manager;
        const ContainerInfo *info = container_info(slot->container);
        const Order *order = container_order(slot->container);
        const CgroupLimits limits = limits_of(order);

        if (!id_map_new(manager->ranges, order->tree.user_namespace, order->owner,
                        order->tree.root.gid, &made->map, error))
                return false;
        if (order->tree.user_namespace == USER_NAMESPACE_KEEP_ID)
                id_map_keep(made->map, order->owner, order->process.attributes.uid,
                            order->process.attributes.gid);
        if (cgroup_new(manager->options.cgroups, info->owner, info->serial, &limits, &made->cgroup,
                       error))
                return true;
        g_clear_pointer(&made->map, id_map_free);
        return false;
}

static bool start_process(Slot *slot, Prepared *made, GError **error)
{
        const ManagerOptions *options = &slot->manager->options;
        const ContainerEngine engine = {options->launch, options->profile};

        return (made->cgroup || make_leaf(slot, made, error)) &&
               container_launch(slot->container, &engine, made, error);
}

/* What waits in the pool must stand in nobody's way: if ids, processes or memory ran out, empty the
 * pool and try once more. */
static bool start_process_somehow(Slot *slot, Prepared *made, GError **error)
{
        g_autoptr(GError) first = NULL;

        if (start_process(slot, made, &first))
                return true;
        if ((first->code == RUNTIME_ERROR_LIMITS_EXCEEDED ||
             first->code == RUNTIME_ERROR_NO_MEMORY) &&
            pool_clear(slot->manager->pool))
                return start_process(slot, made, error);
        g_propagate_error(error, g_steal_pointer(&first));
        return false;
}

void manager_create(Manager *manager, Order *consumed, ManagerFunc function, void *data)
{
        g_autoptr(Order) order = consumed;
        g_autoptr(GError) error = NULL;
        Owner *owner = manager_owner(manager, order->owner->uid);
        Prepared made = {0};

        /* checked again: things may have changed while polkit was asked */
        if (!manager_admit(manager, order, &error)) {
                function(NULL, error, data);
                return;
        }
        bool is_prepared = take_prepared(manager, order, &made);
        ContainerInfo info = {
                .serial = is_prepared ? made.serial : manager->next_serial++,
                .id = order->id ? g_strdup(order->id) : next_id(manager, owner),
                .owner = owner->uid,
                .state = CONTAINER_CREATING,
                .created_usec = (uint64_t) g_get_real_time(),
                .memory_max = order->resources.memory_max,
                .remove = order->remove,
                .is_sandbox = order->is_sandbox,
                .deviations = order_deviations(order),
                .watcher = g_strdup(order->watcher),
                .labels = g_steal_pointer(&order->labels),
                .made_with = g_steal_pointer(&order->made_with),
        };
        Slot *slot = manager_add_slot(manager, &info, g_steal_pointer(&order));
        if (!container_take_status(slot->container, manager->tellers, &error) ||
            !start_process_somehow(slot, &made, &error)) {
                prepared_clear(&made);
                slot_drop(slot);
                function(NULL, error, data);
                return;
        }
        manager->live++;
        owner->live++;
        slot->function = function;
        slot->data = data;
}
