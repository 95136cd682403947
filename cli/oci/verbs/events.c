#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "cli/lib/json.h"
#include "cli/oci/cgroup/limits.h"
#include "cli/oci/cgroup/oom.h"
#include "cli/oci/state/container.h"
#include "cli/oci/verbs/verbs.h"
#include "service/cgroup/path/path.h"
#include "service/spec/error.h"

/* Without a cgroup: that it was short of memory. */
static void tell(const OciCall *call, const PathCgroup *cgroup)
{
        Json json;

        json_init(&json, false);
        json_open(&json, '{');
        json_key(&json, "type");
        json_string(&json, cgroup ? "stats" : "oom");
        json_key(&json, "id");
        json_string(&json, call->id);
        if (cgroup) {
                json_key(&json, "data");
                oci_stats_write(cgroup, &json);
        }
        json_close(&json, '}');
        g_autofree char *text = json_finish(&json);
        fputs(text, stdout);
        fflush(stdout);
}

/* "5s", as Go writes it; whole seconds or milliseconds. */
static bool parse_interval(const char *text, int *ret_msec, GError **error)
{
        char *end;
        guint64 number = g_ascii_strtoull(text, &end, 10);
        bool is_msec = g_str_equal(end, "ms");

        if (end == text || number == 0 || number > 86400 || (!is_msec && !g_str_equal(end, "s")))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "--interval: no time as in \"5s\"");
        *ret_msec = (int) number * (is_msec ? 1 : 1000);
        return true;
}

/* Until the container ends, and what came before that is told. */
static void tell_on(const OciCall *call, const PathCgroup *cgroup, int pidfd, int msec)
{
        gint64 next = g_get_monotonic_time();
        OciOom oom;

        oci_oom_open(cgroup, &oom);
        struct pollfd fds[] = {{.fd = pidfd, .events = POLLIN},
                               {.fd = oom.fd, .events = oom.events}};
        while (!fds[0].revents) {
                if (g_get_monotonic_time() >= next) {
                        tell(call, cgroup);
                        next += (gint64) msec * G_TIME_SPAN_MILLISECOND;
                }
                gint64 left = MAX(next - g_get_monotonic_time(), 0) / G_TIME_SPAN_MILLISECOND;
                (void) poll(fds, G_N_ELEMENTS(fds), (int) left + 1);
                /* v2 may say it later than that the container has ended */
                if ((fds[0].revents || fds[1].revents) && oci_oom_has_come(&oom))
                        tell(call, NULL);
        }
        oci_oom_close(&oom);
}

bool oci_verb_events(const OciCall *call, int *ret_status, GError **error)
{
        g_autoptr(OciContainer) container = NULL;
        g_autoptr(PathCgroup) cgroup = NULL;
        const char *interval = call->options->interval;
        int msec = 0;

        if (!parse_interval(interval ? interval : "5s", &msec, error) ||
            !oci_container_open(call->root, call->id, false, &container, error) ||
            !path_cgroup_open((const char *const *) container->state->cgroups, &cgroup, error))
                return false;
        if (container->status == OCI_STOPPED)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE, "container not running");
        if (call->options->stats)
                tell(call, cgroup);
        else
                tell_on(call, cgroup, container->pidfd, msec);
        return true;
}
