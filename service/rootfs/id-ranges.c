#include "service/rootfs/id-ranges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

#define FILE_NAME "ids"
/* Free ranges of one owner that keep their mount namespace, and with it an fd. */
#define NAMESPACES_KEPT 8u

struct IdRanges {
        uint32_t start, total;
        uint32_t
                used; /* ranges from the start: given out since boot, or lost to an unknown owner */
        GHashTable
                *free; /* owner → GPtrArray of IdRange: the range given back last is taken first */
        int file;      /* -1: owners are kept in memory only */
};

static void range_free(void *data)
{
        IdRange *range = data;

        fd_close(range->mount_namespace);
        g_free(range);
}

static void stack_free(void *data)
{
        g_ptr_array_free(data, TRUE);
}

IdRanges *id_ranges_new(uint32_t start, uint32_t count)
{
        IdRanges *ranges = g_new0(IdRanges, 1);

        ranges->start = start;
        ranges->total = count / ID_RANGE_SIZE;
        ranges->free = g_hash_table_new_full(NULL, NULL, NULL, stack_free);
        ranges->file = -1;
        return ranges;
}

void id_ranges_free(IdRanges *ranges)
{
        if (!ranges)
                return;
        g_hash_table_destroy(ranges->free);
        fd_close(ranges->file);
        g_free(ranges);
}

static GPtrArray *stack_of(IdRanges *ranges, uid_t owner)
{
        GPtrArray *stack = g_hash_table_lookup(ranges->free, GUINT_TO_POINTER(owner));

        if (!stack) {
                stack = g_ptr_array_new_with_free_func(range_free);
                g_hash_table_insert(ranges->free, GUINT_TO_POINTER(owner), stack);
        }
        return stack;
}

static IdRange *range_new(uint32_t base, uid_t owner)
{
        IdRange *range = g_new0(IdRange, 1);

        range->base = base;
        range->owner = owner;
        range->mount_namespace = -1;
        return range;
}

static bool find_index(const IdRanges *ranges, uint32_t base, uint32_t *ret)
{
        if (base < ranges->start || (base - ranges->start) % ID_RANGE_SIZE != 0 ||
            (base - ranges->start) / ID_RANGE_SIZE >= ranges->total)
                return false;
        *ret = (base - ranges->start) / ID_RANGE_SIZE;
        return true;
}

/* -- one part for the service, small ones from the end for embedded ones -- */

#define CLAIM_FILE    "embedded-ids"
#define CLAIM_RANGES  4u
#define CLAIM_DIVISOR 8u /* one in this many ranges is for embedded services */

static uint32_t count_claimable(uint32_t count)
{
        return count / ID_RANGE_SIZE / CLAIM_DIVISOR;
}

uint32_t id_ranges_of_service(uint32_t count)
{
        return count - count_claimable(count) * ID_RANGE_SIZE;
}

