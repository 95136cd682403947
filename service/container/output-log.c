#include "service/container/output-log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

#define CAPACITY_FIRST 4096u

/* The file is read on this machine and in this boot alone, so it may have the machine's byte order.
 * The magic's last byte is the version. */
typedef struct FileHeader {
        char magic[8];
        uint64_t start, length;
} FileHeader;

static const char file_magic[8] = {'n', 'r', 'u', 'n', 'c', 'l', 'o', 2};

#define VERSION_WITHOUT_SUM 1 /* the version before is read: an upgrade loses no output */

/* Behind the header: over the file's name, the header and the bytes. */
typedef struct FileSum {
        uint8_t bytes[32];
} FileSum;

void output_log_init(OutputLog *log)
{
        *log = (OutputLog){0};
}

void output_log_clear(OutputLog *log)
{
        g_free(log->bytes);
        output_log_init(log);
}

uint64_t output_log_start(const OutputLog *log)
{
        return log->end - log->length;
}

uint64_t output_log_end(const OutputLog *log)
{
        return log->end;
}

/* Bytes are forgotten only at full size, so a ring that still grows begins at index 0. */
static void reserve(OutputLog *log, size_t n)
{
        size_t wanted = MIN(log->length + n, LOG_BYTES_MAX);
        size_t capacity = MAX(log->capacity, CAPACITY_FIRST);

        if (wanted <= log->capacity)
                return;
        g_assert(log->first == 0);
        while (capacity < wanted)
                capacity *= 2;
        log->capacity = MIN(capacity, LOG_BYTES_MAX);
        log->bytes = g_realloc(log->bytes, log->capacity);
}

/* Nanoseconds since 1970: no command writes a byte in each. */
void output_log_lose(OutputLog *log)
{
        output_log_clear(log);
        log->end = (uint64_t) g_get_real_time() * 1000;
}

void output_log_append(OutputLog *log, const uint8_t *data, size_t n)
{
        log->end += n;
        if (n > LOG_BYTES_MAX) {
                data += n - LOG_BYTES_MAX;
                n = LOG_BYTES_MAX;
        }
        if (n == 0)
                return;
        reserve(log, n);

        size_t at = (log->first + log->length) % log->capacity;
        size_t before_wrap = MIN(n, log->capacity - at);
        memcpy(log->bytes + at, data, before_wrap);
        memcpy(log->bytes, data + before_wrap, n - before_wrap);

        size_t forgotten = log->length + n - MIN(log->length + n, log->capacity);
        log->first = (log->first + forgotten) % log->capacity;
        log->length += n - forgotten;
}

size_t output_log_peek(const OutputLog *log, uint64_t *offset, const uint8_t **ret_data)
{
        *ret_data = NULL;
        *offset = MAX(*offset, output_log_start(log));
        if (*offset >= log->end)
                return 0;

        size_t skipped = (size_t) (*offset - output_log_start(log));
        size_t at = (log->first + skipped) % log->capacity;
        *ret_data = log->bytes + at;
        return MIN(log->length - skipped, log->capacity - at);
}

size_t output_log_read(const OutputLog *log, uint64_t *offset, uint8_t *buffer, size_t max)
{
        size_t copied = 0;

        *offset = MAX(*offset, output_log_start(log)); /* even if `max` is 0 */
        while (copied < max) {
                const uint8_t *run;
                size_t n = MIN(output_log_peek(log, offset, &run), max - copied);

                if (n == 0)
                        break;
                memcpy(buffer + copied, run, n);
                copied += n;
                *offset += n;
        }
        return copied;
}

static int write_all(int fd, const void *data, size_t n)
{
        const uint8_t *at = data;

        while (n > 0) {
                ssize_t written = write(fd, at, n);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return -errno;
                at += written;
                n -= (size_t) written;
        }
        return 0;
}

