/* Which ids are whose: an owner's for as long as the machine runs, whatever becomes of the service.
 */

#include "service/rootfs/id-ranges.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"

#define START 0x70000000u
#define ALICE 1000u
#define BOB   1001u

typedef struct Fixture {
        char *path;
        int directory;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        f->path = g_dir_make_tmp("test-id-ranges-XXXXXX", NULL);
        f->directory = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(f->directory, >=, 0);
}

static void tear_down(Fixture *f, const void *unused)
{
        unlinkat(f->directory, "ids", 0);
        unlinkat(f->directory, "embedded-ids", 0);
        fd_close(f->directory);
        g_assert_cmpint(g_rmdir(f->path), ==, 0);
        g_free(f->path);
}

static IdRanges *start_service(const Fixture *f, uint32_t n)
{
        IdRanges *ranges = id_ranges_new(START, n * ID_RANGE_SIZE);

        g_assert_true(id_ranges_keep(ranges, f->directory, NULL));
        return ranges;
}

/* Takes one and gives it back; its base. */
static uint32_t use(IdRanges *ranges, uid_t owner)
{
        g_autoptr(GError) error = NULL;
        IdRange *range = id_ranges_take(ranges, owner, owner, &error);

        g_assert_no_error(error);
        uint32_t base = range->base;
        id_ranges_give_back(ranges, range);
        return base;
}

static void assert_none_left(IdRanges *ranges, uid_t owner)
{
        g_autoptr(GError) error = NULL;

        g_assert_null(id_ranges_take(ranges, owner, owner, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_LIMITS_EXCEEDED);
}

/* An owner gets its own again; nobody else ever does, even when there is no other. */
FIXTURE_TEST(one_owner)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 2 * ID_RANGE_SIZE);
        uint32_t alices = use(ranges, ALICE), bobs = use(ranges, BOB);

        g_assert_cmpuint(alices, ==, START);
        g_assert_cmpuint(bobs, ==, START + ID_RANGE_SIZE);
        g_assert_cmpuint(use(ranges, ALICE), ==, alices);
        g_assert_cmpuint(use(ranges, BOB), ==, bobs);
        assert_none_left(ranges, 1002);
}

/* The next service knows whose they are. */
FIXTURE_TEST(restart)
{
        IdRanges *before = start_service(f, 4);
        uint32_t alices = use(before, ALICE);

        id_ranges_free(before);
        IdRanges *after = start_service(f, 4);
        uint32_t bobs = use(after, BOB);
        g_assert_cmpuint(bobs, !=, alices);
        g_assert_cmpuint(use(after, ALICE), ==, alices);
        id_ranges_free(after);
        g_autoptr(IdRanges) third = start_service(f, 4);
        g_assert_cmpuint(use(third, BOB), ==, bobs);
        g_assert_cmpuint(use(third, ALICE), ==, alices);
}

/* What cannot be read is nobody's: its ids, and those below it, are not given out again. */
FIXTURE_TEST(damaged)
{
        static const char text[] = "garbage\n1879048192 x\n1879113728 1000\n-1 5\n1879048193 7\n"
                                   "4294901760 8\n1879179264 4294967295\n";
        g_autofree char *path = g_build_filename(f->path, "ids", NULL);

        g_assert_true(g_file_set_contents(path, text, -1, NULL));
        g_autoptr(IdRanges) ranges = start_service(f, 3);
        g_assert_cmpuint(use(ranges, ALICE), ==, START + ID_RANGE_SIZE);
        g_assert_cmpuint(use(ranges, BOB), ==, START + 2 * ID_RANGE_SIZE);
        assert_none_left(ranges, 1002);
}

/* As if the disk were full from `size` bytes of a file on. */
static void take_without_room(IdRanges *ranges, uid_t owner, rlim_t size)
{
        g_autoptr(GError) error = NULL;
        struct rlimit before, few;

        signal(SIGXFSZ, SIG_IGN);
        g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
        few = (struct rlimit){size, before.rlim_max};
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &few), ==, 0);
        g_assert_null(id_ranges_take(ranges, owner, owner, &error));
        g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_FAILED);
}

/* Nothing is given out that could not be written down. */
FIXTURE_TEST(no_room)
{
        g_autoptr(IdRanges) ranges = start_service(f, 1);

        take_without_room(ranges, ALICE, 0);
        g_assert_cmpuint(use(ranges, BOB), ==, START);
}

/* Of a line that was written in part nothing is left: what comes after it is read as it was. */
FIXTURE_TEST(little_room)
{
        const size_t line = strlen("1879048192 1000\n");
        IdRanges *before = start_service(f, 4);

        use(before, ALICE);
        for (size_t n = 1; n < line; n++)
                take_without_room(before, BOB, line + n);
        uint32_t bobs = use(before, BOB);
        id_ranges_free(before);
        g_autoptr(IdRanges) after = start_service(f, 4);
        g_assert_cmpuint(use(after, ALICE), ==, START);
        g_assert_cmpuint(use(after, 1), ==, START + 2 * ID_RANGE_SIZE);
        g_assert_cmpuint(use(after, BOB), ==, bobs);
}

/* A container that runs in a range keeps it, of its owner or of nobody, and nobody else gets it. */
FIXTURE_TEST(take_at)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 3 * ID_RANGE_SIZE);
        g_autoptr(GError) error = NULL;
        IdRange *range = id_ranges_take_at(ranges, START + ID_RANGE_SIZE, ALICE, NULL);

        g_assert_nonnull(range);
        g_assert_cmpuint(use(ranges, BOB), ==, START + 2 * ID_RANGE_SIZE);
        g_assert_null(id_ranges_take_at(ranges, START + ID_RANGE_SIZE, ALICE, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_FAILED);
        g_clear_error(&error);
        g_assert_null(id_ranges_take_at(ranges, START + 2 * ID_RANGE_SIZE, ALICE, &error));
        g_clear_error(&error);
        g_assert_null(id_ranges_take_at(ranges, START + 1, ALICE, &error));
        g_clear_error(&error);
        g_assert_null(id_ranges_take_at(ranges, START + 3 * ID_RANGE_SIZE, ALICE, &error));
        id_ranges_give_back(ranges, range);
        g_assert_cmpuint(use(ranges, ALICE), ==, START + ID_RANGE_SIZE);
}

/* Embedded services have parts of their own, disjoint with the service's, until they end. */
FIXTURE_TEST(claims)
{
        const uint32_t all = 64 * ID_RANGE_SIZE;
        uint32_t end = START + id_ranges_of_service(all);
        uint32_t starts[2], counts[2];
        int locks[2];
        g_autoptr(GError) error = NULL;

        for (int i = 0; i < 2; i++) {
                starts[i] = START;
                counts[i] = all;
                g_assert_true(
                        id_ranges_claim(f->directory, &starts[i], &counts[i], &locks[i], NULL));
                g_assert_cmpuint(starts[i], >=, end);
                g_assert_cmpuint(starts[i] + counts[i], <=, START + all);
        }
        g_assert_cmpuint(MAX(starts[0], starts[1]) - MIN(starts[0], starts[1]), >=, counts[0]);
        uint32_t start = START, count = all;
        int lock = -1;
        g_assert_false(id_ranges_claim(f->directory, &start, &count, &lock, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_LIMITS_EXCEEDED);
        fd_close(locks[0]);
        g_assert_true(id_ranges_claim(f->directory, &start, &count, &lock, NULL));
        g_assert_cmpuint(start, ==, starts[0]);
        fd_close(lock);
        fd_close(locks[1]);
}
