#include "service/cgroup/live/update.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "service/cgroup/leaf.h"
#include "service/cgroup/live/changes.h"
#include "service/cgroup/live/write.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/shares.h"

/* What the versions call the same. */
typedef struct MemoryFiles {
        const char *max, *swap, *usage, *none;
} MemoryFiles;

static const MemoryFiles unified_files = {"memory.max", "memory.swap.max", "memory.current", "max"};
static const MemoryFiles legacy_files = {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
                                         "memory.usage_in_bytes", "-1"};

static uint64_t page_size(void)
{
        return (uint64_t) sysconf(_SC_PAGESIZE);
}

/* Above this the kernel means "no limit", see cgroup_set_bytes(). */
static uint64_t most_bytes(void)
{
        return (LONG_MAX / page_size() - 1) * page_size();
}

static uint64_t parse_bytes(const char *text)
{
        uint64_t value =
                strncmp(text, "max", 3) == 0 ? CGROUP_NO_LIMIT : g_ascii_strtoull(text, NULL, 10);

        return value >= most_bytes() ? CGROUP_NO_LIMIT : value;
}

static bool read_bytes(int leaf, const char *file, uint64_t *ret)
{
        char text[32];

        if (fd_read_file_at(leaf, file, text, sizeof text) <= 0)
                return false;
        *ret = parse_bytes(text);
        return true;
}

/* -- writing -- */

bool changes_add(Changes *changes, int leaf, const char *file, const char *text, GError **error)
{
        Change *change = &changes->list[changes->n];
        ssize_t n = fd_read_file_at(leaf, file, change->before, sizeof change->before);

        if (n < 0)
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, (int) -n,
                                       "cannot read %s", file);
        change->leaf = leaf;
        change->file = file;
        g_strlcpy(change->after, text, sizeof change->after);
        changes->n++;
        return true;
}

static bool add(Changes *changes, int leaf, const char *file, const char *none, uint64_t value,
                GError **error)
{
        char number[24];

        snprintf(number, sizeof number, "%" PRIu64, value);
        return changes_add(changes, leaf, file, value == CGROUP_NO_LIMIT ? none : number, error);
}

/* More memory may be in use than when that was looked at. */
static bool lowers_memory(const Change *change, const char *before, const char *after)
{
        return g_str_has_prefix(change->file, "memory.") &&
               parse_bytes(after) < parse_bytes(before);
}

static int set(const Changes *changes, const Change *change, const char *before, const char *after)
{
        return !changes->is_new && lowers_memory(change, before, after)
                       ? live_write_patiently(change->leaf, change->file, after)
                       : live_write(change->leaf, change->file, after);
}

static void put_back(const Changes *changes, unsigned n)
{
        while (n-- > 0) {
                const Change *change = &changes->list[n];
                int r = set(changes, change, change->after, change->before);
                if (r < 0)
                        g_warning("cannot put %s back to %s: %s", change->file, change->before,
                                  g_strerror(-r));
        }
}

static bool fail(const Change *change, int errnum, GError **error)
{
        if (errnum == ETIMEDOUT)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "cannot set %s to %s: the container takes memory as fast as the "
                                 "kernel takes it away",
                                 change->file, change->after);
        return error_set_errno(
                error, errnum == EBUSY ? RUNTIME_ERROR_INVALID_ARGS : RUNTIME_ERROR_CGROUP_FAILED,
                errnum, "cannot set %s to %s", change->file, change->after);
}

static bool apply(const Changes *changes, GError **error)
{
        for (unsigned i = 0; i < changes->n; i++) {
                const Change *change = &changes->list[i];
                int r = set(changes, change, change->before, change->after);
                if (r == 0)
                        continue;
                put_back(changes, r == -ETIMEDOUT ? i + 1 : i);
                return fail(change, -r, error);
        }
        return true;
}

/* -- what to write -- */

