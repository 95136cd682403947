#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "cli/lib/json.h"
#include "cli/oci/cgroup/limits.h"
#include "cli/oci/state/container.h"
#include "cli/oci/verbs/verbs.h"
#include "service/cgroup/path/path.h"
#include "service/spec/error.h"

static void tell(const OciCall *call, const PathCgroup *cgroup)
{
        Json json;

        json_init(&json, false);
        json_open(&json, '{');
        json_key(&json, "type");
        json_string(&json, "stats");
        json_key(&json, "id");
        json_string(&json, call->id);
        json_key(&json, "data");
        oci_stats_write(cgroup, &json);
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
        struct pollfd end = {.fd = container->pidfd, .events = POLLIN};
        do
                tell(call, cgroup);
        while (!call->options->stats && poll(&end, 1, msec) == 0);
        return true;
}
