#include "cli/oci/spec/validate.h"

#include <sched.h>
#include <string.h>

#include "service/spec/error.h"

typedef bool (*Check)(const OciSpec *spec, GError **error);

static bool refuse(GError **error, const char *path, const char *what)
{
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s: %s", path, what);
}

static bool is_new(const OciSpec *spec, int type)
{
        const OciNamespace *namespace = oci_spec_find_namespace(spec, type);

        return namespace && !namespace->path;
}

static bool check_version(const OciSpec *spec, GError **error)
{
        if (!spec->version)
                return refuse(error, "ociVersion", "is missing");
        if (strncmp(spec->version, "1.", 2) != 0)
                return refuse(error, "ociVersion", "is none of 1.x");
        return true;
}

static bool check_root(const OciSpec *spec, GError **error)
{
        if (!spec->root_path)
                return refuse(error, "root.path", "is missing");
        if (!spec->process.args)
                return refuse(error, "process", "is missing");
        return true;
}

static bool check_namespaces(const OciSpec *spec, GError **error)
{
        for (size_t i = 0; i < spec->n_namespaces; i++) {
                for (size_t j = 0; j < i; j++)
                        if (spec->namespaces[i].type == spec->namespaces[j].type)
                                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                                 "linux.namespaces[%zu].type: stands twice", i);
        }
        if (!is_new(spec, CLONE_NEWNS))
                return refuse(error, "linux.namespaces",
                              "a new mount namespace is missing: the root could not be made");
        return true;
}

static bool check_names(const OciSpec *spec, GError **error)
{
        if (spec->hostname && !is_new(spec, CLONE_NEWUTS))
                return refuse(error, "hostname", "needs a new uts namespace");
        if (spec->domainname && !is_new(spec, CLONE_NEWUTS))
                return refuse(error, "domainname", "needs a new uts namespace");
        if (spec->hostname && strlen(spec->hostname) > 64)
                return refuse(error, "hostname", "has more than 64 bytes");
        if (spec->domainname && strlen(spec->domainname) > 64)
                return refuse(error, "domainname", "has more than 64 bytes");
        return true;
}

static bool check_id_maps(const OciSpec *spec, GError **error)
{
        bool has_maps = spec->uid_maps.n > 0 || spec->gid_maps.n > 0;

        if (has_maps && !oci_spec_find_namespace(spec, CLONE_NEWUSER))
                return refuse(error, "linux.uidMappings", "needs a user namespace");
        if (is_new(spec, CLONE_NEWUSER) && spec->uid_maps.n == 0)
                return refuse(error, "linux.uidMappings", "is missing: there is a user namespace");
        if (is_new(spec, CLONE_NEWUSER) && spec->gid_maps.n == 0)
                return refuse(error, "linux.gidMappings", "is missing: there is a user namespace");
        /* the kernel's own limit */
        if (spec->uid_maps.n > 340 || spec->gid_maps.n > 340)
                return refuse(error, "linux.uidMappings", "has more than 340 items");
        return true;
}

int oci_sysctl_namespace(const char *key)
{
        static const char *const ipc[] = {
                "kernel.msgmax", "kernel.msgmnb",          "kernel.msgmni",
                "kernel.sem",    "kernel.shmall",          "kernel.shmmax",
                "kernel.shmmni", "kernel.shm_rmid_forced", NULL};
        g_autofree char *dotted = g_strdelimit(g_strdup(key), "/", '.');

        if (g_strv_contains(ipc, dotted) || g_str_has_prefix(dotted, "fs.mqueue."))
                return CLONE_NEWIPC;
        if (g_str_has_prefix(dotted, "net."))
                return CLONE_NEWNET;
        return g_str_equal(dotted, "kernel.domainname") ? CLONE_NEWUTS : 0;
}

/* A setting of the kernel's without a namespace of the container's own is the host's. */
static bool sysctl_is_own(const OciSpec *spec, const char *key)
{
        int type = oci_sysctl_namespace(key);

        return type && oci_spec_find_namespace(spec, type);
}

/* With dots for slashes the path must not lead elsewhere: "net./../x" would. */
static bool sysctl_is_path(const char *key)
{
        g_autofree char *dotted = g_strdelimit(g_strdup(key), "/", '.');

        return !strstr(dotted, "..") && dotted[0] != '.' && !g_str_has_suffix(dotted, ".");
}

static bool check_sysctls(const OciSpec *spec, GError **error)
{
        for (size_t i = 0; i < spec->sysctls.n; i++) {
                const char *key = spec->sysctls.items[i].key;
                g_autofree char *escaped = g_strescape(key, NULL);

                if (!sysctl_is_path(key) || !sysctl_is_own(spec, key))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "linux.sysctl.%.256s: is the host's, or none that a "
                                         "namespace of the container's has",
                                         escaped);
        }
        return true;
}

static bool check_paths(const char *path, char *const *paths, GError **error)
{
        for (size_t i = 0; paths[i]; i++)
                if (paths[i][0] != '/')
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "%s[%zu]: is not an absolute path", path, i);
        return true;
}

static bool check_hidden_paths(const OciSpec *spec, GError **error)
{
        return check_paths("linux.maskedPaths", spec->masked_paths, error) &&
               check_paths("linux.readonlyPaths", spec->read_only_paths, error);
}

static bool check_cgroups_path(const OciSpec *spec, GError **error)
{
        if (!spec->cgroups_path)
                return true;
        g_auto(GStrv) parts = g_strsplit(spec->cgroups_path, "/", -1);
        if (g_strv_contains((const char *const *) parts, ".."))
                return refuse(error, "linux.cgroupsPath", "has \"..\" in it");
        if (strlen(spec->cgroups_path) > 2048 || strchr(spec->cgroups_path, '\n'))
                return refuse(error, "linux.cgroupsPath", "is no path of a cgroup");
        return true;
}

bool oci_spec_validate(const OciSpec *spec, GError **error)
{
        static const Check checks[] = {
                check_version, check_root,    check_namespaces,   check_names,
                check_id_maps, check_sysctls, check_hidden_paths, check_cgroups_path,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
                if (!checks[i](spec, error))
                        return false;
        return true;
}
