/* The output log against a model that keeps every byte ever written, and its file against damage.
 */

#include "service/container/output-log.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"

#define LIMIT       ((size_t) LOG_BYTES_MAX)
#define HEADER_SIZE 24u
#define SUM_SIZE    32u

typedef struct Fixture {
        OutputLog log;
        GByteArray *model; /* all that was ever appended; index = offset */
        char *path;        /* a directory of the test's own */
        int fd;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        output_log_init(&f->log);
        f->model = g_byte_array_sized_new(1); /* data is never NULL */
        f->path = g_dir_make_tmp("output-log-XXXXXX", NULL);
        f->fd = open(f->path, O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(f->fd, >=, 0);
}

static void tear_down(Fixture *f, const void *unused)
{
        output_log_clear(&f->log);
        g_byte_array_unref(f->model);
        unlinkat(f->fd, "log", 0);
        unlinkat(f->fd, "other", 0);
        g_assert_cmpint(g_rmdir(f->path), ==, 0); /* nothing else was left in it */
        fd_clear(&f->fd);
        g_free(f->path);
}

/* Bytes that repeat with no period of a power of two, so that a slip of the ring shows. */
static void append(Fixture *f, size_t n)
{
        g_autofree uint8_t *data = g_malloc(n + 1);

        for (size_t i = 0; i < n; i++)
                data[i] = (uint8_t) ((f->model->len + i) * 31 % 251);
        output_log_append(&f->log, data, n);
        g_byte_array_append(f->model, data, (unsigned int) n);
}

static void assert_reads(const Fixture *f, uint64_t wanted, size_t max)
{
        uint64_t offset = wanted, start = f->model->len - MIN(f->model->len, LIMIT);
        uint64_t expected_at = MAX(wanted, start);
        size_t left = expected_at < f->model->len ? (size_t) (f->model->len - expected_at) : 0;
        g_autofree uint8_t *buffer = g_malloc(max + 1);
        size_t n = output_log_read(&f->log, &offset, buffer, max);

        g_assert_cmpmem(buffer, n, f->model->data + (left ? expected_at : 0), MIN(left, max));
        g_assert_cmpuint(offset, ==, expected_at + n);
}

static void assert_same(const Fixture *f)
{
        g_assert_cmpuint(output_log_end(&f->log), ==, f->model->len);
        g_assert_cmpuint(output_log_start(&f->log), ==, f->model->len - MIN(f->model->len, LIMIT));
        assert_reads(f, 0, LIMIT + 1);
}

/* A log of nothing gives nothing and owns nothing. */
FIXTURE_TEST(empty)
{
        const uint8_t *run = (const uint8_t *) "";
        uint64_t offset = 0;

        output_log_append(&f->log, NULL, 0);
        g_assert_null(f->log.bytes);
        g_assert_cmpuint(output_log_peek(&f->log, &offset, &run), ==, 0);
        g_assert_null(run);
        assert_same(f);
}

/* Memory follows the contents, and ends at the limit. */
FIXTURE_TEST(growth)
{
        append(f, 1);
        g_assert_cmpuint(f->log.capacity, <=, 4096);
        append(f, 9999);
        g_assert_cmpuint(f->log.capacity, <=, 20000);
        append(f, 3 * LIMIT);
        g_assert_cmpuint(f->log.capacity, ==, LIMIT);
        assert_same(f);
}

/* Around the limit, in one piece and in two. */
FIXTURE_TEST(limit)
{
        static const size_t sizes[] = {LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT, 2 * LIMIT + 1};

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
                for (size_t first = 0; first <= 2; first++) {
                        Fixture g;

                        set_up(&g, NULL);
                        append(&g, first);
                        append(&g, sizes[i] - first);
                        assert_same(&g);
                        append(&g, 1);
                        assert_same(&g);
                        assert_reads(&g, output_log_start(&g.log), 7);
                        tear_down(&g, NULL);
                }
}

/* Any order of appends of any size, read anywhere, is what the model says. */
FIXTURE_TEST(model)
{
        for (int round = 0; round < 400; round++) {
                int kind = g_test_rand_int_range(0, 10);
                int bound = kind == 0 ? (int) (2 * LIMIT) : kind < 4 ? 40000 : 300;

                append(f, (size_t) g_test_rand_int_range(0, bound));
                assert_reads(f, (uint64_t) g_test_rand_int_range(0, (int) f->model->len + 100),
                             (size_t) g_test_rand_int_range(0, 5000));
                if (round % 40 == 0)
                        assert_same(f);
        }
        assert_same(f);
}

/* Peeking gives runs that make up the whole, at most two, and moves a forgotten offset only. */
FIXTURE_TEST(peek)
{
        uint64_t offset = 3, start;
        const uint8_t *run;
        size_t n, runs = 0;

        append(f, LIMIT);
        append(f, 1000);
        start = output_log_start(&f->log);
        for (; (n = output_log_peek(&f->log, &offset, &run)) > 0; offset += n, runs++) {
                g_assert_cmpuint(offset, >=, start);
                g_assert_cmpmem(run, n, f->model->data + offset, n);
        }
        g_assert_cmpuint(runs, ==, 2);
        g_assert_cmpuint(offset, ==, f->model->len);
        offset = 3;
        g_assert_cmpuint(output_log_read(&f->log, &offset, NULL, 0), ==, 0);
        g_assert_cmpuint(offset, ==, start);
        offset = start + 5;
        g_assert_cmpuint(output_log_peek(&f->log, &offset, &run), >, 0);
        g_assert_cmpuint(offset, ==, start + 5);
}

/* A reader ahead of the log waits there; at the end of all numbers too. */
FIXTURE_TEST(beyond_the_end)
{
        uint64_t offset = 11;
        uint8_t byte;

        append(f, 10);
        g_assert_cmpuint(output_log_read(&f->log, &offset, &byte, 1), ==, 0);
        g_assert_cmpuint(offset, ==, 11);
        offset = UINT64_MAX;
        g_assert_cmpuint(output_log_read(&f->log, &offset, &byte, 1), ==, 0);
        g_assert_cmpuint(offset, ==, UINT64_MAX);
}

/* ---- the file ---- */

static void save(const Fixture *f)
{
        g_autoptr(GError) error = NULL;

        g_assert_true(output_log_save(&f->log, f->fd, "log", &error));
        g_assert_no_error(error);
}

static void assert_not_loaded(const Fixture *f)
{
        g_autoptr(GError) error = NULL;
        g_auto(OutputLog) log = {0};

        output_log_append(&log, (const uint8_t *) "kept", 4);
        g_assert_false(output_log_load(&log, f->fd, "log", &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_FAILED);
        g_assert_cmpuint(output_log_end(&log), ==, 4);
        g_assert_cmpmem(log.bytes, 4, "kept", 4);
}

static void put_file(const Fixture *f, const void *data, size_t n)
{
        autofd int fd = openat(f->fd, "log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(write(fd, data, n), ==, n);
}

static size_t get_file(const Fixture *f, uint8_t *buffer, size_t max)
{
        autofd int fd = openat(f->fd, "log", O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, buffer, max);

        g_assert_cmpint(n, >=, 0);
        return (size_t) n;
}

/* What was saved is loaded, offsets and all, and goes on from there; whatever the size. */
FIXTURE_TEST(save_and_load)
{
        static const size_t sizes[] = {0, 1, 4096, LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT + 17};
        struct stat st;

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autoptr(GError) error = NULL;

                append(f, sizes[i] - MIN(sizes[i], f->model->len));
                save(f);
                g_assert_true(output_log_load(&f->log, f->fd, "log", &error));
                g_assert_no_error(error);
                assert_same(f);
                append(f, 3);
                assert_same(f);
        }
        g_assert_cmpint(fstatat(f->fd, "log", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
        g_assert_cmpuint(st.st_mode, ==, S_IFREG | 0600);
}

/* A file of the temporary name, or a link, is replaced and not followed. */
FIXTURE_TEST(save_over_leftovers)
{
        struct stat st;

        append(f, 100);
        g_assert_cmpint(symlinkat("other", f->fd, "log.new"), ==, 0);
        g_assert_cmpint(symlinkat("other", f->fd, "log"), ==, 0);
        save(f);
        g_assert_cmpint(fstatat(f->fd, "other", &st, AT_SYMLINK_NOFOLLOW), ==, -1);
        g_assert_cmpint(fstatat(f->fd, "log", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
        g_assert_true(S_ISREG(st.st_mode));
}

/* A save that fails says so, leaves no half, and the old file stays. */
FIXTURE_TEST(save_fails)
{
        g_autoptr(GError) error = NULL;

        append(f, 100);
        g_assert_cmpint(mkdirat(f->fd, "log", 0700), ==, 0); /* rename of a file onto it: EISDIR */
        g_assert_false(output_log_save(&f->log, f->fd, "log", &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_FAILED);
        g_assert_cmpint(unlinkat(f->fd, "log", AT_REMOVEDIR), ==, 0);

        g_clear_error(&error);
        g_assert_false(output_log_save(&f->log, -1, "log", &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_FAILED);
}

/* What is not a regular file of our making is refused, and a fifo does not block. */
FIXTURE_TEST(load_strangers)
{
        assert_not_loaded(f);
        append(f, 100);
        save(f);
        g_assert_cmpint(renameat(f->fd, "log", f->fd, "other"), ==, 0);
        g_assert_cmpint(symlinkat("other", f->fd, "log"), ==, 0);
        assert_not_loaded(f);
        unlinkat(f->fd, "log", 0);
        g_assert_cmpint(mkfifoat(f->fd, "log", 0600), ==, 0);
        assert_not_loaded(f);
        unlinkat(f->fd, "log", 0);
        g_assert_cmpint(mkdirat(f->fd, "log", 0700), ==, 0);
        assert_not_loaded(f);
        unlinkat(f->fd, "log", AT_REMOVEDIR);
}

/* Every shorter file is refused, and a longer one. */
FIXTURE_TEST(load_truncated)
{
        uint8_t file[HEADER_SIZE + SUM_SIZE + 10 + 1] = {0};

        append(f, 10);
        save(f);
        g_assert_cmpuint(get_file(f, file, sizeof file), ==, sizeof file - 1);
        for (size_t n = 0; n < sizeof file - 1; n++) {
                put_file(f, file, n);
                assert_not_loaded(f);
        }
        put_file(f, file, sizeof file);
        assert_not_loaded(f);
}

/* A file with any bit changed, in header, checksum or output, is refused, and told to be damaged.
 */
FIXTURE_TEST(load_damaged)
{
        uint8_t file[HEADER_SIZE + SUM_SIZE + 10];
        g_autoptr(GError) error = NULL;

        append(f, 10);
        save(f);
        g_assert_cmpuint(get_file(f, file, sizeof file), ==, sizeof file);
        for (size_t bit = 0; bit < 8 * sizeof file; bit++) {
                file[bit / 8] ^= (uint8_t) (1u << bit % 8);
                put_file(f, file, sizeof file);
                assert_not_loaded(f);
                file[bit / 8] ^= (uint8_t) (1u << bit % 8);
        }
        file[sizeof file - 1] ^= 1;
        put_file(f, file, sizeof file);
        g_assert_false(output_log_load(&f->log, f->fd, "log", &error));
        g_assert_nonnull(strstr(error->message, "damaged"));
}

/* The file of another log is refused under this one's name. */
FIXTURE_TEST(load_another)
{
        append(f, 10);
        save(f);
        g_assert_cmpint(renameat(f->fd, "log", f->fd, "other"), ==, 0);
        g_assert_false(output_log_load(&f->log, f->fd, "other", NULL));
        g_assert_cmpint(renameat(f->fd, "other", f->fd, "log"), ==, 0);
        g_assert_true(output_log_load(&f->log, f->fd, "log", NULL));
}

/* What the version before wrote, without a checksum, is read. */
FIXTURE_TEST(load_older)
{
        uint8_t file[HEADER_SIZE + SUM_SIZE + 10];

        append(f, 10);
        save(f);
        g_assert_cmpuint(get_file(f, file, sizeof file), ==, sizeof file);
        file[7] = 1;
        memmove(file + HEADER_SIZE, file + HEADER_SIZE + SUM_SIZE, 10);
        put_file(f, file, HEADER_SIZE + 10);
        g_assert_true(output_log_load(&f->log, f->fd, "log", NULL));
        assert_same(f);
}

/* A file that is whole but larger than any log: refused before memory is asked for. */
FIXTURE_TEST(load_too_large)
{
        g_autofree uint8_t *file = g_malloc0(HEADER_SIZE + LIMIT + 1);
        uint64_t length = LIMIT + 1;

        save(f);
        g_assert_cmpuint(get_file(f, file, HEADER_SIZE), ==, HEADER_SIZE);
        memcpy(file + 16, &length, sizeof length);
        put_file(f, file, HEADER_SIZE + LIMIT + 1);
        assert_not_loaded(f);
}