static bool is_older_than_6_16(void)
{
        struct utsname name;
        char *end;

        if (uname(&name) < 0)
                return true;
        uint64_t major = g_ascii_strtoull(name.release, &end, 10);
        uint64_t minor = *end == '.' ? g_ascii_strtoull(end + 1, NULL, 10) : 0;
        return major < 6 || (major == 6 && minor < 16);
}

/* A limit below what is in use: v1 refuses it. v2 takes the memory away, by killing if need be, and
 * before Linux 6.16 whoever sets the limit waits for that. */
static bool check_usage(int leaf, bool is_legacy, const Resources *resources, GError **error)
{
        const char *file = (is_legacy ? &legacy_files : &unified_files)->usage;
        uint64_t usage;

        if (!read_bytes(leaf, file, &usage))
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno, "cannot read %s",
                                       file);
        if (resources->memory_max >= usage)
                return true;
        if (!resources->force)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "MemoryMax of %" PRIu64 " bytes is less than the %" PRIu64
                                 " bytes in use",
                                 resources->memory_max, usage);
        return (!is_legacy && !is_older_than_6_16()) ||
               error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                         "%" PRIu64 " bytes are in use, and Force, which takes them away, needs %s",
                         usage, is_legacy ? "cgroup v2" : "Linux 6.16");
}

static uint64_t add_bytes(uint64_t a, uint64_t b)
{
        return a == CGROUP_NO_LIMIT || b == CGROUP_NO_LIMIT ||
                               a > most_bytes() - MIN(b, most_bytes())
                       ? CGROUP_NO_LIMIT
                       : a + b;
}

/* v1 limits memory and swap by their sum, and memory may at no time be more than that. */
static bool change_legacy(Changes *changes, int leaf, uint64_t max, uint64_t swap, uint64_t old_sum,
                          GError **error)
{
        const MemoryFiles *files = &legacy_files;
        uint64_t sum = add_bytes(max, swap);
        bool sum_first = old_sum != CGROUP_NO_LIMIT && max > old_sum;

        if (faccessat(leaf, files->swap, F_OK, 0) < 0 && errno == ENOENT)
                return cgroup_swap_file_missing(files->swap, error) &&
                       add(changes, leaf, files->max, files->none, max, error);
        return (!sum_first || add(changes, leaf, files->swap, files->none, sum, error)) &&
               add(changes, leaf, files->max, files->none, max, error) &&
               (sum_first || add(changes, leaf, files->swap, files->none, sum, error));
}

static bool change_unified(Changes *changes, int leaf, uint64_t max, uint64_t swap, GError **error)
{
        const MemoryFiles *files = &unified_files;
        bool has_swap = faccessat(leaf, files->swap, F_OK, 0) == 0;

        return (has_swap ? add(changes, leaf, files->swap, files->none, swap, error)
                         : cgroup_swap_file_missing(files->swap, error)) &&
               add(changes, leaf, files->max, files->none, max, error);
}

/* What is not said stays; but where there was no limit of memory, a new one is one of swap as well,
 * as for a new container. */
