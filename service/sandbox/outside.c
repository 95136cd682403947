#include "service/sandbox/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

static const struct {
        const char *name;
        __rlimit_resource_t resource;
} limits[] = {
#define X(NAME) {#NAME, RLIMIT_##NAME},
        PROCESS_LIMITS(X)
#undef X
};

const char *outside_limit_name(unsigned number)
{
        return limits[number].name;
}

bool outside_read_limit(unsigned number, ProcessLimit *ret)
{
        struct rlimit limit;

        if (getrlimit(limits[number].resource, &limit) < 0)
                return false;
        *ret = (ProcessLimit){.soft = limit.rlim_cur, .hard = limit.rlim_max};
        return true;
}

/* The process still has the limits of this one. */
static bool raise_limit(pid_t pid, unsigned number, uint64_t hard, GError **error)
{
        ProcessLimit own = {.soft = 0};

        if (outside_read_limit(number, &own) && hard <= own.hard)
                return true;
        return prlimit(pid, limits[number].resource, &(struct rlimit){own.soft, hard}, NULL) == 0 ||
               error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, errno,
                               "Limit%s: the service cannot raise the hard limit from its own, "
                               "%" G_GUINT64_FORMAT ", to %" G_GUINT64_FORMAT,
                               limits[number].name, own.hard, hard);
}

static bool set_oom_score(pid_t pid, int score, GError **error)
{
        char path[64], text[16];
        int r;

        g_snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int) pid);
        g_snprintf(text, sizeof text, "%d", score);
        r = fd_write_file_at(AT_FDCWD, path, text);
        return r >= 0 || error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, -r,
                                         "OOMScoreAdjust: the service cannot set it to %d", score);
}

bool outside_set_attributes(pid_t pid, const ProcessAttributes *attributes, GError **error)
{
        for (unsigned i = 0; i < N_PROCESS_LIMITS; i++)
                if (attributes->limits[i].is_given &&
                    !raise_limit(pid, i, attributes->limits[i].hard, error))
                        return false;
        return !attributes->has_oom_score_adjust ||
               set_oom_score(pid, attributes->oom_score_adjust, error);
}