bool id_ranges_claim(int directory, uint32_t *start, uint32_t *count, int *ret_lock, GError **error)
{
        uint32_t claims = count_claimable(*count) / CLAIM_RANGES;
        autofd int file =
                openat(directory, CLAIM_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (file < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot open the file '" CLAIM_FILE "' of user ids");
        for (uint32_t i = 0; i < claims; i++) {
                /* the lock is the open file's, not the process's: it goes with the last fd, however
                 * that is closed */
                struct flock lock = {.l_type = F_WRLCK, .l_start = i, .l_len = 1};
                if (fcntl(file, F_OFD_SETLK, &lock) < 0)
                        continue;
                *start += *count / ID_RANGE_SIZE * ID_RANGE_SIZE -
                          (i + 1) * CLAIM_RANGES * ID_RANGE_SIZE;
                *count = CLAIM_RANGES * ID_RANGE_SIZE;
                *ret_lock = steal_fd(&file);
                return true;
        }
        return error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                         "all %u parts of the user ids for embedded services are in use "
                         "(IdRangeCount)",
                         claims);
}

/* -- the file: a line "BASE OWNER" for each range that was ever given out -- */

/* If the disk is full, part of a line may be written: that would read as another owner, and would
 * spoil the next line. So it is cut off again. */
static bool write_down(const IdRanges *ranges, uint32_t base, uid_t owner, GError **error)
{
        char line[32];
        int length = snprintf(line, sizeof line, "%u %u\n", base, owner);

        if (ranges->file < 0)
                return true;
        off_t end = lseek(ranges->file, 0, SEEK_END);
        ssize_t n = end < 0 ? -1 : write(ranges->file, line, (size_t) length);
        if (n == length)
                return true;
        error_set_errno(error, RUNTIME_ERROR_FAILED, n < 0 ? errno : ENOSPC,
                        "cannot record the owner of the user ids from %u", base);
        if (n > 0 && ftruncate(ranges->file, end) < 0)
                g_warning("the file '" FILE_NAME "' of user ids is damaged: %s", g_strerror(errno));
        return false;
}

/* A damaged line loses its range, of which nobody knows the owner: every range up to the highest
 * that was read counts as given out. */
static void read_line(IdRanges *ranges, const char *line)
{
        g_auto(GStrv) words = g_strsplit(line, " ", 3);
        guint64 base, owner;
        uint32_t index;

        if (g_strv_length(words) != 2 ||
            !g_ascii_string_to_unsigned(words[0], 10, 0, UINT32_MAX, &base, NULL) ||
            !g_ascii_string_to_unsigned(words[1], 10, 0, UINT32_MAX - 1, &owner, NULL) ||
            !find_index(ranges, (uint32_t) base, &index))
                return;
        ranges->used = MAX(ranges->used, index + 1);
        g_ptr_array_add(stack_of(ranges, (uid_t) owner), range_new((uint32_t) base, (uid_t) owner));
}

bool id_ranges_keep(IdRanges *ranges, int directory, GError **error)
{
        GString *text = g_string_new(NULL);
        char buffer[4096];
        ssize_t n = 0;

        ranges->file = openat(directory, FILE_NAME,
                              O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        while (ranges->file >= 0 && (n = read(ranges->file, buffer, sizeof buffer)) > 0)
                g_string_append_len(text, buffer, n);
        g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
        g_string_free(text, TRUE);
        if (ranges->file < 0 || n < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot use the file '" FILE_NAME "' of user ids");
        for (char **line = lines; *line; line++)
                read_line(ranges, *line);
        return true;
}

/* -- taking and giving back -- */

IdRange *id_ranges_take(IdRanges *ranges, uid_t owner, gid_t gid, GError **error)
{
        GPtrArray *stack = stack_of(ranges, owner);

        for (guint i = stack->len; i-- > 0;) {
                const IdRange *range = stack->pdata[i];
                if (range->mount_namespace >= 0 && range->mount_gid == gid)
                        return g_ptr_array_steal_index(stack, i);
        }
        if (stack->len > 0)
                return g_ptr_array_steal_index(stack, stack->len - 1);
        if (ranges->used == ranges->total) {
                error_set(error, RUNTIME_ERROR_LIMITS_EXCEEDED,
                          "all %u ranges of user ids are in use, or were another user's since the "
                          "machine booted (IdRangeCount)",
                          ranges->total);
                return NULL;
        }
        uint32_t base = ranges->start + ranges->used * ID_RANGE_SIZE;
        if (!write_down(ranges, base, owner, error))
                return NULL;
        ranges->used++;
        return range_new(base, owner);
}

bool id_ranges_has_any(const IdRanges *ranges)
{
        return ranges->total > 0;
}

bool id_ranges_has_plenty(IdRanges *ranges, uid_t owner)
{
        return stack_of(ranges, owner)->len > 0 || ranges->used < ranges->total / 2;
}

IdRange *id_ranges_take_at(IdRanges *ranges, uint32_t base, uid_t owner, GError **error)
{
        GPtrArray *stack = stack_of(ranges, owner);
        uint32_t index;

        if (!find_index(ranges, base, &index)) {
                error_set(error, RUNTIME_ERROR_FAILED,
                          "user ids from %u are not among the configured ones", base);
                return NULL;
        }
        for (guint i = 0; i < stack->len; i++)
                if (((const IdRange *) stack->pdata[i])->base == base)
                        return g_ptr_array_steal_index(stack, i);
        if (index < ranges->used) {
                error_set(error, RUNTIME_ERROR_FAILED, "user ids from %u are in use", base);
                return NULL;
        }
        if (!write_down(ranges, base, owner, error))
                return NULL;
        ranges->used = index + 1;
        return range_new(base, owner);
}

void id_ranges_give_back(IdRanges *ranges, IdRange *range)
{
        GPtrArray *stack = stack_of(ranges, range->owner);

        if (stack->len >= NAMESPACES_KEPT)
                fd_clear(&range->mount_namespace);
        g_ptr_array_add(stack, range);
}
