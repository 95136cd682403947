/* Memory and swap. The OCI means by swap the sum of both, as v1 does; v2 counts swap apart. */

#include "cli/oci/cgroup/write.h"

#include <inttypes.h>

#include "service/cgroup/internal.h"
#include "service/spec/error.h"

#define V1_LIMIT "memory.limit_in_bytes"
#define V1_SUM   "memory.memsw.limit_in_bytes"

/* 0 means in a config: not said. */
static bool is_said(const OciSigned *number)
{
        return number->is_given && number->value != 0;
}

static uint64_t bytes(int64_t value)
{
        return value < 0 ? UINT64_MAX : (uint64_t) value;
}

static bool check_sum(const Place *place, int64_t limit, int64_t sum, GError **error)
{
        return sum < 0 || (limit >= 0 && sum >= limit) ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "linux.resources.%s: memory and swap together, %" PRId64
                         ", are less than memory alone, %" PRId64,
                         place->key, sum, limit);
}

/* What is in use would be taken away, by killing if need be. */
static bool check_usage(const Place *place, const OciMemory *memory, GError **error)
{
        const char *file = place->is_unified ? "memory.current" : "memory.usage_in_bytes";
        uint64_t usage;

        if (!memory->check_before_update.value || !is_said(&memory->limit) ||
            !oci_read_number(place, file, &usage) || bytes(memory->limit.value) >= usage)
                return true;
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "linux.resources.memory.limit: %" PRId64
                         " bytes are less than the %" PRIu64 " in use",
                         memory->limit.value, usage);
}

static bool set_sum(const Place *place, int64_t sum, GError **error)
{
        Place swap = {"memory.swap", place->fd, place->is_unified};
        const char *file = place->is_unified ? "memory.swap.max" : V1_SUM;

        return oci_has_file(place, file) ? oci_write_number(&swap, file, sum, error)
                                         : cgroup_swap_file_missing(file, error);
}

/* No moment may have more memory than memory and swap together: what grows, swap first. */
static bool set_legacy(const Place *place, const OciMemory *memory, GError **error)
{
        bool has_limit = is_said(&memory->limit), has_sum = is_said(&memory->swap);
        int64_t sum = memory->swap.value;
        uint64_t before = UINT64_MAX;

        if (has_limit && memory->limit.value < 0 && !has_sum) {
                has_sum =
                        true; /* no limit of memory, and still one of the sum: none could be had */
                sum = -1;
        }
        if (has_limit && has_sum && !check_sum(place, memory->limit.value, sum, error))
                return false;
        (void) oci_read_number(place, V1_SUM, &before);
        bool sum_first = has_sum && before != UINT64_MAX && bytes(sum) > before;
        return (!sum_first || set_sum(place, sum, error)) &&
               (!has_limit || oci_write_number(place, V1_LIMIT, memory->limit.value, error)) &&
               (!has_sum || sum_first || set_sum(place, sum, error));
}

/* The limit of memory that the sum is counted from: the one that is said, else the present one. */
static bool swap_alone(const Place *place, const OciMemory *memory, int64_t *ret, GError **error)
{
        uint64_t limit = is_said(&memory->limit) ? bytes(memory->limit.value) : UINT64_MAX;
        Place swap = {"memory.swap", place->fd, place->is_unified};

        *ret = -1;
        if (memory->swap.value < 0)
                return true;
        if (!is_said(&memory->limit))
                (void) oci_read_number(place, "memory.max", &limit);
        if (limit == UINT64_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "linux.resources.memory.swap needs a limit of memory");
        *ret = memory->swap.value - (int64_t) limit;
        return check_sum(&swap, (int64_t) limit, memory->swap.value, error);
}

static bool set_unified(const Place *place, const OciMemory *memory, GError **error)
{
        bool has_limit = is_said(&memory->limit), has_swap = is_said(&memory->swap);
        int64_t swap = -1;
        uint64_t before = UINT64_MAX;

        if (has_swap && !swap_alone(place, memory, &swap, error))
                return false;
        (void) oci_read_number(place, "memory.swap.max", &before);
        bool swap_first = has_swap && bytes(swap) >= before;
        return (!swap_first || set_sum(place, swap, error)) &&
               (!has_limit || oci_write_number(place, "memory.max", memory->limit.value, error)) &&
               (!has_swap || swap_first || set_sum(place, swap, error));
}

static bool set_rest(Place *place, const OciMemory *memory, GError **error)
{
        place->key = "memory.reservation";
        if (is_said(&memory->reservation) &&
            !oci_write_number(place,
                              place->is_unified ? "memory.low" : "memory.soft_limit_in_bytes",
                              memory->reservation.value, error))
                return false;
        place->key = "memory.swappiness";
        if (memory->swappiness.is_given &&
            (!oci_only_in(place, false, error) ||
             !oci_write_unsigned(place, "memory.swappiness", memory->swappiness.value, error)))
                return false;
        place->key = "memory.disableOOMKiller";
        return !memory->disable_oom_killer.value ||
               (oci_only_in(place, false, error) &&
                oci_write(place, "memory.oom_control", "1", error));
}

bool oci_set_memory(const PathCgroup *cgroup, const OciMemory *memory, GError **error)
{
        Place place;

        if (!is_said(&memory->limit) && !is_said(&memory->reservation) && !is_said(&memory->swap) &&
            !memory->swappiness.is_given && !memory->disable_oom_killer.value)
                return true;
        if (!oci_find_place(cgroup, "memory", "memory.limit", &place, error) ||
            !check_usage(&place, memory, error))
                return false;
        return (place.is_unified ? set_unified : set_legacy)(&place, memory, error) &&
               set_rest(&place, memory, error);
}
