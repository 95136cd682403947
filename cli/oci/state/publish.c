#include "cli/oci/state/publish.h"

#include <fcntl.h>
#include <unistd.h>

#include "service/spec/index.h"
#include "service/util/fd.h"

static uint64_t parse_time(const char *text)
{
        g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, NULL);

        return time ? (uint64_t) g_date_time_to_unix(time) * G_USEC_PER_SEC +
                               (uint64_t) g_date_time_get_microsecond(time)
                    : 0;
}

/* Who had it made: podman says so by an annotation; else it is who called us. */
static char *find_manager(const OciPairs *annotations)
{
        const char *manager = oci_pairs_find(annotations, "io.container.manager");
        g_autofree char *path = g_strdup_printf("/proc/%d/comm", (int) getppid());
        char name[64];

        if (manager)
                return g_strdup(manager);
        if (fd_read_file_at(AT_FDCWD, path, name, sizeof name) <= 0)
                return g_strdup("naive-oci");
        return g_strdup(g_strchomp(name));
}

void oci_state_publish(const char *root, const OciState *state, const OciPairs *annotations,
                       bool is_started)
{
        g_autofree char *manager = find_manager(annotations);
        const IndexEntry entry = {
                .id = state->id,
                .root = (char *) root,
                .belongs_to = manager,
                .directories = state->cgroups,
                .serial = state->serial,
                .pid = (pid_t) state->pid,
                .start_time = state->start_time,
                .created_usec = parse_time(state->created),
                .started_usec = is_started ? (uint64_t) g_get_real_time() : 0,
        };

        if (state->serial)
                index_publish(&entry);
}

void oci_state_withdraw(const char *root, const char *id)
{
        index_withdraw(root, id);
}
