/* The limits that are one file each, and `unified`, whose keys are files. */

#include "cli/oci/cgroup/write.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "service/cgroup/internal.h"
#include "service/spec/error.h"

/* 0 is a limit, too: the container's own process is there already, and no other may be. */
static bool set_pids(const PathCgroup *cgroup, const OciSigned *pids, GError **error)
{
        Place place;

        if (!pids->is_given)
                return true;
        if (!cgroup && pids->value < 0)
                return true;
        if (!oci_find_place(cgroup, "pids", "pids.limit", &place, error))
                return false;
        if (pids->value < 0 || pids->value > CGROUP_PIDS_MAX)
                return oci_write(&place, "pids.max", "max", error);
        return oci_write_number(&place, "pids.max", MAX(pids->value, 1), error);
}

/* What is reserved counts apart, where the kernel has that. */
static bool set_hugepage(const PathCgroup *cgroup, const OciHugepageLimit *limit, GError **error)
{
        Place place;

        if (!oci_find_place(cgroup, "hugetlb", "hugepageLimits", &place, error))
                return false;
        if (strchr(limit->page_size, '/'))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "linux.resources.hugepageLimits: '%s' is no size of a page",
                                 limit->page_size);
        const char *end = place.is_unified ? "max" : "limit_in_bytes";
        g_autofree char *file = g_strdup_printf("hugetlb.%s.%s", limit->page_size, end);
        g_autofree char *reserved = g_strdup_printf("hugetlb.%s.rsvd.%s", limit->page_size, end);
        return oci_write_unsigned(&place, file, limit->limit, error) &&
               (!oci_has_file(&place, reserved) ||
                oci_write_unsigned(&place, reserved, limit->limit, error));
}

static bool set_rdma(const PathCgroup *cgroup, const OciRdma *rdma, GError **error)
{
        g_autoptr(GString) text = g_string_new(rdma->device);
        Place place;

        if (!oci_find_place(cgroup, "rdma", "rdma", &place, error))
                return false;
        if (rdma->handles.is_given)
                g_string_append_printf(text, " hca_handle=%" PRIu64, rdma->handles.value);
        if (rdma->objects.is_given)
                g_string_append_printf(text, " hca_object=%" PRIu64, rdma->objects.value);
        return oci_write(&place, "rdma.max", text->str, error);
}

static bool set_network(const PathCgroup *cgroup, const OciResources *resources, GError **error)
{
        Place place;

        if (resources->class_id.value != 0 &&
            (!oci_find_place(cgroup, "net_cls", "network.classID", &place, error) ||
             !oci_write_unsigned(&place, "net_cls.classid", resources->class_id.value, error)))
                return false;
        for (size_t i = 0; i < resources->n_priorities; i++) {
                const OciNetworkPriority *priority = &resources->priorities[i];
                g_autofree char *text =
                        g_strdup_printf("%s %u", priority->interface, priority->priority);
                if (!oci_find_place(cgroup, "net_prio", "network.priorities", &place, error) ||
                    !oci_write(&place, "net_prio.ifpriomap", text, error))
                        return false;
        }
        return true;
}

/* A file of limits of v2, not one that moves processes, ends them or lets them stand still: those
 * are the runtime's. */
static bool check_unified(const char *key, GError **error)
{
        static const char *const refused[] = {"cgroup.", "."};
        const char *point = strchr(key, '.');
        bool is_bad = !point || strchr(key, '/');

        for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
                is_bad = is_bad || (g_str_has_prefix(key, refused[i]) &&
                                    !g_str_has_prefix(key, "cgroup.max."));
        return !is_bad || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                    "linux.resources.unified: '%s' is no limit of cgroup v2", key);
}

static bool set_unified(const PathCgroup *cgroup, const OciPair *pair, GError **error)
{
        g_autofree char *name = g_strdup_printf("unified[\"%s\"]", pair->key);
        Place place = {name, cgroup ? path_cgroup_unified(cgroup) : -1, true};

        if (!check_unified(pair->key, error))
                return false;
        if (place.fd < 0)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "linux.resources.%s: the container has no cgroup of v2", name);
        return oci_write(&place, pair->key, pair->value, error);
}

bool oci_set_others(const PathCgroup *cgroup, const OciResources *resources, GError **error)
{
        if (!set_pids(cgroup, &resources->pids, error) || !set_network(cgroup, resources, error))
                return false;
        for (size_t i = 0; i < resources->n_hugepages; i++)
                if (!set_hugepage(cgroup, &resources->hugepages[i], error))
                        return false;
        for (size_t i = 0; i < resources->n_rdma; i++)
                if (!set_rdma(cgroup, &resources->rdma[i], error))
                        return false;
        for (size_t i = 0; i < resources->unified.n; i++)
                if (!set_unified(cgroup, &resources->unified.items[i], error))
                        return false;
        return true;
}

bool oci_limits_set(const PathCgroup *cgroup, const OciResources *resources, GError **error)
{
        return oci_set_memory(cgroup, &resources->memory, error) &&
               oci_set_cpu(cgroup, &resources->cpu, error) &&
               oci_set_block_io(cgroup, &resources->block_io, error) &&
               oci_set_others(cgroup, resources, error);
}
