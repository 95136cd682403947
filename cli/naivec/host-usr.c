#include "cli/naivec/host-usr.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void add(SpawnRequest *request, const char *type, const char *source, const char *target,
                const char *option)
{
        g_autoptr(GBytes) bytes = g_bytes_new(source, strlen(source));
        const char *const options[] = {option, option && !strcmp(option, "ro") ? "try" : NULL,
                                       NULL};

        spawn_request_add_mount_of(request, &(SpawnMount){type, bytes, target, options});
}

/* Links into /usr, or directories where they are none. */
static void add_directories(SpawnRequest *request)
{
        static const char *const names[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *text = g_file_read_link(names[i], NULL);
                if (text)
                        add(request, "symlink", text, names[i], NULL);
                else
                        add(request, "bind", names[i], names[i], "ro");
        }
}

static void add_system(SpawnRequest *request)
{
        static const char *const files[] = {
                "alternatives", "fonts",     "group",         "hosts",  "ld.so.cache", "ld.so.conf",
                "ld.so.conf.d", "localtime", "nsswitch.conf", "passwd", "resolv.conf", "ssl"};

        add(request, "bind", "/usr", "/usr", "ro");
        add_directories(request);
        for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_strconcat("/etc/", files[i], NULL);
                add(request, "bind", path, path, "ro");
        }
        add(request, "proc", "", "/proc", NULL);
        add(request, "dev", "", "/dev", NULL);
        add(request, "tmpfs", "", "/tmp", "mode=1777");
}

/* Writable if it is the user's own: that of others takes more rights. */
static char *add_here(SpawnRequest *request)
{
        g_autofree char *here = getcwd(NULL, 0);
        struct stat status;

        if (!here || stat(here, &status) < 0)
                return g_strdup_printf("--host-usr: the working directory: %s", g_strerror(errno));
        if (strcmp(here, "/") != 0 && !g_str_has_prefix(here, "/usr/"))
                add(request, "bind", here, here, status.st_uid == getuid() ? "rw" : "ro");
        if (!spawn_request_has(request, SPAWN_WorkingDirectory))
                spawn_request_set(request, SPAWN_WorkingDirectory, here);
        return NULL;
}

/* What asks for no more than that needs no password: see the action sandbox. */
static void add_rights(SpawnRequest *request)
{
        bool has_user_namespace = spawn_request_has(request, SPAWN_UserNamespace);
        bool has_capabilities = spawn_request_has(request, SPAWN_Capabilities) ||
                                spawn_request_has(request, SPAWN_CapabilityBoundingSet);

        if (!has_user_namespace)
                spawn_request_set(request, SPAWN_UserNamespace, "keep-id");
        if (!has_capabilities)
                spawn_request_set_empty(request, SPAWN_CapabilityBoundingSet);
        if (getuid() != 0 && !has_user_namespace && !has_capabilities &&
            !spawn_request_has(request, SPAWN_Network) &&
            !spawn_request_has(request, SPAWN_Seccomp))
                spawn_request_set(request, SPAWN_Seccomp, "strict");
}

char *host_usr_add(SpawnRequest *request)
{
        GPtrArray *mounts = spawn_request_steal_mounts(request);

        spawn_request_set(request, SPAWN_EmptyRoot, "yes");
        add_system(request);
        char *wrong = add_here(request);
        spawn_request_add_late_mounts(request, mounts);
        add_rights(request);
        return wrong;
}
