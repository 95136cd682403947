/* cgroup v1: one hierarchy for each controller. Memory and swap are limited by their sum, OOM is
 * told by an eventfd, and a group is ended by freezing it, so that nothing can fork away from the
 * signals. */

#include "service/cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

#define FREEZE_ROUNDS 50u /* of 1 ms */

#define MEMSW "memory.memsw.limit_in_bytes"

/* The order is the kernel's: memory may never be larger than memory and swap together. */
static bool legacy_set_memory(int leaf, uint64_t memory_max, uint64_t swap_max, GError **error)
{
        uint64_t sum;

        if (memory_max == CGROUP_NO_LIMIT)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "cgroup v1 cannot limit swap without a limit of memory");
        if (!cgroup_set_bytes(leaf, "memory.limit_in_bytes", memory_max, error))
                return false;
        if (swap_max == CGROUP_NO_LIMIT)
                return true;
        if (faccessat(leaf, MEMSW, F_OK, 0) < 0 && errno == ENOENT)
                return cgroup_swap_file_missing(MEMSW, error);
        if (__builtin_add_overflow(memory_max, swap_max, &sum))
                sum = UINT64_MAX;
        return cgroup_set_bytes(leaf, MEMSW, sum, error);
}

static bool legacy_watch_oom(int leaf, int *ret_count, int *ret_event, GError **error)
{
        char text[32];
        autofd int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        autofd int control = openat(leaf, "memory.oom_control", O_RDONLY | O_CLOEXEC);

        if (event < 0 || control < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno,
                                       "cannot watch memory.oom_control");
        snprintf(text, sizeof text, "%d %d", event, control);
        int r = fd_write_file_at(leaf, "cgroup.event_control", text);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, -r,
                                       "cannot watch memory.oom_control");
        *ret_count = steal_fd(&control);
        *ret_event = steal_fd(&event);
        return true;
}

int cgroup_legacy_fill(int parent, int child)
{
        static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
        char text[4096];

        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                ssize_t n = fd_read_file_at(child, files[i], text, sizeof text);
                if (n == -ENOENT || n > 1) /* "\n" is nothing */
                        continue;
                if (n >= 0)
                        n = fd_read_file_at(parent, files[i], text, sizeof text);
                if (n >= 0)
                        n = fd_write_file_at(child, files[i], text);
                if (n < 0)
                        return (int) n;
        }
        return 0;
}

static int legacy_tell_freezer(int leaf, bool frozen)
{
        return fd_write_file_at(leaf, "freezer.state", frozen ? "FROZEN" : "THAWED");
}

static bool legacy_is_told_to_freeze(int leaf)
{
        char text[8];

        return fd_read_file_at(leaf, "freezer.self_freezing", text, sizeof text) > 0 &&
               text[0] == '1';
}

static bool legacy_is_frozen(int leaf)
{
        char state[32];

        return fd_read_file_at(leaf, "freezer.state", state, sizeof state) > 0 &&
               strcmp(state, "FROZEN\n") == 0;
}

/* The state stays FREEZING while tasks sit in the kernel; each further write tries them again. */
static bool legacy_freeze(int leaf)
{
        for (unsigned i = 0; i < FREEZE_ROUNDS; i++) {
                if (legacy_tell_freezer(leaf, true) < 0)
                        return false; /* no freezer in this hierarchy */
                if (legacy_is_frozen(leaf))
                        return true;
                g_usleep(1000);
        }
        return false;
}

static void legacy_thaw(int leaf)
{
        (void) legacy_tell_freezer(leaf, false);
}

static bool legacy_kill(int leaf, GError **error)
{
        return cgroup_kill_listed(leaf, legacy_freeze, legacy_thaw, error);
}

const CgroupBackend cgroup_legacy = {
        .set_memory = legacy_set_memory,
        .watch_oom = legacy_watch_oom,
        .kill = legacy_kill,
        .is_populated = cgroup_has_processes,
        .tell_freezer = legacy_tell_freezer,
        .is_told_to_freeze = legacy_is_told_to_freeze,
        .is_frozen = legacy_is_frozen,
};
