#include "cli/oci/cgroup/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

bool oci_find_place(const PathCgroup *cgroup, const char *controller, const char *key, Place *ret,
                    GError **error)
{
        *ret = (Place){.key = key, .fd = -1};
        if (!cgroup)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "linux.resources.%s: the container has no cgroup, as the cgroup "
                                 "manager is `disabled`",
                                 key);
        ret->fd = path_cgroup_of(cgroup, controller, &ret->is_unified);
        if (ret->fd < 0 && strcmp(controller, "blkio") == 0)
                ret->fd = path_cgroup_of(cgroup, "io", &ret->is_unified);
        return ret->fd >= 0 || error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                         "linux.resources.%s: no cgroup hierarchy here has the "
                                         "controller %s",
                                         key, controller);
}

bool oci_only_in(const Place *place, bool unified, GError **error)
{
        return place->is_unified == unified ||
               error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                         "linux.resources.%s: cgroup v%d has no such limit", place->key,
                         place->is_unified ? 2 : 1);
}

bool oci_write(const Place *place, const char *file, const char *text, GError **error)
{
        int r = fd_write_file_at(place->fd, file, text);

        if (r == -ENOENT)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "linux.resources.%s: the cgroup has no file %s", place->key, file);
        return r >= 0 || error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, -r,
                                         "linux.resources.%s: cannot write '%s' to %s", place->key,
                                         text, file);
}

bool oci_write_number(const Place *place, const char *file, int64_t value, GError **error)
{
        char text[24];

        if (value < 0)
                return oci_write(place, file, place->is_unified ? "max" : "-1", error);
        snprintf(text, sizeof text, "%" PRId64, value);
        return oci_write(place, file, text, error);
}

bool oci_write_unsigned(const Place *place, const char *file, uint64_t value, GError **error)
{
        char text[24];

        snprintf(text, sizeof text, "%" PRIu64, value);
        return oci_write(place, file, text, error);
}

bool oci_has_file(const Place *place, const char *file)
{
        return faccessat(place->fd, file, F_OK, 0) == 0;
}

bool oci_read_number(const Place *place, const char *file, uint64_t *ret)
{
        char text[64];

        if (fd_read_file_at(place->fd, file, text, sizeof text) <= 0)
                return false;
        *ret = g_ascii_isdigit(text[0]) ? g_ascii_strtoull(text, NULL, 10) : UINT64_MAX;
        if (*ret >= (uint64_t) INT64_MAX / 4096 * 4096)
                *ret = UINT64_MAX;
        return true;
}
