#include "service/cgroup/live/pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/cgroup/leaf.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

static const char *const words[_PRESSURE_MAX] = {"cpu", "memory", "io"};

const char *pressure_resource_to_string(PressureResource resource)
{
        return words[resource];
}

bool pressure_resource_parse(const char *word, PressureResource *ret, GError **error)
{
        for (PressureResource i = 0; i < _PRESSURE_MAX; i++)
                if (strcmp(word, words[i]) == 0) {
                        *ret = i;
                        return true;
                }
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "resource is '%s', not 'cpu', 'memory' or 'io'", word);
}

static bool check(uint64_t threshold, uint64_t window, GError **error)
{
        if (window < PRESSURE_WINDOW_USEC_MIN || window > PRESSURE_WINDOW_USEC_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "windowUSec is %" PRIu64 ", not %u to %u", window,
                                 PRESSURE_WINDOW_USEC_MIN, PRESSURE_WINDOW_USEC_MAX);
        return threshold <= window ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "thresholdUSec is %" PRIu64 ", more than windowUSec, %" PRIu64, threshold,
                         window);
}

/* The v2 leaf, or -1. */
static int find_leaf(const Cgroup *cgroup)
{
        for (unsigned i = 0; i < cgroup->tree->n_hierarchies; i++)
                if (cgroup->leaf_fds[i] >= 0 && !cgroup_is_legacy(cgroup, i))
                        return cgroup->leaf_fds[i];
        return -1;
}

/* Since Linux 6.4 whoever has no CAP_SYS_RESOURCE may have triggers as well, served along with the
 * averages, which the kernel makes every two seconds. */
static bool refused(int errnum, uint64_t window, GError **error)
{
        if (errnum == EINVAL && window % PRESSURE_PERIOD_USEC != 0)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "windowUSec is %" PRIu64 ": without CAP_SYS_RESOURCE, which the "
                                 "service does not have, it has to be a multiple of %u",
                                 window, PRESSURE_PERIOD_USEC);
        return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errnum,
                               "cannot set a trigger for pressure");
}

bool cgroup_open_pressure(const Cgroup *cgroup, PressureResource resource, uint64_t threshold_usec,
                          uint64_t window_usec, int *ret, GError **error)
{
        char name[32], text[64];
        int leaf = find_leaf(cgroup);

        if (!check(threshold_usec, window_usec, error))
                return false;
        if (leaf < 0)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "nothing tells of pressure: no cgroup v2 hierarchy is mounted");
        snprintf(name, sizeof name, "%s.pressure", words[resource]);
        autofd int fd = openat(leaf, name, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, errno,
                                       "this kernel tells nothing of pressure (%s)", name);
        int length = snprintf(text, sizeof text, "some %" PRIu64 " %" PRIu64, threshold_usec,
                              window_usec);
        /* with the NUL: the kernel takes the last byte for its own */
        if (write(fd, text, (size_t) length + 1) < 0)
                return refused(errno, window_usec, error);
        *ret = steal_fd(&fd);
        return true;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=1234", and a line of "full" */
uint64_t cgroup_read_pressure(int fd)
{
        char text[256];
        ssize_t n = pread(fd, text, sizeof text - 1, 0);

        if (n < 0)
                return 0;
        text[n] = '\0';
        const char *total = strstr(text, "total=");
        return total ? g_ascii_strtoull(total + strlen("total="), NULL, 10) : 0;
}
