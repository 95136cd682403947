#include "cli/oci/state/container.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/lib/json.h"
#include "cli/oci/decode/config.h"
#include "cli/oci/decode/document.h"
#include "cli/oci/state/publish.h"
#include "service/cgroup/path/path.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

bool oci_container_open(const char *root, const char *id, bool lock, OciContainer **ret,
                        GError **error)
{
        int directory;

        return oci_state_open(root, id, lock, &directory, error) &&
               oci_container_take(root, id, directory, lock, ret, error);
}

bool oci_container_take(const char *root, const char *id, int directory, bool lock,
                        OciContainer **ret, GError **error)
{
        g_autoptr(OciContainer) container = g_new0(OciContainer, 1);

        container->directory = directory;
        container->pidfd = -1;
        container->root = g_strdup(root);
        container->id = g_strdup(id);
        if (!oci_state_read(container->directory, id, &container->state, error))
                return false;
        container->status =
                oci_state_status(container->directory, container->state, &container->pidfd);
        /* an exclusive lock of our own keeps everybody else from being at it */
        if (lock && container->status == OCI_CREATING)
                container->status = OCI_STOPPED;
        *ret = g_steal_pointer(&container);
        return true;
}

void oci_container_free(OciContainer *container)
{
        if (!container)
                return;
        fd_close(container->directory);
        fd_close(container->pidfd);
        oci_state_free(container->state);
        oci_spec_free(container->spec);
        g_free(container->root);
        g_free(container->id);
        g_free(container);
}

bool oci_container_config(OciContainer *container, const OciSpec **ret, GError **error)
{
        autofd int file =
                openat(container->directory, "config.json", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        g_autofree char *text = NULL;
        size_t length;

        if (!container->spec) {
                if (file < 0)
                        return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                               "cannot open the config of \"%s\"", container->id);
                if (!document_read(file, "config.json", &text, &length, error) ||
                    !config_decode(text, length, &container->spec, error))
                        return false;
        }
        *ret = container->spec;
        return true;
}

static void write_text(Json *json, const char *key, const char *text)
{
        json_key(json, key);
        json_string(json, text ? text : "");
}

char *oci_state_json(const OciState *state, const OciPairs *annotations, const char *status,
                     int64_t pid, bool is_pretty)
{
        Json json;

        json_init(&json, is_pretty);
        json_open(&json, '{');
        write_text(&json, "ociVersion", "1.3.0");
        write_text(&json, "id", state->id);
        json_key(&json, "pid");
        json_signed(&json, pid);
        write_text(&json, "status", status);
        write_text(&json, "bundle", state->bundle);
        write_text(&json, "rootfs", state->rootfs);
        if (state->created)
                write_text(&json, "created", state->created);
        json_key(&json, "annotations");
        json_open(&json, '{');
        for (size_t i = 0; annotations && i < annotations->n; i++)
                write_text(&json, annotations->items[i].key, annotations->items[i].value);
        json_close(&json, '}');
        write_text(&json, "owner", "");
        json_close(&json, '}');
        return json_finish(&json);
}

static bool open_cgroup(const OciContainer *container, PathCgroup **ret)
{
        return path_cgroup_open((const char *const *) container->state->cgroups, ret, NULL);
}

/* Another container may have got the cgroup by its name, once this one had ended in it. What is in
 * it is this one's as long as its first process is there, and where others could outlive that. */
static bool has_its_cgroup(const OciContainer *container)
{
        const OciState *state = container->state;

        return container->pidfd >= 0 || !state->created || !state->has_pid_namespace;
}

bool oci_container_signal(OciContainer *container, int signal, bool all, GError **error)
{
        g_autoptr(PathCgroup) cgroup = NULL;
        bool has_cgroup = open_cgroup(container, &cgroup);
        bool is_dead = container->pidfd < 0;
        /* with a pid namespace of its own the end of the first process is everybody's */
        bool to_all = all || (signal == SIGKILL && !container->state->has_pid_namespace);

        if (is_dead && !all)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE, "container not running");
        if (!is_dead && syscall(SYS_pidfd_send_signal, container->pidfd, signal, NULL, 0) < 0 &&
            errno != ESRCH)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot signal container \"%s\"", container->id);
        if (!has_cgroup || !has_its_cgroup(container))
                return true;
        if (signal == SIGKILL && (to_all || path_cgroup_is_frozen(cgroup)))
                return path_cgroup_kill(cgroup, error);
        if (to_all)
                path_cgroup_signal(cgroup, signal);
        return true;
}

#define END_TRIES 1000 /* of 10 ms each */

bool oci_container_end(OciContainer *container, GError **error)
{
        g_autoptr(PathCgroup) cgroup = NULL;
        bool has_cgroup = open_cgroup(container, &cgroup) && has_its_cgroup(container);

        for (unsigned i = 0; i < END_TRIES; i++) {
                bool is_populated = has_cgroup && path_cgroup_is_populated(cgroup);

                fd_clear(&container->pidfd);
                OciStatus status =
                        oci_state_status(container->directory, container->state, &container->pidfd);
                if (container->pidfd < 0 && !is_populated) {
                        container->status = status == OCI_CREATING ? OCI_STOPPED : status;
                        return true;
                }
                if (container->pidfd >= 0)
                        (void) syscall(SYS_pidfd_send_signal, container->pidfd, SIGKILL, NULL, 0);
                if (is_populated && !path_cgroup_kill(cgroup, error))
                        return false;
                g_usleep(10000);
        }
        return error_set(error, RUNTIME_ERROR_FAILED,
                         "container \"%s\" has not ended ten seconds after SIGKILL", container->id);
}

/* A `create` killed before it wrote the names of its cgroups: the config tells them. */
static bool remove_unwritten_cgroup(OciContainer *container)
{
        g_autoptr(PathCgroup) cgroup = NULL;
        const OciSpec *spec;

        return !oci_container_config(container, &spec, NULL) ||
               !path_cgroup_make(spec->cgroups_path, container->id, &cgroup, NULL) ||
               path_cgroup_remove(cgroup, NULL);
}

bool oci_container_remove(OciContainer *container, GError **error)
{
        g_autoptr(PathCgroup) cgroup = NULL;

        if (container->state->cgroups[0] == NULL) {
                if (!container->state->created && !container->state->has_no_cgroup)
                        (void) remove_unwritten_cgroup(container);
        } else if (open_cgroup(container, &cgroup) &&
                   (has_its_cgroup(container) || !path_cgroup_is_populated(cgroup)) &&
                   !path_cgroup_remove(cgroup, error)) {
                return false;
        }
        oci_state_withdraw(container->root, container->id);
        return oci_state_remove(container->root, container->id, error);
}
