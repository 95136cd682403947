#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/oci/cgroup/limits.h"
#include "cli/oci/decode/config.h"
#include "cli/oci/decode/document.h"
#include "cli/oci/state/container.h"
#include "cli/oci/verbs/verbs.h"
#include "service/cgroup/path/path.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/size.h"

static bool refuse(const char *name, GError **error)
{
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "--%s: not a number", name);
}

static bool set_signed(const char *name, const char *text, OciSigned *number, GError **error)
{
        gint64 value;

        if (!text)
                return true;
        if (!g_ascii_string_to_signed(text, 10, -1, INT64_MAX, &value, NULL))
                return refuse(name, error);
        *number = (OciSigned){true, value};
        return true;
}

static bool set_unsigned(const char *name, const char *text, OciUnsigned *number, GError **error)
{
        OciSigned value = {0};

        if (!set_signed(name, text, &value, error) || (value.is_given && value.value < 0))
                return error && *error ? false : refuse(name, error);
        if (value.is_given)
                *number = (OciUnsigned){true, (uint64_t) value.value};
        return true;
}

/* "64m", or -1 for no limit. */
static bool set_size(const char *name, const char *text, OciSigned *number, GError **error)
{
        uint64_t value;

        if (!text)
                return true;
        if (g_str_equal(text, "-1"))
                *number = (OciSigned){true, -1};
        else if (!size_parse(text, &value) || value > INT64_MAX)
                return refuse(name, error);
        else
                *number = (OciSigned){true, (int64_t) value};
        return true;
}

static void set_text(const char *text, char **place)
{
        if (text && *text)
                *place = g_strdup(text);
}

static bool read_flags(const OciOptions *options, OciResources *resources, GError **error)
{
        OciMemory *memory = &resources->memory;
        OciCpu *cpu = &resources->cpu;

        set_text(options->cpuset_cpus, &cpu->cpus);
        set_text(options->cpuset_mems, &cpu->mems);
        return set_size("memory", options->memory, &memory->limit, error) &&
               set_size("memory-reservation", options->memory_reservation, &memory->reservation,
                        error) &&
               set_size("memory-swap", options->memory_swap, &memory->swap, error) &&
               set_unsigned("cpu-period", options->cpu_period, &cpu->period, error) &&
               set_signed("cpu-quota", options->cpu_quota, &cpu->quota, error) &&
               set_unsigned("cpu-burst", options->cpu_burst, &cpu->burst, error) &&
               set_unsigned("cpu-share", options->cpu_share, &cpu->shares, error) &&
               set_signed("cpu-idle", options->cpu_idle, &cpu->idle, error) &&
               set_unsigned("cpu-rt-period", options->cpu_rt_period, &cpu->realtime_period,
                            error) &&
               set_signed("cpu-rt-runtime", options->cpu_rt_runtime, &cpu->realtime_runtime,
                          error) &&
               set_unsigned("blkio-weight", options->blkio_weight, &resources->block_io.weight,
                            error) &&
               set_signed("pids-limit", options->pids_limit, &resources->pids, error);
}

static bool read_resources(const char *path, OciSpec **ret, GError **error)
{
        bool is_stdin = g_str_equal(path, "-");
        autofd int file =
                is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        g_autofree char *text = NULL;
        size_t length;

        if (file < 0)
                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errno,
                                       "cannot open --resources %s", path);
        return document_read(file, "resources", &text, &length, error) &&
               config_decode_resources(text, length, ret, error);
}

bool oci_verb_update(const OciCall *call, int *ret_status, GError **error)
{
        g_autoptr(OciContainer) container = NULL;
        g_autoptr(PathCgroup) cgroup = NULL;
        g_autoptr(OciSpec) spec = NULL;

        if (call->options->resources) {
                if (!read_resources(call->options->resources, &spec, error))
                        return false;
        } else {
                spec = oci_spec_new();
                if (!read_flags(call->options, &spec->resources, error))
                        return false;
        }
        if (!oci_container_open(call->root, call->id, true, &container, error))
                return false;
        if (container->status == OCI_STOPPED)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE, "container not running");
        return path_cgroup_open((const char *const *) container->state->cgroups, &cgroup, error) &&
               oci_limits_set(cgroup, &spec->resources, error);
}
