#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "cli/oci/decode/config.h"
#include "cli/oci/decode/document.h"
#include "cli/oci/launch/foreground.h"
#include "cli/oci/launch/room.h"
#include "cli/oci/state/container.h"
#include "service/spec/error.h"
#include "service/util/capability.h"
#include "service/util/fd.h"

static bool parse_id(const char *text, const char *what, uint32_t *ret, GError **error)
{
        guint64 number;

        if (!g_ascii_string_to_unsigned(text, 10, 0, UINT32_MAX - 1, &number, NULL))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s: not a number of an id",
                                 what);
        *ret = (uint32_t) number;
        return true;
}

static bool set_user(OciProcess *process, const char *user, GError **error)
{
        g_auto(GStrv) parts = g_strsplit(user, ":", 2);

        return parse_id(parts[0] ? parts[0] : "", "--user", &process->uid, error) &&
               (!parts[0] || !parts[1] || parse_id(parts[1], "--user", &process->gid, error));
}

static bool add_groups(OciProcess *process, const GPtrArray *groups, GError **error)
{
        process->groups = g_renew(uint32_t, process->groups, process->n_groups + groups->len);
        for (unsigned i = 0; i < groups->len; i++)
                if (!parse_id(groups->pdata[i], "--additional-gids",
                              &process->groups[process->n_groups++], error))
                        return false;
        return true;
}

static bool add_capabilities(OciCapabilities *sets, const GPtrArray *names, GError **error)
{
        for (unsigned i = 0; i < names->len; i++) {
                uint64_t bit;

                if (!capability_from_name(names->pdata[i], &bit))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "--cap: no capability has that name");
                sets->bounding |= bit;
                sets->effective |= bit;
                sets->permitted |= bit;
        }
        sets->is_given = true;
        return true;
}

static void add_environment(OciProcess *process, const GPtrArray *environment)
{
        for (unsigned i = 0; i < environment->len; i++) {
                g_auto(GStrv) parts = g_strsplit(environment->pdata[i], "=", 2);

                process->env = g_environ_setenv(process->env, parts[0],
                                                parts[0] && parts[1] ? parts[1] : "", TRUE);
        }
}

/* The container's own process, with another command and what the flags say. */
static bool change_process(OciProcess *process, const OciCall *call, GError **error)
{
        const OciOptions *options = call->options;

        if (call->line->n_words < 2)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "neither --process nor a command");
        g_strfreev(process->args);
        process->args = g_strdupv((char **) call->line->words + 1);
        process->terminal = options->tty;
        process->rows = process->columns = 0;
        if (options->cwd) {
                g_free(process->cwd);
                process->cwd = g_strdup(options->cwd);
        }
        if (process->cwd[0] != '/')
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "--cwd: not an absolute path");
        if (options->env)
                add_environment(process, options->env);
        process->no_new_privileges |= options->no_new_privileges;
        return (!options->user || set_user(process, options->user, error)) &&
               (!options->groups || add_groups(process, options->groups, error)) &&
               (!options->capabilities ||
                add_capabilities(&process->capabilities, options->capabilities, error));
}

static bool read_process(const OciCall *call, OciSpec **ret, GError **error)
{
        autofd int file = open(call->options->process, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        g_autofree char *text = NULL;
        size_t length;

        if (file < 0)
                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errno,
                                       "cannot open --process %s", call->options->process);
        if (!document_read(file, "process.json", &text, &length, error) ||
            !config_decode_process(text, length, ret, error))
                return false;
        (*ret)->process.terminal |= call->options->tty;
        return true;
}

static bool check_status(const OciContainer *container, const OciCall *call, GError **error)
{
        bool is_right = container->status == OCI_RUNNING || container->status == OCI_CREATED ||
                        (container->status == OCI_PAUSED && call->options->ignore_paused);

        return is_right ||
               error_set(error, RUNTIME_ERROR_INVALID_STATE, "cannot exec: container \"%s\" is %s",
                         container->id, oci_status_word(container->status));
}

static bool make_process(OciContainer *container, const OciCall *call, const OciProcess *process,
                         EngineChild *ret, GError **error)
{
        g_autoptr(PathCgroup) cgroup = NULL;
        bool has_cgroup = container->state->cgroups[0];
        EngineInput input = {
                .spec = container->spec,
                .process = process,
                .state_directory = container->directory,
                .bundle = container->state->bundle,
                .init = (pid_t) container->state->pid,
                .init_pidfd = container->pidfd,
        };
        Room room;

        if (has_cgroup &&
            !path_cgroup_open((const char *const *) container->state->cgroups, &cgroup, error))
                return false;
        autofd int below = cgroup ? path_cgroup_open_of(cgroup, input.init) : -1;
        input.init_cgroup = below;
        room_init(&room);
        bool is_made = room_furnish(&room, g_steal_pointer(&cgroup), container->spec, error) &&
                       room_fill_input(&room, call, &input, error) &&
                       engine_exec(&input, ret, error) && engine_keep(ret, process, error);
        room_clear(&room);
        return is_made;
}

bool oci_verb_exec(const OciCall *call, int *ret_status, GError **error)
{
        g_auto(EngineChild) child = {.pidfd = -1, .sync_fd = -1, .master = -1};
        bool in_foreground = !call->options->detach;
        g_autoptr(OciContainer) container = NULL;
        g_autoptr(OciSpec) given = NULL;
        const OciSpec *config;

        if (in_foreground)
                foreground_begin();
        if (!oci_container_open(call->root, call->id, false, &container, error) ||
            !check_status(container, call, error) ||
            !oci_container_config(container, &config, error))
                return false;
        if (call->options->process ? !read_process(call, &given, error)
                                   : !change_process(&container->spec->process, call, error))
                return false;
        /* a process.json need not say which profile confines the container */
        if (given && !given->process.apparmor_profile)
                given->process.apparmor_profile = g_strdup(config->process.apparmor_profile);
        const OciProcess *process = given ? &given->process : &container->spec->process;
        bool has_relay = in_foreground && !call->options->console_socket;
        if (!room_check_console(process, call, has_relay, error) ||
            !make_process(container, call, process, &child, error))
                return false;
        if (!room_tell_process(call, child.pid, child.pidfd, error)) {
                child.is_kept = false; /* nobody would know of it */
                return false;
        }
        return !in_foreground || foreground_wait(&child, ret_status, error);
}
