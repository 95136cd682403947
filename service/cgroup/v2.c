/* cgroup v2: controllers are handed down level by level, limits are in memory.* and pids.*, and one
 * file ends everything inside. On a hybrid machine v2 has no controllers, and only the last
 * holds. */

#include "service/cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"

#define FREEZE_ROUNDS 50u /* of 1 ms */

static bool has_word(const char *words, const char *word)
{
        g_auto(GStrv) list = g_strsplit_set(words, " \n", -1);

        return g_strv_contains((const char *const *) list, word);
}

static bool file_has_word(int dirfd, const char *file, const char *word)
{
        char text[512];

        return fd_read_file_at(dirfd, file, text, sizeof text) > 0 && has_word(text, word);
}

/* Of a parent that lacks the controller the kernel says ENOENT, which the caller says better. */
static int enable_one(int dirfd, const char *name)
{
        g_autofree char *text = g_strconcat("+", name, NULL);

        if (file_has_word(dirfd, "cgroup.subtree_control", name))
                return 0;
        return fd_write_file_at(dirfd, "cgroup.subtree_control", text);
}

unsigned cgroup_unified_enable(int dirfd, unsigned wanted, char **reasons)
{
        unsigned enabled = 0;

        for (unsigned i = 0; i < _CGROUP_CONTROLLER_MAX; i++) {
                const char *name = cgroup_controller_name(i);
                if (!(wanted & 1u << i))
                        continue;
                int r = enable_one(dirfd, name);
                if (r == 0) {
                        enabled |= 1u << i;
                } else if (reasons && !reasons[i]) {
                        reasons[i] = r == -ENOENT ? g_strdup("cgroup v2 does not offer it there")
                                                  : g_strdup_printf("cgroup.subtree_control: %s",
                                                                    g_strerror(-r));
                }
        }
        return enabled;
}

static bool unified_set_memory(int leaf, uint64_t memory_max, uint64_t swap_max, GError **error)
{
        /* Swap first, or what is in the leaf already could be swapped out to meet the limit of
         * memory. */
        if (swap_max != CGROUP_NO_LIMIT) {
                if (faccessat(leaf, "memory.swap.max", F_OK, 0) < 0 && errno == ENOENT) {
                        if (!cgroup_swap_file_missing("memory.swap.max", error))
                                return false;
                } else if (!cgroup_set_bytes(leaf, "memory.swap.max", swap_max, error))
                        return false;
        }
        return memory_max == CGROUP_NO_LIMIT ||
               cgroup_set_bytes(leaf, "memory.max", memory_max, error);
}

static bool unified_watch_oom(int leaf, int *ret_count, int *ret_event, GError **error)
{
        char text[512];
        autofd int fd = openat(leaf, "memory.events", O_RDONLY | O_CLOEXEC);

        /* Since Linux 4.19: an OOM ends the whole container, not one process of it. */
        (void) fd_write_file_at(leaf, "memory.oom.group", "1");
        /* Read it: until the first time poll() reports a change. */
        if (fd < 0 || pread(fd, text, sizeof text, 0) < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno,
                                       "cannot watch memory.events");
        *ret_count = steal_fd(&fd);
        *ret_event = -1;
        return true;
}

static bool events_value(int leaf, const char *key)
{
        char text[512];

        return fd_read_file_at(leaf, "cgroup.events", text, sizeof text) > 0 &&
               cgroup_keyed_value(text, key) != 0;
}

static int unified_tell_freezer(int leaf, bool frozen)
{
        return fd_write_file_at(leaf, "cgroup.freeze", frozen ? "1" : "0");
}

static bool unified_is_told_to_freeze(int leaf)
{
        char text[8];

        return fd_read_file_at(leaf, "cgroup.freeze", text, sizeof text) > 0 && text[0] == '1';
}

static bool unified_is_frozen(int leaf)
{
        return events_value(leaf, "frozen");
}

static bool unified_freeze(int leaf)
{
        if (unified_tell_freezer(leaf, true) < 0)
                return false; /* before Linux 5.2 */
        for (unsigned i = 0; i < FREEZE_ROUNDS; i++) {
                if (unified_is_frozen(leaf))
                        return true;
                g_usleep(1000);
        }
        return false;
}

static void unified_thaw(int leaf)
{
        (void) unified_tell_freezer(leaf, false);
}

static bool unified_kill(int leaf, GError **error)
{
        int r = fd_write_file_at(leaf, "cgroup.kill", "1");

        if (r == -ENOENT) /* before Linux 5.14 */
                return cgroup_kill_listed(leaf, unified_freeze, unified_thaw, error);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, -r,
                                       "cannot write cgroup.kill");
        /* The kernel signals the first thread of each process (Linux 6.18): where that one has
         * ended, while others go on, nothing comes of it. */
        (void) cgroup_signal_all(leaf, SIGKILL);
        return true;
}

static bool unified_is_populated(int leaf)
{
        return events_value(leaf, "populated");
}

const CgroupBackend cgroup_unified = {
        .set_memory = unified_set_memory,
        .watch_oom = unified_watch_oom,
        .kill = unified_kill,
        .is_populated = unified_is_populated,
        .tell_freezer = unified_tell_freezer,
        .is_told_to_freeze = unified_is_told_to_freeze,
        .is_frozen = unified_is_frozen,
        .freeze_events = "cgroup.events",
};
