#include "cli/oci/spec/resources.h"

void oci_resources_clear(OciResources *resources)
{
        g_free(resources->devices);
        g_free(resources->cpu.cpus);
        g_free(resources->cpu.mems);
        g_free(resources->block_io.weights.items);
        g_free(resources->block_io.read_bps.items);
        g_free(resources->block_io.write_bps.items);
        g_free(resources->block_io.read_iops.items);
        g_free(resources->block_io.write_iops.items);
        for (size_t i = 0; i < resources->n_hugepages; i++)
                g_free(resources->hugepages[i].page_size);
        g_free(resources->hugepages);
        for (size_t i = 0; i < resources->n_priorities; i++)
                g_free(resources->priorities[i].interface);
        g_free(resources->priorities);
        for (size_t i = 0; i < resources->n_rdma; i++)
                g_free(resources->rdma[i].device);
        g_free(resources->rdma);
        oci_pairs_clear(&resources->unified);
        *resources = (OciResources){0};
}
