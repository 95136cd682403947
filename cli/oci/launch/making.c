#include "cli/oci/launch/making.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/oci/cgroup/limits.h"
#include "cli/oci/decode/config.h"
#include "cli/oci/decode/document.h"
#include "cli/oci/line/log.h"
#include "cli/oci/state/container.h"
#include "cli/oci/state/publish.h"
#include "service/spec/error.h"
#include "service/spec/index.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

void making_init(Making *making, const OciCall *call)
{
        *making = (Making){.call = call, .directory = -1};
        making->child = (EngineChild){.pidfd = -1, .sync_fd = -1, .master = -1};
        making->state = g_new0(OciState, 1);
        making->state->id = g_strdup(call->id);
        making->state->cgroups = g_new0(char *, 1);
        room_init(&making->room);
}

/* What `delete --force` would do: the same code, so that both find the same. */
static void take_back(Making *making)
{
        g_autoptr(OciContainer) container = NULL;

        room_clear(&making->room);
        /* with the lock that it has: another may have the id the moment that it is free */
        if (oci_container_take(making->call->root, making->call->id, steal_fd(&making->directory),
                               true, &container, NULL) &&
            oci_container_end(container, NULL))
                (void) oci_container_remove(container, NULL);
}

void making_clear(Making *making)
{
        engine_child_clear(&making->child);
        if (making->is_taken)
                take_back(making);
        else
                room_clear(&making->room);
        oci_spec_free(making->spec);
        oci_state_free(making->state);
        fd_clear(&making->directory);
}

static bool read_config(Making *making, char **ret_text, size_t *ret_length, GError **error)
{
        const OciOptions *options = making->call->options;
        g_autofree char *bundle = realpath(options->bundle ? options->bundle : ".", NULL);

        if (!bundle)
                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errno,
                                       "cannot find the bundle %s",
                                       options->bundle ? options->bundle : ".");
        g_autofree char *path = options->config ? g_strdup(options->config)
                                                : g_build_filename(bundle, "config.json", NULL);
        autofd int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        making->state->bundle = g_steal_pointer(&bundle);
        if (file < 0)
                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errno, "cannot open %s",
                                       path);
        return document_read(file, "config.json", ret_text, ret_length, error) &&
               config_decode(*ret_text, *ret_length, &making->spec, error);
}

static bool find_root(Making *making, GError **error)
{
        const char *path = making->spec->root_path;
        g_autofree char *joined = path[0] == '/'
                                          ? g_strdup(path)
                                          : g_build_filename(making->state->bundle, path, NULL);
        struct stat status;

        /* "No such file" means a command that is missing to whoever reads the words */
        if (stat(joined, &status) < 0 || !S_ISDIR(status.st_mode))
                return error_set(error, RUNTIME_ERROR_ROOTFS_INVALID,
                                 "root.path: %s is no directory", joined);
        making->state->rootfs = g_steal_pointer(&joined);
        return true;
}

static bool check_options(const OciOptions *options, GError **error)
{
        bool wants_systemd =
                options->systemd_cgroup || g_strcmp0(options->cgroup_manager, "systemd") == 0;

        if (wants_systemd)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "the cgroup manager systemd is not supported: use cgroupfs");
        if (options->cgroup_manager && !g_str_equal(options->cgroup_manager, "cgroupfs") &&
            !g_str_equal(options->cgroup_manager, "disabled"))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "--cgroup-manager: neither \"cgroupfs\" nor \"disabled\"");
        return true;
}

static bool make_cgroup(Making *making, GError **error)
{
        const OciResources *resources = &making->spec->resources;
        g_autoptr(PathCgroup) cgroup = NULL;

        if (!making->state->has_no_cgroup) {
                if (!path_cgroup_make(making->spec->cgroups_path, making->call->id, &cgroup, error))
                        return false;
                g_strfreev(making->state->cgroups);
                making->state->cgroups = path_cgroup_directories(cgroup);
                if (!oci_state_write(making->directory, making->state, error))
                        return false;
        }
        if (!oci_limits_set(cgroup, resources, error) ||
            (cgroup && !oci_devices_set(cgroup, resources->devices, resources->n_devices, error)))
                return false;
        return room_furnish(&making->room, g_steal_pointer(&cgroup), making->spec, error);
}

static char *tell_state(void *user_data, const char *status, pid_t pid)
{
        const Making *making = user_data;

        return oci_state_json(making->state, &making->spec->annotations, status, pid, false);
}

static bool note_process(Making *making, GError **error)
{
        OciState *state = making->state;
        const OciNamespace *pids = oci_spec_find_namespace(making->spec, CLONE_NEWPID);

        state->pid = making->child.pid;
        state->has_pid_namespace = pids && !pids->path;
        state->created = oci_log_time();
        if (!proc_start_time(making->child.pid, &state->start_time))
                return error_set(error, RUNTIME_ERROR_FAILED, "the container ended at once");
        /* without a cgroup there is nothing that the service could look at */
        if (state->cgroups[0])
                state->serial = index_take_serial();
        return oci_state_write(making->directory, state, error);
}

static bool make_process(Making *making, GError **error)
{
        EngineInput input = {
                .spec = making->spec,
                .process = &making->spec->process,
                .state_directory = making->directory,
                .bundle = making->state->bundle,
                .state = tell_state,
                .user_data = making,
                .init_pidfd = -1,
                .init_cgroup = -1,
        };

        return room_fill_input(&making->room, making->call, &input, error) &&
               engine_create(&input, &making->child, error) && note_process(making, error) &&
               engine_keep(&making->child, &making->spec->process, error);
}

bool making_create(Making *making, bool has_relay, GError **error)
{
        g_autofree char *text = NULL;
        const OciCall *call = making->call;
        size_t length;

        if (!check_options(call->options, error) || !read_config(making, &text, &length, error) ||
            !find_root(making, error) ||
            !room_check_console(&making->spec->process, call, has_relay, error) ||
            !oci_state_make(call->root, call->id, &making->directory, error))
                return false;
        making->is_taken = true;
        making->state->has_no_cgroup = g_strcmp0(call->options->cgroup_manager, "disabled") == 0;
        /* before the config, by which one would be looked for */
        if (making->state->has_no_cgroup &&
            !oci_state_write(making->directory, making->state, error))
                return false;
        if (!oci_state_write_file(making->directory, "config.json", text, length, error) ||
            !make_cgroup(making, error) || !make_process(making, error) ||
            !room_tell_process(call, making->child.pid, making->child.pidfd, error))
                return false;
        oci_state_publish(call->root, making->state, &making->spec->annotations, false);
        making->is_taken = false;
        /* who waits for its end meanwhile must not keep others from it */
        (void) flock(making->directory, LOCK_UN);
        return true;
}