static bool change_memory(const Cgroup *cgroup, const Resources *resources, Changes *changes,
                          GError **error)
{
        int index = cgroup->tree->serving[CGROUP_MEMORY];
        int leaf = index < 0 ? -1 : cgroup->leaf_fds[index];
        bool is_legacy = index >= 0 && cgroup_is_legacy(cgroup, (unsigned) index);
        const MemoryFiles *files = is_legacy ? &legacy_files : &unified_files;
        uint64_t old_max, old_swap = CGROUP_NO_LIMIT, old_sum = CGROUP_NO_LIMIT;

        if (leaf < 0)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED, "cannot limit memory: %s",
                                 index < 0 ? cgroup->tree->missing[CGROUP_MEMORY]
                                           : "the container began without any limit of it, and "
                                             "cgroup v1 has no place for a later one");
        if (!read_bytes(leaf, files->max, &old_max))
                return error_set_errno(error, RUNTIME_ERROR_CGROUP_FAILED, errno, "cannot read %s",
                                       files->max);
        if (resources->memory_max && !check_usage(leaf, is_legacy, resources, error))
                return false;
        (void) read_bytes(leaf, files->swap, is_legacy ? &old_sum : &old_swap);
        if (is_legacy && old_sum != CGROUP_NO_LIMIT && old_max != CGROUP_NO_LIMIT)
                old_swap = old_sum - MIN(old_max, old_sum);
        uint64_t max = resources->memory_max ? resources->memory_max : old_max;
        uint64_t swap = resources->has_memory_swap_max ? resources->memory_swap_max
                        : old_max == CGROUP_NO_LIMIT && max != CGROUP_NO_LIMIT ? 0
                                                                               : old_swap;
        if (is_legacy && max == CGROUP_NO_LIMIT && resources->has_memory_swap_max &&
            swap != CGROUP_NO_LIMIT)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "cgroup v1 cannot limit swap without a limit of memory");
        return is_legacy ? change_legacy(changes, leaf, max, swap, old_sum, error)
                         : change_unified(changes, leaf, max, swap, error);
}

static bool change_tasks(const Cgroup *cgroup, const Resources *resources, Changes *changes,
                         GError **error)
{
        int index = cgroup->tree->serving[CGROUP_PIDS];

        if (index < 0 || cgroup->leaf_fds[index] < 0)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED, "cannot limit tasks: %s",
                                 index < 0 ? cgroup->tree->missing[CGROUP_PIDS]
                                           : "the container began without any limit of them, and "
                                             "cgroup v1 has no place for a later one");
        return add(changes, cgroup->leaf_fds[index], "pids.max", "max",
                   resources->tasks_max > CGROUP_PIDS_MAX ? CGROUP_NO_LIMIT : resources->tasks_max,
                   error);
}

/* -- what v2 alone has of memory -- */

/* Before Linux 6.16 whoever sets it waits while the memory above is reclaimed, which may be for as
 * long as the container goes on using more. */
static bool check_high(int leaf, uint64_t high, GError **error)
{
        uint64_t usage;

        return !is_older_than_6_16() || !read_bytes(leaf, unified_files.usage, &usage) ||
               high >= usage ||
               error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                         "MemoryHigh of %" PRIu64 " bytes is less than the %" PRIu64
                         " bytes in use, and taking those away needs Linux 6.16",
                         high, usage);
}

static bool change_protection(const Cgroup *cgroup, const Resources *resources, Changes *changes,
                              GError **error)
{
        int index = cgroup->tree->serving[CGROUP_MEMORY];
        const char *key = resources->memory_high ? "MemoryHigh" : "MemoryLow";

        if (!resources->memory_high && !resources->has_memory_low)
                return true;
        if (index < 0 || cgroup_is_legacy(cgroup, (unsigned) index))
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "%s needs the memory controller of cgroup v2: %s", key,
                                 index < 0 ? cgroup->tree->missing[CGROUP_MEMORY]
                                           : "here cgroup v1 has it");
        int leaf = cgroup->leaf_fds[index];
        return (!resources->memory_high ||
                (check_high(leaf, resources->memory_high, error) &&
                 add(changes, leaf, "memory.high", "max", resources->memory_high, error))) &&
               (!resources->has_memory_low ||
                add(changes, leaf, "memory.low", "max", resources->memory_low, error));
}

/* -- processors -- */

#define PERIOD_USEC UINT64_C(100000) /* as the kernel has it, and systemd */

/* A quota that no number of processors can use up is none. */
static uint64_t quota_of(uint64_t per_sec)
{
        return per_sec > UINT32_MAX * (uint64_t) G_USEC_PER_SEC
                       ? CGROUP_NO_LIMIT
                       : per_sec / (G_USEC_PER_SEC / PERIOD_USEC);
}

