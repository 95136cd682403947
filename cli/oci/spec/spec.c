#include "cli/oci/spec/spec.h"

/* Frees a counted array after each of its items. */
#define CLEAR_ARRAY(array, n, clear)                                                               \
        do {                                                                                       \
                for (size_t _i = 0; _i < (n); _i++)                                                \
                        clear(&(array)[_i]);                                                       \
                g_free(array);                                                                     \
        } while (false)

static void namespace_clear(OciNamespace *namespace)
{
        g_free(namespace->path);
}

static void device_clear(OciDevice *device)
{
        g_free(device->path);
}

static void hook_clear(OciHook *hook)
{
        g_free(hook->path);
        g_strfreev(hook->args);
        g_strfreev(hook->env);
}

void oci_process_clear(OciProcess *process)
{
        g_strfreev(process->args);
        g_strfreev(process->env);
        g_free(process->cwd);
        g_free(process->groups);
        g_free(process->rlimits);
        g_free(process->apparmor_profile);
        *process = (OciProcess){0};
}

void oci_mount_clear(OciMount *mount)
{
        g_free(mount->destination);
        g_free(mount->type);
        g_free(mount->source);
        g_strfreev(mount->data);
        g_free(mount->uid_maps.items);
        g_free(mount->gid_maps.items);
        *mount = (OciMount){0};
}

OciSpec *oci_spec_new(void)
{
        OciSpec *spec = g_new0(OciSpec, 1);

        spec->process.env = g_new0(char *, 1);
        spec->masked_paths = g_new0(char *, 1);
        spec->read_only_paths = g_new0(char *, 1);
        return spec;
}

void oci_spec_free(OciSpec *spec)
{
        if (!spec)
                return;
        g_free(spec->version);
        g_free(spec->root_path);
        oci_process_clear(&spec->process);
        g_free(spec->hostname);
        g_free(spec->domainname);
        CLEAR_ARRAY(spec->mounts, spec->n_mounts, oci_mount_clear);
        for (unsigned kind = 0; kind < OCI_HOOK_KINDS; kind++)
                CLEAR_ARRAY(spec->hooks[kind].items, spec->hooks[kind].n, hook_clear);
        oci_pairs_clear(&spec->annotations);
        CLEAR_ARRAY(spec->namespaces, spec->n_namespaces, namespace_clear);
        g_free(spec->uid_maps.items);
        g_free(spec->gid_maps.items);
        CLEAR_ARRAY(spec->devices, spec->n_devices, device_clear);
        g_free(spec->cgroups_path);
        oci_resources_clear(&spec->resources);
        oci_pairs_clear(&spec->sysctls);
        oci_seccomp_free(spec->seccomp);
        g_strfreev(spec->masked_paths);
        g_strfreev(spec->read_only_paths);
        g_free(spec);
}

const OciNamespace *oci_spec_find_namespace(const OciSpec *spec, int type)
{
        for (size_t i = 0; i < spec->n_namespaces; i++)
                if (spec->namespaces[i].type == type)
                        return &spec->namespaces[i];
        return NULL;
}
