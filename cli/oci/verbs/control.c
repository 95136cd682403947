/* start, state, kill, pause, resume, delete: one container that is there. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "cli/oci/engine/engine.h"
#include "cli/oci/state/container.h"
#include "cli/oci/state/publish.h"
#include "cli/oci/verbs/verbs.h"
#include "service/cgroup/path/path.h"
#include "service/spec/error.h"

static bool refuse_status(const OciContainer *container, const char *wanted, GError **error)
{
        return error_set(error, RUNTIME_ERROR_INVALID_STATE, "container \"%s\" is %s, not %s",
                         container->id, oci_status_word(container->status), wanted);
}

static bool run_hooks(OciContainer *container, OciHookKind kind, const char *name,
                      const char *status, GError **error)
{
        const OciSpec *spec;

        if (!oci_container_config(container, &spec, error))
                return false;
        if (spec->hooks[kind].n == 0)
                return true;
        g_autofree char *state =
                oci_state_json(container->state, &spec->annotations, status,
                               container->pidfd >= 0 ? container->state->pid : 0, false);
        return engine_run_hooks(&spec->hooks[kind], name, state, error);
}

static bool start(OciContainer *container, GError **error)
{
        const OciSpec *spec;

        if (!oci_container_config(container, &spec, error))
                return false;
        if (container->status == OCI_CREATED &&
            !engine_start(container->directory, &spec->process, error))
                return false;
        /* also for a `start` that was killed before it came so far; one that is paused may wait */
        if ((container->status == OCI_CREATED || container->status == OCI_RUNNING) &&
            oci_state_has_waited(container->directory)) {
                oci_state_publish(container->root, container->state, &spec->annotations, true);
                oci_state_end_waiting(container->directory);
        }
        return container->status == OCI_CREATED || refuse_status(container, "created", error);
}

bool oci_verb_start(const OciCall *call, int *ret_status, GError **error)
{
        g_autoptr(OciContainer) container = NULL;

        if (!oci_container_open(call->root, call->id, true, &container, error) ||
            !start(container, error))
                return false;
        if (run_hooks(container, OCI_HOOK_POSTSTART, "poststart", "running", error))
                return true;
        (void) oci_container_end(container, NULL);
        return false;
}

bool oci_verb_state(const OciCall *call, int *ret_status, GError **error)
{
        g_autoptr(OciContainer) container = NULL;
        const OciSpec *spec = NULL;

        if (!oci_container_open(call->root, call->id, false, &container, error))
                return false;
        (void) oci_container_config(container, &spec, NULL);
        g_autofree char *text =
                oci_state_json(container->state, spec ? &spec->annotations : NULL,
                               oci_status_word(container->status),
                               container->pidfd >= 0 ? container->state->pid : 0, true);
        fputs(text, stdout);
        return true;
}

static bool parse_signal(const char *word, int *ret, GError **error)
{
        const char *name = g_str_has_prefix(word, "SIG") ? word + 3 : word;
        guint64 number;

        if (g_ascii_string_to_unsigned(word, 10, 1, (guint64) SIGRTMAX, &number, NULL)) {
                *ret = (int) number;
                return true;
        }
        for (int i = 1; i < 32; i++) {
                const char *known = sigabbrev_np(i);

                if (known && g_ascii_strcasecmp(known, name) == 0) {
                        *ret = i;
                        return true;
                }
        }
        if (g_str_has_prefix(name, "RTMIN+") &&
            g_ascii_string_to_unsigned(name + 6, 10, 0, (guint64) (SIGRTMAX - SIGRTMIN), &number,
                                       NULL)) {
                *ret = SIGRTMIN + (int) number;
                return true;
        }
        g_autofree char *escaped = g_strescape(word, NULL);
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "unknown signal \"%.64s\"", escaped);
}

bool oci_verb_kill(const OciCall *call, int *ret_status, GError **error)
{
        g_autoptr(OciContainer) container = NULL;
        int signal = SIGTERM;

        if (call->line->n_words > 1 && !parse_signal(call->line->words[1], &signal, error))
                return false;
        return oci_container_open(call->root, call->id, false, &container, error) &&
               oci_container_signal(container, signal, call->options->all, error);
}

static bool set_frozen(const OciCall *call, bool frozen, GError **error)
{
        g_autoptr(OciContainer) container = NULL;
        g_autoptr(PathCgroup) cgroup = NULL;

        if (!oci_container_open(call->root, call->id, true, &container, error))
                return false;
        bool is_right =
                frozen ? container->status == OCI_RUNNING || container->status == OCI_CREATED
                       : container->status == OCI_PAUSED;
        if (!is_right)
                return refuse_status(container, frozen ? "running" : "paused", error);
        return path_cgroup_open((const char *const *) container->state->cgroups, &cgroup, error) &&
               path_cgroup_set_frozen(cgroup, frozen, error);
}

bool oci_verb_pause(const OciCall *call, int *ret_status, GError **error)
{
        return set_frozen(call, true, error);
}

bool oci_verb_resume(const OciCall *call, int *ret_status, GError **error)
{
        return set_frozen(call, false, error);
}

static void warn(GError *error)
{
        fprintf(stderr, "naive-oci: warning: %s\n", error->message);
        g_error_free(error);
}

static bool delete (OciContainer *container, bool force, GError **error)
{
        GError *problem = NULL;
        bool was_made = container->state->created;
        bool may_end = force || container->status == OCI_CREATED;

        if (container->status != OCI_STOPPED && !may_end)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "container \"%s\" is not stopped: it is %s", container->id,
                                 oci_status_word(container->status));
        if (!oci_container_end(container, error))
                return false;
        if (was_made && !run_hooks(container, OCI_HOOK_POSTSTOP, "poststop", "stopped", &problem))
                warn(problem);
        return oci_container_remove(container, error);
}

bool oci_verb_delete(const OciCall *call, int *ret_status, GError **error)
{
        g_autoptr(OciContainer) container = NULL;
        g_autoptr(GError) problem = NULL;

        if (!oci_container_open(call->root, call->id, true, &container, &problem)) {
                if (call->options->force &&
                    g_error_matches(problem, RUNTIME_ERROR, RUNTIME_ERROR_NO_SUCH_CONTAINER))
                        return true;
                g_propagate_error(error, g_steal_pointer(&problem));
                return false;
        }
        return delete (container, call->options->force, error);
}