static bool change_quota(Changes *changes, int leaf, bool is_legacy, uint64_t per_sec,
                         GError **error)
{
        uint64_t quota = quota_of(per_sec);

        if (is_legacy)
                return add(changes, leaf, "cpu.cfs_period_us", "", PERIOD_USEC, error) &&
                       add(changes, leaf, "cpu.cfs_quota_us", "-1", quota, error);
        if (!add(changes, leaf, "cpu.max", "max", quota, error))
                return false;
        char *text = changes->list[changes->n - 1].after;
        size_t length = strlen(text);
        snprintf(text + length, sizeof changes->list[0].after - length, " %" PRIu64, PERIOD_USEC);
        return true;
}

bool changes_hand_down(const Cgroup *cgroup, CgroupController controller, const char *file,
                       GError **error)
{
        const unsigned index = (unsigned) cgroup->tree->serving[controller];

        if (faccessat(cgroup->leaf_fds[index], file, F_OK, 0) == 0)
                return true;
        if (cgroup->is_borrowed)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "cgroup %s has no %s controller from those who made it",
                                 cgroup->path, cgroup_controller_name(controller));
        return cgroup_hand_down(cgroup, index, 1u << controller, error);
}

static bool change_processors(const Cgroup *cgroup, const Resources *resources, Changes *changes,
                              GError **error)
{
        int index = cgroup->tree->serving[CGROUP_CPU];
        const char *key = resources->cpu_quota ? "CPUQuotaPerSecUSec" : "CPUWeight";

        if (!resources->cpu_quota && !resources->cpu_weight)
                return true;
        if (index < 0 || cgroup->leaf_fds[index] < 0)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "%s needs the cpu controller: %s", key,
                                 index < 0 ? cgroup->tree->missing[CGROUP_CPU]
                                           : "a service without it began the container");
        int leaf = cgroup->leaf_fds[index];
        bool is_legacy = cgroup_is_legacy(cgroup, (unsigned) index);
        if (!is_legacy && !changes_hand_down(cgroup, CGROUP_CPU, "cpu.max", error))
                return false;
        if (resources->cpu_weight &&
            !add(changes, leaf, is_legacy ? "cpu.shares" : "cpu.weight", "",
                 is_legacy ? shares_from_weight(resources->cpu_weight) : resources->cpu_weight,
                 error))
                return false;
        return !resources->cpu_quota ||
               change_quota(changes, leaf, is_legacy, resources->cpu_quota, error);
}

static bool change_more(const Cgroup *cgroup, const Resources *resources, Changes *changes,
                        GError **error)
{
        return change_protection(cgroup, resources, changes, error) &&
               change_processors(cgroup, resources, changes, error) &&
               changes_add_placement(changes, cgroup, resources, error);
}

bool cgroup_limit_more(Cgroup *cgroup, const Resources *resources, GError **error)
{
        Changes changes = {.is_new = true};

        return change_more(cgroup, resources, &changes, error) && apply(&changes, error);
}

bool cgroup_update(Cgroup *cgroup, const Resources *resources, GError **error)
{
        Changes changes = {0};
        bool memory = resources->memory_max || resources->has_memory_swap_max;

        return (!memory || change_memory(cgroup, resources, &changes, error)) &&
               (!resources->has_tasks_max || change_tasks(cgroup, resources, &changes, error)) &&
               change_more(cgroup, resources, &changes, error) && apply(&changes, error);
}

uint64_t cgroup_memory_max(const Cgroup *cgroup, uint64_t told)
{
        int index = cgroup->tree->serving[CGROUP_MEMORY];
        uint64_t found;

        if (index < 0 || cgroup->leaf_fds[index] < 0 ||
            !read_bytes(
                    cgroup->leaf_fds[index],
                    (cgroup_is_legacy(cgroup, (unsigned) index) ? &legacy_files : &unified_files)
                            ->max,
                    &found))
                return told;
        if (found == CGROUP_NO_LIMIT)
                return told >= most_bytes() ? told : found;
        return told >= found && told - found < page_size() ? told : found;
}