static FileSum sum_of(const OutputLog *log, const FileHeader *header, const char *name)
{
        g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
        uint64_t offset = header->start;
        const uint8_t *run;
        FileSum sum;
        size_t n;
        gsize size = sizeof sum.bytes;

        g_checksum_update(checksum, (const guchar *) name, (gssize) strlen(name) + 1);
        g_checksum_update(checksum, (const guchar *) header, sizeof *header);
        for (; (n = output_log_peek(log, &offset, &run)) > 0; offset += n)
                g_checksum_update(checksum, run, (gssize) n);
        g_checksum_get_digest(checksum, sum.bytes, &size);
        return sum;
}

static int write_log(const OutputLog *log, int fd, const char *name)
{
        FileHeader header = {.start = output_log_start(log), .length = log->length};
        uint64_t offset = header.start;
        const uint8_t *run;
        size_t n;

        memcpy(header.magic, file_magic, sizeof header.magic);
        FileSum sum = sum_of(log, &header, name);
        int r = write_all(fd, &header, sizeof header);
        if (r == 0)
                r = write_all(fd, &sum, sizeof sum);
        while (r == 0 && (n = output_log_peek(log, &offset, &run)) > 0) {
                r = write_all(fd, run, n);
                offset += n;
        }
        return r;
}

bool output_log_save(const OutputLog *log, int dirfd, const char *name, GError **error)
{
        g_autofree char *beside = g_strdup_printf("%s.new", name);

        /* a service that died here may have left this file; O_EXCL makes the new one ours alone */
        unlinkat(dirfd, beside, 0);
        autofd int fd =
                openat(dirfd, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot create the log file '%s'", beside);
        int r = write_log(log, fd, name);
        if (r == 0 && renameat(dirfd, beside, dirfd, name) < 0)
                r = -errno;
        if (r < 0) {
                unlinkat(dirfd, beside, 0);
                return error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot save the log file '%s'", name);
        }
        return true;
}

static int read_all(int fd, void *data, size_t n)
{
        uint8_t *at = data;

        while (n > 0) {
                ssize_t got = read(fd, at, n);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got <= 0)
                        return got < 0 ? -errno : -EBADMSG;
                at += got;
                n -= (size_t) got;
        }
        return 0;
}

/* `start` leaves the upper half of its type unused, so that no later append makes `end`
 * overflow. */
static bool header_fits(const FileHeader *header, size_t sum_size, const struct stat *st)
{
        return memcmp(header->magic, file_magic, sizeof file_magic - 1) == 0 &&
               header->length <= LOG_BYTES_MAX && header->start <= INT64_MAX &&
               st->st_size == (off_t) (sizeof *header + sum_size + header->length);
}

static int read_log(OutputLog *log, int fd, const char *name)
{
        FileHeader header;
        FileSum sum = {0};
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        int r = read_all(fd, &header, sizeof header);
        if (r < 0)
                return r;
        char version = header.magic[sizeof header.magic - 1];
        bool has_sum = version != VERSION_WITHOUT_SUM;
        if (!header_fits(&header, has_sum ? sizeof sum : 0, &st) ||
            (has_sum && version != file_magic[sizeof file_magic - 1]))
                return -EBADMSG;
        if (has_sum && (r = read_all(fd, &sum, sizeof sum)) < 0)
                return r;
        reserve(log, (size_t) header.length);
        r = read_all(fd, log->bytes, (size_t) header.length);
        if (r < 0)
                return r;
        log->length = (size_t) header.length;
        log->end = header.start + header.length;
        FileSum found = has_sum ? sum_of(log, &header, name) : sum;
        return memcmp(&found, &sum, sizeof sum) == 0 ? 0 : -EBADMSG;
}

bool output_log_load(OutputLog *log, int dirfd, const char *name, GError **error)
{
        g_auto(OutputLog) loaded = {0};
        /* O_NONBLOCK: a fifo in the file's place must not hold up the service's start */
        autofd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        int r = fd < 0 ? -errno : read_log(&loaded, fd, name);

        if (r == -EBADMSG)
                return error_set(error, RUNTIME_ERROR_FAILED,
                                 "the log file '%s' is damaged: it is not what was written", name);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot load the log file '%s'", name);
        output_log_clear(log);
        *log = loaded;
        output_log_init(&loaded);
        return true;
}
