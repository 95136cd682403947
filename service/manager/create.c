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

static CgroupLimits limits_of(const RunSpec *spec)
{
        return (CgroupLimits){
                .memory_max = spec->memory_max,
                .memory_swap_max = spec->memory_max == UINT64_MAX && !spec->has_memory_swap_max
                                           ? CGROUP_NO_LIMIT
                                           : spec->memory_swap_max,
                .tasks_max = spec->tasks_max,
        };
}

/* A limit that a prepared one is beyond already is for the plain way to refuse: v1 does not set it,
 * v2 kills. */
static bool take_prepared(Manager *manager, const RunSpec *spec, const ManagerCreate *create,
                          Prepared *ret)
{
        const CgroupLimits limits = limits_of(spec);

        if (!launch_fits_prepared(spec) ||
            !pool_take(manager->pool, create->owner, create->tree_gid, ret))
                return false;
        if (cgroup_limit(ret->cgroup, &limits, NULL) && sandbox_is_sound(ret->sandbox))
                return true;
        prepared_clear(ret);
        return false;
}

static bool make_leaf(Slot *slot, const ManagerCreate *create, Prepared *made, GError **error)
{
        Manager *manager = slot->manager;
        const ContainerInfo *info = container_info(slot->container);
        const RunSpec *spec = container_spec(slot->container);
        const CgroupLimits limits = limits_of(spec);

        if (!id_map_new(manager->ranges, spec->user_namespace, create->owner, create->tree_gid,
                        &made->map, error))
                return false;
        if (cgroup_new(manager->options.cgroups, info->owner, info->serial, &limits, &made->cgroup,
                       error))
                return true;
        g_clear_pointer(&made->map, id_map_free);
        return false;
}

static bool start_process(Slot *slot, const ManagerCreate *create, Prepared *made, GError **error)
{
        Manager *manager = slot->manager;

        if (!made->cgroup && !make_leaf(slot, create, made, error))
                return false;
        const ContainerLaunch launch = {
                .launch = manager->options.launch,
                .profile = manager->options.profile,
                .tree_fd = create->tree_fd,
                .sources = create->sources,
                .cgroup = made->cgroup,
                .map = made->map,
                .sandbox = made->sandbox,
                .fds = create->fds,
                .n_fds = create->n_fds,
                .execute = create->execute,
        };
        *made = (Prepared){0};
        return container_launch(slot->container, &launch, error);
}

/* What waits in the pool must stand in nobody's way: with its ids and namespaces given back, once
 * more. */
static bool start_process_somehow(Slot *slot, const ManagerCreate *create, Prepared *made,
                                  GError **error)
{
        g_autoptr(GError) first = NULL;

        if (start_process(slot, create, made, &first))
                return true;
        if ((first->code == RUNTIME_ERROR_LIMITS_EXCEEDED ||
             first->code == RUNTIME_ERROR_NO_MEMORY) &&
            pool_clear(slot->manager->pool))
                return start_process(slot, create, made, error);
        g_propagate_error(error, g_steal_pointer(&first));
        return false;
}

void manager_create(Manager *manager, const ManagerCreate *create, ManagerFunc function, void *data)
{
        g_autoptr(RunSpec) spec = create->spec;
        g_autoptr(GError) error = NULL;
        Owner *owner = manager_owner(manager, create->owner->uid);
        Prepared made = {0};

        /* once more: the world may have moved while polkit was asked */
        if (!manager_admit(manager, spec, create->owner, &error)) {
                function(NULL, error, data);
                return;
        }
        bool is_prepared = take_prepared(manager, spec, create, &made);
        ContainerInfo info = {
                .serial = is_prepared ? made.serial : manager->next_serial++,
                .id = spec->id ? g_strdup(spec->id) : next_id(manager, owner),
                .owner = create->owner->uid,
                .state = CONTAINER_CREATING,
                .created_usec = (uint64_t) g_get_real_time(),
                .memory_max = spec->memory_max,
                .remove = spec->remove,
                .deviations = run_spec_deviations(spec),
                .watcher = g_strdup(create->watcher),
        };
        Slot *slot = manager_add_slot(manager, &info, g_steal_pointer(&spec));
        if (!start_process_somehow(slot, create, &made, &error)) {
                slot_drop(slot);
                function(NULL, error, data);
                return;
        }
        manager->live++;
        owner->live++;
        slot->function = function;
        slot->data = data;
}
