#include "service/spec/sysctl.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"

#define NETWORK    "net/"
#define QUEUES     "fs/mqueue/"
#define HOSTNAME   "kernel/hostname"
#define DOMAINNAME "kernel/domainname"

void sysctls_clear(Sysctls *sysctls)
{
        for (size_t i = 0; i < sysctls->n; i++) {
                g_free(sysctls->list[i].key);
                g_free(sysctls->list[i].path);
                g_free(sysctls->list[i].value);
        }
        g_free(sysctls->list);
        g_free(sysctls->domainname);
        *sysctls = (Sysctls){0};
}

/* As sysctl(8) reads a key: its first dot or slash says which of the two parts the path, and the
 * other stands for itself. "net.ipv4.conf.a/b.forwarding" and "net/ipv4/conf/a.b/forwarding" are
 * the interface a.b. */
static char *path_of(const char *key)
{
        const char *first = strpbrk(key, "./");
        char *path = g_strdup(key);

        for (char *c = path; first && *first == '.' && *c; c++)
                if (*c == '.' || *c == '/')
                        *c = *c == '.' ? '/' : '.';
        return path;
}

/* No name on the way can lead out of where it begins. */
static bool is_clean(const char *path)
{
        g_auto(GStrv) names = g_strsplit(path, "/", -1);

        for (char **name = names; *name; name++)
                if (!**name || g_str_equal(*name, ".") || g_str_equal(*name, ".."))
                        return false;
        for (const char *c = path; *c; c++)
                if (!g_ascii_isgraph(*c))
                        return false;
        return true;
}

/* What runc takes: the network's, System V's and POSIX's IPC but what is for checkpoints. */
static bool is_on_list(const char *path)
{
        static const char *const keys[] = {DOMAINNAME,
                                           "kernel/msgmax",
                                           "kernel/msgmnb",
                                           "kernel/msgmni",
                                           "kernel/sem",
                                           "kernel/shmall",
                                           "kernel/shmmax",
                                           "kernel/shmmni",
                                           "kernel/shm_rmid_forced",
                                           NULL};

        return g_str_has_prefix(path, NETWORK) || g_str_has_prefix(path, QUEUES) ||
               g_strv_contains(keys, path);
}

static bool is_given(const Sysctls *sysctls, const char *path)
{
        for (size_t i = 0; i < sysctls->n; i++)
                if (g_str_equal(sysctls->list[i].path, path))
                        return true;
        return g_str_equal(path, DOMAINNAME) && sysctls->domainname;
}

static bool check(const Sysctls *sysctls, const char *key, const char *path, const char *value,
                  GError **error)
{
        const bool is_name = g_str_equal(path, DOMAINNAME);
        const size_t length = strlen(value);
        g_autofree char *shown = g_strescape(key, NULL);

        if (strlen(key) + length > LABELS_BYTES_MAX - sysctls->bytes)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Sysctl has more than the %u bytes allowed, keys and values "
                                 "together",
                                 LABELS_BYTES_MAX);
        if (g_str_equal(path, HOSTNAME))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Sysctl: '%s' is set by the option Hostname", shown);
        if (!is_clean(path) || !is_on_list(path))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Sysctl: '%s' is no key of the container's own namespaces", shown);
        if (is_given(sysctls, path))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "Sysctl has '%s' twice", shown);
        return (length > 0 && (!is_name || length <= HOSTNAME_LENGTH_MAX)) ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS, "Sysctl: the value of '%s' is %s",
                         shown, length == 0 ? "empty" : "longer than a name may be");
}

bool sysctls_add(Sysctls *sysctls, const char *key, const char *value, GError **error)
{
        g_autofree char *path = path_of(key);

        if (!check(sysctls, key, path, value, error))
                return false;
        sysctls->bytes += strlen(key) + strlen(value);
        if (g_str_equal(path, DOMAINNAME)) {
                sysctls->domainname = g_strdup(value);
                return true;
        }
        sysctls->list = g_renew(Sysctl, sysctls->list, sysctls->n + 1);
        sysctls->list[sysctls->n++] =
                (Sysctl){g_strdup(key), g_steal_pointer(&path), g_strdup(value)};
        return true;
}

const char *sysctls_network_key(const Sysctls *sysctls)
{
        for (size_t i = 0; i < sysctls->n; i++)
                if (g_str_has_prefix(sysctls->list[i].path, NETWORK))
                        return sysctls->list[i].key;
        return NULL;
}
